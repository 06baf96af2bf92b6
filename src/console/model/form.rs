//! Forms: what a verb needs to be told before its plan can be made.
//!
//! A form changes nothing: what comes out of it is a [`Request`] for which a plan is asked.

mod request;

use chrono::{DateTime, Utc};
use tui_input::Input;

use crate::domain::ids::{AttemptId, CustomerId, InvoiceId, PaymentId, PublicId, SubscriptionId};
use crate::domain::money::Money;
use crate::domain::plan::Plan;
use crate::engine::queries::{CardBrief, PlanRow, WaitingFor};
use crate::locale::Lang;

/// What a form asks for.
#[derive(Debug, Clone)]
pub enum FormKind {
    Refund {
        payment: PaymentId,
        refundable: Money,
        /// What it was, for whoever checks.
        paid: Option<Box<Paid>>,
    },
    Cancel {
        subscription: SubscriptionId,
    },
    VoidInvoice {
        invoice: InvoiceId,
    },
    GiveUpInvoice {
        invoice: InvoiceId,
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
    NotExecuted {
        attempt: AttemptId,
    },
    /// Turn down what waits for a second person.
    TurnDown {
        what: WaitingFor,
    },
    /// Keep the filter of a list under a name; nothing but this person's own list of views changes.
    SaveView {
        screen: &'static str,
        filter: String,
    },
}

/// A payment as a person recognises it.
#[derive(Debug, Clone)]
pub struct Paid {
    pub public_id: PublicId,
    pub captured: Money,
    pub captured_at: DateTime<Utc>,
    pub card: Option<CardBrief>,
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

/// The fields of each form, with what they hold at first.
fn fields(kind: &FormKind) -> Vec<Field> {
    match kind {
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
        FormKind::OneTime { .. } => vec![
            text("amount", ""),
            text("currency", "KRW"),
            text("description", ""),
        ],
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
        FormKind::NotExecuted { .. } => vec![text("why", ""), text("evidence", "")],
        FormKind::TurnDown { .. }
        | FormKind::VoidInvoice { .. }
        | FormKind::GiveUpInvoice { .. } => vec![text("why", "")],
        FormKind::SaveView { .. } => vec![text("view_name", "")],
    }
}

impl Form {
    pub fn new(kind: FormKind, name: String, lang: Lang) -> Self {
        let fields = fields(&kind);
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
            FormKind::VoidInvoice { .. } => "void_invoice",
            FormKind::GiveUpInvoice { .. } => "give_up_invoice",
            FormKind::Subscribe { .. } => "subscribe",
            FormKind::OneTime { .. } => "one_time",
            FormKind::SwapCard { .. } => "swap_card",
            FormKind::CreateCustomer => "create_customer",
            FormKind::CreatePlan => "create_plan",
            FormKind::EditPlan { .. } => "edit_plan",
            FormKind::Note { .. } => "note",
            FormKind::NotExecuted { .. } => "not_executed",
            FormKind::TurnDown { .. } => "turn_down",
            FormKind::SaveView { .. } => "save_view",
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
}

/// An amount as one types it: `9900`, `29.00`.
pub fn plain_amount(money: Money) -> String {
    crate::text::decimal(money.minor(), money.currency().exponent())
}
