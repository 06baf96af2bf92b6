//! Creating, changing and closing plans. Running terms keep the price they were made with.

use crate::domain::ids::{Noun, PlanId, ProductId};
use crate::domain::operator::Verb;
use crate::domain::plan::{Plan, Product, check_plan};

use super::Engine;
use super::action::{Effect, NotHappening, Outcome, Receipt};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::fingerprint::Fingerprint;
use super::ports::{Constraint, NewPlan, Store, StoreError, Tx};
use super::refusal::{Refused, VerbError};
use super::request::{PlanChange, PlanInput};

/// What is to be written.
pub(super) enum PlanWork {
    Create {
        input: PlanInput,
        product: Option<Product>,
    },
    Save {
        verb: Verb,
        plan: Plan,
        before: String,
    },
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_create_plan<T: Tx>(
        &self,
        tx: &mut T,
        input: &PlanInput,
    ) -> Result<Prepared, VerbError> {
        check_plan(&input.code, &input.name, input.price, input.trial_days).map_err(|e| {
            VerbError::Input {
                field: "plan",
                reason: e.to_string(),
            }
        })?;
        if tx.plan_by_code(&input.code).await?.is_some() {
            return Err(VerbError::Refused(Refused::Taken("the plan code")));
        }
        let product = tx.product_by_code(&input.product).await?;
        let fingerprint = Fingerprint::of("create-plan")
            .and(&input.product)
            .and(&input.code)
            .and(&input.name)
            .number(input.price.minor())
            .and(input.price.currency().code())
            .and(input.interval.unit.as_str())
            .number(i64::from(input.interval.count))
            .number(i64::from(input.trial_days))
            .finish();
        let mut plan = self.quiet_plan(Verb::CreatePlan, None, &input.name, fingerprint);
        plan.amount = Some(input.price);
        plan.what = format!(
            "{}  {}  {}-{}",
            input.name,
            input.code,
            input.interval.count,
            input.interval.unit.as_str()
        );
        Ok(Prepared {
            plan,
            work: Work::Plan(Box::new(PlanWork::Create {
                input: input.clone(),
                product,
            })),
        })
    }

    pub(super) async fn prepare_edit_plan<T: Tx>(
        &self,
        tx: &mut T,
        id: PlanId,
        change: &PlanChange,
    ) -> Result<Prepared, VerbError> {
        let stored = tx.plan(id).await?;
        let mut plan = stored.clone();
        if let Some(name) = &change.name {
            plan.name.clone_from(name);
        }
        if let Some(price) = change.price {
            if price.currency() != stored.price.currency() {
                return Err(VerbError::Input {
                    field: "price",
                    reason: "a plan keeps its currency".to_owned(),
                });
            }
            plan.price = price;
        }
        if let Some(tier) = &change.tier {
            plan.tier.clone_from(tier);
        }
        if let Some(features) = &change.features {
            plan.features.clone_from(features);
        }
        plan.trial_days = change.trial_days.unwrap_or(plan.trial_days);
        plan.active |= change.activate;
        check_plan(&plan.code, &plan.name, plan.price, plan.trial_days).map_err(|e| {
            VerbError::Input {
                field: "plan",
                reason: e.to_string(),
            }
        })?;
        if plan == stored {
            return Err(VerbError::Input {
                field: "change",
                reason: "nothing changes".to_owned(),
            });
        }
        Ok(self.prepare_save(Verb::EditPlan, &stored, plan))
    }

    pub(super) async fn prepare_deactivate_plan<T: Tx>(
        &self,
        tx: &mut T,
        id: PlanId,
    ) -> Result<Prepared, VerbError> {
        let stored = tx.plan(id).await?;
        if !stored.active {
            return Err(VerbError::Refused(Refused::PlanAlreadyInactive));
        }
        let running = tx.count_running_on(id).await?;
        let mut prepared = self.prepare_save(
            Verb::DeactivatePlan,
            &stored,
            Plan {
                active: false,
                ..stored.clone()
            },
        );
        prepared
            .plan
            .effects
            .push(Effect::SubscriptionsKept(running));
        Ok(prepared)
    }

    fn prepare_save(&self, verb: Verb, stored: &Plan, plan: Plan) -> Prepared {
        let fingerprint = Fingerprint::of(verb.as_str())
            .and(stored.public_id.as_str())
            .number(stored.version)
            .and(&describe(&plan))
            .finish();
        let mut shown = self.quiet_plan(
            verb,
            Some(stored.public_id.clone()),
            &plan.name,
            fingerprint,
        );
        shown.amount = Some(plan.price);
        shown.not_happening.push(NotHappening::ScheduleMove);
        Prepared {
            plan: shown,
            work: Work::Plan(Box::new(PlanWork::Save {
                verb,
                plan,
                before: describe(stored),
            })),
        }
    }

    async fn product_id<T: Tx>(
        &self,
        tx: &mut T,
        input: &PlanInput,
        product: Option<Product>,
    ) -> Result<ProductId, VerbError> {
        if let Some(product) = product {
            return Ok(product.id);
        }
        let name = if input.product_name.is_empty() {
            &input.product
        } else {
            &input.product_name
        };
        let id = self.parts.ids.public_id(Noun::Product);
        let made = tx
            .insert_product(&id, &input.product, name, self.now())
            .await;
        made.map_err(as_taken)
    }

    pub(super) async fn write_plan<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: PlanWork,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let (verb, target, before, after) = match work {
            PlanWork::Create { input, product } => {
                let product_id = self.product_id(tx, &input, product).await?;
                let public_id = self.parts.ids.public_id(Noun::Plan);
                tx.insert_plan(&NewPlan {
                    public_id: &public_id,
                    product_id,
                    code: &input.code,
                    name: &input.name,
                    price: input.price,
                    interval: input.interval,
                    tier: &input.tier,
                    trial_days: input.trial_days,
                    features: &input.features,
                    at: self.now(),
                })
                .await
                .map_err(as_taken)?;
                (
                    Verb::CreatePlan,
                    public_id,
                    String::new(),
                    format!("{} {}", input.code, input.price),
                )
            }
            PlanWork::Save { verb, plan, before } => {
                tx.save_plan(&plan).await?;
                let after = describe(&plan);
                (verb, plan.public_id, before, after)
            }
        };
        let press = Press {
            verb: verb.as_str(),
            target: target.as_str(),
            before: &before,
            after: &after,
            result: "done",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
            public_id: Some(target),
            ..Receipt::default()
        }))))
    }
}

/// A plan on one line, for the audit trail and the fingerprint.
fn describe(plan: &Plan) -> String {
    format!(
        "{} | {} | {} | {} | trial {} | {} | {}",
        plan.code,
        plan.name,
        plan.price,
        plan.tier,
        plan.trial_days,
        if plan.active { "open" } else { "closed" },
        plan.features.join("; "),
    )
}

fn as_taken(error: StoreError) -> VerbError {
    match error {
        StoreError::Refused(Constraint::Code) => VerbError::Refused(Refused::Taken("the code")),
        other => VerbError::Store(other),
    }
}
