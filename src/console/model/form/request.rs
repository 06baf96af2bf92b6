//! What a filled-in form asks for, or which of its fields is wrong.

use super::{Covered, Form, FormKind, Problem, Value};
use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{PaymentId, SubscriptionId};
use crate::domain::money::{Currency, Money, MoneyError};
use crate::domain::payment::RefundAmount;
use crate::domain::period::Interval;
use crate::domain::plan::Plan;
use crate::engine::queries::WaitingFor;
use crate::engine::{PlanChange, PlanInput, Request};
use crate::locale::Locale;
use crate::secret::Secret;

impl Form {
    fn typed(&self, id: &str) -> &str {
        self.fields
            .iter()
            .find(|field| field.id == id)
            .map_or("", |field| match &field.value {
                Value::Text(input) | Value::Hidden(Covered(input)) => input.value().trim(),
                Value::Choice { options, at } => {
                    options.get(*at).map_or("", |choice| choice.code.as_str())
                }
            })
    }

    /// What is asked for, or which field is wrong.
    pub fn request(&self) -> Result<Request, Problem> {
        match &self.kind {
            FormKind::Refund {
                payment,
                refundable,
                ..
            } => self.refund(*payment, *refundable),
            FormKind::Cancel { subscription } => self.cancel(*subscription),
            FormKind::VoidInvoice { invoice } => Ok(Request::VoidInvoice {
                invoice: *invoice,
                reason: self.needed("why")?,
            }),
            FormKind::GiveUpInvoice { invoice } => Ok(Request::GiveUpInvoice {
                invoice: *invoice,
                reason: self.needed("why")?,
            }),
            FormKind::Subscribe { customer } => Ok(Request::Subscribe {
                customer: *customer,
                plan: self
                    .typed("plan")
                    .parse()
                    .map(crate::domain::ids::PlanId)
                    .map_err(|_| problem("plan", "needed"))?,
                quantity: self.number("quantity", 1)?,
            }),
            FormKind::OneTime { customer } => Ok(Request::OneTime {
                customer: *customer,
                amount: self.amount("amount", self.currency()?)?,
                description: self.needed("description")?,
            }),
            FormKind::SwapCard { customer } => Ok(Request::AddMethod {
                customer: *customer,
                auth_key: Secret::new(self.needed("auth_key")?),
                provider: None,
            }),
            FormKind::CreateCustomer => Ok(Request::CreateCustomer {
                customer_key: Some(self.typed("customer_key").to_owned())
                    .filter(|key| !key.is_empty()),
                name: self.needed("name")?,
                email: self.typed("email").to_owned(),
                phone: self.typed("phone").to_owned(),
            }),
            FormKind::CreatePlan => self.new_plan(),
            FormKind::EditPlan { plan } => self.changed_plan(plan),
            FormKind::SaveView { .. } => Err(problem("view_name", "needed")),
            FormKind::NotExecuted { attempt } => Ok(Request::AskNotExecuted {
                attempt: *attempt,
                reason: self.needed("why")?,
                evidence: self.needed("evidence")?,
            }),
            FormKind::TurnDown { what } => {
                let reason = self.needed("why")?;
                Ok(match *what {
                    WaitingFor::Refund(approval) | WaitingFor::NotExecuted(approval) => {
                        Request::Reject { approval, reason }
                    }
                    WaitingFor::Return(attempt) => Request::DeclineReturn { attempt, reason },
                })
            }
            FormKind::Note { target } => Ok(Request::Note {
                target: target.clone(),
                text: self.needed("text")?,
            }),
        }
    }

    fn cancel(&self, subscription: SubscriptionId) -> Result<Request, Problem> {
        let reason = self.reason()?;
        Ok(if self.typed("when") == "cancel_now" {
            Request::CancelNow {
                subscription,
                reason,
            }
        } else {
            Request::CancelAtEnd {
                subscription,
                reason,
            }
        })
    }

    fn refund(&self, payment: PaymentId, refundable: Money) -> Result<Request, Problem> {
        let amount = self.amount("amount", refundable.currency())?;
        if amount.minor() > refundable.minor() {
            return Err(problem("amount", "more_than_refundable"));
        }
        Ok(Request::Refund {
            payment,
            // The amount itself, also when it is all that is left: what was read is what goes back.
            amount: RefundAmount::Partial(amount),
            reason: self.reason()?,
            also_cancel: match self.typed("also_cancel") {
                "now" => AlsoCancel::Now,
                "at_period_end" => AlsoCancel::AtPeriodEnd,
                _ => AlsoCancel::No,
            },
        })
    }

    fn new_plan(&self) -> Result<Request, Problem> {
        let interval =
            Interval::parse(self.typed("interval")).ok_or(problem("interval", "interval"))?;
        Ok(Request::CreatePlan(PlanInput {
            product: self.needed("product")?,
            product_name: self.typed("product_name").to_owned(),
            code: self.needed("code")?,
            name: self.needed("name")?,
            price: self.amount("price", self.currency()?)?,
            interval,
            tier: self.typed("tier").to_owned(),
            trial_days: self.number("trial_days", 0)?,
            features: self.features(),
        }))
    }

    fn changed_plan(&self, plan: &Plan) -> Result<Request, Problem> {
        let name = self.needed("name")?;
        let price = self.amount("price", plan.price.currency())?;
        let tier = self.typed("tier").to_owned();
        let trial_days = self.number("trial_days", 0)?;
        let features = self.features();
        Ok(Request::EditPlan {
            plan: plan.id,
            change: PlanChange {
                name: (name != plan.name).then_some(name),
                price: (price != plan.price).then_some(price),
                tier: (tier != plan.tier).then_some(tier),
                trial_days: (trial_days != plan.trial_days).then_some(trial_days),
                features: (features != plan.features).then_some(features),
                activate: self.typed("active") == "activate",
            },
        })
    }

    fn features(&self) -> Vec<String> {
        self.typed("features")
            .split(',')
            .map(|feature| feature.trim().to_owned())
            .filter(|feature| !feature.is_empty())
            .collect()
    }

    /// The text of a field that must not be empty.
    pub fn text(&self, id: &'static str) -> Result<String, Problem> {
        self.needed(id)
    }

    fn needed(&self, id: &'static str) -> Result<String, Problem> {
        match self.typed(id) {
            "" => Err(problem(id, "needed")),
            typed => Ok(typed.to_owned()),
        }
    }

    fn reason(&self) -> Result<String, Problem> {
        match (self.typed("reason"), self.typed("words")) {
            ("other", "") => Err(problem("words", "reason_in_words")),
            ("other", words) => Ok(words.to_owned()),
            (reason, "") => Ok(self.reason_text(reason).to_owned()),
            (reason, words) => Ok(format!("{}: {words}", self.reason_text(reason))),
        }
    }

    fn reason_text<'a>(&self, code: &'a str) -> &'a str {
        Locale::get(self.lang).label("refund_reason", code)
    }

    fn currency(&self) -> Result<Currency, Problem> {
        let code = self.typed("currency").to_ascii_uppercase();
        Currency::parse(&code).map_err(|_| problem("currency", "currency"))
    }

    fn amount(&self, id: &'static str, currency: Currency) -> Result<Money, Problem> {
        let digits: String = self
            .typed(id)
            .chars()
            .filter(|ch| !matches!(ch, ',' | '₩' | '$' | ' '))
            .collect();
        let money = Money::parse(&digits, currency).map_err(|error| match error {
            MoneyError::WrongDecimals { .. } => problem(id, "decimals"),
            _ => problem(id, "amount"),
        })?;
        if money.is_positive() {
            Ok(money)
        } else {
            Err(problem(id, "above_zero"))
        }
    }

    fn number(&self, id: &'static str, least: u32) -> Result<u32, Problem> {
        self.typed(id)
            .parse()
            .ok()
            .filter(|number| *number >= least)
            .ok_or(problem(id, "number"))
    }
}

const fn problem(field: &'static str, text: &'static str) -> Problem {
    Problem { field, text }
}
