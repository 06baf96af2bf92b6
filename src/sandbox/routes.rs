//! Which of the provider's endpoints a method and path mean. Path segments are percent-decoded.

use super::scripts::Endpoint;

/// An endpoint with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Issue { auth_key: Option<String> },
    IssueDirectly,
    Charge { billing_key: String },
    DeleteKey { billing_key: String },
    Confirm,
    Cancel { payment_key: String },
    Payment { payment_key: String },
    Order { order_id: String },
    Transactions,
    Settlements,
    SettleByHand,
}

impl Route {
    pub(super) fn parse(method: &str, path: &str) -> Option<Self> {
        let segments: Vec<String> = path
            .strip_prefix("/v1/")?
            .split('/')
            .map(percent_decoded)
            .collect::<Option<_>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let route = match (method, segments.as_slice()) {
            ("POST", ["billing", "authorizations", "issue"]) => Self::Issue { auth_key: None },
            ("POST", ["billing", "authorizations", "card"]) => Self::IssueDirectly,
            // What a tutorial once invented is no authKey.
            ("POST", ["billing", "authorizations", "payments"]) => return None,
            ("POST", ["billing", "authorizations", auth_key]) => Self::Issue {
                auth_key: Some((*auth_key).to_owned()),
            },
            ("POST", ["billing", key]) if !key.is_empty() => Self::Charge {
                billing_key: (*key).to_owned(),
            },
            ("DELETE", ["billing", key]) if !key.is_empty() => Self::DeleteKey {
                billing_key: (*key).to_owned(),
            },
            ("POST", ["payments", "confirm"]) => Self::Confirm,
            ("POST", ["payments", key, "cancel"]) => Self::Cancel {
                payment_key: (*key).to_owned(),
            },
            ("GET", ["payments", "orders", order]) => Self::Order {
                order_id: (*order).to_owned(),
            },
            ("GET", ["payments", key]) if !key.is_empty() => Self::Payment {
                payment_key: (*key).to_owned(),
            },
            ("GET", ["transactions"]) => Self::Transactions,
            ("GET", ["settlements"]) => Self::Settlements,
            ("POST", ["settlements"]) => Self::SettleByHand,
            _ => return None,
        };
        Some(route)
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Issue { .. } | Self::IssueDirectly => Endpoint::Issue,
            Self::Charge { .. } => Endpoint::Charge,
            Self::DeleteKey { .. } => Endpoint::Delete,
            Self::Confirm => Endpoint::Confirm,
            Self::Cancel { .. } => Endpoint::Cancel,
            Self::Payment { .. } => Endpoint::Payment,
            Self::Order { .. } => Endpoint::Order,
            Self::Transactions => Endpoint::Transactions,
            Self::Settlements | Self::SettleByHand => Endpoint::Settlements,
        }
    }
}

/// The path with the billing key or authKey in it replaced, for the log of requests.
pub(super) fn masked_path(path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    if let ["", "v1", "billing", rest @ ..] = segments.as_mut_slice() {
        match rest {
            ["authorizations", "issue" | "card"] | [] => {}
            ["authorizations", auth_key] => *auth_key = "***",
            [key, ..] => *key = "***",
        }
    }
    segments.join("/")
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

/// Value of a query parameter; `+` is a space there.
pub(super) fn query_value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == name {
            percent_decoded(&value.replace('+', " "))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_billing_key_is_the_same_raw_and_percent_encoded() {
        let raw = Route::parse("POST", "/v1/billing/Z_t5-0dzk0=");
        assert_eq!(
            raw,
            Some(Route::Charge {
                billing_key: "Z_t5-0dzk0=".into()
            })
        );
        assert_eq!(raw, Route::parse("POST", "/v1/billing/Z_t5-0dzk0%3D"));
    }

    #[test]
    fn wrong_verbs_and_invented_paths_lead_nowhere() {
        assert_eq!(Route::parse("GET", "/v1/billing/key"), None);
        assert_eq!(
            Route::parse("POST", "/v1/billing/authorizations/payments"),
            None
        );
        assert_eq!(Route::parse("GET", "/v2/payments/x"), None);
        assert_eq!(Route::parse("GET", "/v1/payments/%zz"), None);
    }

    #[test]
    fn keys_in_paths_are_masked() {
        assert_eq!(masked_path("/v1/billing/secret"), "/v1/billing/***");
        assert_eq!(
            masked_path("/v1/billing/authorizations/issue"),
            "/v1/billing/authorizations/issue"
        );
        assert_eq!(
            masked_path("/v1/billing/authorizations/secret"),
            "/v1/billing/authorizations/***"
        );
        assert_eq!(
            masked_path("/v1/payments/key/cancel"),
            "/v1/payments/key/cancel"
        );
    }
}
