//! Products and plans.

use chrono::{DateTime, Utc};

use super::sql::{Row, Stmt, args, each_of};
use super::tx::SqlTx;
use crate::domain::ids::{Noun, PlanId, ProductId, PublicId};
use crate::domain::period::{Interval, Unit};
use crate::domain::plan::{Plan, Product};
use crate::engine::ports::{NewPlan, Plans, StoreError};

type R<T> = Result<T, StoreError>;

macro_rules! plan_columns {
    () => {
        "id, public_id, product_id, code, name, price_minor, currency, interval_unit, interval_count, tier, trial_days, features, active, created_at, version"
    };
}

/// What [`read_plan`] reads.
pub(super) const COLUMNS: &str = plan_columns!();
const INSERT_PRODUCT: Stmt = Stmt::both(
    "insert into product (public_id, tail, code, name, created_at) values ($1, $2, $3, $4, $5) returning id",
);
const PRODUCT_BY_CODE: Stmt =
    Stmt::both("select id, public_id, code, name from product where code = $1");
const INSERT_PLAN: Stmt = Stmt::both(
    "insert into plan (public_id, tail, product_id, code, name, price_minor, currency, interval_unit, interval_count, tier, trial_days, features, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id",
);
const PLAN: Stmt = Stmt::both(concat!(
    "select ",
    plan_columns!(),
    " from plan where id = $1"
));
const PLAN_EACH: Stmt = each_of!(concat!("select ", plan_columns!(), " from plan"), "id");
const PLAN_BY_CODE: Stmt = Stmt::both(concat!(
    "select ",
    plan_columns!(),
    " from plan where code = $1"
));
const COUNT_RUNNING_ON: Stmt = Stmt::both(
    "select count(*) as n from subscription where plan_id = $1 and state not in ('canceled', 'expired')",
);
const SAVE_PLAN: Stmt = Stmt::both(
    "update plan set name = $3, price_minor = $4, currency = $5, tier = $6, trial_days = $7, features = $8, active = $9, version = version + 1
    where id = $1 and version = $2",
);

pub(super) fn read_plan(row: &Row) -> R<Plan> {
    let cells = row.cells("plan")?;
    let features = cells.str("features")?;
    Ok(Plan {
        id: PlanId(cells.i64("id")?),
        public_id: cells.public_id()?,
        product_id: ProductId(cells.i64("product_id")?),
        code: cells.text("code")?,
        name: cells.text("name")?,
        price: cells.money("price_minor")?,
        interval: Interval {
            unit: cells.word("interval_unit", Unit::parse)?,
            count: cells.u32("interval_count")?,
        },
        tier: cells.text("tier")?,
        trial_days: cells.u32("trial_days")?,
        features: serde_json::from_str(features)
            .map_err(|error| cells.bad(format!("features: {error}")))?,
        active: cells.yes("active")?,
        created_at: cells.at("created_at")?,
        version: cells.i64("version")?,
    })
}

fn features_text(features: &[String]) -> R<String> {
    serde_json::to_string(features).map_err(|error| StoreError::Other(error.into()))
}

impl SqlTx<'_> {
    /// Reads ahead plans.
    pub(super) async fn foresee_plans(&mut self, ids: &[i64]) -> R<()> {
        self.read_each(&PLAN, &PLAN_EACH, ids, &["id"])
            .await
            .map(|_rows| ())
    }
}

impl Plans for SqlTx<'_> {
    async fn insert_product(
        &mut self,
        public_id: &PublicId,
        code: &str,
        name: &str,
        at: DateTime<Utc>,
    ) -> R<ProductId> {
        let values = args![public_id.as_str(), public_id.tail(), code, name, at];
        self.insert(&INSERT_PRODUCT, values).await.map(ProductId)
    }

    async fn product_by_code(&mut self, code: &str) -> R<Option<Product>> {
        let Some(row) = self.maybe(&PRODUCT_BY_CODE, args![code]).await? else {
            return Ok(None);
        };
        let cells = row.cells("product")?;
        Ok(Some(Product {
            id: ProductId(cells.i64("id")?),
            public_id: cells.public_id()?,
            code: cells.text("code")?,
            name: cells.text("name")?,
        }))
    }

    async fn insert_plan(&mut self, new: &NewPlan<'_>) -> R<PlanId> {
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.product_id,
            new.code,
            new.name,
            new.price.minor(),
            new.price.currency().code(),
            new.interval.unit.as_str(),
            new.interval.count,
            new.tier,
            new.trial_days,
            features_text(new.features)?,
            new.at
        ];
        self.insert(&INSERT_PLAN, values).await.map(PlanId)
    }

    async fn plan(&mut self, id: PlanId) -> R<Plan> {
        read_plan(&self.one(&PLAN, args![id], Noun::Plan).await?)
    }

    async fn plan_by_code(&mut self, code: &str) -> R<Option<Plan>> {
        let row = self.maybe(&PLAN_BY_CODE, args![code]).await?;
        row.as_ref().map(read_plan).transpose()
    }

    async fn count_running_on(&mut self, id: PlanId) -> R<u64> {
        self.count(&COUNT_RUNNING_ON, args![id]).await
    }

    async fn save_plan(&mut self, plan: &Plan) -> R<()> {
        let values = args![
            plan.id,
            plan.version,
            plan.name.as_str(),
            plan.price.minor(),
            plan.price.currency().code(),
            plan.tier.as_str(),
            plan.trial_days,
            features_text(&plan.features)?,
            plan.active
        ];
        self.forget(&PLAN, args![plan.id]);
        self.change(&SAVE_PLAN, values, Noun::Plan).await
    }
}
