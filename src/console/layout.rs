//! Where things stand on a screen of a given size.
//!
//! `view` draws by it and `update` scrolls by it, so both agree on how many rows a list shows.

use ratatui::layout::{Rect, Size};

use super::model::{DetailWish, ListKind, Model};
use super::term::Fit;

/// From this width on, the detail stands beside the list.
const BESIDE: u16 = 116;
/// Lines of a list that are not rows: its title and its column heads.
pub const LIST_HEAD: u16 = 2;
/// Lines of the detail below a list on a classic terminal.
const BELOW: u16 = 9;

/// The regions of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regions {
    pub header: Rect,
    pub tabs: Rect,
    pub body: Rect,
    /// What just happened.
    pub news: Rect,
    /// What can be pressed.
    pub keys: Rect,
}

/// A list and the detail of its selected row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRegions {
    pub list: Rect,
    pub detail: Option<Rect>,
    /// The rule between them.
    pub rule: Option<Rule>,
}

/// A line between two regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Across(Rect),
    Down(Rect),
}

pub const fn regions(size: Size) -> Regions {
    let (w, h) = (size.width, size.height);
    Regions {
        header: Rect::new(0, 0, w, 1),
        tabs: Rect::new(0, 1, w, 1),
        body: Rect::new(0, 2, w, h.saturating_sub(4)),
        news: Rect::new(0, h.saturating_sub(2), w, 1),
        keys: Rect::new(0, h.saturating_sub(1), w, 1),
    }
}

/// Whether the detail of the selected row shows.
pub fn shows_detail(kind: ListKind, wish: DetailWish, size: Size) -> bool {
    let fits = Fit::of(size) == Fit::Full;
    let has_detail = !matches!(kind, ListKind::Hits);
    fits && has_detail
        && match wish {
            DetailWish::Shown => true,
            DetailWish::Hidden => false,
            DetailWish::Auto => size.width >= BESIDE || kind.is_read_row_by_row(),
        }
}

pub fn list_regions(kind: ListKind, wish: DetailWish, size: Size) -> ListRegions {
    let body = regions(size).body;
    if !shows_detail(kind, wish, size) {
        return ListRegions {
            list: body,
            detail: None,
            rule: None,
        };
    }
    if size.width >= BESIDE {
        let list = (body.width * 3 / 5).max(68);
        let rest = body.width - list;
        return ListRegions {
            list: Rect::new(body.x, body.y, list, body.height),
            rule: Some(Rule::Down(Rect::new(body.x + list, body.y, 1, body.height))),
            detail: Some(Rect::new(
                body.x + list + 2,
                body.y,
                rest.saturating_sub(2),
                body.height,
            )),
        };
    }
    let below = BELOW.max(body.height * 2 / 5);
    let list = body.height.saturating_sub(below + 1);
    ListRegions {
        list: Rect::new(body.x, body.y, body.width, list),
        rule: Some(Rule::Across(Rect::new(
            body.x,
            body.y + list,
            body.width,
            1,
        ))),
        detail: Some(Rect::new(body.x, body.y + list + 1, body.width, below)),
    }
}

/// How many rows the list of the current place shows.
pub fn list_rows(model: &Model) -> usize {
    let height = match model.visit().place.list() {
        Some(kind) => {
            list_regions(kind, model.detail_wish, model.size)
                .list
                .height
        }
        None => regions(model.size).body.height,
    };
    usize::from(height.saturating_sub(LIST_HEAD)).max(1)
}
