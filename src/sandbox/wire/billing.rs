//! The Billing object: what issuing a key answers.

use serde::Serialize;

use super::super::ledger::{Card, CardFace};
use super::{Absent, iso, to_bytes};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingJson<'a> {
    m_id: &'a str,
    customer_key: Option<&'a str>,
    authenticated_at: Option<String>,
    method: &'static str,
    billing_key: Option<&'a str>,
    card: FaceJson<'a>,
    transfers: Absent,
    easy_pay: Absent,
    card_company: &'static str,
    card_number: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FaceJson<'a> {
    issuer_code: &'a str,
    acquirer_code: &'a str,
    number: &'a str,
    card_type: &'a str,
    owner_type: &'a str,
}

/// The Billing object: what issuing a key answers.
pub(in super::super) fn billing(card: &Card, merchant_id: &str) -> Vec<u8> {
    let CardFace {
        number,
        issuer_code,
        acquirer_code,
        card_type,
        owner_type,
    } = &card.face;
    to_bytes(&BillingJson {
        m_id: merchant_id,
        customer_key: card.customer_key.as_deref(),
        authenticated_at: card.authenticated_at.map(iso),
        method: "카드",
        billing_key: card.billing_key.as_deref(),
        card: FaceJson {
            issuer_code,
            acquirer_code,
            number,
            card_type,
            owner_type,
        },
        transfers: None,
        easy_pay: None,
        card_company: company_name(issuer_code),
        card_number: number,
    })
}

fn company_name(issuer_code: &str) -> &'static str {
    match issuer_code {
        "3K" => "기업비씨",
        "11" => "국민",
        "15" => "카카오뱅크",
        "21" => "하나",
        "24" => "토스뱅크",
        "31" => "비씨",
        "33" | "W1" => "우리",
        "3A" => "케이뱅크",
        "41" => "신한",
        "51" => "삼성",
        "61" => "현대",
        "71" => "롯데",
        "91" => "농협",
        _ => "기타",
    }
}
