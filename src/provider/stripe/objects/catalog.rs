//! Stripe's products and prices. A price cannot change its amount: a new one is made, and the old one is
//! no longer offered.

use crate::domain::money::Money;
use crate::domain::period::{Interval, Unit};
use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::request::Unsendable;
use crate::provider::stripe::{amount, wire};

use super::call::{Page, Read, money, name_of};
use super::error::StripeError;

/// A product to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewProduct<'a> {
    /// What the customer reads.
    pub name: &'a str,
    /// Our code for the plan.
    pub plan_code: &'a str,
}

/// A product as Stripe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// `prod_…`.
    pub id: String,
    /// What the customer reads.
    pub name: String,
    /// Whether it is offered.
    pub is_active: bool,
    /// Our code for the plan, where we noted it.
    pub plan_code: Option<String>,
}

/// A price to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewPrice<'a> {
    /// `prod_…`.
    pub product: &'a str,
    /// How much.
    pub amount: Money,
    /// How often; none for once.
    pub interval: Option<Interval>,
    /// A name of ours that is unique among the prices.
    pub lookup_key: Option<&'a str>,
}

/// A price as Stripe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// `price_…`.
    pub id: String,
    /// `prod_…`.
    pub product: Option<String>,
    /// How much; none where it is counted in steps or parts of a unit.
    pub amount: Option<Money>,
    /// How often; none for once, or for an interval that we do not know.
    pub interval: Option<Interval>,
    /// Whether it is offered.
    pub is_active: bool,
    /// Our name for it.
    pub lookup_key: Option<String>,
}

impl Read for Product {
    type Wire = wire::Product;

    fn livemode(wire: &wire::Product) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::Product) -> Option<Self> {
        Some(Self {
            plan_code: wire::note(&wire.metadata, "plan_code").map(ToOwned::to_owned),
            id: wire.id,
            name: wire.name,
            is_active: wire.active,
        })
    }
}

impl Read for Price {
    type Wire = wire::Price;

    fn livemode(wire: &wire::Price) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::Price) -> Option<Self> {
        let amount = match wire.unit_amount {
            Some(unit) => Some(money(unit, &wire.currency)?),
            None => None,
        };
        Some(Self {
            product: name_of(wire.product.as_ref()),
            interval: wire.recurring.as_ref().and_then(interval),
            id: wire.id,
            amount,
            is_active: wire.active,
            lookup_key: wire.lookup_key,
        })
    }
}

fn interval(wire: &wire::Recurring) -> Option<Interval> {
    Some(Interval {
        unit: Unit::parse(&wire.interval)?,
        count: wire.interval_count.unwrap_or(1),
    })
}

/// Stripe knows no quarters: three months each.
fn recurring(interval: Interval) -> (&'static str, i64) {
    match interval.unit {
        Unit::Quarter => (Unit::Month.as_str(), i64::from(interval.count) * 3),
        unit => (unit.as_str(), i64::from(interval.count)),
    }
}

impl StripeClient {
    /// Asks for one product.
    pub async fn product(&self, product: &str) -> Result<Product, StripeError> {
        self.one("read product", &["products", product]).await
    }

    /// Makes a product.
    pub async fn create_product(
        &self,
        idem_key: &str,
        new: NewProduct<'_>,
    ) -> Result<Product, StripeError> {
        let body = Form::new()
            .text(&["name"], new.name)
            .text(&["metadata", "plan_code"], new.plan_code);
        self.change("create product", &["products"], idem_key, body)
            .await
    }

    /// The products, offered or not.
    pub async fn products(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Product>, StripeError> {
        self.list("list products", &["products"], Form::new(), after, limit)
            .await
    }

    /// Takes a product off the offer. Its subscriptions go on.
    pub async fn deactivate_product(
        &self,
        idem_key: &str,
        product: &str,
    ) -> Result<Product, StripeError> {
        self.change(
            "deactivate product",
            &["products", product],
            idem_key,
            inactive(),
        )
        .await
    }

    /// Makes a price.
    pub async fn create_price(
        &self,
        idem_key: &str,
        new: NewPrice<'_>,
    ) -> Result<Price, StripeError> {
        const OPERATION: &str = "create price";
        let wire_amount = amount::to_wire(new.amount)
            .map_err(|why| StripeError::unsendable(OPERATION, Unsendable::from(why)))?;
        let body = Form::new()
            .text(&["product"], new.product)
            .number(&["unit_amount"], wire_amount)
            .text(&["currency"], &amount::code(new.amount.currency()))
            .maybe(&["lookup_key"], new.lookup_key);
        let body = match new.interval {
            Some(interval) => {
                let (unit, count) = recurring(interval);
                body.text(&["recurring", "interval"], unit)
                    .number(&["recurring", "interval_count"], count)
            }
            None => body,
        };
        self.change(OPERATION, &["prices"], idem_key, body).await
    }

    /// The prices of a product, or all of them.
    pub async fn prices(
        &self,
        product: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Price>, StripeError> {
        let query = Form::new().maybe(&["product"], product);
        self.list("list prices", &["prices"], query, after, limit)
            .await
    }

    /// Takes a price off the offer. Subscriptions at this price go on.
    pub async fn deactivate_price(
        &self,
        idem_key: &str,
        price: &str,
    ) -> Result<Price, StripeError> {
        self.change("deactivate price", &["prices", price], idem_key, inactive())
            .await
    }
}

fn inactive() -> Form {
    Form::new().text(&["active"], "false")
}
