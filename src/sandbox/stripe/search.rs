//! Search: clauses over a few fields, joined by AND or by OR, never by both.

use std::sync::Arc;

use serde_json::{Value, json};

use super::form::Form;
use super::json;
use super::kind::Kind;
use super::list;
use super::problem::Problem;
use super::room::Room;

/// One clause: `status:'active'`, `amount>100`, `-metadata['k']:null`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    is_negated: bool,
    field: String,
    key: Option<String>,
    operator: &'static str,
    value: Option<String>,
}

pub fn search(room: &Room<'_>, kind: Kind, form: &Form, url: &str) -> Result<Value, Problem> {
    form.only(&["query", "limit", "page", "expand"])?;
    let query = form.required("query")?;
    let limit = list::limit(form)?;
    let (clauses, joined_by_or) = parse(query)?;
    let skip: usize = match form.text("page") {
        None => 0,
        Some(page) => page
            .parse()
            .map_err(|_| Problem::invalid(format!("Invalid page: {page}")).param("page"))?,
    };
    let seen_by = room.now - i64::from(room.switches.stripe_search_lag_seconds);
    let found: Vec<Value> = room
        .book
        .newest(kind)
        .filter(|(_, entry)| entry.created <= seen_by)
        .filter_map(|(_, entry)| entry.object())
        .filter(|object| !json::flag(object, "deleted"))
        .filter(|object| {
            let is_met = |clause: &Clause| clause.is_met(object);
            if joined_by_or {
                clauses.iter().any(is_met)
            } else {
                clauses.iter().all(is_met)
            }
        })
        .map(Arc::unwrap_or_clone)
        .map(json::shown)
        .collect();
    let has_more = found.len() > skip + limit;
    let data: Vec<Value> = found.into_iter().skip(skip).take(limit).collect();
    let next_page = has_more.then(|| (skip + limit).to_string());
    Ok(json!({
        "object": "search_result",
        "data": data,
        "has_more": has_more,
        "next_page": next_page,
        "url": url,
    }))
}

impl Clause {
    fn is_met(&self, object: &Value) -> bool {
        let field = match &self.key {
            Some(key) => object["metadata"].get(key),
            None => object.get(&self.field),
        };
        let met = match (field.filter(|field| !field.is_null()), &self.value) {
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
            (Some(field), Some(value)) => self.compares(field, value),
        };
        met != self.is_negated
    }

    fn compares(&self, field: &Value, value: &str) -> bool {
        match field {
            Value::Number(number) => {
                let (Some(number), Ok(value)) = (number.as_i64(), value.parse::<i64>()) else {
                    return false;
                };
                match self.operator {
                    ">" => number > value,
                    "<" => number < value,
                    ">=" => number >= value,
                    "<=" => number <= value,
                    _ => number == value,
                }
            }
            Value::String(text) => {
                let (text, value) = (text.to_lowercase(), value.to_lowercase());
                if self.operator == "~" {
                    text.contains(&value)
                } else {
                    text == value
                }
            }
            Value::Bool(flag) => flag.to_string() == value,
            _ => false,
        }
    }
}

fn unreadable(query: &str) -> Problem {
    Problem::invalid(format!("We were unable to parse your search query `{query}`. See https://stripe.com/docs/search for the query syntax.")).param("query")
}

fn parse(query: &str) -> Result<(Vec<Clause>, bool), Problem> {
    let mut rest = query.trim();
    let mut clauses = Vec::new();
    let mut joins: Vec<bool> = Vec::new();
    loop {
        let (clause, more) = clause(rest).ok_or_else(|| unreadable(query))?;
        clauses.push(clause);
        let more = more.trim_start();
        if more.is_empty() {
            break;
        }
        let (word, after) = more.split_once(char::is_whitespace).unwrap_or((more, ""));
        // Clauses that merely follow each other are joined by AND.
        let (is_or, after) = match word {
            "AND" | "and" => (false, after),
            "OR" | "or" => (true, after),
            _ => (false, more),
        };
        joins.push(is_or);
        rest = after.trim_start();
    }
    let joined_by_or = joins.first().copied().unwrap_or(false);
    if joins.iter().any(|join| *join != joined_by_or) {
        return Err(
            Problem::invalid("You cannot combine AND with OR in one search query.").param("query"),
        );
    }
    Ok((clauses, joined_by_or))
}

fn clause(text: &str) -> Option<(Clause, &str)> {
    let is_negated = text.starts_with('-');
    let text = text.strip_prefix('-').unwrap_or(text);
    let name_end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))?;
    let (field, rest) = text.split_at(name_end);
    if field.is_empty() {
        return None;
    }
    let (key, rest) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (key, after) = quoted(inner)?;
            (Some(key), after.strip_prefix(']')?)
        }
        None => (None, rest),
    };
    let operator = [">=", "<=", ">", "<", ":", "=", "~"]
        .into_iter()
        .find(|operator| rest.starts_with(operator))?;
    let rest = &rest[operator.len()..];
    let (value, rest) = if let Some((value, rest)) = quoted(rest) {
        (Some(value), rest)
    } else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        // A quote that is never closed.
        if value.is_empty() || value.starts_with(['\'', '"']) {
            return None;
        }
        let is_null = value.eq_ignore_ascii_case("null");
        ((!is_null).then(|| value.to_owned()), rest)
    };
    let clause = Clause {
        is_negated,
        field: field.to_owned(),
        key,
        operator,
        value,
    };
    Some((clause, rest))
}

/// A text in single or double quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            value.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some((value, &text[at + c.len_utf8()..]));
        } else {
            value.push(c);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, object: &Value) -> bool {
        let (clauses, any) = parse(query).expect("a query");
        if any {
            clauses.iter().any(|clause| clause.is_met(object))
        } else {
            clauses.iter().all(|clause| clause.is_met(object))
        }
    }

    #[test]
    fn clauses_are_joined_negated_and_compared() {
        let object = json!({ "status": "active", "amount": 1_500, "metadata": { "주문 no": "A-1" }, "email": null });
        for (query, found) in [
            ("status:'active'", true),
            ("status:\"canceled\" OR amount>1000", true),
            ("status:'active' AND amount>=1501", false),
            ("status:'active' amount<=1500", true),
            ("-status:'active'", false),
            ("metadata['주문 no']:'a-1'", true),
            ("metadata['other']:null", true),
            ("-metadata['주문 no']:null", true),
            ("email:null", true),
            ("status~'tiv'", true),
        ] {
            assert_eq!(finds(query, &object), found, "{query}");
        }
        for query in [
            "status",
            "status:'a' AND amount>1 OR amount<2",
            ":'a'",
            "a:'b",
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
    }
}
