//! Keyset pages: one way of asking for every list.
//!
//! The ids of a page are picked in a subquery over an index and joined to their details afterwards,
//! because SQLite plans a joined "newest 50" from the wrong table. A key ends in the row's id, so
//! that no row is given twice or left out. There is no offset anywhere.

use futures_util::future::try_join;

use super::query::{Flavour, Query, values};
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, Counting, Cursor, ListQuery, Order, Page, SortBy, Toward};
use crate::store::open::SqlStore;
use crate::store::sql::{Row, Value};

type R<T> = Result<T, StoreError>;

/// Counting stops here: a larger total is not worth the wait.
pub(super) const COUNTED_TO: i64 = 10_000;
/// No page is longer.
const LONGEST_PAGE: u32 = 1_000;

/// What a sort key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Number,
    Text,
}

/// One order of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sort {
    pub(super) by: SortBy,
    /// The expression.
    pub(super) key: &'static str,
    pub(super) kind: Key,
    /// Another `from … where …` that reads the rows in this order; none for the list's own.
    pub(super) from: Option<&'static str>,
}

/// One list.
pub(super) struct List {
    /// How errors call it.
    pub(super) name: &'static str,
    /// `from payment p where true`.
    pub(super) from: &'static str,
    /// `p.id`.
    pub(super) id: &'static str,
    /// Its own time.
    pub(super) time: &'static str,
    /// `p.customer_id`, where rows belong to a customer.
    pub(super) customer: Option<&'static str>,
    /// What every page lies within, such as one run.
    pub(super) within: Option<&'static str>,
    /// The details of `picked k`, without an order; column `sort_key` is `k.sort_key`.
    pub(super) rows: &'static str,
    /// The first is its own order.
    pub(super) sorts: &'static [Sort],
    /// Its own direction.
    pub(super) order: Order,
    /// Adds ` and …` for a condition, or says that it cannot.
    pub(super) keep: fn(&mut Query, &Condition, Flavour) -> Kept,
    /// Conditions that may be met by very many rows.
    pub(super) spread: Option<Spread>,
}

/// Another way for a condition that many rows meet: gathering them all would cost more than walking the list in its
/// order until a page is full. SQLite's planner cannot know, so it is counted first; PostgreSQL's has its statistics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// How to find out whether there are few; none where it is always quick.
    pub(super) probe: fn(&Condition) -> Option<Probe>,
    /// Adds ` and …` for walking.
    pub(super) walked: fn(&mut Query, &Condition),
    /// Adds ` and …` for counting.
    pub(super) counted: fn(&mut Query, &Condition),
}

/// Counts what a condition means.
pub(super) struct Probe {
    /// As `n`, and no further than one more than a few.
    pub(super) query: Query,
    /// So many are gathered before a page is picked from them.
    pub(super) few: i64,
}

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Page,
    Count,
}

/// What a list is asked for, and within what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) query: &'a ListQuery,
    /// The id that [`List::within`] is compared with.
    pub(super) within: Option<i64>,
    /// Which conditions many rows meet, in their order.
    pub(super) spread: &'a [bool],
}

impl<'a> From<&'a ListQuery> for Asked<'a> {
    fn from(query: &'a ListQuery) -> Self {
        Self {
            query,
            within: None,
            spread: &[],
        }
    }
}

/// Whether a list knows a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    Unsupported,
}

/// Which field a condition is about.
pub(super) const fn field_of(condition: &Condition) -> &'static str {
    match condition {
        Condition::Text(_) => "text",
        Condition::Status(_) => "status",
        Condition::Plan(_) => "plan",
        Condition::Began(..) => "began",
        Condition::Days(..) => "days",
        Condition::Card(_) => "card",
        Condition::Code(_) => "code",
        Condition::Class(_) => "class",
        Condition::Amount(..) => "amount",
        Condition::By(_) => "by",
        Condition::Provider(_) => "provider",
    }
}

const fn name_of(by: SortBy) -> &'static str {
    match by {
        SortBy::Time => "time",
        SortBy::Amount => "amount",
        SortBy::Name => "name",
        SortBy::State => "state",
    }
}

impl List {
    fn sort(&self, asked: Option<(SortBy, Order)>) -> R<(Sort, Order)> {
        let Some((by, order)) = asked else {
            return Ok((self.sorts[0], self.order));
        };
        self.sorts
            .iter()
            .find(|sort| sort.by == by)
            .map(|sort| (*sort, order))
            .ok_or(StoreError::Unsupported {
                list: self.name,
                field: name_of(by),
            })
    }

    /// `from … where …` with everything that was asked for but the place of the page.
    pub(super) fn kept(
        &self,
        query: &mut Query,
        from: &'static str,
        asked: &Asked<'_>,
        flavour: Flavour,
    ) -> R<()> {
        self.kept_for(query, from, asked, (flavour, Use::Count))
    }

    fn kept_for(
        &self,
        query: &mut Query,
        from: &'static str,
        asked: &Asked<'_>,
        (flavour, purpose): (Flavour, Use),
    ) -> R<()> {
        query.add(from, []);
        if let (Some(column), Some(id)) = (self.within, asked.within) {
            query
                .add(" and ", [])
                .add(column, [])
                .add(" = ?", values![id]);
        }
        let spread = asked.spread;
        let asked = asked.query;
        if let Some(at) = asked.from {
            query
                .add(" and ", [])
                .add(self.time, [])
                .add(" >= ?", values![at]);
        }
        if let Some(at) = asked.to {
            query
                .add(" and ", [])
                .add(self.time, [])
                .add(" < ?", values![at]);
        }
        if let Some(id) = asked.customer {
            let column = self.customer.ok_or(StoreError::Unsupported {
                list: self.name,
                field: "customer",
            })?;
            query
                .add(" and ", [])
                .add(column, [])
                .add(" = ?", values![id]);
        }
        for (at, condition) in asked.filter.conditions.iter().enumerate() {
            if let (Some(ways), Some(true)) = (self.spread, spread.get(at)) {
                match purpose {
                    Use::Page => (ways.walked)(query, condition),
                    Use::Count => (ways.counted)(query, condition),
                }
                continue;
            }
            if (self.keep)(query, condition, flavour) == Kept::Unsupported {
                return Err(StoreError::Unsupported {
                    list: self.name,
                    field: field_of(condition),
                });
            }
        }
        Ok(())
    }

    /// The statement of one page, one row longer than asked for.
    pub(super) fn page(&self, within: &Asked<'_>, flavour: Flavour) -> R<(Query, Sort)> {
        let asked = within.query;
        let (sort, order) = self.sort(asked.sort)?;
        let shown = order;
        let order = match (asked.toward, order) {
            (Toward::Later, order) => order,
            (Toward::Earlier, Order::Ascending) => Order::Descending,
            (Toward::Earlier, Order::Descending) => Order::Ascending,
        };
        let mut query = Query::new("with picked (id, sort_key) as (select ");
        query
            .add(self.id, [])
            .add(", ", [])
            .add(sort.key, [])
            .add(" ", []);
        let from = sort.from.unwrap_or(self.from);
        self.kept_for(&mut query, from, within, (flavour, Use::Page))?;
        if let Some(cursor) = &asked.cursor {
            place(&mut query, self.id, sort, order, cursor);
        }
        query
            .add(" order by ", [])
            .add(sort.key, [])
            .add(way(order), []);
        query.add(", ", []).add(self.id, []).add(way(order), []);
        query.add(
            " limit ?) ",
            values![i64::from(asked.limit.clamp(1, LONGEST_PAGE)) + 1],
        );
        query.add(self.rows, []);
        // Whichever way the page lies, its rows are given in the list's order.
        query.add(" order by k.sort_key", []).add(way(shown), []);
        query.add(", k.id", []).add(way(shown), []);
        Ok((query, sort))
    }

    fn count(&self, asked: &Asked<'_>, flavour: Flavour) -> R<Query> {
        let mut query = Query::new("select count(*) as n from (select 1 ");
        self.kept(&mut query, self.from, asked, flavour)?;
        query.add(" limit ?) as counted", values![COUNTED_TO + 1]);
        Ok(query)
    }

    /// Reads one page.
    pub(super) async fn read<T>(
        &self,
        db: &SqlStore,
        asked: impl Into<Asked<'_>>,
        read: impl Fn(&Row) -> R<T>,
    ) -> R<Page<T>> {
        let within = asked.into();
        let asked = within.query;
        let spread = self.spread_of(db, asked).await?;
        let within = Asked {
            spread: &spread,
            ..within
        };
        let placed = self.placed(db, &within).await?;
        let within = Asked {
            query: placed.as_ref().unwrap_or(within.query),
            ..within
        };
        let asked = within.query;
        if asked.counting == Counting::Alone {
            let total = self.counted(db, &within).await?;
            return Ok(Page::counted(total));
        }
        let (query, sort) = self.page(&within, db.flavour())?;
        // Neither waits for the other.
        let (mut found, counted) = try_join(db.fetch(query), self.counted(db, &within)).await?;
        let limit = asked.limit.clamp(1, LONGEST_PAGE) as usize;
        let has_more = found.len() > limit;
        if has_more {
            match asked.toward {
                Toward::Later => found.truncate(limit),
                Toward::Earlier => drop(found.drain(..found.len() - limit)),
            }
        }
        let mut page = Page {
            rows: Vec::with_capacity(found.len()),
            cursors: Vec::with_capacity(found.len()),
            has_more,
            total: None,
        };
        for row in &found {
            page.rows.push(read(row)?);
            page.cursors.push(cursor_of(row, sort.kind)?);
        }
        page.total = match counted {
            _ if asked.cursor.is_some() => None,
            _ if !page.has_more => Some(page.rows.len() as u64),
            counted => counted,
        };
        Ok(page)
    }

    /// The same question with a cursor just before the row it is to begin with.
    async fn placed(&self, db: &SqlStore, within: &Asked<'_>) -> R<Option<ListQuery>> {
        let asked = within.query;
        let (Some(id), None) = (asked.at, &asked.cursor) else {
            return Ok(None);
        };
        let (sort, order) = self.sort(asked.sort)?;
        let mut query = Query::new("select ");
        query
            .add(self.id, [])
            .add(" as id, ", [])
            .add(sort.key, [])
            .add(" as sort_key ", []);
        let from = sort.from.unwrap_or(self.from);
        self.kept(&mut query, from, within, db.flavour())?;
        query
            .add(" and ", [])
            .add(self.id, [])
            .add(" = ?", values![id]);
        let Some(row) = db.fetch_first(query).await? else {
            return Ok(None);
        };
        let mut cursor = cursor_of(&row, sort.kind)?;
        cursor.id += match order {
            Order::Ascending => -1,
            Order::Descending => 1,
        };
        Ok(Some(ListQuery {
            cursor: Some(cursor),
            toward: Toward::Later,
            ..asked.clone()
        }))
    }

    /// Which conditions many rows meet.
    async fn spread_of(&self, db: &SqlStore, asked: &ListQuery) -> R<Vec<bool>> {
        let mut spread = Vec::new();
        let (Some(ways), Flavour::Sqlite) = (self.spread, db.flavour()) else {
            return Ok(spread);
        };
        for condition in &asked.filter.conditions {
            spread.push(match (ways.probe)(condition) {
                Some(probe) => db.fetch_number(probe.query).await? > probe.few,
                None => false,
            });
        }
        Ok(spread)
    }

    /// Counted with the first page only; later pages leave it to whoever keeps the first. None above [`COUNTED_TO`].
    async fn counted(&self, db: &SqlStore, asked: &Asked<'_>) -> R<Option<u64>> {
        if asked.query.cursor.is_some() || asked.query.counting == Counting::Later {
            return Ok(None);
        }
        let counted = db.fetch_number(self.count(asked, db.flavour())?).await?;
        Ok((counted <= COUNTED_TO)
            .then_some(counted)
            .and_then(|n| u64::try_from(n).ok()))
    }
}

const fn way(order: Order) -> &'static str {
    match order {
        Order::Ascending => "",
        Order::Descending => " desc",
    }
}

/// ` and (key, id) > ($1, $2)`, and for texts the key alone too, because an index over the key of
/// another table cannot serve a pair.
fn place(query: &mut Query, id: &'static str, sort: Sort, order: Order, cursor: &Cursor) {
    let key = || match sort.kind {
        Key::Number => Value::from(cursor.number),
        Key::Text => Value::from(cursor.text.as_str()),
    };
    let (weak, strict) = match order {
        Order::Ascending => (" >= ?", ") > (?, ?)"),
        Order::Descending => (" <= ?", ") < (?, ?)"),
    };
    if sort.kind == Key::Text {
        query.add(" and ", []).add(sort.key, []).add(weak, [key()]);
    }
    query
        .add(" and (", [])
        .add(sort.key, [])
        .add(", ", [])
        .add(id, []);
    query.add(strict, [key(), Value::from(cursor.id)]);
}

fn cursor_of(row: &Row, kind: Key) -> R<Cursor> {
    let cells = row.counts("picked");
    let (number, text) = match kind {
        Key::Number => (cells.i64("sort_key")?, String::new()),
        Key::Text => (0, cells.text("sort_key")?),
    };
    Ok(Cursor {
        number,
        text,
        id: cells.i64("id")?,
    })
}
