//! Which customers, ids and plans a typed word means, as conditions of a list.

use super::list::Probe;
use super::query::{Flavour, Query, values};
use crate::engine::queries::Comparison;
use crate::store::sql::Value;
use crate::text::{Needle, needle};

/// Trigrams need three characters; shorter words are looked up by their beginning.
pub(super) const TRIGRAM: usize = 3;
/// Customers that are gathered: each has many rows.
const FEW_CUSTOMERS: i64 = 1_000;
/// The fewest characters of an id's ending.
const ENDING: usize = 6;

/// What comes after every text that begins with `prefix`, in byte order.
pub(super) fn after(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// The reversed ending of an id, if the word may be one.
pub(super) fn tail_of(word: &str) -> Option<String> {
    let text = word.trim_start_matches(['.', '…']);
    let ulid = text
        .split_once('_')
        .map_or(text, |(_, rest)| rest.trim_start_matches(['.', '…']));
    let is_ulid =
        ulid.len() >= ENDING && ulid.len() <= 26 && ulid.bytes().all(|b| b.is_ascii_alphanumeric());
    is_ulid.then(|| ulid.to_ascii_uppercase().chars().rev().collect())
}

/// A phrase of FTS5: quotes inside of it are doubled, so nothing in it is an operator.
pub(super) fn phrase(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A pattern of LIKE that means these very characters, anywhere.
pub(super) fn containing(text: &str) -> String {
    format!("%{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// A pattern of LIKE that means texts that end with these very characters.
pub(super) fn ending_in(text: &str) -> String {
    format!("%{}", escaped(text))
}

const LAST4_IN_SQLITE: &str = "select id from customer where substr(phone_digits, -4) = ? and phone_digits like ? escape '\\'";
const LAST4_IN_POSTGRES: &str =
    "select id from customer where right(phone_digits, 4) = ? and phone_digits like ? escape '\\'";

/// Adds a select of the ids of customers whose name, e-mail or phone contains the word.
pub(super) fn add_customers(query: &mut Query, word: &str, flavour: Flavour) {
    match needle(word) {
        Needle::Phone(digits) => add_phones(query, &digits, flavour),
        Needle::Initials(initials) => {
            query.add(
                "select id from customer where name_initials >= ? and name_initials < ?",
                values![initials.as_str(), after(&initials)],
            );
        }
        // Nothing of it can be seen: it is in no name.
        Needle::Text(key) if key.is_empty() => {
            query.add("select id from customer where 1 = 0", []);
        }
        Needle::Text(key) if key.chars().count() < TRIGRAM => {
            query.add(
                "select id from customer where name_jamo >= ? and name_jamo < ? \
                 union select id from customer where email_lower >= ? and email_lower < ?",
                values![key.as_str(), after(&key), key.as_str(), after(&key)],
            );
        }
        Needle::Text(key) => match flavour {
            Flavour::Sqlite => {
                query.add(
                    "select rowid from customer_search where customer_search match ?",
                    values![phrase(&key)],
                );
            }
            Flavour::Postgres => {
                query.add(
                    "select id from customer where name_jamo like ? escape '\\' \
                     union select id from customer where email_lower like ? escape '\\'",
                    values![containing(&key), containing(&key)],
                );
            }
        },
    }
}

fn add_phones(query: &mut Query, digits: &str, flavour: Flavour) {
    query.add(
        "select id from customer where phone_digits >= ? and phone_digits < ?",
        values![digits, after(digits)],
    );
    if let Some(last4) = digits.get(digits.len().saturating_sub(4)..)
        && last4.len() == 4
    {
        query.add(" union ", []);
        let sql = match flavour {
            Flavour::Sqlite => LAST4_IN_SQLITE,
            Flavour::Postgres => LAST4_IN_POSTGRES,
        };
        query.add(sql, values![last4, ending_in(digits)]);
    }
}

/// Adds ` and …` for a word: rows of the customers it means, and rows whose id ends with it.
/// `of_customers` ends in `customer_id in (`, `by_tail` selects ids by a range of tails.
pub(super) fn keep_text(
    query: &mut Query,
    word: &str,
    flavour: Flavour,
    of_customers: &'static str,
    by_tail: &'static str,
) {
    query.add(of_customers, []);
    add_customers(query, word, flavour);
    query.add(")", []);
    if let Some(tail) = tail_of(word) {
        query.add(by_tail, values![tail.as_str(), after(&tail)]);
    }
    query.add(")", []);
}

/// Whether a word means few customers.
pub(super) fn count_customers(word: &str) -> Probe {
    let mut query = Query::new("select count(*) as n from (");
    add_customers(&mut query, word, Flavour::Sqlite);
    query.add(" limit ?)", values![FEW_CUSTOMERS + 1]);
    Probe {
        query,
        few: FEW_CUSTOMERS,
    }
}

/// Like [`keep_text`] for a word that means many customers: `of_customers` compares the row's own customer.
pub(super) fn keep_common_text(
    query: &mut Query,
    word: &str,
    of_customers: &'static str,
    by_tail: &'static str,
) {
    query.add(of_customers, []);
    add_customers(query, word, Flavour::Sqlite);
    query.add(")", []);
    if let Some(tail) = tail_of(word) {
        query.add(by_tail, values![tail.as_str(), after(&tail)]);
    }
    query.add(")", []);
}

/// Adds ` and <column> in ($1, …)`.
pub(super) fn keep_one_of(query: &mut Query, column: &'static str, names: &[String]) {
    query.add(" and ", []).add(column, []).add(" in ", []);
    query.add_list(names.iter().map(|name| Value::from(name.as_str())));
}

/// Adds ` and <expression> <comparison> $1`.
pub(super) fn keep_amount(
    query: &mut Query,
    expression: &'static str,
    comparison: Comparison,
    minor: i64,
) {
    query.add(" and ", []).add(expression, []);
    let sign = match comparison {
        Comparison::Is => " = ?",
        Comparison::AtLeast => " >= ?",
        Comparison::AtMost => " <= ?",
    };
    query.add(sign, values![minor]);
}

/// The plan's code is this or begins with it and a dash, or exactly what follows `=`; `before` ends in `in (`.
pub(super) fn keep_plan(query: &mut Query, before: &'static str, code: &str) {
    query.add(before, []);
    if let Some(code) = code.strip_prefix('=') {
        query.add("select id from plan where code = ?)", values![code]);
        return;
    }
    let (from, to) = (format!("{code}-"), format!("{code}."));
    query.add(
        "select id from plan where code = ? or code >= ? and code < ?)",
        values![code, from, to],
    );
}

/// The card's last four digits, or its issuer code; `before` ends in `in (`.
pub(super) fn keep_card(query: &mut Query, before: &'static str, card: &str) {
    query.add(before, []);
    // Issuer codes are shorter, and one look-up is quicker than two.
    if let Some(masked) = masked_ending(card) {
        let sql = "select id from payment_method where last4 in (?, ?))";
        query.add(sql, values![card, masked]);
    } else {
        let sql = "select id from payment_method where issuer = ?)";
        query.add(sql, values![card]);
    }
}

/// How the provider shows a card that ends in these digits: its last one is a star, so three of
/// the four that a customer reads out are known.
pub(super) fn masked_ending(typed: &str) -> Option<String> {
    let is_ending =
        matches!(typed.len(), 3 | 4) && typed.bytes().all(|b| b.is_ascii_digit() || b == b'*');
    is_ending.then(|| format!("{}*", &typed[..3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_stays_a_literal() {
        assert_eq!(containing("50%_\\"), "%50\\%\\_\\\\%");
        assert_eq!(phrase("a\" OR \"b"), "\"a\"\" OR \"\"b\"");
        let mut query = Query::default();
        add_customers(&mut query, "' or 1=1 --", Flavour::Sqlite);
        assert!(!query.text().contains("1=1"), "{}", query.text());
    }

    #[test]
    fn an_ending_is_read_backwards() {
        assert_eq!(tail_of("w8y0b2d").as_deref(), Some("D2B0Y8W"));
        assert_eq!(tail_of("pay_…8Y0B2D").as_deref(), Some("D2B0Y8"));
        assert_eq!(tail_of("4242"), None);
        assert_eq!(tail_of("김서현이다아"), None);
    }
}
