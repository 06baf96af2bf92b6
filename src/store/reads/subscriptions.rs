//! The lists of subscriptions and of renewals, and what to notice about them.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;

use super::cells;
use super::list::{Kept, Key, List, Probe, Sort, Spread};
use super::matching::{
    count_customers, keep_amount, keep_card, keep_common_text, keep_one_of, keep_plan, keep_text,
};
use super::query::{Flavour, Query, values};
use crate::domain::ids::SubscriptionId;
use crate::domain::mirror::Scheduler;
use crate::domain::period::local_date;
use crate::domain::states::{MethodState, SubscriptionState};
use crate::domain::subscription::next_charge;
use crate::engine::ports::StoreError;
use crate::engine::queries::{
    CardBrief, Comparison, Condition, ListQuery, Order, Page, RenewalFlag, SortBy, SubscriptionRow,
};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

/// The details of `picked k`. What Stripe schedules is paid with a card that Stripe keeps. A missing term shows the plan's price instead of losing the row.
pub(super) const ROWS: &str = "select k.id as id, k.sort_key as sort_key, s.public_id, s.state, \
     s.next_due_at, s.cancel_at, s.paid_until, s.scheduler, s.created_at, \
     c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name, \
     l.name as plan_name, l.code as plan_code, \
     coalesce(t.price_minor, l.price_minor) * coalesce(t.quantity, s.quantity) as amount_minor, \
     coalesce(t.currency, l.currency) as currency, \
     case when s.scheduler = 'stripe' then 'stripe' else m.provider end as card_provider, \
     case when s.scheduler = 'stripe' then '' else m.issuer end as card_issuer, \
     case when s.scheduler = 'stripe' then '' else m.number end as card_number, m.exp_year, m.exp_month, \
     case when s.scheduler = 'stripe' then 'active' else m.state end as card_state \
     from picked k join subscription s on s.id = k.id join customer c on c.id = s.customer_id \
     join plan l on l.id = s.plan_id \
     left join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
     left join payment_method m on m.id = s.method_id";

const AMOUNT: &str = "(select t.price_minor * t.quantity from subscription_term t \
     where t.subscription_id = s.id and t.term_no = s.term_no)";
const AMOUNT_KEY: &str = "coalesce((select t.price_minor * t.quantity from subscription_term t \
     where t.subscription_id = s.id and t.term_no = s.term_no), 0)";

const BY_AMOUNT: Sort = Sort {
    by: SortBy::Amount,
    key: AMOUNT_KEY,
    kind: Key::Number,
    from: None,
};
const BY_STATE: Sort = Sort {
    by: SortBy::State,
    key: "s.state",
    kind: Key::Text,
    from: None,
};

pub(super) const SUBSCRIPTIONS: List = List {
    name: "subscriptions",
    from: "from subscription s where true",
    id: "s.id",
    time: "s.created_at",
    customer: Some("s.customer_id"),
    within: None,
    rows: ROWS,
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "s.created_at",
            kind: Key::Number,
            from: None,
        },
        BY_AMOUNT,
        Sort {
            by: SortBy::Name,
            key: "c.name_jamo",
            kind: Key::Text,
            from: Some("from customer c cross join subscription s where s.customer_id = c.id"),
        },
        BY_STATE,
    ],
    order: Order::Descending,
    keep,
    spread: Some(SPREAD),
};

pub(super) const RENEWALS: List = List {
    name: "renewals",
    from: "from subscription s where s.renews_at is not null",
    id: "s.id",
    time: "s.renews_at",
    customer: Some("s.customer_id"),
    within: None,
    rows: ROWS,
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "s.renews_at",
            kind: Key::Number,
            from: None,
        },
        BY_AMOUNT,
        Sort {
            by: SortBy::Name,
            key: "c.name_jamo",
            kind: Key::Text,
            from: Some(
                "from customer c cross join subscription s where s.customer_id = c.id and s.renews_at is not null",
            ),
        },
        BY_STATE,
    ],
    order: Order::Ascending,
    keep,
    spread: Some(SPREAD),
};

/// What `standing::began` counts: what never became active has not begun.
const BEGAN: &str = " and s.id in (select t.subscription_id from subscription_term t \
     where t.from_at >= ? and t.from_at < ? and not exists (select 1 from subscription_term e \
      where e.subscription_id = t.subscription_id and e.term_no < t.term_no)) \
     and s.state <> 'incomplete' \
     and (s.state <> 'expired' or s.paid_until is not null or s.trial_until is not null)";

/// A common name, and a common price. The sign keeps an index from being used.
const SPREAD: Spread = Spread {
    probe: |condition| match condition {
        Condition::Text(word) => Some(count_customers(word)),
        Condition::Amount(comparison, minor) => {
            let mut query = Query::new(
                "select count(*) as n from (select 1 from subscription_term t where true",
            );
            keep_amount(&mut query, PRICED, *comparison, *minor);
            query.add(" limit ?)", values![FEW_TERMS + 1]);
            Some(Probe {
                query,
                few: FEW_TERMS,
            })
        }
        _ => None,
    },
    walked: |query, condition| match condition {
        Condition::Text(word) => keep_common_text(
            query,
            word,
            " and (+s.customer_id in (",
            " or s.id in (select x.id from subscription x where x.tail >= ? and x.tail < ?)",
        ),
        Condition::Amount(comparison, minor) => keep_amount(query, AMOUNT, *comparison, *minor),
        _ => {}
    },
    counted: |query, condition| match condition {
        Condition::Text(word) => keep_common_text(
            query,
            word,
            " and (s.customer_id in (",
            " or s.id in (select x.id from subscription x where x.tail >= ? and x.tail < ?)",
        ),
        Condition::Amount(comparison, minor) => keep_rare_amount(query, *comparison, *minor),
        _ => {}
    },
};
/// Terms of a price that are gathered.
const FEW_TERMS: i64 = 1_000;
/// The words of the index over terms.
const PRICED: &str = "t.price_minor * t.quantity";

/// Through the index over terms, of which the running one counts.
fn keep_rare_amount(query: &mut Query, comparison: Comparison, minor: i64) {
    query.add(
        " and s.id in (select t.subscription_id from subscription_term t where true",
        [],
    );
    keep_amount(query, PRICED, comparison, minor);
    query.add(
        " and t.term_no = (select y.term_no from subscription y where y.id = t.subscription_id))",
        [],
    );
}

/// Code and class are those of the last refusal of an invoice that is still owed.
fn keep(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    const OWED: &str = " and exists (select 1 from invoice i where i.subscription_id = s.id \
         and i.state in ('open', 'uncollectible') and ";
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and s.id in (select x.id from subscription x where x.customer_id in (",
            " union select x.id from subscription x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => keep_one_of(query, "s.state", names),
        Condition::Plan(code) => keep_plan(query, " and s.plan_id in (", code),
        Condition::Began(from, to) => {
            query.add(BEGAN, values![*from, *to]);
        }
        Condition::Card(card) => keep_card(query, " and s.method_id in (", card),
        Condition::Code(code) => {
            query.add(OWED, []);
            query.add("i.last_code = ?)", values![code.as_str()]);
        }
        Condition::Class(class) => {
            query.add(OWED, []);
            query.add("i.last_class = ?)", values![class.as_str()]);
        }
        Condition::Amount(comparison, minor) => keep_rare_amount(query, *comparison, *minor),
        Condition::Provider(provider) => {
            let sql = " and (s.scheduler = ? or exists (select 1 from payment_method m where m.id = s.method_id and m.provider = ?))";
            query.add(sql, values![provider.as_str(), provider.as_str()]);
        }
        Condition::By(_) | Condition::Days(..) => return Kept::Unsupported,
    }
    Kept::Yes
}

/// What a subscription's next charge depends on.
struct Next<'a> {
    state: SubscriptionState,
    due_at: Option<DateTime<Utc>>,
    cancel_at: Option<DateTime<Utc>>,
    card: Option<&'a CardBrief>,
}

/// A card is good to the end of its month, in the billing zone.
fn flags(next: &Next<'_>, zone: Tz) -> Vec<RenewalFlag> {
    let is_over = next.state.is_ended();
    let expires = next.card.is_some_and(|card| {
        let charged = next.due_at.map(|at| local_date(at, zone));
        card.expiry
            .zip(charged)
            .is_some_and(|(expiry, day)| expiry < (day.year(), day.month()))
    });
    let ends = next
        .cancel_at
        .is_some_and(|end| next.due_at.is_none_or(|due| end <= due));
    [
        (RenewalFlag::CardExpires, expires),
        (
            RenewalFlag::KeyDeleted,
            next.card.is_some_and(|c| c.state == MethodState::Deleted),
        ),
        (RenewalFlag::NoMethod, next.card.is_none()),
        (
            RenewalFlag::PastDue,
            next.state == SubscriptionState::PastDue,
        ),
        (RenewalFlag::Ends, ends),
        (
            RenewalFlag::TrialEnds,
            next.state == SubscriptionState::Trialing,
        ),
    ]
    .into_iter()
    .filter_map(|(flag, holds)| (holds && !is_over).then_some(flag))
    .collect()
}

/// As people are told it: no next charge where a scheduled end comes first or nothing was ever paid.
pub(super) fn row(row: &Row, zone: Tz) -> Result<SubscriptionRow, StoreError> {
    let due = renewal(row, zone)?;
    Ok(SubscriptionRow {
        next_due_at: next_charge(due.state, due.next_due_at, due.cancel_at),
        ..due
    })
}

/// As the run sees it: an end that takes effect at the due date is on the board at that date.
fn renewal(row: &Row, zone: Tz) -> Result<SubscriptionRow, StoreError> {
    let cells = &row.cells("subscription")?;
    let card = cells::card(cells)?;
    let next = Next {
        state: cells.word("state", SubscriptionState::parse)?,
        due_at: cells.opt_at("next_due_at")?,
        cancel_at: cells.opt_at("cancel_at")?,
        card: card.as_ref(),
    };
    Ok(SubscriptionRow {
        id: SubscriptionId(cells.i64("id")?),
        public_id: cells.public_id()?,
        customer: cells::customer(cells)?,
        plan_name: cells.text("plan_name")?,
        plan_code: cells.text("plan_code")?,
        state: next.state,
        amount: cells.money("amount_minor")?,
        next_due_at: next.due_at,
        cancel_at: next.cancel_at,
        paid_until: cells.opt_at("paid_until")?,
        flags: flags(&next, zone),
        card,
        scheduler: cells.word("scheduler", Scheduler::parse)?,
        created_at: cells.at("created_at")?,
    })
}

pub(super) async fn page(
    db: &SqlStore,
    list: &List,
    asked: &ListQuery,
) -> Result<Page<SubscriptionRow>, StoreError> {
    let zone = db.zone();
    let read = if list.name == RENEWALS.name {
        renewal
    } else {
        row
    };
    list.read(db, asked, |found| read(found, zone)).await
}
