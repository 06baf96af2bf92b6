//! Rows of a small shop, fixed in time: what a database would answer.

use chrono::{DateTime, Duration, NaiveDate, TimeZone, Utc};

use paydeck::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use paydeck::domain::audit::{AuditEntry, AuditRecord};
use paydeck::domain::customer::{Card, Customer, PaymentMethod};
use paydeck::domain::dunning::DunningState;
use paydeck::domain::evidence::{Proves, Refusal};
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, MethodId, Noun, PaymentId, PlanId, ProductId,
    PublicId, RunId, SubscriptionId,
};
use paydeck::domain::invoice::{Invoice, InvoiceKind};
use paydeck::domain::mirror::{Collection, Scheduler, Wish, WishId, WishState, WishVerb};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::{CardUse, Payment};
use paydeck::domain::period::{Anchor, Interval, Unit};
use paydeck::domain::plan::Plan;
use paydeck::domain::run::{Decision, Run};
use paydeck::domain::states::{
    ApprovalState, AttemptState, InvoiceState, MethodState, RunState, SubscriptionState,
};
use paydeck::domain::subscription::{Change, ChangeCause, Subscription, Term};
use paydeck::engine::queries::*;

pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 5, 3, 0).unwrap()
}

pub fn won(amount: i64) -> Money {
    Money::new(amount, Currency::KRW)
}

pub fn ago(minutes: i64) -> DateTime<Utc> {
    now() - Duration::minutes(minutes)
}

pub fn public(noun: Noun, number: i64) -> PublicId {
    PublicId::new(noun, &format!("01KAXN5Q0000000000000{number:05}"))
}

const NAMES: [&str; 12] = [
    "김서현",
    "이도윤",
    "박하준",
    "최서연",
    "정시우",
    "Acme Corp.",
    "강지호",
    "남궁민수",
    "오",
    "윤서아",
    "한지민",
    "Kim Jiwoo",
];
const PLANS: [(&str, &str, i64); 4] = [
    ("베이직 월", "basic-month", 9_900),
    ("프로 월", "pro-month", 27_000),
    ("프로 분기", "pro-quarter", 72_000),
    ("엔터프라이즈 연", "ent-year", 1_980_000),
];

thread_local! {
    /// A text that somebody put into every field that people can write to.
    pub static HOSTILE: std::cell::RefCell<Option<String>> = const { std::cell::RefCell::new(None) };
}

/// A text of a row, or the hostile one in its place.
fn raw(text: &str) -> String {
    HOSTILE.with_borrow(|hostile| hostile.clone().unwrap_or_else(|| text.to_owned()))
}

pub fn brief(number: i64) -> CustomerBrief {
    let name = NAMES[usize::try_from(number).unwrap() % NAMES.len()];
    CustomerBrief {
        id: CustomerId(number),
        public_id: public(Noun::Customer, number),
        name: raw(name),
    }
}

pub fn card(number: i64) -> CardBrief {
    CardBrief {
        provider: ProviderName::Toss,
        issuer: ["61", "11", "41", "15"][usize::try_from(number).unwrap() % 4].to_owned(),
        number: raw("43301234****123*"),
        expiry: Some((2026 + i32::try_from(number % 3).unwrap(), 12)),
        state: if number % 7 == 5 {
            MethodState::Deleted
        } else {
            MethodState::Active
        },
    }
}

pub fn customer_row(number: i64) -> CustomerRow {
    CustomerRow {
        customer: brief(number),
        email: raw(&format!("user{number}@example.com")),
        phone: raw("010-1234-5678"),
        subscriptions: u32::try_from(number % 3).unwrap(),
        created_at: ago(number * 60 * 40),
    }
}

pub fn subscription_row(number: i64) -> SubscriptionRow {
    let (name, code, price) = PLANS[usize::try_from(number).unwrap() % 4];
    let state = [
        SubscriptionState::Active,
        SubscriptionState::Active,
        SubscriptionState::PastDue,
        SubscriptionState::Trialing,
        SubscriptionState::Canceled,
    ][usize::try_from(number).unwrap() % 5];
    let mut flags = Vec::new();
    if number % 6 == 1 {
        flags.push(RenewalFlag::CardExpires);
    }
    if number % 7 == 5 {
        flags.push(RenewalFlag::KeyDeleted);
    }
    if state == SubscriptionState::PastDue {
        flags.push(RenewalFlag::PastDue);
    }
    SubscriptionRow {
        scheduler: scheduler(number),
        id: SubscriptionId(number),
        public_id: public(Noun::Subscription, number),
        customer: brief(number),
        plan_name: raw(name),
        plan_code: code.to_owned(),
        state,
        amount: won(price),
        next_due_at: Some(now() + Duration::hours(20 * (number + 1))),
        cancel_at: (number == 3).then(|| now() + Duration::days(9)),
        paid_until: Some(now() + Duration::days(10)),
        card: (number != 9).then(|| card(number)),
        flags,
        created_at: ago(60 * 24 * 300),
    }
}

pub fn failed_row(number: i64) -> FailedRow {
    let (code, class, dunning) = [
        (
            "REJECT_CARD_PAYMENT",
            FailureClass::Soft,
            DunningState::Scheduled,
        ),
        (
            "INVALID_CARD_EXPIRATION",
            FailureClass::Hard,
            DunningState::AwaitingCard,
        ),
        (
            "REJECT_CARD_COMPANY",
            FailureClass::Soft,
            DunningState::Scheduled,
        ),
        (
            "EXCEED_MAX_AUTH_COUNT",
            FailureClass::NeedsCustomer,
            DunningState::Scheduled,
        ),
        (
            "NEVER_SEEN_BEFORE",
            FailureClass::Unclassified,
            DunningState::Exhausted,
        ),
    ][usize::try_from(number).unwrap() % 5];
    FailedRow {
        scheduler: scheduler(number),
        invoice_id: InvoiceId(number),
        invoice_public_id: public(Noun::Invoice, number),
        invoice_state: InvoiceState::Open,
        subscription_id: Some(SubscriptionId(number)),
        subscription_state: Some(SubscriptionState::PastDue),
        customer: brief(number),
        what: raw("베이직 월"),
        amount: won(9_900 * (number + 1)),
        provider: Some(ProviderName::Toss),
        code: Some(raw(code)),
        class: Some(class),
        attempts: 2,
        dunning_used: 1,
        dunning,
        next_attempt_at: Some(now() + Duration::hours(68)),
        first_failed_at: ago(60 * 5 * (number + 1)),
        open_attempt: (number == 4).then_some(AttemptState::Unknown),
        call: None,
    }
}

pub fn decline_row(number: i64) -> DeclineRow {
    let failed = failed_row(number);
    DeclineRow {
        id: AttemptId(number + 1),
        public_id: public(Noun::Attempt, number),
        invoice_id: failed.invoice_id,
        invoice_state: match number % 3 {
            0 => InvoiceState::Paid,
            1 => InvoiceState::Open,
            _ => InvoiceState::Uncollectible,
        },
        subscription_id: failed.subscription_id,
        customer: failed.customer,
        what: failed.what,
        amount: failed.amount,
        provider: ProviderName::Toss,
        code: failed.code,
        class: failed.class.unwrap_or(FailureClass::Unclassified),
        source: Source::Run,
        settled_at: ago(number * 97),
    }
}

pub fn payment_row(number: i64) -> PaymentRow {
    PaymentRow {
        id: PaymentId(number),
        public_id: public(Noun::Payment, number),
        invoice_id: InvoiceId(number),
        subscription_id: Some(SubscriptionId(number)),
        customer: brief(number),
        what: raw("프로 월"),
        captured: won(27_000),
        refunded_minor: if number % 4 == 1 { 3_000 } else { 0 },
        reserved_minor: if number % 9 == 4 { 1_000 } else { 0 },
        captured_at: ago(60 * 7 * (number + 1)),
        card: Some(card(number)),
        order_id: format!("pdabcdefgh-01KAXN-{number}"),
        provider: ProviderName::Toss,
        provider_ref: "5zJ4xY7m0kODnyRpQWGrN2xq".to_owned(),
        is_duplicate: number == 6,
        mode: Mode::Sim,
        card_use: CardUse::default(),
    }
}

pub fn plan(number: i64) -> Plan {
    let (name, code, price) = PLANS[usize::try_from(number).unwrap() % 4];
    Plan {
        id: PlanId(number),
        public_id: public(Noun::Plan, number),
        product_id: ProductId(1),
        code: code.to_owned(),
        name: raw(name),
        price: won(price),
        interval: Interval {
            unit: [Unit::Month, Unit::Month, Unit::Quarter, Unit::Year]
                [usize::try_from(number).unwrap() % 4],
            count: 1,
        },
        tier: raw("basic"),
        trial_days: 14,
        features: vec![raw("보고서"), "API".to_owned()],
        active: number != 2,
        created_at: ago(60 * 24 * 700),
        version: 1,
    }
}

pub fn plan_row(number: i64) -> PlanRow {
    let plan = plan(number);
    PlanRow {
        mrr: won(
            [14_869_800, 11_590_000, 1_656_000, 9_504_000][usize::try_from(number).unwrap() % 4]
        ),
        plan,
        product_name: "데모".to_owned(),
        active: [1_502, 610, 184, 96][usize::try_from(number).unwrap() % 4],
        trialing: 12,
    }
}

pub fn unknown_row(number: i64) -> UnknownRow {
    UnknownRow {
        id: AttemptId(number),
        public_id: public(Noun::Attempt, number),
        kind: if number == 1 {
            AttemptKind::Refund
        } else {
            AttemptKind::Charge
        },
        state: AttemptState::Unknown,
        customer: brief(number + 4),
        invoice_id: InvoiceId(number),
        amount: won(9_900),
        provider: ProviderName::Toss,
        order_id: raw(&format!("pdabcdefgh-01KAXN-{number}")),
        source: Source::Run,
        first_sent_at: Some(ago(3 + number * 8)),
        last_sent_at: Some(ago(3 + number * 8)),
        send_count: 1,
        checks: 2,
        not_seen: 2,
        next_check_at: Some(now() + Duration::seconds(40 + number * 90)),
        waits_for_customer: false,
        last_outcome: Some("not_seen".to_owned()),
        last_evidence_at: Some(ago(1)),
        needs_human: number == 2,
        operator: "cron".to_owned(),
        call: None,
    }
}

pub fn run_row(number: i64) -> RunRow {
    RunRow {
        run: Run {
            id: RunId(number),
            public_id: public(Noun::Run, number),
            state: [RunState::Running, RunState::Finished, RunState::Stopped]
                [usize::try_from(number).unwrap() % 3],
            operator: "cron".to_owned(),
            host: "billing-1".to_owned(),
            until: ago(60 * 24 * number),
            started_at: ago(60 * 24 * number + 3),
            finished_at: (number > 0).then(|| ago(60 * 24 * number)),
            stop_reason: (number % 3 == 2).then(|| raw("circuit breaker open")),
        },
        totals: vec![
            (Some(Decision::Done), 412),
            (Some(Decision::Declined), 31),
            (Some(Decision::Unknown), u64::from(number == 0)),
            (Some(Decision::SkippedNoMethod), 7),
            (None, u64::from(number == 0) * 12),
        ],
    }
}

pub fn run_item(number: i64) -> RunItemRow {
    RunItemRow {
        id: number,
        run_id: RunId(1),
        subscription_id: SubscriptionId(number),
        subscription_public_id: public(Noun::Subscription, number),
        customer: brief(number),
        invoice_id: Some(InvoiceId(number)),
        amount: Some(won(9_900)),
        decision: Decision::ALL.get(usize::try_from(number).unwrap()).copied(),
        reason: raw(""),
        at: ago(60),
    }
}

pub fn activity_row(number: i64) -> ActivityRow {
    ActivityRow {
        record: AuditRecord {
            chain: "host:1".to_owned(),
            seq: number,
            prev: String::new(),
            hash: String::new(),
            entry: AuditEntry {
                at: ago(number * 9),
                person: raw("kim"),
                claims: "{\"uid\":\"1000\"}".to_owned(),
                mode: Mode::Sim,
                verb: ["retry", "refund", "start", "cancel-at-end"]
                    [usize::try_from(number).unwrap() % 4]
                    .to_owned(),
                target: public(Noun::Invoice, number).to_string(),
                before: "open".to_owned(),
                after: "paid".to_owned(),
                reason: raw("고객 요청"),
                result: ["done", "declined", "refused", "intent"]
                    [usize::try_from(number).unwrap() % 4]
                    .to_owned(),
                provider_ref: String::new(),
                approver: String::new(),
            },
        },
    }
}

pub fn event_row(number: i64) -> EventRow {
    EventRow {
        id: number,
        provider: if number % 2 == 0 {
            ProviderName::Stripe
        } else {
            ProviderName::Toss
        },
        kind: raw(if number % 2 == 0 {
            "invoice.payment_failed"
        } else {
            "PAYMENT_STATUS_CHANGED"
        }),
        about: (number % 4 != 3).then(|| raw("sub_1Mowv2LkdIwHu7ix")),
        subscription: (number % 4 == 0).then(|| public(Noun::Subscription, number)),
        happened_at: Some(ago(number * 17 + 1)),
        processed_at: None,
        unread: u32::from(number == 4),
        error: (number % 4 == 2).then(|| raw("the provider does not tell")),
        received_at: ago(number * 17),
        state: ["processed", "received", "failed", "ignored"][usize::try_from(number).unwrap() % 4]
            .to_owned(),
        tries: 1,
    }
}

pub fn hit(number: i64) -> Hit {
    Hit {
        target: HitTarget::Customer(CustomerId(number)),
        public_id: public(Noun::Customer, number),
        customer: brief(number),
        matched: "name",
        label: raw("베이직 월"),
        amount: None,
        at: ago(600),
    }
}

pub fn renewal_day(at: i64, day: LocalDay) -> RenewalDay {
    RenewalDay {
        day,
        count: u64::try_from([84, 61, 58, 131, 249, 77, 0][usize::try_from(at).unwrap() % 7])
            .unwrap(),
        amounts: vec![won([
            1_204_300, 812_900, 790_200, 2_310_500, 4_922_100, 1_043_000, 0,
        ][usize::try_from(at).unwrap() % 7])],
        flags: match at % 7 {
            0 => vec![(RenewalFlag::CardExpires, 2)],
            2 => vec![(RenewalFlag::KeyDeleted, 1)],
            4 => vec![(RenewalFlag::PastDue, 9), (RenewalFlag::CardExpires, 4)],
            _ => Vec::new(),
        },
    }
}

pub fn overview(window: &Window) -> Overview {
    let days = window.days.iter().enumerate().map(|(at, day)| {
        let at = i64::try_from(at).unwrap();
        DayFigure {
            date: day.date,
            captured: won(900_000 + (at * 37 % 11) * 90_000),
            refunded: won(0),
            payments: 40,
            declined: u64::try_from(at * 13 % 9).unwrap(),
            new: u64::try_from(at * 7 % 12).unwrap(),
            year_ago: won(600_000 + (at * 53 % 13) * 70_000),
        }
    });
    Overview {
        active: 2_431,
        past_due: 57,
        trialing: 38,
        mrr: vec![won(38_412_000)],
        at_risk: vec![won(902_000)],
        gross: vec![won(37_714_400)],
        refunds: vec![won(812_000)],
        net: vec![won(36_902_400)],
        new: 214,
        ended: 96,
        failed_attempts: 183,
        failed_invoices: 121,
        recovered_invoices: 75,
        succeeded_attempts: 2_300,
        unknown: 2,
        oldest_unknown_at: Some(ago(3)),
        waiting: 0,
        days: days.collect(),
        renewals: window
            .week_ahead
            .iter()
            .enumerate()
            .map(|(at, day)| renewal_day(i64::try_from(at).unwrap(), *day))
            .collect(),
        codes: [
            ("REJECT_CARD_PAYMENT", FailureClass::Soft, 88),
            ("REJECT_CARD_COMPANY", FailureClass::Soft, 41),
            ("INVALID_CARD_EXPIRATION", FailureClass::Hard, 23),
            ("INVALID_STOPPED_CARD", FailureClass::Hard, 12),
            ("BILLING_KEY_DELETED", FailureClass::Hard, 11),
            ("NEVER_SEEN_BEFORE", FailureClass::Unclassified, 8),
        ]
        .into_iter()
        .map(|(code, class, count)| CodeFigure {
            code: raw(code),
            class,
            count,
        })
        .collect(),
        plans: (0..4).map(plan_row).collect(),
        health: vec![(
            ProviderName::Toss,
            Health {
                calls: 88,
                troubled: 1,
                p50_ms: Some(412),
                p95_ms: Some(1_300),
            },
        )],
    }
}

pub fn revenue(from: NaiveDate, to: NaiveDate) -> RevenueReport {
    let days = from.iter_days().take_while(|day| *day <= to);
    let months = (0..12).filter_map(|n| from.checked_add_months(chrono::Months::new(n)));
    RevenueReport {
        days: days
            .enumerate()
            .map(|(at, date)| {
                let at = i64::try_from(at).unwrap();
                DayFigure {
                    date,
                    captured: won(700_000 + (at * 41 % 17) * 60_000),
                    refunded: won(0),
                    payments: 30,
                    declined: 1,
                    new: 2,
                    year_ago: won(500_000 + (at * 29 % 11) * 60_000),
                }
            })
            .collect(),
        months: months
            .enumerate()
            .map(|(at, month)| {
                let at = i64::try_from(at).unwrap();
                MonthFigure {
                    month,
                    gross: won(30_000_000 + at * 900_000),
                    refunds: won(400_000 + at * 20_000),
                    net: won(29_600_000 + at * 880_000),
                    payments: 2_000,
                    refund_count: 12,
                }
            })
            .collect(),
        plans: (0..4)
            .map(|number| PlanRevenue {
                plan_id: Some(PlanId(number)),
                name: plan(number).name,
                gross: won(90_000_000 - number * 20_000_000),
                refunds: won(100_000),
                payments: 4_000,
            })
            .chain([PlanRevenue {
                plan_id: None,
                name: String::new(),
                gross: won(500_000),
                refunds: won(0),
                payments: 12,
            }])
            .collect(),
    }
}

pub fn customer(number: i64) -> Customer {
    Customer {
        id: CustomerId(number),
        public_id: public(Noun::Customer, number),
        customer_key: "ck_abcdef".to_owned(),
        name: brief(number).name,
        email: raw("seohyun@example.com"),
        phone: raw("010-1234-5678"),
        created_at: ago(60 * 24 * 400),
        version: 1,
    }
}

pub fn customer_card(number: i64) -> CustomerCard {
    CustomerCard {
        customer: customer(number),
        subscriptions: vec![subscription_row(0)],
        methods: vec![PaymentMethod {
            id: MethodId(1),
            public_id: public(Noun::Method, 1),
            customer_id: CustomerId(number),
            provider: ProviderName::Toss,
            mode: Mode::Sim,
            card: Card {
                issuer: "61".to_owned(),
                number: "43301234****123*".to_owned(),
                kind: "신용".to_owned(),
                expiry: Some((2027, 12)),
            },
            state: MethodState::Active,
            created_at: ago(60 * 24 * 100),
            version: 1,
        }],
        payments: (0..12).map(payment_row).collect(),
        failures: vec![failed_row(0)],
        unknowns: vec![unknown_row(0)],
        notes: vec![Note {
            target: public(Noun::Customer, number),
            author: raw("lee"),
            text: raw("다음 달부터 프로로 바꾸고 싶다고 함"),
            at: ago(60 * 30),
        }],
        lifetime: vec![won(198_000)],
        credits: 20,
    }
}

pub fn invoice(number: i64) -> Invoice {
    Invoice {
        id: InvoiceId(number),
        public_id: public(Noun::Invoice, number),
        customer_id: CustomerId(number),
        subscription_id: Some(SubscriptionId(number)),
        term_no: 1,
        period_index: 3,
        kind: InvoiceKind::Renewal,
        state: InvoiceState::Open,
        amount: won(9_900),
        description: raw("베이직 월"),
        due_at: ago(60 * 24 * 2),
        period_from: NaiveDate::from_ymd_opt(2026, 11, 19).unwrap(),
        period_to: NaiveDate::from_ymd_opt(2026, 12, 19).unwrap(),
        attempts: 4,
        dunning_used: 2,
        dunning: DunningState::Scheduled,
        next_attempt_at: Some(now() + Duration::hours(68)),
        first_failed_at: Some(ago(60 * 48)),
        last_code: Some("REJECT_CARD_PAYMENT".to_owned()),
        last_class: Some(FailureClass::Soft),
        paid_at: None,
        created_at: ago(60 * 48),
        version: 4,
    }
}

pub fn attempt(number: i64, source: Source, state: AttemptState) -> Attempt {
    Attempt {
        id: AttemptId(number),
        public_id: public(Noun::Attempt, number),
        kind: AttemptKind::Charge,
        invoice_id: InvoiceId(1),
        payment_id: None,
        customer_id: CustomerId(1),
        subscription_id: Some(SubscriptionId(1)),
        attempt_no: u32::try_from(number).unwrap(),
        source,
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        method_id: Some(MethodId(1)),
        order_id: format!("pdabcdefgh-01KAXN-{number}"),
        idem_key: "c41f".to_owned(),
        provider_ref: None,
        body: Vec::new(),
        amount: won(9_900),
        expected_balance_minor: None,
        also_cancel: AlsoCancel::No,
        state,
        needs_human: false,
        lease_owner: None,
        lease_epoch: 0,
        lease_until: None,
        send_after: None,
        first_sent_at: Some(ago(60 * 48)),
        last_sent_at: Some(ago(60 * 48)),
        send_count: 1,
        next_check_at: None,
        checks: 0,
        not_seen: 0,
        refusal: (state == AttemptState::Declined).then(|| Refusal {
            code: "REJECT_CARD_PAYMENT".to_owned(),
            class: FailureClass::Soft,
            proves: Proves::NotExecuted,
            http_status: 403,
        }),
        replayed_at: None,
        trace_id: Some("trace-1".to_owned()),
        operator: if source == Source::Manual {
            "kim"
        } else {
            "cron"
        }
        .to_owned(),
        reason: String::new(),
        created_at: ago(60 * 48),
        settled_at: Some(ago(60 * 48)),
    }
}

/// The payment of a timeline's invoice.
pub fn payment(number: i64, card_use: CardUse) -> Payment {
    let row = payment_row(number);
    Payment {
        id: row.id,
        public_id: row.public_id,
        invoice_id: row.invoice_id,
        attempt_id: AttemptId(1),
        customer_id: CustomerId(number),
        subscription_id: row.subscription_id,
        provider: row.provider,
        mode: row.mode,
        provider_ref: row.provider_ref,
        order_id: row.order_id,
        captured: row.captured,
        refunded_minor: 0,
        reserved_minor: 0,
        captured_at: row.captured_at,
        is_duplicate: false,
        card_use,
        version: 1,
    }
}

pub fn timeline(number: i64) -> Timeline {
    let mut attempts = vec![
        attempt(1, Source::Run, AttemptState::Declined),
        attempt(2, Source::Dunning, AttemptState::Declined),
        attempt(3, Source::Manual, AttemptState::Declined),
        attempt(4, Source::CardUpdate, AttemptState::Declined),
    ];
    let mut entries = vec![TimelineEntry {
        at: ago(60 * 48),
        what: TimelineEvent::InvoiceMade,
    }];
    for index in 0..4 {
        let at = ago(60 * (48 - 12 * i64::try_from(index).unwrap()) - 2);
        entries.push(TimelineEntry {
            at,
            what: TimelineEvent::Started(index),
        });
        entries.push(TimelineEntry {
            at,
            what: TimelineEvent::Evidence {
                attempt: index,
                source: "answer".to_owned(),
                outcome: "refused".to_owned(),
                code: Some(raw("REJECT_CARD_PAYMENT")),
                http_status: Some(403),
                trace_id: Some(raw("trace-1")),
            },
        });
        entries.push(TimelineEntry {
            at,
            what: TimelineEvent::Settled(index),
        });
    }
    entries.push(TimelineEntry {
        at: ago(30),
        what: TimelineEvent::Audit {
            person: "kim".to_owned(),
            verb: "retry".to_owned(),
            result: "declined".to_owned(),
            reason: String::new(),
        },
    });
    if is_mirrored(number) {
        asked_of_stripe(&mut attempts, &mut entries);
    }
    Timeline {
        scheduler: scheduler(number),
        invoice: invoice(number),
        customer: customer(number),
        payments: Vec::<Payment>::new(),
        reversals: Vec::new(),
        fees: Vec::new(),
        cards: Vec::new(),
        attempts,
        entries,
    }
}

/// Somebody asked Stripe to try once more, and it did.
fn asked_of_stripe(attempts: &mut Vec<Attempt>, entries: &mut Vec<TimelineEntry>) {
    let mut asked = attempt(5, Source::Dunning, AttemptState::Declined);
    asked.first_sent_at = Some(ago(20));
    asked.created_at = ago(20);
    attempts.push(asked);
    let press = |verb: &str, result: &str| TimelineEvent::Audit {
        person: "kim".to_owned(),
        verb: verb.to_owned(),
        result: result.to_owned(),
        reason: String::new(),
    };
    for (at, what) in [
        (ago(20), press("retry", "intent")),
        (ago(20), TimelineEvent::Started(attempts.len() - 1)),
        (ago(19), press("pay", "declined")),
    ] {
        entries.push(TimelineEntry { at, what });
    }
}

pub fn subscription_card(number: i64) -> SubscriptionCard {
    let plan = plan(number);
    let anchor = Anchor {
        date: NaiveDate::from_ymd_opt(2026, 1, 19).unwrap(),
        zone: chrono_tz::Asia::Seoul,
        interval: plan.interval,
    };
    SubscriptionCard {
        row: subscription_row(number),
        subscription: Subscription {
            id: SubscriptionId(number),
            public_id: public(Noun::Subscription, number),
            customer_id: CustomerId(number),
            product_id: ProductId(1),
            plan_id: plan.id,
            scheduler: scheduler(number),
            state: SubscriptionState::PastDue,
            quantity: 1,
            method_id: Some(MethodId(1)),
            mode: Mode::Sim,
            term_no: 1,
            next_period: 4,
            next_due_at: Some(now() + Duration::days(20)),
            paid_until: Some(now() + Duration::days(20)),
            trial_until: None,
            cancel_at: None,
            cancel_requested_at: None,
            ended_at: None,
            first_failed_at: None,
            created_at: ago(60 * 24 * 300),
            version: 1,
        },
        mirror: is_mirrored(number).then(|| MirrorCard {
            collection: Collection::On,
            resumes_at: None,
            wish: Some(wish_row(0)),
        }),
        term: Term {
            subscription_id: SubscriptionId(number),
            term_no: 1,
            plan_id: plan.id,
            anchor,
            quantity: 1,
            price: plan.price,
            from_at: ago(60 * 24 * 300),
            to_at: None,
        },
        plan,
        invoices: (0..6).map(invoice).collect(),
        changes: vec![Change {
            subscription_id: SubscriptionId(number),
            at: ago(60 * 24 * 300),
            from: None,
            to: SubscriptionState::Active,
            plan_id: PlanId(0),
            price: won(9_900),
            quantity: 1,
            discount_minor: 0,
            cause: ChangeCause::Activated,
            requested_by: "kim".to_owned(),
            requested_at: ago(60 * 24 * 300),
        }],
    }
}

/// From this number on everything is scheduled by Stripe.
pub const MIRRORED: i64 = 9_000;

fn is_mirrored(number: i64) -> bool {
    number >= MIRRORED
}

fn scheduler(number: i64) -> Scheduler {
    if is_mirrored(number) {
        Scheduler::Stripe
    } else {
        Scheduler::Paydeck
    }
}

/// What was asked of Stripe: the first today, the second two days ago.
pub fn wish_row(number: i64) -> WishRow {
    let sent = ago(3 + number * 60 * 49);
    let wish = Wish {
        id: WishId(number),
        subscription_id: SubscriptionId(MIRRORED + number),
        invoice_id: (number == 0).then_some(InvoiceId(MIRRORED)),
        verb: if number == 0 {
            WishVerb::Void
        } else {
            WishVerb::Pause
        },
        provider_ref: "in_1".to_owned(),
        idem_key: "k".to_owned(),
        state: WishState::Unknown,
        lease_owner: "p".to_owned(),
        lease_epoch: 1,
        lease_until: sent,
        first_sent_at: sent,
        send_count: 2,
        next_check_at: Some(now() + Duration::minutes(5)),
        refusal: None,
        operator: "lee".to_owned(),
        reason: if number == 0 {
            "이사".to_owned()
        } else {
            String::new()
        },
        settled_at: None,
    };
    WishRow {
        can: WishCan::of(&wish, now()),
        wish,
        subscription: public(Noun::Subscription, MIRRORED + number),
        invoice: (number == 0).then(|| (public(Noun::Invoice, MIRRORED), won(29_000))),
        customer: brief(number),
        mode: Mode::Sim,
    }
}

/// What waits for a second person.
pub fn waiting() -> Vec<WaitingRow> {
    let row = |n: i64, what: WaitingFor, left_s: Option<i64>| WaitingRow {
        mode: Mode::Sim,
        what,
        public_id: public(Noun::Approval, n),
        target: public(Noun::Payment, n),
        customer: brief(n),
        amount: won(600_000),
        requester: "lee".to_owned(),
        reason: "이사".to_owned(),
        evidence: String::new(),
        since: ago(10),
        left_s,
        state: ApprovalState::Waiting,
        decided_by: None,
    };
    vec![
        row(0, WaitingFor::Refund(ApprovalId(1)), Some(1_234)),
        row(1, WaitingFor::NotExecuted(ApprovalId(2)), Some(59)),
        row(2, WaitingFor::Return(AttemptId(3)), None),
    ]
}
