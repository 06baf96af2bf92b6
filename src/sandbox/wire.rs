//! What the simulator says on the wire: the provider's objects, every key present, `null` where there is nothing.
//!
//! These types are the simulator's own. They share nothing with the client's, so that the two can disagree.

use axum::body::Bytes;
use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use super::codes::Codes;
use super::ids::secret_of;
use super::ledger::{Cancel, Card, CardFace, Kind, Payment, Refusal, Status};

const KOREA: i32 = 9 * 3600;
pub(super) const API_VERSION: &str = "2022-11-16";

fn korean(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    match FixedOffset::east_opt(KOREA) {
        Some(zone) => at.with_timezone(&zone),
        None => at.fixed_offset(),
    }
}

/// `2022-06-08T15:40:09+09:00`.
pub(super) fn iso(at: DateTime<Utc>) -> String {
    korean(at).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `2022-01-01T00:00:00.000000`, without an offset, as webhooks carry it.
pub(super) fn event_time(at: DateTime<Utc>) -> String {
    korean(at).format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// `20220608154009`, as in payment keys.
pub(super) fn compact_time(at: DateTime<Utc>) -> String {
    korean(at).format("%Y%m%d%H%M%S").to_string()
}

/// Always `null`: a part of the object that this simulator has nothing to say about.
type Absent = Option<()>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentJson<'a> {
    m_id: &'a str,
    version: &'static str,
    payment_key: &'a str,
    status: &'static str,
    last_transaction_key: Option<&'a str>,
    transaction_key: Absent,
    order_id: &'a str,
    order_name: &'a str,
    requested_at: String,
    approved_at: Option<String>,
    use_escrow: Option<bool>,
    culture_expense: bool,
    card: Option<PaidCardJson<'a>>,
    virtual_account: Absent,
    transfer: Absent,
    mobile_phone: Absent,
    gift_certificate: Absent,
    cash_receipt: Absent,
    cash_receipts: Absent,
    discount: Absent,
    cancels: Option<Vec<CancelJson<'a>>>,
    secret: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    easy_pay: Absent,
    easy_pay_amount: i64,
    easy_pay_discount_amount: i64,
    country: &'static str,
    failure: Option<FailureJson<'a>>,
    is_partial_cancelable: bool,
    receipt: Option<UrlJson>,
    checkout: Option<UrlJson>,
    currency: &'static str,
    total_amount: i64,
    balance_amount: i64,
    supplied_amount: i64,
    vat: i64,
    tax_free_amount: i64,
    tax_exemption_amount: i64,
    metadata: Absent,
    method: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaidCardJson<'a> {
    issuer_code: &'a str,
    acquirer_code: &'a str,
    number: &'a str,
    installment_plan_months: i64,
    is_interest_free: bool,
    interest_payer: Absent,
    approve_no: &'static str,
    use_card_point: bool,
    card_type: &'a str,
    owner_type: &'a str,
    acquire_status: &'static str,
    amount: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelJson<'a> {
    transaction_key: &'a str,
    cancel_reason: &'a str,
    tax_exemption_amount: i64,
    canceled_at: String,
    card_discount_amount: i64,
    transfer_discount_amount: i64,
    easy_pay_discount_amount: i64,
    receipt_key: Absent,
    cancel_amount: i64,
    tax_free_amount: i64,
    refundable_amount: i64,
    cancel_status: &'static str,
    cancel_request_id: Absent,
}

#[derive(Serialize)]
struct FailureJson<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct UrlJson {
    url: String,
}

/// The Payment object, with the status it shows (which a fault or an expired session may change).
pub(super) fn payment(
    payment: &Payment,
    shown: Status,
    merchant_id: &str,
    codes: &Codes,
) -> Vec<u8> {
    let (vat, supplied) = payment.tax_split();
    let is_answered = shown.was_approved() || shown == Status::Aborted;
    let failure = match shown {
        Status::Expired => Some("EXPIRED_PAYMENT"),
        Status::Aborted => payment.failure.as_deref(),
        _ => None,
    };
    let body = PaymentJson {
        m_id: merchant_id,
        version: API_VERSION,
        payment_key: &payment.payment_key,
        status: shown.wire(),
        last_transaction_key: payment
            .last_transaction_key()
            .filter(|_| shown.was_approved()),
        transaction_key: None,
        order_id: &payment.order_id,
        order_name: &payment.order_name,
        requested_at: iso(payment.requested_at),
        approved_at: payment
            .approved_at
            .filter(|_| shown.was_approved())
            .map(iso),
        use_escrow: (shown != Status::Expired).then_some(false),
        culture_expense: false,
        card: is_answered.then(|| paid_card(payment)),
        virtual_account: None,
        transfer: None,
        mobile_phone: None,
        gift_certificate: None,
        cash_receipt: None,
        cash_receipts: None,
        discount: None,
        cancels: (!payment.cancels.is_empty())
            .then(|| payment.cancels.iter().map(cancel).collect()),
        secret: (shown != Status::Expired).then(|| secret_of(&payment.payment_key)),
        kind: match payment.kind {
            Kind::Normal => "NORMAL",
            Kind::Billing => "BILLING",
        },
        easy_pay: None,
        easy_pay_amount: 0,
        easy_pay_discount_amount: 0,
        country: "KR",
        failure: failure.map(|code| FailureJson {
            code,
            message: codes.message(code),
        }),
        is_partial_cancelable: payment.tax_exemption == 0,
        receipt: shown.was_approved().then(|| UrlJson {
            url: receipt_url(payment),
        }),
        checkout: Some(UrlJson {
            url: format!(
                "https://api.tosspayments.com/v1/payments/{}/checkout",
                payment.payment_key
            ),
        }),
        currency: "KRW",
        total_amount: payment.amount,
        balance_amount: if shown == Status::InProgress {
            payment.amount
        } else {
            payment.balance
        },
        supplied_amount: supplied,
        vat,
        tax_free_amount: payment.tax_free,
        tax_exemption_amount: payment.tax_exemption,
        metadata: None,
        method: (shown != Status::Expired).then_some("카드"),
    };
    to_bytes(&body)
}

fn paid_card(payment: &Payment) -> PaidCardJson<'_> {
    let CardFace {
        number,
        issuer_code,
        acquirer_code,
        card_type,
        owner_type,
    } = &payment.face;
    PaidCardJson {
        issuer_code,
        acquirer_code,
        number,
        installment_plan_months: payment.installment_months,
        is_interest_free: false,
        interest_payer: None,
        approve_no: "00000000",
        use_card_point: false,
        card_type,
        owner_type,
        acquire_status: if payment.status == Status::Canceled {
            "CANCELED"
        } else {
            "READY"
        },
        amount: payment.amount,
    }
}

fn cancel(cancel: &Cancel) -> CancelJson<'_> {
    CancelJson {
        transaction_key: &cancel.transaction_key,
        cancel_reason: &cancel.reason,
        tax_exemption_amount: cancel.tax_exemption,
        canceled_at: iso(cancel.canceled_at),
        card_discount_amount: 0,
        transfer_discount_amount: 0,
        easy_pay_discount_amount: 0,
        receipt_key: None,
        cancel_amount: cancel.amount,
        tax_free_amount: cancel.tax_free,
        refundable_amount: cancel.refundable_after,
        cancel_status: "DONE",
        cancel_request_id: None,
    }
}

pub(super) fn receipt_url(payment: &Payment) -> String {
    format!(
        "https://dashboard.tosspayments.com/receipt/redirection?transactionId={}&ref=PX",
        payment.payment_key
    )
}

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
pub(super) fn billing(card: &Card, merchant_id: &str) -> Vec<u8> {
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

/// `{"code":…,"message":…}`.
pub(super) fn refusal(refusal: &Refusal, codes: &Codes) -> Vec<u8> {
    let code = refusal.code.as_ref();
    to_bytes(&FailureJson {
        code,
        message: codes.message(code),
    })
}

/// One row of /v1/transactions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionJson {
    pub m_id: String,
    pub transaction_key: String,
    pub payment_key: String,
    pub order_id: String,
    pub method: &'static str,
    pub customer_key: Option<String>,
    pub use_escrow: bool,
    pub receipt_url: String,
    pub status: String,
    pub transaction_at: String,
    pub currency: &'static str,
    pub amount: i64,
}

/// Everything rendered here is maps with string keys and integers, which cannot fail to become JSON.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// An answer as it goes out, before any fault is applied to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// Set on a replay: the trace id of the first answer.
    pub original_trace: Option<String>,
}

impl Answer {
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self::with_status(200, body)
    }

    pub(super) fn with_status(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body: Bytes::from(body),
            original_trace: None,
        }
    }

    pub(super) fn refused(refused: &Refusal, codes: &Codes) -> Self {
        Self::with_status(codes.status(refused), refusal(refused, codes))
    }
}
