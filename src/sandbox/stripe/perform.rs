//! Carries out one operation by the rule it belongs to.

use serde_json::{Value, json};

use super::form::Form;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;
use super::routes::{Action, Route};
use super::{
    attempt, balance, catalog, charge, clock, customer, endpoint, intent, invoice, invoice_item,
    json, list, method, refund, search, subscription, subscription_change,
};

/// The object that the operation answers with, not yet expanded.
pub fn perform(
    room: &mut Room<'_>,
    route: &Route,
    form: &Form,
    path: &str,
) -> Result<Value, Problem> {
    match route {
        Route::Account => Ok(room.shown()),
        Route::Balance => Ok(balance::total(room)),
        Route::List(kind) => list::list(room, *kind, form, path),
        Route::Search(kind) => search::search(room, *kind, form, path),
        Route::Get(kind, id) => get(room, *kind, id, form),
        Route::Create(kind) => create(room, *kind, form),
        Route::Update(kind, id) => update(room, *kind, id, form),
        Route::Delete(kind, id) => delete(room, *kind, id, form),
        Route::Act(_, id, action) => act(room, id, *action, form),
        Route::Below(kind, id, part) => below(room, *kind, id, *part, path),
        Route::GetBelow(kind, id, part, which) => {
            room.of_path(*kind, id)?;
            let found = room.of_path(*part, which)?;
            let owner = json::text(&found, "customer").or(json::text(&found, "charge"));
            if owner == Some(id) {
                Ok(found)
            } else {
                Err(Problem::not_found(*part, which))
            }
        }
    }
}

fn get(room: &Room<'_>, kind: Kind, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["expand", "client_secret"])?;
    let found = room.of_path(kind, id)?;
    if kind != Kind::Customer && json::flag(&found, "deleted") {
        return Err(Problem::not_found(kind, id));
    }
    Ok(found)
}

fn create(room: &mut Room<'_>, kind: Kind, form: &Form) -> Result<Value, Problem> {
    match kind {
        Kind::Customer => customer::create(room, form),
        Kind::PaymentMethod => method::create(room, form),
        Kind::Product => catalog::create_product(room, form),
        Kind::Price => catalog::create_price(room, form),
        Kind::Intent => intent::create(room, form),
        Kind::Refund => refund::create(room, form),
        Kind::Subscription => subscription::create(room, form),
        Kind::Invoice => invoice::create(room, form),
        Kind::InvoiceItem => invoice_item::create(room, form),
        Kind::Endpoint => endpoint::create(room, form),
        Kind::TestClock => clock::create(room, form),
        Kind::Charge | Kind::Transaction | Kind::InvoicePayment | Kind::Event => Err(unreachable()),
    }
}

fn update(room: &mut Room<'_>, kind: Kind, id: &str, form: &Form) -> Result<Value, Problem> {
    match kind {
        Kind::Customer => customer::update(room, id, form),
        Kind::PaymentMethod => method::update(room, id, form),
        Kind::Product => catalog::update_product(room, id, form),
        Kind::Price => catalog::update_price(room, id, form),
        Kind::Intent => intent::update(room, id, form),
        Kind::Charge => charge::update(room, id, form),
        Kind::Refund => refund::update(room, id, form),
        Kind::Subscription => subscription_change::update(room, id, form),
        Kind::Invoice => invoice::update(room, id, form),
        Kind::InvoiceItem => invoice_item::update(room, id, form),
        Kind::Endpoint => endpoint::update(room, id, form),
        Kind::Transaction | Kind::InvoicePayment | Kind::Event | Kind::TestClock => {
            Err(unreachable())
        }
    }
}

fn delete(room: &mut Room<'_>, kind: Kind, id: &str, form: &Form) -> Result<Value, Problem> {
    match kind {
        Kind::Customer => customer::delete(room, id),
        Kind::Subscription => subscription::cancel(room, id, form),
        Kind::Product => catalog::delete_product(room, id),
        Kind::Invoice => invoice::delete(room, id),
        Kind::InvoiceItem => invoice_item::delete(room, id),
        Kind::Endpoint => endpoint::delete(room, id),
        Kind::TestClock => clock::delete(room, id),
        _ => Err(unreachable()),
    }
}

fn act(room: &mut Room<'_>, id: &str, action: Action, form: &Form) -> Result<Value, Problem> {
    match action {
        Action::Attach => method::attach(room, id, form),
        Action::Detach => method::detach(room, id, form),
        Action::Confirm => attempt::confirm_named(room, id, form),
        Action::Capture => intent::capture(room, id, form),
        Action::Cancel => intent::cancel(room, id, form),
        Action::Pay => invoice::pay(room, id, form),
        Action::Finalize => invoice::finalize(room, id, form),
        Action::Void => invoice::void(room, id, form),
        Action::MarkUncollectible => invoice::mark_uncollectible(room, id, form),
        Action::Advance => clock::advance(room, id, form),
        Action::Resume => subscription::resume(room, id, form),
    }
}

fn below(room: &Room<'_>, kind: Kind, id: &str, part: Kind, path: &str) -> Result<Value, Problem> {
    let owner = room.of_path(kind, id)?;
    if (kind, part) == (Kind::Invoice, Kind::InvoiceItem) {
        return Ok(owner["lines"].clone());
    }
    let found = match kind {
        Kind::Customer => room.book.of_customer(part, id),
        Kind::Charge => {
            let key = json::text(&owner, "payment_intent").unwrap_or(id);
            room.book.of_link(part, key)
        }
        _ => room.book.of_link(part, id),
    };
    let data: Vec<Value> = found.into_iter().rev().map(json::shown).collect();
    Ok(json!({ "object": "list", "data": data, "has_more": false, "url": path }))
}

/// The routes lead to none of these.
fn unreachable() -> Problem {
    Problem::new(500, "api_error", "The simulator has no such operation.")
}
