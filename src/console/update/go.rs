//! Moving around: selections, screens, drilling in and out, filters, order, marks.

use crate::console::effect::{Effect, Question, Slot};
use crate::console::layout::{Rule, list_regions, list_rows};
use crate::console::model::{
    CardLine, Content, Joining, Kept, Model, Place, Screen, Spot, Visit, card_lines, spots,
};
use crate::engine::queries::Toward;

use super::{below, load};

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

/// Whether a list has the screen's whole width: then the terminal itself moves the lines that scroll.
fn scrolls_by_line(model: &Model) -> bool {
    model.visit().place.list().is_some_and(|kind| {
        let regions = list_regions(kind, model.detail_wish, model.size);
        !matches!(regions.rule, Some(Rule::Down(_)))
    })
}

fn step_in_list(model: &mut Model, step: Step, height: usize, half: isize) -> Vec<Effect> {
    let by_line = scrolls_by_line(model);
    let Some(list) = model.visit_mut().list_mut() else {
        return Vec::new();
    };
    let mut effects = Vec::new();
    match step {
        Step::Rows(by @ (1 | -1)) if by_line => list.paged.step_by_line(by, height),
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
            return super::lists::set_filter(model, String::new(), &Kept::default());
        }
    }
    if model.stack.pop().is_some() {
        return load::enter(model);
    }
    Vec::new()
}

/// Opens what is selected.
pub fn open(model: &mut Model) -> Vec<Effect> {
    match below::below(model) {
        Some(visit) => drill(model, visit),
        None => Vec::new(),
    }
}

/// Whether there is something to open.
pub fn can_open(model: &Model) -> bool {
    below::below(model).is_some()
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
                    CardLine::Method(_) => 1,
                    CardLine::Failure(_) => 2,
                    CardLine::Unknown(_) => 3,
                    CardLine::Payment(_) => 4,
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

/// What was asked of a provider and is not known to be done.
pub fn open_wishes(model: &mut Model) -> Vec<Effect> {
    match model.visit().place {
        Place::Wishes => Vec::new(),
        _ => drill(model, Visit::new(Place::Wishes)),
    }
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
