//! What the demo shop sells: four products, eleven plans, one of them closed and one with a trial.

use chrono::{DateTime, TimeDelta, Utc};

use super::chance::Chance;
use super::people::Kind;
use crate::domain::ids::{Noun, PlanId, ProductId};
use crate::domain::money::{Currency, Money};
use crate::domain::period::{Interval, Unit};
use crate::domain::plan::{Plan, Product};
use crate::locale::Lang;

/// Who takes a plan, and how often against the others.
#[derive(Debug, Clone, Copy)]
struct Sold {
    product: usize,
    code: &'static str,
    names: [&'static str; 2],
    price: i64,
    unit: Unit,
    tier: &'static str,
    trial_days: u32,
    to_people: u32,
    to_companies: u32,
}

const PRODUCTS: [(&str, [&str; 2]); 4] = [
    ("basic", ["베이직", "Basic"]),
    ("pro", ["프로", "Pro"]),
    ("business", ["비즈니스", "Business"]),
    ("storage", ["저장공간", "Storage"]),
];

#[rustfmt::skip]
const PLANS: [Sold; 11] = [
    Sold { product: 0, code: "basic-month", names: ["베이직 월", "Basic monthly"], price: 9_900, unit: Unit::Month, tier: "BASIC", trial_days: 0, to_people: 520, to_companies: 90 },
    Sold { product: 1, code: "pro-month", names: ["프로 월", "Pro monthly"], price: 19_000, unit: Unit::Month, tier: "PRO", trial_days: 0, to_people: 175, to_companies: 220 },
    Sold { product: 1, code: "pro-trial", names: ["프로 월 (14일 체험)", "Pro monthly (14 day trial)"], price: 19_000, unit: Unit::Month, tier: "PRO", trial_days: 14, to_people: 150, to_companies: 90 },
    Sold { product: 0, code: "basic-quarter", names: ["베이직 분기", "Basic quarterly"], price: 27_000, unit: Unit::Quarter, tier: "BASIC", trial_days: 0, to_people: 80, to_companies: 20 },
    Sold { product: 1, code: "pro-quarter", names: ["프로 분기", "Pro quarterly"], price: 51_000, unit: Unit::Quarter, tier: "PRO", trial_days: 0, to_people: 60, to_companies: 60 },
    Sold { product: 0, code: "basic-year", names: ["베이직 연", "Basic yearly"], price: 99_000, unit: Unit::Year, tier: "BASIC", trial_days: 0, to_people: 40, to_companies: 20 },
    Sold { product: 1, code: "pro-year", names: ["프로 연", "Pro yearly"], price: 190_000, unit: Unit::Year, tier: "PRO", trial_days: 0, to_people: 30, to_companies: 60 },
    Sold { product: 2, code: "team-month", names: ["팀 월", "Team monthly"], price: 12_000, unit: Unit::Month, tier: "TEAM", trial_days: 0, to_people: 0, to_companies: 330 },
    Sold { product: 2, code: "enterprise-year", names: ["엔터프라이즈 연", "Enterprise yearly"], price: 1_188_000, unit: Unit::Year, tier: "ENTERPRISE", trial_days: 0, to_people: 0, to_companies: 140 },
    Sold { product: 0, code: "basic-month-2024", names: ["베이직 월 (구)", "Basic monthly (old)"], price: 7_900, unit: Unit::Month, tier: "BASIC", trial_days: 0, to_people: 520, to_companies: 90 },
    Sold { product: 3, code: "storage-month", names: ["저장공간 100GB 월", "Storage 100 GB monthly"], price: 3_300, unit: Unit::Month, tier: "STORAGE", trial_days: 0, to_people: 0, to_companies: 0 },
];

const BASIC_MONTH: usize = 0;
const PRO_MONTH: usize = 1;
const TEAM_MONTH: usize = 7;
const BASIC_OLD: usize = 9;
const STORAGE: usize = 10;
/// The old basic plan was closed so many days after the story begins.
const CLOSED_AFTER_DAYS: i64 = 240;

/// Products and plans as rows.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) products: Vec<Product>,
    pub(super) plans: Vec<Plan>,
    closed_at: DateTime<Utc>,
}

impl Catalogue {
    /// Everything there was to buy since the day before the story begins.
    pub(super) fn new(chance: &mut Chance, lang: Lang, begins: DateTime<Utc>) -> Self {
        let word = usize::from(lang == Lang::En);
        let at = begins - TimeDelta::hours(14);
        let products = (1..)
            .zip(PRODUCTS)
            .map(|(id, (code, names))| Product {
                id: ProductId(id),
                public_id: chance.public_id(Noun::Product, at),
                code: code.to_owned(),
                name: names[word].to_owned(),
            })
            .collect();
        let closed_at = begins + TimeDelta::days(CLOSED_AFTER_DAYS) + TimeDelta::hours(11);
        let plans = (1..)
            .zip(&PLANS)
            .map(|(id, sold)| {
                let created_at = at + TimeDelta::seconds(40 * id);
                sold.plan(PlanId(id), chance, word, created_at)
            })
            .collect();
        Self {
            products,
            plans,
            closed_at,
        }
    }

    pub(super) fn plan(&self, at: usize) -> &Plan {
        &self.plans[at]
    }

    /// When the closed plan was closed, and which it is.
    pub(super) const fn closed(&self) -> (usize, DateTime<Utc>) {
        (BASIC_OLD, self.closed_at)
    }

    /// What somebody takes on a day.
    pub(super) fn choose(&self, chance: &mut Chance, kind: Kind, at: DateTime<Utc>) -> usize {
        let is_old = at < self.closed_at;
        let open: Vec<(usize, u32)> = PLANS
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != if is_old { BASIC_MONTH } else { BASIC_OLD })
            .map(|(index, sold)| match kind {
                Kind::Person => (index, sold.to_people),
                Kind::Company => (index, sold.to_companies),
            })
            .collect();
        chance.weighted(&open, |(_, weight)| *weight).0
    }

    /// How many units somebody takes of it.
    pub(super) fn quantity(chance: &mut Chance, plan: usize) -> u32 {
        if plan == TEAM_MONTH {
            u32::try_from(chance.between(2, 15)).unwrap_or(2)
        } else {
            1
        }
    }

    /// Where a plan's subscribers go when they change it, within its product.
    pub(super) fn next_of(chance: &mut Chance, plan: usize) -> Option<usize> {
        let product = PLANS[plan].product;
        let others: Vec<usize> = (0..PLANS.len())
            .filter(|other| *other != plan && PLANS[*other].product == product)
            .filter(|other| ![BASIC_OLD, PRO_MONTH + 1].contains(other))
            .filter(|other| PLANS[*other].unit == Unit::Month || chance.per_mille(450))
            .collect();
        (!others.is_empty()).then(|| *chance.one_of(&others))
    }

    /// What some buy beside their plan.
    pub(super) const fn add_on() -> usize {
        STORAGE
    }
}

impl Sold {
    fn plan(&self, id: PlanId, chance: &mut Chance, word: usize, at: DateTime<Utc>) -> Plan {
        let product = i64::try_from(self.product).unwrap_or(0) + 1;
        Plan {
            id,
            public_id: chance.public_id(Noun::Plan, at),
            product_id: ProductId(product),
            code: self.code.to_owned(),
            name: self.names[word].to_owned(),
            price: Money::new(self.price, Currency::KRW),
            interval: Interval {
                unit: self.unit,
                count: 1,
            },
            tier: self.tier.to_owned(),
            trial_days: self.trial_days,
            features: features(self.tier, word),
            active: true,
            created_at: at,
            version: 1,
        }
    }
}

fn features(tier: &str, word: usize) -> Vec<String> {
    let list: &[[&str; 2]] = match tier {
        "BASIC" => &[["기본 기능", "Core features"], ["10GB", "10 GB"]],
        "PRO" => &[
            ["모든 기능", "All features"],
            ["100GB", "100 GB"],
            ["우선 지원", "Priority support"],
        ],
        "TEAM" => &[
            ["사용자별 과금", "Priced per seat"],
            ["팀 공유함", "Shared spaces"],
        ],
        "ENTERPRISE" => &[
            ["전담 담당자", "Account manager"],
            ["SSO", "SSO"],
            ["세금계산서", "Tax invoices"],
        ],
        _ => &[["100GB", "100 GB"]],
    };
    list.iter().map(|names| names[word].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::domain::plan::check_plan;

    #[test]
    fn every_plan_is_one_that_a_person_could_have_made() {
        let begins = Utc.with_ymd_and_hms(2024, 11, 20, 15, 0, 0).unwrap();
        for lang in Lang::ALL {
            let catalogue = Catalogue::new(&mut Chance::new(7), lang, begins);
            for plan in &catalogue.plans {
                assert_eq!(
                    check_plan(&plan.code, &plan.name, plan.price, plan.trial_days),
                    Ok(())
                );
            }
        }
    }

    #[test]
    fn a_closed_plan_is_taken_by_nobody_and_a_change_stays_in_the_product() {
        let begins = Utc.with_ymd_and_hms(2024, 11, 20, 15, 0, 0).unwrap();
        let mut chance = Chance::new(7);
        let catalogue = Catalogue::new(&mut chance, Lang::Ko, begins);
        let (old, closed_at) = catalogue.closed();
        for _ in 0..500 {
            assert_ne!(catalogue.choose(&mut chance, Kind::Person, closed_at), old);
            if let Some(next) = Catalogue::next_of(&mut chance, PRO_MONTH) {
                assert_eq!(PLANS[next].product, PLANS[PRO_MONTH].product);
            }
        }
    }
}
