//! How many subscriptions stand where, and what they are worth a month: exact at any moment.
//!
//! Subscriptions of one price are counted together (`tally_standing`) and turned into MRR here, once
//! per price; the few with a lasting discount are corrected one by one, from their rows.

use std::collections::HashMap;

use super::query::Query;
use crate::domain::ids::PlanId;
use crate::domain::money::{Currency, Money};
use crate::domain::period::{Interval, Unit};
use crate::domain::revenue::Mrr;
use crate::domain::states::SubscriptionState;
use crate::engine::ports::StoreError;
use crate::store::open::SqlStore;
use crate::store::sql::Cells;

type R<T> = Result<T, StoreError>;

const GROUPS: &str = "select plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, \
     cast(sum(subscriptions) as bigint) as n from tally_standing \
     group by plan_id, state, price_minor, currency, quantity, interval_unit, interval_count \
     having sum(subscriptions) <> 0";

const DISCOUNTED: &str = "select s.id as id, s.plan_id, s.state, t.price_minor, t.currency, t.quantity, \
     t.interval_unit, t.interval_count, \
     (select h.discount_minor from subscription_change h where h.subscription_id = s.id \
      order by h.at desc, h.id desc limit 1) as discount_minor \
     from (select distinct subscription_id from subscription_change where discount_minor <> 0) d \
     join subscription s on s.id = d.subscription_id \
     join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
     where s.state in ('active', 'past_due')";

/// Counts and MRR of one plan in one currency.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlanStanding {
    pub(super) active: u64,
    pub(super) trialing: u64,
    pub(super) mrr: Mrr,
}

/// Counts and MRR of everything.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) active: u64,
    pub(super) past_due: u64,
    pub(super) trialing: u64,
    pub(super) by_plan: HashMap<(PlanId, Currency), PlanStanding>,
    pub(super) mrr: Vec<Mrr>,
    pub(super) at_risk: Vec<Mrr>,
}

/// What a row says about MRR.
struct Priced {
    plan_id: PlanId,
    state: SubscriptionState,
    price: Money,
    quantity: u32,
    interval: Interval,
}

impl Priced {
    fn read(cells: &Cells<'_>) -> R<Self> {
        let unit = cells.word("interval_unit", Unit::parse)?;
        Ok(Self {
            plan_id: PlanId(cells.i64("plan_id")?),
            state: cells.word("state", SubscriptionState::parse)?,
            price: cells.money("price_minor")?,
            quantity: cells.u32("quantity")?,
            interval: Interval::try_new(unit, cells.u32("interval_count")?)
                .map_err(|error| cells.bad(error.to_string()))?,
        })
    }

    fn mrr(&self, cells: &Cells<'_>, discount_minor: i64) -> R<Mrr> {
        Mrr::of(self.price, self.quantity, discount_minor, self.interval)
            .map_err(|error| cells.bad(error.to_string()))
    }
}

impl Standing {
    pub(super) async fn read(db: &SqlStore) -> R<Self> {
        let mut standing = Self::default();
        for row in db.fetch(Query::new(GROUPS)).await? {
            let cells = row.counts("subscription");
            let priced = Priced::read(&cells)?;
            let count = cells.count("n")?;
            standing.count(&priced, count);
            let times = cells.i64("n")?;
            let mrr = priced.mrr(&cells, 0)?.times(times);
            let mrr = mrr.map_err(|error| cells.bad(error.to_string()))?;
            standing.add(&cells, &priced, mrr)?;
        }
        for row in db.fetch(Query::new(DISCOUNTED)).await? {
            let cells = row.cells("subscription")?;
            let priced = Priced::read(&cells)?;
            let less = priced.mrr(&cells, cells.i64("discount_minor")?)?;
            let full = priced.mrr(&cells, 0)?;
            let difference = less.checked_sub(full);
            let difference = difference.map_err(|error| cells.bad(error.to_string()))?;
            standing.add(&cells, &priced, difference)?;
        }
        Ok(standing)
    }

    fn of_plan(&mut self, priced: &Priced) -> &mut PlanStanding {
        let currency = priced.price.currency();
        self.by_plan
            .entry((priced.plan_id, currency))
            .or_insert(PlanStanding {
                active: 0,
                trialing: 0,
                mrr: Mrr::zero(currency),
            })
    }

    fn count(&mut self, priced: &Priced, count: u64) {
        match priced.state {
            SubscriptionState::Trialing => self.trialing += count,
            SubscriptionState::PastDue => {
                self.active += count;
                self.past_due += count;
            }
            _ => self.active += count,
        }
        let of_plan = self.of_plan(priced);
        if priced.state == SubscriptionState::Trialing {
            of_plan.trialing += count;
        } else {
            of_plan.active += count;
        }
    }

    fn add(&mut self, cells: &Cells<'_>, priced: &Priced, mrr: Mrr) -> R<()> {
        if !priced.state.is_billed() {
            return Ok(());
        }
        let of_plan = self.of_plan(priced);
        let sum = of_plan.mrr.checked_add(mrr);
        of_plan.mrr = sum.map_err(|error| cells.bad(error.to_string()))?;
        add_to(&mut self.mrr, mrr, cells)?;
        if priced.state == SubscriptionState::PastDue {
            add_to(&mut self.at_risk, mrr, cells)?;
        }
        Ok(())
    }
}

/// Adds to the sum of its currency.
fn add_to(sums: &mut Vec<Mrr>, mrr: Mrr, cells: &Cells<'_>) -> R<()> {
    match sums.iter_mut().find(|sum| sum.currency() == mrr.currency()) {
        Some(sum) => {
            *sum = sum
                .checked_add(mrr)
                .map_err(|error| cells.bad(error.to_string()))?;
        }
        None => sums.push(mrr),
    }
    Ok(())
}

/// Each sum rounded once.
pub(super) fn rounded(sums: &[Mrr]) -> R<Vec<Money>> {
    sums.iter()
        .map(|sum| {
            sum.rounded()
                .map_err(|error| StoreError::Other(error.into()))
        })
        .collect()
}
