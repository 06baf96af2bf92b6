//! What lies below a selection: the place that opening it leads to.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::console::model::{
    Adding, CardLine, Content, Figure, Kept, Model, Place, Row, Screen, Spot, Visit, card_lines,
    spots,
};
use crate::domain::period::day_start;
use crate::engine::queries::{HitTarget, Overview};

use super::ask;

pub fn below(model: &Model) -> Option<Visit> {
    match &model.visit().content {
        Content::List(list) => below_row(list.current()?, model.zone),
        Content::Overview(panel) => {
            let overview = panel.value.as_ref()?;
            below_spot(overview, *spots(overview).get(panel.selected)?, model)
        }
        Content::Revenue(panel) => {
            let month = panel.value.as_ref()?.months.get(panel.selected)?.month;
            let next = month.checked_add_months(chrono::Months::new(1))?;
            Some(captured(
                Some(day_start(month, model.zone)),
                Some(day_start(next, model.zone)),
            ))
        }
        Content::Customer(panel) => {
            let card = panel.value.as_ref()?;
            let place = match *card_lines(card).get(panel.selected)? {
                CardLine::Subscription(at) => Place::Subscription(card.subscriptions.get(at)?.id),
                CardLine::Method(_) => return None,
                CardLine::Failure(at) => Place::Invoice(card.failures.get(at)?.invoice_id),
                CardLine::Unknown(at) => Place::Invoice(card.unknowns.get(at)?.invoice_id),
                CardLine::Payment(at) => Place::Invoice(card.payments.get(at)?.invoice_id),
            };
            Some(Visit::new(place))
        }
        Content::Subscription(panel) => {
            let invoice = panel.value.as_ref()?.invoices.get(panel.selected)?;
            Some(Visit::new(Place::Invoice(invoice.id)))
        }
        Content::Timeline(_) => None,
    }
}

fn below_row(row: &Row, zone: Tz) -> Option<Visit> {
    let place = match row {
        Row::Customer(row) => Place::Customer(row.customer.id),
        Row::Subscription(row) => Place::Subscription(row.id),
        Row::Day(row) => Place::RenewalsOf(row.day),
        Row::Failed(row) => Place::Invoice(row.invoice_id),
        Row::Decline(row) => Place::Invoice(row.invoice_id),
        Row::Payment(row) => Place::Invoice(row.invoice_id),
        Row::Unknown(row) => Place::Invoice(row.invoice_id),
        Row::Wish(row) => Place::Subscription(row.wish.subscription_id),
        Row::Plan(row) => {
            return subscribed(&row.plan.code, zone);
        }
        Row::Run(row) => Place::Run(row.run.id, row.run.public_id.clone()),
        Row::RunItem(row) => Place::Subscription(row.subscription_id),
        Row::Activity(row) if !row.record.entry.target.is_empty() => {
            Place::Found(row.record.entry.target.clone())
        }
        Row::Event(row) => match &row.subscription {
            Some(id) => Place::Found(id.to_string()),
            None => return None,
        },
        Row::Activity(_) => return None,
        Row::Hit(hit) => match hit.target {
            HitTarget::Customer(id) => Place::Customer(id),
            HitTarget::Subscription(id) => Place::Subscription(id),
            HitTarget::Payment(id) => Place::Payment(id),
            HitTarget::Invoice(id) => Place::Invoice(id),
            HitTarget::Attempt(id) => Place::Attempt(id),
            HitTarget::Plan(_) => Place::Screen(Screen::Plans),
        },
    };
    Some(Visit::new(place))
}

/// The rows behind a figure: exactly those, and the list says what they come to.
fn below_spot(overview: &Overview, spot: Spot, model: &Model) -> Option<Visit> {
    let zone = model.zone;
    match spot {
        Spot::Figure(Figure::Active) => filtered(Screen::Subscriptions, BILLED, zone),
        Spot::Figure(Figure::Mrr) => filtered(Screen::Plans, "", zone),
        Spot::Figure(Figure::AtRisk) => filtered(Screen::Subscriptions, "status:past_due", zone),
        Spot::Figure(Figure::Failed) => declines(&days(model)?, zone),
        Spot::Figure(Figure::Revenue) => Some(within_window(model)),
        Spot::Figure(Figure::New) => {
            let began = format!("began:{}", days(model)?);
            filtered(Screen::Subscriptions, &began, zone)
        }
        Spot::Day(at) => Some(Visit::new(Place::RenewalsOf(
            overview.renewals.get(at)?.day,
        ))),
        Spot::Code(at) => {
            let code = overview.codes.get(at)?;
            let (days, class) = (days(model)?, code.class.as_str());
            declines(&format!("{days} code:{} class:{class}", code.code), zone)
        }
        Spot::Plan(at) => subscribed(&overview.plans.get(at)?.plan.code, zone),
    }
}

/// What counts as active: those that are billed.
const BILLED: &str = "status:active,past_due";

/// Those who are billed for a plan; its code may be the beginning of another's.
fn subscribed(code: &str, zone: Tz) -> Option<Visit> {
    filtered(
        Screen::Subscriptions,
        &format!("plan:={code} {BILLED}"),
        zone,
    )
}

/// The window of the overview, as a filter names days.
fn days(model: &Model) -> Option<String> {
    let window = ask::window(model);
    let (first, last) = (window.days.first()?, window.days.last()?);
    Some(format!("{}..{}", first.date, last.date))
}

fn declines(kept: &str, zone: Tz) -> Option<Visit> {
    narrowed(Place::Declines, &format!("days:{kept}"), zone)
}

fn filtered(screen: Screen, text: &str, zone: Tz) -> Option<Visit> {
    narrowed(Place::Screen(screen), text, zone)
}

/// A list that says what its rows come to.
fn narrowed(place: Place, text: &str, zone: Tz) -> Option<Visit> {
    let mut visit = Visit::new(place);
    let list = visit.list_mut()?;
    list.narrow(text.to_owned(), &Kept::parse(text, zone).ok()?);
    list.adding = Some(Adding::default());
    Some(visit)
}

/// Payments by the time of their capture.
fn within_window(model: &Model) -> Visit {
    let window = ask::window(model);
    let from = window.days.first().map(|day| day.from);
    captured(from, window.days.last().map(|day| day.to))
}

fn captured(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Visit {
    let mut visit = Visit::new(Place::Screen(Screen::Payments));
    if let Some(list) = visit.list_mut() {
        list.keep_within(from, to);
        list.adding = Some(Adding::default());
    }
    visit
}
