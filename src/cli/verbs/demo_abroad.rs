//! The demo's customers abroad: dollars, charged by the second provider.
//!
//! Unlike the long story of the shop, theirs is not made up: the engine asks the simulator for every card, charge and
//! refund, as it would ask the provider. What does not come about is left out, and the demo opens without it.

use std::path::Path;
use std::sync::Arc;

use crate::cli::args::Global;
use crate::cli::error::CliError;
use crate::cli::open;
use crate::cli::permit::Permit;
use crate::cli::wiring::{self, LiveEngine};
use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{CustomerId, Noun, PlanId, PublicId};
use crate::domain::mode::ProviderName;
use crate::domain::money::{Currency, Money};
use crate::domain::operator::Operator;
use crate::domain::payment::RefundAmount;
use crate::domain::period::{Interval, Unit};
use crate::engine::{Outcome, PlanInput, Request, VerbError};
use crate::provider::stripe::{
    NewCustomer, NewPrice, NewProduct, NewSubscription, StripeClient, StripeError,
};
use crate::secret::Secret;

/// Name, card, and which of the two plans; none buys once.
const PEOPLE: [(&str, &str, Option<usize>); 11] = [
    ("Amelia Hart", "visa", Some(0)),
    ("Noah Lindqvist", "mastercard", Some(0)),
    ("Chloé Marchand", "amex", Some(1)),
    ("Mateo Alvarez", "discover", Some(0)),
    ("Harper Quinn", "visa_debit", Some(1)),
    ("渡辺 さくら", "jcb", Some(0)),
    ("Lukas Brandt", "mastercard_debit", Some(0)),
    ("Priya Raman", "unionpay", Some(0)),
    ("Oliver Grant", "chargeCustomerFail", Some(0)),
    ("Isla Moreau", "authenticationRequired", Some(0)),
    ("Ethan Cole", "diners", None),
];
const PLANS: [(&str, &str, i64, Unit); 2] = [
    ("global-month", "Global monthly", 1_200, Unit::Month),
    ("global-year", "Global yearly", 12_000, Unit::Year),
];

/// Tells it once, over a simulator that runs.
pub async fn tell(permit: &Permit, global: &Global, config: &Path) -> Result<(), CliError> {
    let global = Global {
        config: Some(config.to_owned()),
        ..global.clone()
    };
    let mut opened = open::open(open::settings(&global)?, &global).await?;
    let engine = wiring::engine(&mut opened, Some(permit)).await?;
    let abroad = Abroad {
        engine,
        operator: opened.operator.clone(),
    };
    let mut told = abroad.tell().await;
    if told.is_ok()
        && let Some(stripe) = wiring::stripe(&opened).await?
    {
        told = abroad.mirrored(&stripe).await;
    }
    if told.is_ok() {
        told = abroad.engine.pull_fees(&abroad.operator).await.map(drop);
    }
    opened.store.close().await;
    Ok(told?)
}

struct Abroad {
    engine: Arc<LiveEngine>,
    operator: Operator,
}

impl Abroad {
    async fn tell(&self) -> Result<(), VerbError> {
        let mut plans = Vec::new();
        for (code, name, price, unit) in PLANS {
            let made = self.made(plan(code, name, price, unit)?).await?;
            plans.push(PlanId(self.row(Noun::Plan, &made).await?));
        }
        for (name, card, chosen) in PEOPLE {
            let customer = self.customer(name, card).await?;
            let request = match chosen {
                Some(at) => Request::Subscribe {
                    customer,
                    plan: plans[at],
                    quantity: 1,
                },
                None => Request::OneTime {
                    customer,
                    amount: dollars(4_900),
                    description: "Workshop ticket".to_owned(),
                },
            };
            let outcome = self.act(&request).await?;
            if chosen.is_none() {
                self.give_back(&outcome).await?;
            }
        }
        Ok(())
    }

    async fn customer(&self, name: &str, card: &str) -> Result<CustomerId, VerbError> {
        let made = self.made(Request::CreateCustomer {
            customer_key: None,
            name: name.to_owned(),
            email: format!("{}@example.com", card.replace('_', ".").to_lowercase()),
            phone: String::new(),
        });
        let customer = CustomerId(self.row(Noun::Customer, &made.await?).await?);
        self.act(&Request::AddMethod {
            customer,
            auth_key: Secret::new(format!("pm_card_{card}")),
            provider: Some(ProviderName::Stripe),
        })
        .await?;
        Ok(customer)
    }

    /// Somebody whose subscription Stripe schedules itself: made there, and mirrored here.
    async fn mirrored(&self, stripe: &StripeClient) -> Result<(), VerbError> {
        let made = self.made_at_stripe(stripe).await;
        let name = made.map_err(|error| VerbError::Range(error.to_string()))?;
        self.engine.mirror_add(&self.operator, &name, None).await?;
        Ok(())
    }

    async fn made_at_stripe(&self, stripe: &StripeClient) -> Result<String, StripeError> {
        let who = NewCustomer {
            customer_key: "demo-mirrored",
            name: Some("Sofia Bianchi"),
            email: Some("sofia@example.com"),
        };
        let who = stripe.create_customer("demo-customer", who).await?.id;
        let card = stripe.attach_payment_method("pm_card_visa", &who).await?.id;
        stripe
            .set_default_payment_method("demo-card", &who, &card)
            .await?;
        let sold = NewProduct {
            name: "Global classic",
            plan_code: "global-classic",
        };
        let sold = stripe.create_product("demo-product", sold).await?.id;
        let price = NewPrice {
            product: &sold,
            amount: dollars(900),
            interval: Interval::try_new(Unit::Month, 1).ok(),
            lookup_key: None,
        };
        let price = stripe.create_price("demo-price", price).await?.id;
        let new = NewSubscription {
            customer: &who,
            price: &price,
            payment_method: None,
            trial_end: None,
        };
        let made = stripe.create_subscription("demo-subscription", new).await?;
        Ok(made.id)
    }

    /// A part of what was bought once goes back.
    async fn give_back(&self, bought: &Outcome) -> Result<(), VerbError> {
        let Some(payment) = &bought.receipt().payment else {
            return Ok(());
        };
        let payment = crate::domain::ids::PaymentId(self.row(Noun::Payment, payment).await?);
        let part = RefundAmount::Partial(dollars(1_900));
        self.act(&Request::Refund {
            payment,
            amount: part,
            reason: "left early".to_owned(),
            also_cancel: AlsoCancel::No,
        })
        .await?;
        Ok(())
    }

    async fn act(&self, request: &Request) -> Result<Outcome, VerbError> {
        let plan = self.engine.plan(&self.operator, request).await?;
        self.engine
            .apply(&self.operator, request, &plan.fingerprint)
            .await
    }

    /// What a request that asks nobody made.
    async fn made(&self, request: Request) -> Result<PublicId, VerbError> {
        let outcome = self.act(&request).await?;
        let made = outcome.receipt().public_id.clone();
        made.ok_or_else(|| VerbError::Range("nothing was made".to_owned()))
    }

    async fn row(&self, noun: Noun, id: &PublicId) -> Result<i64, VerbError> {
        let row = self.engine.resolve_id(noun, id.as_str()).await;
        row.map_err(|problem| VerbError::Range(problem.to_string()))
    }
}

fn plan(code: &str, name: &str, price: i64, unit: Unit) -> Result<Request, VerbError> {
    let interval = Interval::try_new(unit, 1).map_err(|e| VerbError::Range(e.to_string()))?;
    Ok(Request::CreatePlan(PlanInput {
        product: "global".to_owned(),
        product_name: "Global".to_owned(),
        code: code.to_owned(),
        name: name.to_owned(),
        price: dollars(price),
        interval,
        tier: "GLOBAL".to_owned(),
        trial_days: 0,
        features: Vec::new(),
    }))
}

const fn dollars(cents: i64) -> Money {
    Money::new(cents, Currency::USD)
}
