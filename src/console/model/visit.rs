//! A place somebody is at, with what is loaded for it.

use super::form::Paid;
use super::list::{List, Loading, Panel};
use super::row::{Target, of_failure, of_payment, of_subscription, of_unknown};
use super::screen::{ListKind, Place, Screen};
use crate::domain::customer::PaymentMethod;
use crate::domain::states::{AttemptState, InvoiceState, MethodState};
use crate::engine::queries::{CustomerCard, Overview, RevenueReport, SubscriptionCard, Timeline};

/// What a place shows.
#[derive(Debug, Clone)]
pub enum Content {
    Overview(Panel<Overview>),
    Revenue(Panel<RevenueReport>),
    List(Box<List>),
    Customer(Panel<CustomerCard>),
    Subscription(Panel<SubscriptionCard>),
    Timeline(Panel<Timeline>),
}

/// A place and its content.
#[derive(Debug, Clone)]
pub struct Visit {
    pub place: Place,
    pub content: Content,
    /// The database's version when it was asked for.
    pub version: Option<i64>,
}

/// A spot of the overview that can be chosen, in the order in which it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    Figure(Figure),
    Day(usize),
    Code(usize),
    Plan(usize),
}

/// The six figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Active,
    Mrr,
    Revenue,
    New,
    Failed,
    AtRisk,
}

impl Figure {
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Mrr,
        Self::Revenue,
        Self::New,
        Self::Failed,
        Self::AtRisk,
    ];
}

/// The spots of an overview that can be chosen.
pub fn spots(overview: &Overview) -> Vec<Spot> {
    Figure::ALL
        .into_iter()
        .map(Spot::Figure)
        .chain((0..overview.renewals.len()).map(Spot::Day))
        .chain((0..overview.codes.len()).map(Spot::Code))
        .chain((0..overview.plans.len()).map(Spot::Plan))
        .collect()
}

/// A line of a customer card that a key can act on, in the order in which they are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardLine {
    Subscription(usize),
    Method(usize),
    Failure(usize),
    Unknown(usize),
    Payment(usize),
}

impl Visit {
    pub fn new(place: Place) -> Self {
        let content = match &place {
            Place::Screen(Screen::Overview) => Content::Overview(Panel::default()),
            Place::Screen(Screen::Revenue) => Content::Revenue(Panel::default()),
            Place::Screen(screen) => {
                Content::List(Box::new(List::new(screen.list().unwrap_or(ListKind::Hits))))
            }
            Place::RenewalsOf(day) => Content::List(Box::new(List::between(
                ListKind::Renewals,
                day.from,
                day.to,
            ))),
            Place::Declines => Content::List(Box::new(List::new(ListKind::Declines))),
            Place::Wishes => Content::List(Box::new(List::new(ListKind::Wishes))),
            Place::Run(..) => Content::List(Box::new(List::new(ListKind::RunItems))),
            Place::Found(_) => Content::List(Box::new(List::new(ListKind::Hits))),
            Place::Customer(_) => Content::Customer(Panel::default()),
            Place::Subscription(_) => Content::Subscription(Panel::default()),
            Place::Invoice(_) | Place::Payment(_) | Place::Attempt(_) => {
                Content::Timeline(Panel::default())
            }
        };
        Self {
            place,
            content,
            version: None,
        }
    }

    /// What an audit row calls it: the public id of what is shown where there is one, else the list or screen.
    pub fn audit_name(&self) -> String {
        let shown = match &self.content {
            Content::Customer(panel) => panel.value.as_ref().map(|card| &card.customer.public_id),
            Content::Subscription(panel) => panel.value.as_ref().map(|card| &card.row.public_id),
            Content::Timeline(_)
            | Content::Overview(_)
            | Content::Revenue(_)
            | Content::List(_) => None,
        };
        match (shown, &self.place) {
            (Some(id), _) | (None, Place::Run(_, id)) => id.to_string(),
            (None, Place::Screen(screen)) => screen.id().to_owned(),
            (None, Place::RenewalsOf(_)) => "renewals".to_owned(),
            (None, Place::Found(_)) => "find".to_owned(),
            (None, Place::Declines) => "declines".to_owned(),
            (None, Place::Wishes) => "wishes".to_owned(),
            (None, Place::Customer(_)) => "customer".to_owned(),
            (None, Place::Subscription(_)) => "subscription".to_owned(),
            (None, Place::Invoice(_) | Place::Payment(_) | Place::Attempt(_)) => {
                "timeline".to_owned()
            }
        }
    }

    pub fn list(&self) -> Option<&List> {
        match &self.content {
            Content::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn list_mut(&mut self) -> Option<&mut List> {
        match &mut self.content {
            Content::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn loading(&self) -> &Loading {
        match &self.content {
            Content::Overview(panel) => &panel.loading,
            Content::Revenue(panel) => &panel.loading,
            Content::List(list) => &list.loading,
            Content::Customer(panel) => &panel.loading,
            Content::Subscription(panel) => &panel.loading,
            Content::Timeline(panel) => &panel.loading,
        }
    }

    pub fn loading_mut(&mut self) -> &mut Loading {
        match &mut self.content {
            Content::Overview(panel) => &mut panel.loading,
            Content::Revenue(panel) => &mut panel.loading,
            Content::List(list) => &mut list.loading,
            Content::Customer(panel) => &mut panel.loading,
            Content::Subscription(panel) => &mut panel.loading,
            Content::Timeline(panel) => &mut panel.loading,
        }
    }

    /// Whether anything has ever come.
    pub fn is_loaded(&self) -> bool {
        self.loading().loaded_at.is_some()
    }

    /// How many lines can be chosen, and which one is.
    pub fn lines(&self) -> (usize, usize) {
        match &self.content {
            Content::List(list) => (list.paged.rows.len(), list.paged.selected),
            Content::Overview(panel) => (
                panel.value.as_ref().map_or(0, |v| spots(v).len()),
                panel.selected,
            ),
            Content::Revenue(panel) => (
                panel.value.as_ref().map_or(0, |v| v.months.len()),
                panel.selected,
            ),
            Content::Customer(panel) => (
                panel.value.as_ref().map_or(0, |v| card_lines(v).len()),
                panel.selected,
            ),
            Content::Subscription(panel) => (
                panel.value.as_ref().map_or(0, |v| v.invoices.len()),
                panel.selected,
            ),
            Content::Timeline(panel) => (
                panel.value.as_ref().map_or(0, |v| v.entries.len()),
                panel.selected,
            ),
        }
    }

    /// Moves the chosen line of whatever is not a list.
    pub fn choose_line(&mut self, line: usize) {
        let last = self.lines().0.saturating_sub(1);
        let chosen = line.min(last);
        match &mut self.content {
            Content::List(_) => {}
            Content::Overview(panel) => panel.selected = chosen,
            Content::Revenue(panel) => panel.selected = chosen,
            Content::Customer(panel) => panel.selected = chosen,
            Content::Subscription(panel) => panel.selected = chosen,
            Content::Timeline(panel) => panel.selected = chosen,
        }
    }

    /// What a key acts on here.
    pub fn target(&self) -> Target {
        match &self.content {
            Content::List(list) => list.current().map(super::Row::target).unwrap_or_default(),
            Content::Overview(_) | Content::Revenue(_) => Target::default(),
            Content::Customer(panel) => panel
                .value
                .as_ref()
                .map(|card| of_card(card, panel.selected))
                .unwrap_or_default(),
            Content::Subscription(panel) => panel
                .value
                .as_ref()
                .map(|card| of_subscription_card(card, panel.selected))
                .unwrap_or_default(),
            Content::Timeline(panel) => panel
                .value
                .as_ref()
                .map(|timeline| of_timeline(timeline))
                .unwrap_or_default(),
        }
    }
}

/// Deleted cards that are shown: their provider may be asked once more to forget them.
const MOST_DELETED: usize = 3;

/// How many of a customer's cards can be chosen: those that can be charged come first, then the ones deleted last.
pub fn cards_to_choose(methods: &[PaymentMethod]) -> usize {
    let of = |state: MethodState| {
        methods
            .iter()
            .filter(|method| method.state == state)
            .count()
    };
    of(MethodState::Active) + of(MethodState::Deleted).min(MOST_DELETED)
}

/// The lines of a customer card that can be chosen.
pub fn card_lines(card: &CustomerCard) -> Vec<CardLine> {
    let subscriptions = (0..card.subscriptions.len()).map(CardLine::Subscription);
    let methods = (0..cards_to_choose(&card.methods)).map(CardLine::Method);
    let failures = (0..card.failures.len()).map(CardLine::Failure);
    let unknowns = (0..card.unknowns.len()).map(CardLine::Unknown);
    let payments = (0..card.payments.len()).map(CardLine::Payment);
    subscriptions
        .chain(methods)
        .chain(failures)
        .chain(unknowns)
        .chain(payments)
        .collect()
}

fn of_card(card: &CustomerCard, selected: usize) -> Target {
    let line = card_lines(card).get(selected).copied();
    let chosen = line.and_then(|line| match line {
        CardLine::Subscription(at) => card.subscriptions.get(at).map(of_subscription),
        CardLine::Method(at) => card.methods.get(at).map(|method| Target {
            method: Some(method.id),
            customer: Some(card.customer.id),
            public_id: Some(method.public_id.clone()),
            name: card.customer.name.clone(),
            ..Target::default()
        }),
        CardLine::Failure(at) => card.failures.get(at).map(of_failure),
        CardLine::Unknown(at) => card.unknowns.get(at).map(of_unknown),
        CardLine::Payment(at) => card.payments.get(at).map(of_payment),
    });
    let customer = Target {
        customer: Some(card.customer.id),
        public_id: Some(card.customer.public_id.clone()),
        noted: Some(card.customer.public_id.clone()),
        name: card.customer.name.clone(),
        ..Target::default()
    };
    Target {
        noted: customer.noted.clone(),
        ..chosen.unwrap_or(customer)
    }
}

fn of_subscription_card(card: &SubscriptionCard, selected: usize) -> Target {
    let mut target = of_subscription(&card.row);
    target.collection = card.mirror.as_ref().map(|mirror| mirror.collection);
    if let Some(invoice) = card.invoices.get(selected) {
        target.invoice = Some(invoice.id);
        target.invoice_state = Some(invoice.state);
    }
    target
}

fn of_timeline(timeline: &Timeline) -> Target {
    let invoice = &timeline.invoice;
    let duplicate = timeline.payments.iter().position(|p| p.is_duplicate);
    let at = duplicate.or_else(|| timeline.payments.len().checked_sub(1));
    let payment = at.and_then(|at| timeline.payments.get(at));
    let card = at.and_then(|at| timeline.cards.get(at).cloned().flatten());
    let open = timeline
        .attempts
        .iter()
        .rev()
        .find(|attempt| attempt.state.is_open())
        // One that was declared not executed may still be asked about.
        .or_else(|| {
            let mut rows = timeline.attempts.iter().rev();
            rows.find(|attempt| attempt.state == AttemptState::NotExecuted)
        });
    Target {
        customer: Some(timeline.customer.id),
        subscription: invoice.subscription_id,
        scheduler: Some(timeline.scheduler),
        invoice_state: Some(invoice.state),
        invoice: (invoice.state != InvoiceState::Void).then_some(invoice.id),
        payment: payment.map(|payment| payment.id),
        paid: payment.map(|payment| {
            Box::new(Paid {
                public_id: payment.public_id.clone(),
                captured: payment.captured,
                captured_at: payment.captured_at,
                card,
            })
        }),
        refundable: payment.and_then(|payment| payment.refundable().ok()),
        attempt: open.map(|attempt| attempt.id),
        public_id: Some(invoice.public_id.clone()),
        noted: payment
            .map(|payment| payment.public_id.clone())
            .or_else(|| Some(timeline.customer.public_id.clone())),
        name: timeline.customer.name.clone(),
        ..Target::default()
    }
}
