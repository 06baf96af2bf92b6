//! Reading and writing the fields of objects that are kept as JSON.
//!
//! What an object carries under [`HIDDEN`] is the simulator's own and never leaves it.

use serde_json::{Map, Value, json};

/// The field of what is not shown.
pub const HIDDEN: &str = "_";

pub fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field)?.as_str()
}

/// An own copy of a text, empty where there is none.
pub fn owned(object: &Value, field: &str) -> String {
    text(object, field).unwrap_or_default().to_owned()
}

pub fn int(object: &Value, field: &str) -> i64 {
    object.get(field).and_then(Value::as_i64).unwrap_or(0)
}

pub fn instant(object: &Value, field: &str) -> Option<i64> {
    object.get(field)?.as_i64()
}

pub fn flag(object: &Value, field: &str) -> bool {
    object.get(field).and_then(Value::as_bool).unwrap_or(false)
}

pub fn id(object: &Value) -> &str {
    text(object, "id").unwrap_or_default()
}

pub fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = object {
        fields.insert(field.to_owned(), value.into());
    }
}

/// Puts all fields of the second into the first.
pub fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (object, more) {
        fields.extend(more);
    }
}

pub fn hidden<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object
        .get(HIDDEN)?
        .get(field)
        .filter(|value| !value.is_null())
}

pub fn hidden_text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    hidden(object, field)?.as_str()
}

pub fn hidden_int(object: &Value, field: &str) -> Option<i64> {
    hidden(object, field)?.as_i64()
}

/// Null takes a hidden field away.
pub fn hide(object: &mut Value, field: &str, value: impl Into<Value>) {
    let Value::Object(fields) = object else {
        return;
    };
    let hidden = fields
        .entry(HIDDEN)
        .or_insert_with(|| Value::Object(Map::new()));
    set(hidden, field, value);
}

/// The object as it is shown.
pub fn shown(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.remove(HIDDEN);
    }
    object
}

/// The old values of the fields that differ, for `previous_attributes`.
pub fn differences(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return json!({});
    };
    let mut old = Map::new();
    for (field, value) in before {
        if field != HIDDEN && after.get(field) != Some(value) {
            old.insert(field.clone(), value.clone());
        }
    }
    for field in after.keys() {
        if field != HIDDEN && !before.contains_key(field) {
            old.insert(field.clone(), Value::Null);
        }
    }
    Value::Object(old)
}
