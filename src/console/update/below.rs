//! What lies below a selection: the place that opening it leads to.

use crate::console::model::{
    CardLine, Content, Figure, Kept, Model, Place, Row, Screen, Spot, Visit, card_lines, spots,
};
use crate::engine::queries::{Filter, HitTarget, Overview};

use super::ask;

pub fn below(model: &Model) -> Option<Visit> {
    match &model.visit().content {
        Content::List(list) => below_row(list.current()?),
        Content::Overview(panel) => {
            let overview = panel.value.as_ref()?;
            below_spot(overview, *spots(overview).get(panel.selected)?, model)
        }
        Content::Revenue(panel) => {
            let month = panel.value.as_ref()?.months.get(panel.selected)?.month;
            let next = month.checked_add_months(chrono::Months::new(1))?;
            let mut visit = Visit::new(Place::Screen(Screen::Payments));
            if let Some(list) = visit.list_mut() {
                let from = crate::domain::period::day_start(month, model.zone);
                let to = crate::domain::period::day_start(next, model.zone);
                list.keep_within(Some(from), Some(to));
            }
            Some(visit)
        }
        Content::Customer(panel) => {
            let card = panel.value.as_ref()?;
            let place = match *card_lines(card).get(panel.selected)? {
                CardLine::Subscription(at) => Place::Subscription(card.subscriptions.get(at)?.id),
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

fn below_row(row: &Row) -> Option<Visit> {
    let place = match row {
        Row::Customer(row) => Place::Customer(row.customer.id),
        Row::Subscription(row) => Place::Subscription(row.id),
        Row::Day(row) => Place::RenewalsOf(row.day),
        Row::Failed(row) => Place::Invoice(row.invoice_id),
        Row::Payment(row) => Place::Invoice(row.invoice_id),
        Row::Unknown(row) => Place::Invoice(row.invoice_id),
        Row::Plan(row) => {
            return filtered(Screen::Subscriptions, &format!("plan:{}", row.plan.code));
        }
        Row::Run(row) => Place::Run(row.run.id, row.run.public_id.clone()),
        Row::RunItem(row) => Place::Subscription(row.subscription_id),
        Row::Activity(row) if !row.record.entry.target.is_empty() => {
            Place::Found(row.record.entry.target.clone())
        }
        Row::Activity(_) | Row::Event(_) => return None,
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

/// The rows behind a figure.
fn below_spot(overview: &Overview, spot: Spot, model: &Model) -> Option<Visit> {
    match spot {
        Spot::Figure(Figure::Active) => filtered(Screen::Subscriptions, "status:active,past_due"),
        Spot::Figure(Figure::Mrr) => Some(Visit::new(Place::Screen(Screen::Plans))),
        Spot::Figure(Figure::AtRisk) => filtered(Screen::Subscriptions, "status:past_due"),
        Spot::Figure(Figure::Failed) => Some(Visit::new(Place::Screen(Screen::Failed))),
        Spot::Figure(Figure::Revenue) => Some(within_window(Screen::Payments, model)),
        Spot::Figure(Figure::New) => Some(within_window(Screen::Subscriptions, model)),
        Spot::Day(at) => Some(Visit::new(Place::RenewalsOf(
            overview.renewals.get(at)?.day,
        ))),
        Spot::Code(at) => filtered(
            Screen::Failed,
            &format!("code:{}", overview.codes.get(at)?.code),
        ),
        Spot::Plan(at) => filtered(
            Screen::Subscriptions,
            &format!("plan:{}", overview.plans.get(at)?.plan.code),
        ),
    }
}

fn filtered(screen: Screen, text: &str) -> Option<Visit> {
    let mut visit = Visit::new(Place::Screen(screen));
    let list = visit.list_mut()?;
    let kept = Kept {
        filter: Filter::parse(text).ok()?,
        ..Kept::default()
    };
    list.narrow(text.to_owned(), &kept);
    Some(visit)
}

fn within_window(screen: Screen, model: &Model) -> Visit {
    let window = ask::window(model);
    let mut visit = Visit::new(Place::Screen(screen));
    if let Some(list) = visit.list_mut() {
        let from = window.days.first().map(|day| day.from);
        list.keep_within(from, window.days.last().map(|day| day.to));
    }
    visit
}
