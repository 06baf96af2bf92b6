//! What a request is refused with: the body, the status, and how far the request had come.

use serde_json::{Map, Value, json};

use super::kind::Kind;

/// How far a request had come when it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was begun: the key may be used again, even with a corrected request.
    NotBegun,
    /// Begun and refused: the answer belongs to the key, and nothing was changed.
    Begun,
    /// Tried, with consequences that stay: a declined charge.
    Tried,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub status: u16,
    pub stage: Stage,
    pub fields: Map<String, Value>,
}

impl Problem {
    pub fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!(kind));
        fields.insert("message".to_owned(), json!(message.into()));
        Self {
            status,
            stage: Stage::NotBegun,
            fields,
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    #[must_use]
    pub fn code(self, code: &str) -> Self {
        let url = format!(
            "https://stripe.com/docs/error-codes/{}",
            code.replace('_', "-")
        );
        self.with("code", json!(code)).with("doc_url", json!(url))
    }

    #[must_use]
    pub fn param(self, param: &str) -> Self {
        self.with("param", json!(param))
    }

    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    #[must_use]
    pub fn begun(mut self) -> Self {
        self.stage = Stage::Begun;
        self
    }

    #[must_use]
    pub fn tried(mut self) -> Self {
        self.stage = Stage::Tried;
        self
    }

    pub fn body(&self) -> Value {
        json!({ "error": self.fields })
    }

    /// An object that the path names.
    pub fn not_found(kind: Kind, id: &str) -> Self {
        let words = kind.words();
        Self::new(
            404,
            "invalid_request_error",
            format!("No such {}: '{id}'", words.noun),
        )
        .code("resource_missing")
        .param(words.param)
    }

    /// An object that a parameter names.
    pub fn missing(kind: Kind, id: &str, param: &str) -> Self {
        Self::invalid(format!("No such {}: '{id}'", kind.words().noun))
            .code("resource_missing")
            .param(param)
    }

    pub fn required(param: &str) -> Self {
        Self::invalid(format!("Missing required param: {param}."))
            .code("parameter_missing")
            .param(param)
    }

    pub fn unexpected_state(message: impl Into<String>, intent: Value) -> Self {
        Self::invalid(message)
            .code("payment_intent_unexpected_state")
            .with("payment_intent", intent)
            .begun()
    }

    pub fn unknown_url(method: &str, path: &str) -> Self {
        Self::new(
            404,
            "invalid_request_error",
            format!(
                "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
            ),
        )
    }
}
