//! The Payment object.

use serde::Serialize;

use super::super::codes::Codes;
use super::super::ids::secret_of;
use super::super::ledger::{Cancel, CardFace, Kind, Payment, Status};
use super::{API_VERSION, Absent, FailureJson, iso, to_bytes};

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
struct UrlJson {
    url: String,
}

/// The Payment object, with the status it shows (which a fault or an expired session may change).
pub(in super::super) fn payment(
    payment: &Payment,
    shown: Status,
    merchant_id: &str,
    codes: &Codes,
) -> Vec<u8> {
    let (vat, supplied) = payment.tax_split();
    let is_answered = shown.was_approved() || shown == Status::Aborted;
    let body = PaymentJson {
        m_id: merchant_id,
        version: API_VERSION,
        payment_key: &payment.key,
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
        secret: (shown != Status::Expired).then(|| secret_of(&payment.key)),
        kind: match payment.kind {
            Kind::Normal => "NORMAL",
            Kind::Billing => "BILLING",
        },
        easy_pay: None,
        easy_pay_amount: 0,
        easy_pay_discount_amount: 0,
        country: "KR",
        failure: failure(payment, shown, codes),
        is_partial_cancelable: payment.tax_exemption == 0,
        receipt: shown.was_approved().then(|| UrlJson {
            url: receipt_url(payment),
        }),
        checkout: Some(UrlJson {
            url: format!(
                "https://api.tosspayments.com/v1/payments/{}/checkout",
                payment.key
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

fn failure<'a>(payment: &'a Payment, shown: Status, codes: &'a Codes) -> Option<FailureJson<'a>> {
    let code = match shown {
        Status::Expired => Some("EXPIRED_PAYMENT"),
        Status::Aborted => payment.failure.as_deref(),
        Status::InProgress | Status::Done | Status::Canceled | Status::PartialCanceled => None,
    };
    code.map(|code| FailureJson {
        code,
        message: codes.message(code),
    })
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

fn receipt_url(payment: &Payment) -> String {
    format!(
        "https://dashboard.tosspayments.com/receipt/redirection?transactionId={}&ref=PX",
        payment.key
    )
}
