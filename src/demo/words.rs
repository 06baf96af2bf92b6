//! What people of the demo write: reasons, notes and descriptions, in the language of the data.

use super::chance::Chance;
use crate::locale::Lang;

type Both = [&'static str; 2];

const REFUND: [Both; 7] = [
    ["고객 요청", "customer request"],
    ["중복 이용권 구매", "bought twice by mistake"],
    ["서비스 장애 보상", "compensation for an outage"],
    ["해지 후 결제됨", "charged after cancelling"],
    ["미사용 기간 환불", "unused part of the period"],
    ["플랜 착오 선택", "chose the wrong plan"],
    ["법인카드로 재결제", "paid again with the company card"],
];
const CANCEL: [Both; 7] = [
    ["더 이상 사용하지 않음", "no longer used"],
    ["가격 부담", "too expensive"],
    ["다른 서비스로 이동", "moved to another service"],
    ["필요한 기능 없음", "a feature is missing"],
    ["프로젝트 종료", "the project has ended"],
    ["잠시 쉬고 싶음", "taking a break"],
    ["", ""],
];
const NOTE: [Both; 9] = [
    ["카드 교체 안내 문자 발송함", "texted them about a new card"],
    [
        "월급날(25일) 이후 재결제 희망",
        "asks to be charged after payday (25th)",
    ],
    [
        "세금계산서 요청, 회계팀 전달",
        "wants a tax invoice, passed to accounting",
    ],
    [
        "통화 완료: 다음 주에 카드 등록 예정",
        "called: will register a card next week",
    ],
    [
        "연간 플랜 할인 문의, 안내함",
        "asked about the yearly price, explained",
    ],
    [
        "담당자 변경됨 (이메일 갱신 필요)",
        "contact person changed, update the e-mail",
    ],
    [
        "한도 초과로 결제 거절, 고객이 한도 상향함",
        "declined for limit, they raised it",
    ],
    ["환불 규정 안내", "explained the refund policy"],
    ["기업 전환 검토 중", "considering the business plan"],
];
const ONE_TIME: [(Both, i64); 6] = [
    (["추가 크레딧 100", "100 extra credits"], 5_500),
    (["추가 크레딧 300", "300 extra credits"], 14_900),
    (["추가 크레딧 1,000", "1,000 extra credits"], 44_000),
    (["템플릿 묶음", "template bundle"], 8_800),
    (["온라인 강의", "online course"], 33_000),
    (["데이터 이전 서비스", "data migration service"], 110_000),
];
const NO_CARD: Both = ["새 카드 미등록", "no new card"];
const MANUAL: Both = ["고객 통화 후 재시도", "retry after a call"];

/// The words of one language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    at: usize,
}

impl Words {
    pub(super) fn of(lang: Lang) -> Self {
        Self {
            at: usize::from(lang == Lang::En),
        }
    }

    pub(super) fn refund(self, chance: &mut Chance) -> &'static str {
        chance.one_of(&REFUND)[self.at]
    }

    pub(super) fn cancel(self, chance: &mut Chance) -> &'static str {
        chance.one_of(&CANCEL)[self.at]
    }

    pub(super) fn note(self, chance: &mut Chance) -> &'static str {
        chance.one_of(&NOTE)[self.at]
    }

    /// Something bought once, and its price.
    pub(super) fn one_time(self, chance: &mut Chance) -> (&'static str, i64) {
        let (names, price) = chance.one_of(&ONE_TIME);
        (names[self.at], *price)
    }

    pub(super) const fn no_card(self) -> &'static str {
        NO_CARD[self.at]
    }

    pub(super) const fn manual(self) -> &'static str {
        MANUAL[self.at]
    }
}
