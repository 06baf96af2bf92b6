//! One box for everything: what a text may mean, in the order of how sure that is.
//!
//! Only the kinds that the text can be are asked for, one indexed statement with a limit each, until
//! there are enough hits. What a person typed is compared as it stands; nothing in it is a pattern.

use std::collections::HashSet;

use super::hits::{Kind, Pick, When};
use super::matching::{TRIGRAM, after, containing, ending_in, masked_ending, phrase, tail_of};
use super::query::{Flavour, Query, values};
use crate::domain::money::{Currency, Money};
use crate::engine::ports::StoreError;
use crate::engine::queries::{Hit, HitTarget};
use crate::store::open::SqlStore;
use crate::text::{initials, is_initials_query, phone_key, search_key};

type R<T> = Result<T, StoreError>;

const MOST: u32 = 100;
/// Nothing shorter is an order id, a key or a reference.
const SHORTEST_KEY: usize = 6;

const BY_ORDER: &str = "select id, 0 as place from payment where order_id >= ? and order_id < ? order by order_id limit ?";
const TRIED_ORDER: &str = "select id, 0 as place from attempt where order_id >= ? and order_id < ? order by order_id limit ?";
const BY_REFERENCE: &str = "select id, 0 as place from payment where provider_ref = ? limit ?";
const TRIED_REFERENCE: &str =
    "select id, 0 as place from attempt where provider_ref = ? order by id limit ?";
const BY_KEY: &str = "select id, 0 as place from customer where customer_key = ? limit ?";
const BY_EMAIL: &str = "select id, email_lower as place from customer where email_lower >= ? and email_lower < ? order by email_lower, id limit ?";
const BY_LAST4: &str = "select id, id * -1 as place from payment_method where last4 in (?, ?) order by id desc limit ?";
const BY_PHONE: &str = "select id, phone_digits as place from customer where phone_digits >= ? and phone_digits < ? order by phone_digits, id limit ?";
const BY_AMOUNT: &str = "select id, captured_at * -1 as place from payment where captured_minor = ? and currency = ? order by captured_at desc, id desc limit ?";
const BY_INITIALS: &str = "select id, name_initials as place from customer where name_initials >= ? and name_initials < ? order by name_initials, id limit ?";
const BY_NAME: &str = "select id, name_jamo as place from customer where name_jamo >= ? and name_jamo < ? order by name_jamo, id limit ?";
const BY_PLAN: &str = "select id, code as place from plan where code >= ? and code < ? or name like ? escape '\\' order by code limit ?";

/// Whatever the text may mean, best match first.
pub(super) async fn find(db: &SqlStore, text: &str, limit: u32) -> R<Vec<Hit>> {
    let text = text.trim();
    let limit = limit.clamp(1, MOST);
    let mut hits = Vec::new();
    let mut seen: HashSet<HitTarget> = HashSet::new();
    if text.is_empty() {
        return Ok(hits);
    }
    for pick in picks(text, db.flavour(), limit, &amounts(db, text).await?) {
        if pick.when == When::NothingFound && !hits.is_empty() {
            continue;
        }
        for hit in pick.read(db).await? {
            if seen.insert(hit.target) {
                hits.push(hit);
            }
        }
        if hits.len() >= limit as usize {
            hits.truncate(limit as usize);
            break;
        }
    }
    Ok(hits)
}

/// The statements for a text, surest first.
pub(super) fn picks(text: &str, flavour: Flavour, limit: u32, amounts: &[Money]) -> Vec<Pick> {
    let mut picks = Vec::new();
    // Ids are shown shortened, with an ellipsis that people copy along.
    let is_key = text.len() >= SHORTEST_KEY
        && text.chars().all(|ch| ch.is_ascii() || ch == '…')
        && !text.contains(char::is_whitespace)
        && !text.contains('@');
    let is_number = text
        .chars()
        .all(|ch| ch.is_ascii_digit() || " -+(),.₩원".contains(ch));
    if is_key && !is_number {
        ids(text, limit, &mut picks);
        keys(text, limit, &mut picks);
    }
    if text.contains('@') {
        emails(text, limit, &mut picks);
    }
    numbers(text, flavour, limit, &mut picks);
    for amount in amounts {
        let currency = amount.currency();
        let bound = values![amount.minor(), currency.code(), limit];
        picks.push(Pick::new(Kind::Payment, "amount", BY_AMOUNT, bound));
    }
    if is_key && is_number {
        keys(text, limit, &mut picks);
        ids(text, limit, &mut picks);
    }
    if !is_number {
        names(text, flavour, limit, &mut picks);
    }
    picks
}

fn ids(text: &str, limit: u32, picks: &mut Vec<Pick>) {
    let prefix = text
        .split_once('_')
        .map(|(prefix, _)| prefix.to_ascii_lowercase());
    let Some(tail) = tail_of(text) else { return };
    for kind in Kind::of_prefix(prefix.as_deref()) {
        picks.push(Pick::by_tail(*kind, &tail, limit));
    }
}

fn keys(text: &str, limit: u32, picks: &mut Vec<Pick>) {
    // Order ids hold an upper-case ULID behind a lower-case installation; people type either.
    if text.contains('-') {
        let high = after(text);
        picks.push(Pick::new(
            Kind::Payment,
            "order_id",
            BY_ORDER,
            values![text, high.as_str(), limit],
        ));
        picks.push(Pick::new(
            Kind::Attempt,
            "order_id",
            TRIED_ORDER,
            values![text, high, limit],
        ));
    }
    picks.push(Pick::new(
        Kind::Payment,
        "provider_ref",
        BY_REFERENCE,
        values![text, limit],
    ));
    picks.push(Pick::new(
        Kind::Attempt,
        "provider_ref",
        TRIED_REFERENCE,
        values![text, limit],
    ));
    picks.push(Pick::new(
        Kind::Customer,
        "customer_key",
        BY_KEY,
        values![text, limit],
    ));
}

fn emails(text: &str, limit: u32, picks: &mut Vec<Pick>) {
    let lower = text.to_lowercase();
    let high = after(&lower);
    let bound = values![lower, high, limit];
    picks.push(Pick::new(Kind::Customer, "email", BY_EMAIL, bound));
}

/// Card endings and phone numbers.
fn numbers(text: &str, flavour: Flavour, limit: u32, picks: &mut Vec<Pick>) {
    let is_phone = text
        .chars()
        .all(|ch| ch.is_ascii_digit() || " -+().".contains(ch));
    let digits = phone_key(text);
    if !is_phone || digits.len() < TRIGRAM {
        return;
    }
    if let Some(masked) = masked_ending(&digits) {
        let bound = values![digits.as_str(), masked, limit];
        picks.push(Pick::new(Kind::Card, "card", BY_LAST4, bound));
    }
    let beginning = |digits: &str| {
        let bound = values![digits, after(digits), limit];
        Pick::new(Kind::Customer, "phone", BY_PHONE, bound)
    };
    picks.push(beginning(&digits));
    if !digits.starts_with('0') && digits.len() <= 8 {
        picks.push(beginning(&format!("010{digits}")));
    }
    if let Some(last4) = digits.get(digits.len().saturating_sub(4)..)
        && last4.len() == 4
    {
        let sql = match flavour {
            Flavour::Sqlite => {
                "select id, 0 as place from customer where substr(phone_digits, -4) = ? \
                 and phone_digits like ? escape '\\' order by id desc limit ?"
            }
            Flavour::Postgres => {
                "select id, 0 as place from customer where right(phone_digits, 4) = ? \
                 and phone_digits like ? escape '\\' order by id desc limit ?"
            }
        };
        let bound = values![last4, ending_in(&digits), limit];
        picks.push(Pick::new(Kind::Customer, "phone", sql, bound));
    }
}

/// Names by initials, by beginning and by part; e-mail addresses by part; plans.
fn names(text: &str, flavour: Flavour, limit: u32, picks: &mut Vec<Pick>) {
    if is_initials_query(text) {
        let key = initials(text);
        let high = after(&key);
        let bound = values![key, high, limit];
        picks.push(Pick::new(Kind::Customer, "name", BY_INITIALS, bound));
        return;
    }
    let key = search_key(text);
    if key.is_empty() {
        return;
    }
    let bound = values![key.as_str(), after(&key), limit];
    picks.push(Pick::new(Kind::Customer, "name", BY_NAME, bound));
    let lower = text.to_lowercase();
    let bound = values![lower.as_str(), after(&lower), containing(text), limit];
    picks.push(Pick::new(Kind::Plan, "plan", BY_PLAN, bound));
    if text.is_ascii() && !text.contains('@') {
        emails(text, limit, picks);
    }
    if key.chars().count() < TRIGRAM {
        return;
    }
    let by_name = part_of("name", flavour, &key, limit);
    let by_email = part_of("email", flavour, &key, limit);
    if text.contains('@') {
        // A whole address shares most of its trigrams with every other: look when it is not one.
        picks.push(by_email.only_if_nothing());
    } else {
        picks.push(by_name);
        picks.push(by_email);
    }
}

/// Customers with this part in the name or in the e-mail address.
fn part_of(matched: &'static str, flavour: Flavour, key: &str, limit: u32) -> Pick {
    const IN_SQLITE: &str = "select rowid, 0 as place from customer_search where customer_search match ? \
        order by rowid desc limit ?";
    const NAME_IN_POSTGRES: &str =
        "select id, 0 as place from customer where name_jamo like ? escape '\\' limit ?";
    const EMAIL_IN_POSTGRES: &str =
        "select id, 0 as place from customer where email_lower like ? escape '\\' limit ?";
    let (sql, asked) = match (flavour, matched) {
        (Flavour::Sqlite, "name") => (IN_SQLITE, format!("name_jamo : {}", phrase(key))),
        (Flavour::Sqlite, _) => (IN_SQLITE, format!("email_lower : {}", phrase(key))),
        (Flavour::Postgres, "name") => (NAME_IN_POSTGRES, containing(key)),
        (Flavour::Postgres, _) => (EMAIL_IN_POSTGRES, containing(key)),
    };
    Pick::new(Kind::Customer, matched, sql, values![asked, limit])
}

/// The amounts a text may be, in the currencies that plans have.
async fn amounts(db: &SqlStore, text: &str) -> R<Vec<Money>> {
    let number = text
        .trim_start_matches(['₩', '$', '€'])
        .trim_end_matches('원')
        .trim();
    if number.is_empty() || !number.starts_with(|ch: char| ch.is_ascii_digit()) {
        return Ok(Vec::new());
    }
    if Money::parse(number, Currency::USD).is_err() && Money::parse(number, Currency::KRW).is_err()
    {
        return Ok(Vec::new());
    }
    let sql = "select distinct currency from plan order by currency";
    let mut amounts = Vec::new();
    for row in db.fetch(Query::new(sql)).await? {
        let cells = row.counts("plan");
        let currency = cells.word("currency", |code| Currency::parse(code).ok())?;
        amounts.extend(
            Money::parse(number, currency)
                .ok()
                .filter(|m| m.is_positive()),
        );
    }
    Ok(amounts)
}
