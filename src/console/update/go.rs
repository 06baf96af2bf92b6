//! Moving around: selections, screens, drilling in and out, filters, order, marks.

use crate::console::effect::{Effect, Question, Slot};
use crate::console::layout::list_rows;
use crate::console::model::{
    CardLine, Content, DetailWish, Figure, FilterLine, Joining, Modal, Model, Place, Privacy,
    REVEAL_MS, Row, Screen, SortMenu, Spot, Tone, Visit, card_lines, spots,
};
use crate::engine::queries::{Filter, HitTarget, Order, Overview, SortBy, Toward};

use super::load;

/// How far a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Rows(isize),
    /// Half a screen.
    HalfDown,
    HalfUp,
    First,
    Last,
}

pub fn step(model: &mut Model, step: Step) -> Vec<Effect> {
    let height = list_rows(model);
    let half = isize::try_from((height / 2).max(1)).unwrap_or(1);
    if model.visit().list().is_some() {
        return step_in_list(model, step, height, half);
    }
    let visit = model.visit_mut();
    let (_, line) = visit.lines();
    let target = match step {
        Step::Rows(by) => line.saturating_add_signed(by),
        Step::HalfDown => line.saturating_add_signed(half),
        Step::HalfUp => line.saturating_add_signed(-half),
        Step::First => 0,
        Step::Last => usize::MAX,
    };
    visit.choose_line(target);
    Vec::new()
}

fn step_in_list(model: &mut Model, step: Step, height: usize, half: isize) -> Vec<Effect> {
    let Some(list) = model.visit_mut().list_mut() else {
        return Vec::new();
    };
    let mut effects = Vec::new();
    match step {
        Step::Rows(by) => list.paged.step(by, height),
        Step::HalfDown => list.paged.step(half, height),
        Step::HalfUp => list.paged.step(-half, height),
        Step::First if list.paged.more_earlier => effects = load::restart(model),
        Step::First => list.paged.select(0, height),
        Step::Last if list.paged.more_later => {
            effects = load::ask(model, None, Toward::Earlier, Joining::ReplaceAtEnd);
        }
        Step::Last => list.paged.select(usize::MAX, height),
    }
    load::rest(model);
    if effects.is_empty() {
        effects = load::more(model);
    }
    effects
}

/// After a change of size the selected row must still be on the screen.
pub fn keep_selection_in_sight(model: &mut Model) {
    let height = list_rows(model);
    if let Some(list) = model.visit_mut().list_mut() {
        let selected = list.paged.selected;
        list.paged.select(selected, height);
    }
}

pub fn show(model: &mut Model, screen: Screen) -> Vec<Effect> {
    model.stack.clear();
    model.tab = screen;
    load::enter(model)
}

/// Goes to a place below the current one.
pub fn drill(model: &mut Model, visit: Visit) -> Vec<Effect> {
    /// So deep nobody finds back.
    const DEEPEST: usize = 20;
    if model.stack.len() >= DEEPEST {
        model.stack.remove(0);
    }
    model.stack.push(visit);
    load::enter(model)
}

/// Undoes the last thing that narrowed the view: marks, then the filter, then the place.
pub fn back(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit_mut().list_mut() {
        if !list.marks.is_empty() {
            list.marks.clear();
            return Vec::new();
        }
        if !list.filter_text.is_empty() && model.stack.is_empty() {
            return set_filter(model, String::new(), Filter::default());
        }
    }
    if model.stack.pop().is_some() {
        return load::enter(model);
    }
    Vec::new()
}

/// Opens what is selected.
pub fn open(model: &mut Model) -> Vec<Effect> {
    match below(model) {
        Some(visit) => drill(model, visit),
        None => Vec::new(),
    }
}

/// Whether there is something to open.
pub fn can_open(model: &Model) -> bool {
    below(model).is_some()
}

fn below(model: &Model) -> Option<Visit> {
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
                list.from = Some(crate::domain::period::day_start(month, model.zone));
                list.to = Some(crate::domain::period::day_start(next, model.zone));
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
    list.filter = Filter::parse(text).ok()?;
    text.clone_into(&mut list.filter_text);
    Some(visit)
}

fn within_window(screen: Screen, model: &Model) -> Visit {
    let window = load::window(model);
    let mut visit = Visit::new(Place::Screen(screen));
    if let Some(list) = visit.list_mut() {
        list.from = window.days.first().map(|day| day.from);
        list.to = window.days.last().map(|day| day.to);
    }
    visit
}

/// The next or the previous part of a screen that has several.
pub fn next_pane(model: &mut Model, by: isize) -> Vec<Effect> {
    let starts = pane_starts(model);
    if starts.len() < 2 {
        return switch_tab(model, by);
    }
    let (_, line) = model.visit().lines();
    let pane = starts.iter().rposition(|&start| start <= line).unwrap_or(0);
    let count = isize::try_from(starts.len()).unwrap_or(1);
    let next = (isize::try_from(pane).unwrap_or(0) + by).rem_euclid(count);
    if let Some(&start) = usize::try_from(next).ok().and_then(|next| starts.get(next)) {
        model.visit_mut().choose_line(start);
    }
    Vec::new()
}

/// On a screen of one part, it goes on to the neighbouring screen.
fn switch_tab(model: &mut Model, by: isize) -> Vec<Effect> {
    if !model.stack.is_empty() {
        return Vec::new();
    }
    let count = isize::try_from(Screen::ALL.len()).unwrap_or(1);
    let at = isize::try_from(model.tab.index()).unwrap_or(0) + by;
    match usize::try_from(at.rem_euclid(count)) {
        Ok(index) => show(model, Screen::ALL[index]),
        Err(_) => Vec::new(),
    }
}

/// The first line of each part.
fn pane_starts(model: &Model) -> Vec<usize> {
    let kinds: Vec<u8> = match &model.visit().content {
        Content::Overview(panel) => panel.value.as_ref().map_or(Vec::new(), |overview| {
            spots(overview)
                .iter()
                .map(|spot| match spot {
                    Spot::Figure(_) => 0,
                    Spot::Day(_) => 1,
                    Spot::Code(_) => 2,
                    Spot::Plan(_) => 3,
                })
                .collect()
        }),
        Content::Customer(panel) => panel.value.as_ref().map_or(Vec::new(), |card| {
            card_lines(card)
                .iter()
                .map(|line| match line {
                    CardLine::Subscription(_) => 0,
                    CardLine::Failure(_) => 1,
                    CardLine::Unknown(_) => 2,
                    CardLine::Payment(_) => 3,
                })
                .collect()
        }),
        _ => Vec::new(),
    };
    let mut starts = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        if at == 0 || kinds[at - 1] != *kind {
            starts.push(at);
        }
    }
    starts
}

pub fn open_customer(model: &mut Model) -> Vec<Effect> {
    match model.visit().target().customer {
        Some(id) if model.visit().place != Place::Customer(id) => {
            drill(model, Visit::new(Place::Customer(id)))
        }
        _ => Vec::new(),
    }
}

pub fn begin_filter(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit().list().filter(|list| list.kind.can_filter()) {
        model.filter_line = Some(FilterLine {
            input: tui_input::Input::new(list.filter_text.clone()),
            problem: None,
        });
    }
    Vec::new()
}

/// Narrows the list to what the filter keeps.
pub fn set_filter(model: &mut Model, text: String, filter: Filter) -> Vec<Effect> {
    let Some(list) = model.visit_mut().list_mut() else {
        return Vec::new();
    };
    list.filter_text = text;
    list.filter = filter;
    list.marks.clear();
    load::restart(model)
}

pub fn begin_sort(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit().list().filter(|list| list.kind.can_filter()) {
        let (by, _) = list.order();
        let choices = list.kind.sorts();
        let selected = choices.iter().position(|&choice| choice == by);
        model.modals.push(Modal::Sort(SortMenu {
            choices,
            selected: selected.unwrap_or(0),
        }));
    }
    Vec::new()
}

pub fn sort_by(model: &mut Model, by: SortBy) -> Vec<Effect> {
    let Some(list) = model.visit_mut().list_mut() else {
        return Vec::new();
    };
    let order = match by {
        SortBy::Name | SortBy::State => Order::Ascending,
        SortBy::Time | SortBy::Amount => Order::Descending,
    };
    list.sort = Some((by, order));
    load::restart(model)
}

pub fn reverse(model: &mut Model) -> Vec<Effect> {
    let Some(list) = model
        .visit_mut()
        .list_mut()
        .filter(|list| list.kind.can_filter())
    else {
        return Vec::new();
    };
    let (by, order) = list.order();
    list.sort = Some((
        by,
        match order {
            Order::Ascending => Order::Descending,
            Order::Descending => Order::Ascending,
        },
    ));
    load::restart(model)
}

/// Marks the row and goes on to the next, so that holding the key marks a stretch.
pub fn mark(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit_mut().list_mut() {
        list.toggle_mark();
    }
    step(model, Step::Rows(1))
}

/// Marks every row that is here, or none when all of them are.
pub fn mark_all(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit_mut().list_mut() {
        let keys: std::collections::BTreeSet<_> = list.paged.rows.iter().map(Row::key).collect();
        list.marks = if keys == list.marks {
            std::collections::BTreeSet::new()
        } else {
            keys
        };
    }
    Vec::new()
}

pub fn toggle_detail(model: &mut Model) -> Vec<Effect> {
    let Some(kind) = model.visit().place.list() else {
        return Vec::new();
    };
    let shows = crate::console::layout::shows_detail(kind, model.detail_wish, model.size);
    model.detail_wish = if shows {
        DetailWish::Hidden
    } else {
        DetailWish::Shown
    };
    keep_selection_in_sight(model);
    load::rest(model);
    load::detail_due(model)
}

pub fn toggle_privacy(model: &mut Model) {
    let (privacy, text) = match model.privacy {
        Privacy::Masked => (
            Privacy::Revealed {
                until_ms: model.now.ms + REVEAL_MS,
            },
            "console.news.revealed",
        ),
        Privacy::Revealed { .. } => (Privacy::Masked, "console.news.masked"),
    };
    model.privacy = privacy;
    let text = model.locale().t(text).to_owned();
    model.tell(Tone::Plain, text);
}

/// Copies the id of the selection, or of all marked rows.
pub fn copy(model: &mut Model) -> Vec<Effect> {
    let visit = model.visit();
    let marked: Vec<String> = visit.list().map_or(Vec::new(), |list| {
        list.paged
            .rows
            .iter()
            .filter(|row| list.is_marked(row))
            .filter_map(|row| Some(row.target().public_id?.to_string()))
            .collect()
    });
    let text = if marked.is_empty() {
        visit.target().public_id.map(|id| id.to_string())
    } else {
        Some(marked.join("\n"))
    };
    text.map(Effect::Copy).into_iter().collect()
}

pub fn find(model: &mut Model, text: &str) -> Vec<Effect> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    drill(model, Visit::new(Place::Found(text.to_owned())))
}

/// Asks for the plans a form lets one choose from.
pub fn ask_plans(model: &mut Model) -> Vec<Effect> {
    vec![Effect::Load {
        ticket: model.ticket(),
        slot: Slot::Form,
        question: Question::Plans,
    }]
}
