//! Reads request bodies. Unknown fields are ignored and `null` is taken for every optional one, as the real server does.
//!
//! It decides only whether a value has the right JSON type; the rules about values are the ledger's.

use serde_json::{Map, Value};

use super::ledger::{
    CancelRequest, CardDraft, ChargeRequest, ConfirmRequest, IssueRequest, Refusal,
    card_of_plain_number,
};

/// The fields of a JSON object.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) | Err(_) => Err(Refusal::code("INVALID_REQUEST")),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::code("INVALID_REQUEST")),
        }
    }

    /// An integer, also when written as an integral decimal such as `4900.0`.
    fn amount(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => integer(&number.to_string())
                .map(Some)
                .ok_or_else(|| Refusal::code("INVALID_REQUEST")),
            Some(_) => Err(Refusal::code("INVALID_REQUEST")),
        }
    }
}

fn integer(text: &str) -> Option<i64> {
    match text.split_once('.') {
        None => text.parse().ok(),
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole.parse().ok(),
        Some(_) => None,
    }
}

pub(super) fn charge(body: &[u8]) -> Result<ChargeRequest, Refusal> {
    let fields = Fields::parse(body)?;
    fields.text("customerEmail")?;
    fields.text("customerName")?;
    fields.text("customerIp")?;
    Ok(ChargeRequest {
        amount: fields.amount("amount")?,
        customer_key: fields.text("customerKey")?,
        order_id: fields.text("orderId")?,
        order_name: fields.text("orderName")?,
        tax_free: fields.amount("taxFreeAmount")?,
        tax_exemption: fields.amount("taxExemptionAmount")?,
        installment_months: fields.amount("cardInstallmentPlan")?,
    })
}

pub(super) fn cancel(body: &[u8]) -> Result<CancelRequest, Refusal> {
    let fields = Fields::parse(body)?;
    Ok(CancelRequest {
        reason: fields.text("cancelReason")?,
        amount: fields.amount("cancelAmount")?,
        tax_free: fields.amount("taxFreeAmount")?,
        tax_exemption: fields.amount("taxExemptionAmount")?,
        currency: fields.text("currency")?,
        refundable: fields.amount("refundableAmount")?,
    })
}

pub(super) fn confirm(body: &[u8]) -> Result<ConfirmRequest, Refusal> {
    let fields = Fields::parse(body)?;
    Ok(ConfirmRequest {
        payment_key: fields.text("paymentKey")?,
        order_id: fields.text("orderId")?,
        amount: fields.amount("amount")?,
    })
}

/// The legacy path carries the authKey itself.
pub(super) fn issue(auth_key_in_path: Option<&str>, body: &[u8]) -> Result<IssueRequest, Refusal> {
    let fields = Fields::parse(body)?;
    let auth_key = match auth_key_in_path {
        Some(key) => Some(key.to_owned()),
        None => fields.text("authKey")?,
    };
    Ok(IssueRequest {
        auth_key,
        customer_key: fields.text("customerKey")?,
    })
}

/// Customer key and card of an issue from card data.
pub(super) fn issue_directly(body: &[u8]) -> Result<(Option<String>, CardDraft), Refusal> {
    let fields = Fields::parse(body)?;
    let required = |name: &str| {
        fields
            .text(name)?
            .ok_or_else(|| Refusal::code("INVALID_REQUEST"))
    };
    let number = required("cardNumber")?;
    let year = required("cardExpirationYear")?;
    let month = required("cardExpirationMonth")?;
    let identity = required("customerIdentityNumber")?;
    if !matches!(identity.len(), 6 | 10) || !identity.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::code("INVALID_BIRTH_DAY_FORMAT"));
    }
    let is_two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_two_digits(&year) || !is_two_digits(&month) {
        return Err(Refusal::code("INVALID_CARD_EXPIRATION"));
    }
    let draft = card_of_plain_number(&number, format!("{year}{month}"))?;
    Ok((fields.text("customerKey")?, draft))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_taken_for_optional_fields_and_unknown_ones_are_ignored() {
        let request = charge(br#"{"amount":4900.0,"customerKey":"ab","orderId":"order-1","orderName":"n","taxFreeAmount":null,"customerEmail":null,"productCode":{"x":1}}"#)
            .expect("reads");
        assert_eq!(request.amount, Some(4900));
        assert_eq!(request.tax_free, None);
    }

    #[test]
    fn a_fraction_of_a_won_and_a_text_for_an_amount_are_refused() {
        assert!(charge(br#"{"amount":4900.5}"#).is_err());
        assert!(charge(br#"{"amount":"4900"}"#).is_err());
        assert!(charge(b"[]").is_err());
        assert!(charge(b"{").is_err());
    }
}
