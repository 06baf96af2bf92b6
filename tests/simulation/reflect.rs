//! What must hold of subscriptions that a provider schedules: what is asked of it is written down and happens once, nothing
//! of theirs is charged from here, and once everything is at rest the mirror shows what its books show.

use chrono::{DateTime, Utc};
use serde_json::Value;

use paydeck::domain::attempt::AttemptKind;
use paydeck::domain::mirror::{Collection, Wish, WishState, WishVerb};
use paydeck::domain::states::{InvoiceState, SubscriptionState};

use crate::memory::db::{Committed, Tables};
use crate::memory::stage::instant;
use crate::net::{self, Launch};
use crate::watch::{Law, Watch};
use crate::world::World;

/// For so long a provider certainly knows a key again.
const KEY_H: i64 = 24;

/// What a request asks for, and of what.
fn wished<'a>(method: &str, path: &'a str, body: &[u8]) -> Option<(WishVerb, &'a str)> {
    let body = String::from_utf8_lossy(body);
    if let Some(rest) = path.strip_prefix("/v1/invoices/") {
        let (name, verb) = rest.split_once('/')?;
        let verb = match verb {
            "pay" => WishVerb::Pay,
            "void" => WishVerb::Void,
            _ => WishVerb::GiveUp,
        };
        return Some((verb, name));
    }
    let name = path.strip_prefix("/v1/subscriptions/")?;
    let verb = if method == "DELETE" {
        WishVerb::CancelNow
    } else if body.contains("cancel_at_period_end=true") {
        WishVerb::CancelAtEnd
    } else if body.contains("cancel_at_period_end=false") {
        WishVerb::UndoCancel
    } else if body.contains("behavior") {
        WishVerb::Pause
    } else {
        WishVerb::Resume
    };
    Some((verb, name))
}

fn has_happened(net: &net::State, wish: &Wish) -> bool {
    let mut done = net.wishes_done.iter();
    done.any(|done| match &done.key {
        Some(key) => *key == wish.idem_key,
        None => {
            wish.verb == WishVerb::CancelNow
                && done.path.ends_with(&wish.provider_ref)
                && instant(done.at) >= wish.first_sent_at
        }
    })
}

impl Watch {
    /// Whether the request is a wish. One that leaves is written down, under its key, which is not forgotten.
    pub fn wish_left(&mut self, launch: &Launch, tables: &Tables, now: i64) -> bool {
        let Some((verb, name)) = wished(launch.method, &launch.path, &launch.body) else {
            return false;
        };
        let rows = || {
            let all = tables.wishes.rows().map(|(_, row)| row);
            all.filter(|row| row.verb == verb && row.provider_ref == name)
        };
        let has_key = |row: &&std::sync::Arc<Wish>| {
            (launch.key.is_empty() && verb == WishVerb::CancelNow) || row.idem_key == launch.key
        };
        if !rows().any(|row| has_key(&row)) {
            let law = match rows().any(|row| row.state.is_open()) {
                true => Law::WishOnce,
                false => Law::WrittenBeforeSent,
            };
            self.says(law, format!("{} {}", verb.as_str(), launch.key));
        }
        if !launch.key.is_empty() {
            let first = *self.keys_used.entry(launch.key.clone()).or_insert(now);
            if instant(now) - instant(first) >= chrono::Duration::hours(KEY_H) {
                self.says(Law::KeyRemembered, launch.key.clone());
            }
        }
        true
    }

    /// A wish happens once.
    pub fn wishes_happened(&mut self, net: &net::State) {
        for (at, done) in net.wishes_done.iter().enumerate() {
            let again = |other: &net::WishDone| other.key.is_some() && other.key == done.key;
            if net.wishes_done[..at].iter().any(again) {
                self.says(Law::WishOnce, done.path.clone());
            }
        }
    }

    pub fn mirror_moved(
        &mut self,
        commit: &Committed,
        tables: &Tables,
        net: &net::State,
        now: i64,
    ) {
        for (id, (before, after)) in &commit.wishes {
            self.wish_moved(*id, before.as_deref(), after, tables, net, now);
        }
        for (id, (before, after)) in &commit.mirrors {
            let is_back = before
                .as_ref()
                .is_some_and(|old| after.read_at < old.read_at);
            if is_back {
                self.says(Law::NewestReading, format!("mirror {id}"));
            }
        }
        let is_theirs = |id| {
            tables
                .mirrors
                .rows()
                .any(|(_, row)| row.subscription_id == id)
        };
        let is_named = |id: i64| tables.mirrored.rows().any(|(_, row)| row.invoice.0 == id);
        for (id, (before, after)) in &commit.invoices {
            if before.is_none() && after.subscription_id.is_some_and(is_theirs) && !is_named(*id) {
                self.says(Law::OneScheduler, format!("invoice {id} is ours"));
            }
        }
        for (id, (before, after)) in &commit.attempts {
            let attempt = &after.attempt;
            let is_charge = attempt.kind == AttemptKind::Charge && !attempt.body.is_empty();
            if before.is_none() && is_charge && is_named(attempt.invoice_id.0) {
                self.says(Law::OneScheduler, format!("attempt {id} is ours"));
            }
        }
    }

    fn wish_moved(
        &mut self,
        id: i64,
        before: Option<&Wish>,
        after: &Wish,
        tables: &Tables,
        net: &net::State,
        now: i64,
    ) {
        if let Some(before) = before {
            if !before.state.is_open() && before.state != after.state {
                self.says(Law::SettledStays, format!("wish {id}"));
            }
            if before.lease_owner != after.lease_owner {
                let is_held = before.lease_until > instant(now);
                if is_held || after.lease_epoch <= before.lease_epoch {
                    self.says(Law::OneHolder, format!("wish {id}"));
                }
            }
        } else {
            let is_rival = |other: &Wish| {
                other.id != after.id
                    && other.subscription_id == after.subscription_id
                    && other.state.is_open()
            };
            if tables.wishes.rows().any(|(_, row)| is_rival(row)) {
                self.says(Law::OneOpen, format!("wish {id}"));
            }
        }
        let is_over = matches!(
            after.state,
            WishState::NotSent | WishState::Refused | WishState::Declined
        );
        let may_happen = after.state == WishState::NotSent && net.is_flying(&after.idem_key);
        if is_over && (has_happened(net, after) || may_happen) {
            let what = format!("wish {id} is {}", after.state.as_str());
            self.says(Law::NeverWrittenOff, what);
        }
    }

    /// Everything that was asked for has an end.
    pub fn wishes_have_ended(&mut self, world: &World) {
        let db = world.shared.db();
        for (id, wish) in db.tables.wishes.rows() {
            if wish.state.is_open() {
                let what = format!("wish {id} is {}", wish.state.as_str());
                self.says(Law::NothingStuck, what);
            }
        }
    }

    /// What the mirror shows and the provider does not is a broken law.
    pub fn mirror_is_equal(&mut self, world: &World) {
        for difference in differences(world) {
            self.says(Law::MirrorEqual, difference);
        }
    }
}

fn state_there(shown: &Value) -> SubscriptionState {
    let is_paused = !shown["pause_collection"].is_null();
    match shown["status"].as_str().unwrap_or_default() {
        "incomplete" => SubscriptionState::Incomplete,
        "incomplete_expired" => SubscriptionState::Expired,
        "canceled" => SubscriptionState::Canceled,
        "unpaid" => SubscriptionState::Unpaid,
        "paused" => SubscriptionState::Paused,
        _ if is_paused => SubscriptionState::Paused,
        "trialing" => SubscriptionState::Trialing,
        "past_due" => SubscriptionState::PastDue,
        _ => SubscriptionState::Active,
    }
}

fn collection_there(shown: &Value) -> Collection {
    match shown["pause_collection"]["behavior"].as_str() {
        None => Collection::On,
        Some(word) => Collection::parse(word).unwrap_or(Collection::Other),
    }
}

/// Its invoices there that are final: name, state, what was to be paid.
fn invoices_there(rows: &Value) -> Vec<(String, String, i64)> {
    let rows = rows["data"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            (
                text("id"),
                text("status"),
                row["amount_due"].as_i64().unwrap_or(0),
            )
        })
        .filter(|(_, status, _)| status != "draft")
        .collect();
    all.sort();
    all
}

fn word_of(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Draft => "draft",
        InvoiceState::Open => "open",
        InvoiceState::Paid => "paid",
        InvoiceState::Void => "void",
        InvoiceState::Uncollectible => "uncollectible",
    }
}

/// Where mirror and provider differ.
pub fn differences(world: &World) -> Vec<String> {
    let now = world.stage.now();
    let mut net = world.net.state();
    let db = world.shared.db();
    let tables = &db.tables;
    let mut found = Vec::new();
    for (_, mirror) in tables.mirrors.rows() {
        let name = &mirror.provider_ref;
        let row = tables.subscriptions.committed(mirror.subscription_id.0);
        let ours = &row.expect("a mirrored subscription").subscription;
        let shown = net.offline.shown(&format!("/v1/subscriptions/{name}"), now);
        let time = |value: &Value| {
            let seconds = value.as_i64()?;
            DateTime::<Utc>::from_timestamp(seconds, 0)
        };
        let state = state_there(&shown);
        if ours.state != state {
            found.push(format!("{name} is {state}, we say {}", ours.state));
        }
        if !state.is_ended() {
            let has_end = shown["cancel_at_period_end"] == true || !shown["cancel_at"].is_null();
            if ours.cancel_at.is_some() != has_end {
                found.push(format!("{name}: its end there is {has_end}"));
            }
            if mirror.collection != collection_there(&shown) {
                found.push(format!("{name}: collection {}", mirror.collection.as_str()));
            }
            let end = time(&shown["items"]["data"][0]["current_period_end"]);
            let is_running = !matches!(
                state,
                SubscriptionState::Incomplete | SubscriptionState::Trialing
            );
            if is_running && ours.next_due_at != end {
                found.push(format!("{name}: due {:?}, not {end:?}", ours.next_due_at));
            }
        }
        let path = format!("/v1/invoices?subscription={name}&limit=100");
        let there = invoices_there(&net.offline.shown(&path, now));
        let mut here: Vec<_> = tables
            .mirrored
            .rows()
            .filter_map(|(_, named)| {
                let row = tables.invoices.committed(named.invoice.0)?;
                let is_its = row.subscription_id == Some(mirror.subscription_id);
                let word = word_of(row.state).to_owned();
                is_its.then(|| (named.provider_ref.clone(), word, row.amount.minor()))
            })
            .collect();
        here.sort();
        if here != there {
            found.push(format!("{name}: invoices {here:?}, there {there:?}"));
        }
    }
    found.extend(money_that_differs(tables, &net));
    found
}

/// Their charges and refunds, each in our books.
fn money_that_differs(tables: &Tables, net: &net::State) -> Vec<String> {
    let mut found = Vec::new();
    for theirs in net.offline.approved() {
        if !theirs.order_id.starts_with("ch_") {
            continue;
        }
        let mut payments = tables.payments.rows();
        let ours = payments.find(|(_, row)| row.payment.provider_ref == theirs.key);
        let Some((_, ours)) = ours else {
            found.push(format!("{} is not in our books", theirs.order_id));
            continue;
        };
        let is_open = tables.attempts.rows().any(|(_, row)| {
            row.attempt.kind == AttemptKind::Refund
                && row.attempt.payment_id == Some(ours.payment.id)
                && row.attempt.state.is_open()
        });
        let returned: i64 = theirs.cancels.iter().map(|(_, amount)| amount).sum();
        if !is_open && ours.payment.refunded_minor != returned {
            let here = ours.payment.refunded_minor;
            found.push(format!(
                "{}: {returned} went back, not {here}",
                theirs.order_id
            ));
        }
    }
    found
}
