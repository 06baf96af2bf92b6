//! The form that Stripe reads: `a=1&b[c]=2&d[0][e]=3`, in the order it was filled.
//!
//! It knows nothing of Stripe's objects. Invariants: every part of a name and every value is
//! percent-encoded, whatever it holds; a value that is missing or empty is left out, because an empty
//! one unsets a field, and only [`Form::unset`] may do that.

use std::fmt::Write as _;

/// A body or a query. It may hold a payment method: there is no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Form(String);

impl Form {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// What was stored, to be continued.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes)
            .ok()
            .map(|text| Self(text.to_owned()))
    }

    /// One value under a name such as `["items", "0", "price"]`; left out when it is empty.
    #[must_use]
    pub fn text(self, path: &[&str], value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        self.pair(path, value)
    }

    /// One value, where there is one.
    #[must_use]
    pub fn maybe(self, path: &[&str], value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(path, value),
            None => self,
        }
    }

    /// A whole number: an amount on the wire, an instant, a count.
    #[must_use]
    pub fn number(self, path: &[&str], value: i64) -> Self {
        self.pair(path, &value.to_string())
    }

    /// Takes away what stands in a field.
    #[must_use]
    pub fn unset(self, path: &[&str]) -> Self {
        self.pair(path, "")
    }

    /// Scalars under one name: `name[0]=…&name[1]=…`.
    #[must_use]
    pub fn list(self, name: &str, values: &[&str]) -> Self {
        values.iter().enumerate().fold(self, |form, (n, value)| {
            form.text(&[name, &n.to_string()], value)
        })
    }

    fn pair(mut self, path: &[&str], value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        for (depth, part) in path.iter().enumerate() {
            if depth == 0 {
                encode(&mut self.0, part);
            } else {
                self.0.push('[');
                encode(&mut self.0, part);
                self.0.push(']');
            }
        }
        self.0.push('=');
        encode(&mut self.0, value);
        self
    }

    /// The text, for a query.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes, for a body.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a server reads, by a decoder that is not ours.
    fn read(form: &Form) -> Vec<(String, String)> {
        let url = reqwest::Url::parse(&format!("http://localhost/?{}", form.as_str()));
        url.expect("a url").query_pairs().into_owned().collect()
    }

    #[test]
    fn names_nest_in_brackets_and_lists_are_counted() {
        let form = Form::new()
            .number(&["amount"], 9_900)
            .text(&["metadata", "order id"], "가 & b=c")
            .text(&["items", "0", "price"], "price_1")
            .list("expand", &["latest_charge", "customer"]);
        assert_eq!(
            form.as_str(),
            "amount=9900&metadata[order%20id]=%EA%B0%80%20%26%20b%3Dc&items[0][price]=price_1\
             &expand[0]=latest_charge&expand[1]=customer"
        );
    }

    #[test]
    fn what_is_missing_or_empty_is_left_out_and_only_unset_sends_nothing() {
        let form = Form::new()
            .maybe(&["a"], None)
            .maybe(&["b"], Some(""))
            .text(&["c"], "")
            .unset(&["pause_collection"]);
        assert_eq!(form.as_str(), "pause_collection=");
    }

    #[test]
    fn what_was_stored_is_continued_unchanged() {
        let stored = Form::new().number(&["amount"], 1).into_bytes();
        let form = Form::stored(&stored)
            .expect("a form")
            .text(&["customer"], "cus_1");
        assert_eq!(form.as_str(), "amount=1&customer=cus_1");
        assert!(Form::stored(&[0xff]).is_none());
    }

    proptest! {
        #[test]
        fn a_server_reads_what_was_put_in(
            pairs in prop::collection::vec((prop::collection::vec("\\PC{1,8}", 1..4), "[^\u{0}]{1,20}"), 0..8)
        ) {
            let mut form = Form::new();
            let mut expected = Vec::new();
            for (path, value) in &pairs {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                form = form.text(&path, value);
                let nested: String = path[1..].iter().map(|part| format!("[{part}]")).collect();
                expected.push((format!("{}{nested}", path[0]), value.clone()));
            }
            prop_assert!(form.as_str().is_ascii());
            prop_assert_eq!(read(&form), expected);
        }
    }
}
