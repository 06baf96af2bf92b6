//! What to ask the database, and how its answers join what is shown.
//!
//! Invariant: an answer is taken only by the part of the screen that waits for its ticket.

use crate::console::effect::{Effect, Loaded, Question, Slot};
use crate::console::fault::Fault;
use crate::console::layout::{list_rows, shows_detail};
use crate::console::model::{
    Content, Detail, DetailCard, Joining, List, Modal, Model, Panel, REST_MS, Row, RowKey, Ticket,
};
use crate::engine::queries::{Cursor, Page, SavedView, Toward};

/// Begins to show the current place: what is loaded shows at once, and is read again when it may be old.
pub fn enter(model: &mut Model) -> Vec<Effect> {
    model.detail = Detail::default();
    model.visit_mut().loading_mut().asked = None;
    let is_fresh = model.visit().is_loaded() && model.visit().version == model.version;
    let mut effects = if is_fresh { Vec::new() } else { reload(model) };
    rest(model);
    effects.extend(detail_due(model));
    effects
}

/// Reads the current place again and keeps the selection.
pub fn reload(model: &mut Model) -> Vec<Effect> {
    let (cursor, joining) = match model.visit().list() {
        Some(list) => match list.paged.refresh_from() {
            Some(cursor) => (Some(cursor), Joining::Refresh),
            None => (None, Joining::Replace),
        },
        None => (None, Joining::Replace),
    };
    model.is_behind = false;
    follow(model);
    ask(model, cursor, Toward::Later, joining)
}

/// Reads the current list in another order; the selection stays on its row, wherever that goes.
pub fn reorder(model: &mut Model) -> Vec<Effect> {
    follow(model);
    ask(model, None, Toward::Later, Joining::Replace)
}

fn follow(model: &mut Model) {
    if let Some(list) = model.visit_mut().list_mut() {
        list.follows = list.current().map(Row::key);
    }
}

/// Reads from the followed row on, when the answer did not have it: it moved, or it is gone.
fn catch_followed(model: &mut Model, page: &Page<Row>) -> Option<Vec<Effect>> {
    let list = model.visit_mut().list_mut()?;
    let followed = list.follows.take()?;
    if page.rows.iter().any(|row| row.key() == followed) {
        return None;
    }
    let RowKey::Number(id) = followed else {
        return None;
    };
    let mut effects = ask(model, None, Toward::Later, Joining::Refresh);
    for effect in &mut effects {
        if let Effect::Load {
            question: Question::List { query, .. } | Question::RunItems { query, .. },
            ..
        } = effect
        {
            query.at = Some(id);
        }
    }
    Some(effects)
}

/// Reads the current list from its beginning.
pub fn restart(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit_mut().list_mut() {
        list.paged.selected = 0;
        list.paged.top = 0;
        list.follows = None;
    }
    ask(model, None, Toward::Later, Joining::Replace)
}

/// Asks for rows of the current place, or for all of it when it is no list.
pub fn ask(
    model: &mut Model,
    cursor: Option<Cursor>,
    toward: Toward,
    joining: Joining,
) -> Vec<Effect> {
    let question = super::ask::question(model, cursor, toward);
    let (ticket, now_ms, version) = (model.ticket(), model.now.ms, model.version);
    let visit = model.visit_mut();
    visit.version = version;
    visit.loading_mut().ask(ticket, now_ms);
    if let Some(list) = visit.list_mut() {
        list.joining = joining;
    }
    let mut effects = vec![Effect::Load {
        ticket,
        slot: Slot::Page,
        question,
    }];
    if matches!(joining, Joining::Replace | Joining::Refresh) {
        let sum = add_up(model);
        if let Some(list) = model.visit_mut().list_mut() {
            // A sum says how many there are.
            list.count_due_ms = sum.is_none().then_some(now_ms + REST_MS);
            list.counting = None;
        }
        effects.extend(sum);
    }
    effects
}

/// Counts the rows of a list that a person has rested on.
fn count_due(model: &mut Model) -> Option<Effect> {
    let now_ms = model.now.ms;
    let list = model.visit_mut().list_mut()?;
    list.count_due_ms.take_if(|due| now_ms >= *due)?;
    let question = super::ask::count(model)?;
    let ticket = model.ticket();
    model.visit_mut().list_mut()?.counting = Some(ticket);
    Some(Effect::Load {
        ticket,
        slot: Slot::Count,
        question,
    })
}

/// What was put off until a person rests.
pub fn due(model: &mut Model) -> Vec<Effect> {
    let mut effects = detail_due(model);
    effects.extend(count_due(model));
    effects
}

/// Asks what all rows of the list come to, where it was opened to say so.
fn add_up(model: &mut Model) -> Option<Effect> {
    let question = super::ask::totals(model)?;
    let ticket = model.ticket();
    let adding = model.visit_mut().list_mut()?.adding.as_mut()?;
    adding.asked = Some(ticket);
    Some(Effect::Load {
        ticket,
        slot: Slot::Totals,
        question,
    })
}

/// Asks for the next page when the selection comes near an end.
pub fn more(model: &mut Model) -> Vec<Effect> {
    let Some(list) = model.visit().list() else {
        return Vec::new();
    };
    if list.loading.asked.is_some() {
        return Vec::new();
    }
    if let Some(cursor) = list.paged.wants_later() {
        return ask(model, Some(cursor), Toward::Later, Joining::Append);
    }
    if let Some(cursor) = list.paged.wants_earlier() {
        return ask(model, Some(cursor), Toward::Earlier, Joining::Prepend);
    }
    Vec::new()
}

/// The selection may have changed: its detail is read when it has rested a moment.
pub fn rest(model: &mut Model) {
    let Some(list) = model.visit().list() else {
        return;
    };
    let row = list.current().map(Row::key);
    let shows = shows_detail(list.kind, model.detail_wish, model.size);
    model.detail.due_ms = if shows && row.is_some() && row != model.detail.row {
        // The first detail of a place needs no rest.
        let wait = model.detail.row.as_ref().map_or(0, |_| REST_MS);
        Some(model.now.ms + wait)
    } else {
        None
    };
}

/// Reads the detail whose time has come.
pub fn detail_due(model: &mut Model) -> Vec<Effect> {
    if model.detail.due_ms.is_none_or(|due| model.now.ms < due) {
        return Vec::new();
    }
    model.detail.due_ms = None;
    detail(model)
}

fn detail(model: &mut Model) -> Vec<Effect> {
    let Some(row) = model.visit().list().and_then(List::current).cloned() else {
        return Vec::new();
    };
    if model.detail.row != Some(row.key()) {
        model.detail.scroll = 0;
    }
    model.detail.row = Some(row.key());
    let question = match &row {
        Row::Customer(row) => Question::Customer(row.customer.id),
        Row::Subscription(row) => Question::Subscription(row.id),
        Row::Failed(row) => Question::Timeline(row.invoice_id),
        Row::Decline(row) => Question::Timeline(row.invoice_id),
        Row::Payment(row) => Question::Timeline(row.invoice_id),
        Row::Unknown(row) => Question::Timeline(row.invoice_id),
        Row::RunItem(row) => Question::Subscription(row.subscription_id),
        Row::Day(_)
        | Row::Plan(_)
        | Row::Run(_)
        | Row::Event(_)
        | Row::Activity(_)
        | Row::Wish(_)
        | Row::Hit(_) => {
            model.detail.card = None;
            return Vec::new();
        }
    };
    let ticket = model.ticket();
    model.detail.loading.ask(ticket, model.now.ms);
    vec![Effect::Load {
        ticket,
        slot: Slot::Detail,
        question,
    }]
}

/// Gives the menu of kept filters those of this list.
fn show_views(model: &mut Model, views: &[SavedView]) {
    let kind = model.visit().place.list().map_or("", |kind| kind.id());
    for modal in &mut model.modals {
        if let Modal::Views(menu) = modal {
            let of_list = views.iter().filter(|view| view.screen == kind);
            menu.views = Some(of_list.cloned().collect());
        }
    }
}

/// Takes in what belongs to menus, forms and heads of lists; gives back what belongs to the place itself.
fn beside_the_place(model: &mut Model, ticket: Ticket, loaded: Loaded) -> Option<Loaded> {
    if let Loaded::Views(views) = &loaded {
        show_views(model, views);
        return None;
    }
    if let Loaded::Waiting(rows) = &loaded {
        super::approve::loaded(model, rows);
        return None;
    }
    if let Loaded::Plans(plans) = &loaded {
        for modal in &mut model.modals {
            if let Modal::Form(form) = modal {
                form.set_plans(plans);
            }
        }
        return None;
    }
    if let Loaded::Totals(totals) = loaded {
        let adding = model.visit_mut().list_mut().and_then(|l| l.adding.as_mut());
        if let Some(adding) = adding.filter(|adding| adding.asked == Some(ticket)) {
            adding.asked = None;
            let count = totals.count;
            adding.totals = Some(totals);
            if let Some(list) = model.visit_mut().list_mut() {
                list.paged.total = Some(count);
            }
        }
        return None;
    }
    if let Loaded::Count(total) = loaded {
        let list = model.visit_mut().list_mut();
        if let Some(list) = list.filter(|list| list.counting == Some(ticket)) {
            list.counting = None;
            list.paged.total = total;
        }
        return None;
    }
    Some(loaded)
}

/// Gives an answer to whoever waits for it; nobody waits for an old one.
pub fn loaded(model: &mut Model, ticket: Ticket, loaded: Loaded) -> Vec<Effect> {
    let Some(loaded) = beside_the_place(model, ticket, loaded) else {
        return Vec::new();
    };
    if model.detail.loading.is_waiting_for(ticket) {
        model.detail.loading.done(model.now.at);
        model.detail.card = match loaded {
            Loaded::Customer(card) => Some(DetailCard::Customer(card)),
            Loaded::Subscription(card) => Some(DetailCard::Subscription(card)),
            Loaded::Timeline(timeline) => Some(DetailCard::Timeline(timeline)),
            _ => None,
        };
        return Vec::new();
    }
    if !model.visit().loading().is_waiting_for(ticket) {
        return Vec::new();
    }
    if let Loaded::Overview {
        overview,
        last_run,
        wishes,
    } = &loaded
    {
        model.last_run = *last_run;
        model.wishes = Some(*wishes);
        model.unknown = Some(overview.unknown);
    }
    if let Loaded::Rows(page) = &loaded
        && let Some(effects) = catch_followed(model, page)
    {
        return effects;
    }
    let at = model.now.at;
    let height = list_rows(model);
    let visit = model.visit_mut();
    visit.loading_mut().done(at);
    match (&mut visit.content, loaded) {
        (Content::List(list), Loaded::Rows(page)) => join(list, page, height),
        (Content::Overview(panel), Loaded::Overview { overview, .. }) => fill(panel, overview),
        (Content::Revenue(panel), Loaded::Revenue(value)) => {
            if panel.value.is_none() {
                panel.selected = value.months.len().saturating_sub(1);
            }
            fill(panel, Box::new(value));
        }
        (Content::Customer(panel), Loaded::Customer(value)) => fill(panel, value),
        (Content::Subscription(panel), Loaded::Subscription(value)) => fill(panel, value),
        (Content::Timeline(panel), Loaded::Timeline(value)) => fill(panel, value),
        _ => {}
    }
    let line = visit.lines().1;
    visit.choose_line(line);
    rest_after_reload(model)
}

fn join(list: &mut List, page: Page<Row>, height: usize) {
    let joining = list.joining;
    if page.total.is_some() {
        list.count_due_ms = None;
    }
    list.paged
        .join(page, joining, height, |a, b| a.key() == b.key());
}

fn fill<T>(panel: &mut Panel<T>, value: Box<T>) {
    panel.value = Some(value);
}

/// The detail of the selected row is as old as the list was: read it again.
fn rest_after_reload(model: &mut Model) -> Vec<Effect> {
    let row = model.visit().list().and_then(List::current).map(Row::key);
    if row.is_none() {
        model.detail = Detail::default();
        return Vec::new();
    }
    let shows = model
        .visit()
        .list()
        .is_some_and(|list| shows_detail(list.kind, model.detail_wish, model.size));
    if shows
        && model
            .visit()
            .list()
            .is_some_and(|list| list.joining != Joining::Append)
    {
        model.detail.due_ms = None;
        return detail(model);
    }
    Vec::new()
}

pub fn failed(model: &mut Model, ticket: Ticket, fault: Fault) -> Vec<Effect> {
    if model.detail.loading.is_waiting_for(ticket) {
        model.detail.loading.failed(fault);
    } else if model.visit().loading().is_waiting_for(ticket) {
        model.visit_mut().loading_mut().failed(fault);
    }
    Vec::new()
}

/// Somebody else wrote: what is shown is read again, unless a person is in the middle of something.
pub fn version(model: &mut Model, version: i64) -> Vec<Effect> {
    // What changed while it was away is not known: everything is read again.
    if std::mem::take(&mut model.is_lost) {
        model.is_behind = true;
    }
    let before = model.version.replace(version);
    match before {
        None => model.visit_mut().version = Some(version),
        Some(before) if before != version => model.is_behind = true,
        Some(_) => {}
    }
    Vec::new()
}

/// Catches up with changes once nobody is in the middle of anything.
pub fn catch_up(model: &mut Model) -> Vec<Effect> {
    let is_busy = !model.modals.is_empty()
        || model.filter_line.is_some()
        || model.visit().loading().asked.is_some()
        || model
            .visit()
            .list()
            .is_some_and(|list| !list.marks.is_empty());
    if !model.is_behind || is_busy {
        return Vec::new();
    }
    let mut effects = reload(model);
    effects.extend(count_unknown(model));
    effects
}

/// The number in the header; the overview brings it along.
pub fn count_unknown(model: &Model) -> Option<Effect> {
    let brings_it = matches!(model.visit().content, Content::Overview(_));
    (!brings_it).then_some(Effect::CountUnknown)
}
