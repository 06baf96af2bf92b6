//! What a list shows and how: filter, order, marks, the detail beside it, personal data.

use crate::console::effect::{Effect, Question, Slot};
use crate::console::fault::Fault;
use crate::console::model::{
    DetailWish, FilterLine, Form, FormKind, Kept, Message, Modal, Model, Privacy, REVEAL_MS, Row,
    SortMenu, Told, Tone, ViewMenu,
};
use crate::engine::queries::{Order, SortBy};

use super::go::{Step, keep_selection_in_sight, step};
use super::load;

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
pub fn set_filter(model: &mut Model, text: String, kept: &Kept) -> Vec<Effect> {
    let Some(list) = model.visit_mut().list_mut() else {
        return Vec::new();
    };
    list.narrow(text, kept);
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
    load::reorder(model)
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
    load::reorder(model)
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

/// Masks at once; what is to be shown is written down before.
pub fn toggle_privacy(model: &mut Model) -> Vec<Effect> {
    match model.privacy {
        Privacy::Masked => {
            model.reveal_of = Some(model.visit().place.clone());
            vec![Effect::RecordReveal(model.visit().audit_name())]
        }
        Privacy::Revealed { .. } => {
            model.privacy = Privacy::Masked;
            let text = model.locale().t("console.news.masked").to_owned();
            model.tell(Tone::Plain, text);
            Vec::new()
        }
    }
}

/// What was written down is one place: at the next one everything is covered again.
pub fn cover_elsewhere(model: &mut Model) {
    if matches!(model.privacy, Privacy::Revealed { until_ms } if until_ms != u64::MAX) {
        model.privacy = Privacy::Masked;
    }
}

/// Shows personal data for a while once that is written down, and not otherwise.
pub fn reveal_recorded(model: &mut Model, recorded: Result<(), Fault>) {
    let place = model.reveal_of.take();
    match recorded {
        // Somebody went on meanwhile: what was written down is not what would be shown.
        Ok(()) if place.as_ref() != Some(&model.visit().place) => {}
        Ok(()) => {
            model.privacy = Privacy::Revealed {
                until_ms: model.now.ms + REVEAL_MS,
            };
            let text = model.locale().t("console.news.revealed").to_owned();
            model.tell(Tone::Plain, text);
        }
        Err(fault) => model.modals.push(Modal::Message(Box::new(Message {
            verb: None,
            called: "",
            what: Told::Fault(fault),
        }))),
    }
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

/// Shows the filters that were kept for this list.
pub fn begin_views(model: &mut Model) -> Vec<Effect> {
    let ticket = model.ticket();
    model.modals.push(Modal::Views(ViewMenu::default()));
    vec![Effect::Load {
        ticket,
        slot: Slot::Form,
        question: Question::Views,
    }]
}

/// Asks for the name under which the filter is kept.
pub fn begin_save(model: &mut Model) -> Vec<Effect> {
    if let Some(list) = model.visit().list() {
        let kind = FormKind::SaveView {
            screen: list.kind.id(),
            filter: list.filter_text.clone(),
        };
        let form = Form::new(kind, list.filter_text.clone(), model.lang);
        model.modals.push(Modal::Form(Box::new(form)));
    }
    Vec::new()
}

/// Narrows the list by a kept filter.
pub fn use_view(model: &mut Model, filter: &str) -> Vec<Effect> {
    match Kept::parse(filter, model.zone) {
        Ok(kept) => set_filter(model, filter.to_owned(), &kept),
        // Kept by another version: it is opened for mending.
        Err(problem) => {
            model.filter_line = Some(FilterLine {
                input: tui_input::Input::new(filter.to_owned()),
                problem: Some(problem),
            });
            Vec::new()
        }
    }
}
