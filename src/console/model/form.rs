//! Forms: what a verb needs to be told before its plan can be made.
//!
//! A form changes nothing: what comes out of it is a [`Request`] for which a plan is asked.

use tui_input::Input;

use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{CustomerId, PaymentId, PublicId, SubscriptionId};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::RefundAmount;
use crate::domain::period::Interval;
use crate::domain::plan::Plan;
use crate::engine::queries::PlanRow;
use crate::engine::{PlanChange, PlanInput, Request};
use crate::locale::{Lang, Locale};
use crate::secret::Secret;

/// What a form asks for.
#[derive(Debug, Clone)]
pub enum FormKind {
    Refund {
        payment: PaymentId,
        refundable: Money,
    },
    Cancel {
        subscription: SubscriptionId,
    },
    Subscribe {
        customer: CustomerId,
    },
    OneTime {
        customer: CustomerId,
    },
    SwapCard {
        customer: CustomerId,
    },
    CreateCustomer,
    CreatePlan,
    EditPlan {
        plan: Box<Plan>,
    },
    Note {
        target: PublicId,
    },
}

/// A form that is being filled in.
#[derive(Debug, Clone)]
pub struct Form {
    pub kind: FormKind,
    /// Raw name of whom it is about.
    pub name: String,
    /// Reasons are stored and sent in the words of this language.
    pub lang: Lang,
    pub fields: Vec<Field>,
    pub focus: usize,
    /// Which field is wrong, and the text that says why.
    pub problem: Option<Problem>,
}

/// Why a form cannot be sent off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub field: &'static str,
    /// `dialog.problem.…`
    pub text: &'static str,
}

/// One field. Its label is `dialog.field.ID`.
#[derive(Debug, Clone)]
pub struct Field {
    pub id: &'static str,
    pub value: Value,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub enum Value {
    Text(Input),
    /// Not shown while typed.
    Hidden(Covered),
    Choice {
        options: Vec<Choice>,
        at: usize,
    },
}

/// A text that stands in no log and on no screen.
#[derive(Clone, Default)]
pub struct Covered(pub Input);

impl std::fmt::Debug for Covered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// One thing that can be chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    pub code: String,
    pub label: Label,
}

/// What a choice is called.
#[derive(Debug, Clone)]
pub enum Label {
    /// A key of the texts.
    Key(String),
    /// A raw text out of the database.
    Raw(String),
}

/// Reasons that need no typing, as in `common.refund_reason`.
pub const REASONS: [&str; 6] = [
    "customer_request",
    "duplicate",
    "service_problem",
    "wrong_amount",
    "fraud",
    "other",
];

fn text(id: &'static str, value: impl Into<String>) -> Field {
    Field {
        id,
        value: Value::Text(Input::new(value.into())),
    }
}

fn choice(id: &'static str, group: &str, codes: &[&str]) -> Field {
    let options = codes.iter().map(|code| Choice {
        code: (*code).to_owned(),
        label: Label::Key(format!("{group}.{code}")),
    });
    Field {
        id,
        value: Value::Choice {
            options: options.collect(),
            at: 0,
        },
    }
}

impl Form {
    pub fn new(kind: FormKind, name: String, lang: Lang) -> Self {
        let fields = match &kind {
            FormKind::Refund { refundable, .. } => vec![
                text("amount", plain_amount(*refundable)),
                choice("reason", "common.refund_reason", &REASONS),
                text("words", ""),
                choice(
                    "also_cancel",
                    "common.also_cancel",
                    &["no", "at_period_end", "now"],
                ),
            ],
            FormKind::Cancel { .. } => vec![
                choice("when", "common.verb", &["cancel_at_end", "cancel_now"]),
                choice("reason", "common.refund_reason", &REASONS),
                text("words", ""),
            ],
            FormKind::Subscribe { .. } => {
                vec![choice("plan", "common.noun", &[]), text("quantity", "1")]
            }
            FormKind::OneTime { .. } => {
                vec![
                    text("amount", ""),
                    text("currency", "KRW"),
                    text("description", ""),
                ]
            }
            FormKind::SwapCard { .. } => vec![Field {
                id: "auth_key",
                value: Value::Hidden(Covered::default()),
            }],
            FormKind::CreateCustomer => vec![
                text("name", ""),
                text("email", ""),
                text("phone", ""),
                text("customer_key", ""),
            ],
            FormKind::CreatePlan => vec![
                text("product", ""),
                text("product_name", ""),
                text("code", ""),
                text("name", ""),
                text("price", ""),
                text("currency", "KRW"),
                text("interval", "month"),
                text("tier", "basic"),
                text("trial_days", "0"),
                text("features", ""),
            ],
            FormKind::EditPlan { plan } => vec![
                text("name", plan.name.clone()),
                text("price", plain_amount(plan.price)),
                text("tier", plan.tier.clone()),
                text("trial_days", plan.trial_days.to_string()),
                text("features", plan.features.join(", ")),
                choice(
                    "active",
                    "dialog.choice",
                    if plan.active {
                        &["as_is"]
                    } else {
                        &["as_is", "activate"]
                    },
                ),
            ],
            FormKind::Note { .. } => vec![text("text", "")],
        };
        Self {
            kind,
            name,
            lang,
            fields,
            focus: 0,
            problem: None,
        }
    }

    /// The title's key.
    pub const fn title(&self) -> &'static str {
        match self.kind {
            FormKind::Refund { .. } => "refund",
            FormKind::Cancel { .. } => "cancel",
            FormKind::Subscribe { .. } => "subscribe",
            FormKind::OneTime { .. } => "one_time",
            FormKind::SwapCard { .. } => "swap_card",
            FormKind::CreateCustomer => "create_customer",
            FormKind::CreatePlan => "create_plan",
            FormKind::EditPlan { .. } => "edit_plan",
            FormKind::Note { .. } => "note",
        }
    }

    /// Fills the plans in once they are known.
    pub fn set_plans(&mut self, plans: &[PlanRow]) {
        let options: Vec<Choice> = plans
            .iter()
            .filter(|row| row.plan.active)
            .map(|row| Choice {
                code: row.plan.id.0.to_string(),
                label: Label::Raw(row.plan.name.clone()),
            })
            .collect();
        for field in &mut self.fields {
            if field.id == "plan" {
                field.value = Value::Choice {
                    options: options.clone(),
                    at: 0,
                };
            }
        }
    }

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
            } => self.refund(*payment, *refundable),
            FormKind::Cancel { subscription } => {
                let (subscription, reason) = (*subscription, self.reason()?);
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
            FormKind::Note { target } => Ok(Request::Note {
                target: target.clone(),
                text: self.needed("text")?,
            }),
        }
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
        let money = Money::parse(&digits, currency).map_err(|_| problem(id, "amount"))?;
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

/// An amount as one types it: `9900`, `29.00`.
pub fn plain_amount(money: Money) -> String {
    crate::text::decimal(money.minor(), money.currency().exponent())
}
