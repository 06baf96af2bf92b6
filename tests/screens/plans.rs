//! Plans as the engine would give them, with the confirmations of its table.

use chrono::Duration;

use paydeck::domain::ids::Noun;
use paydeck::domain::mode::Mode;
use paydeck::domain::money::Money;
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::SubscriptionState;
use paydeck::engine::{
    ActionPlan, Confirmation, Effect, NotHappening, PlannedCall, Request, Warning,
};

use super::rows;

pub fn plan(request: &Request, mode: Mode) -> ActionPlan {
    let live = mode == Mode::Live;
    let call = |operation: &'static str| {
        Some(PlannedCall {
            provider: paydeck::domain::mode::ProviderName::Toss,
            operation,
            order_id: "pdabcdefgh-01KAXN5Q0000000000000000-3".to_owned(),
            idem_key: "c41f5e0a9b".to_owned(),
            expected_balance_minor: (operation == "cancel").then_some(9_900),
        })
    };
    let mut plan = ActionPlan {
        verb: request.verb(),
        mode,
        fingerprint: "0123456789abcdef".to_owned(),
        customer: Some(rows::brief(0)),
        subject: Some(rows::public(Noun::Invoice, 31)),
        subscription: Some(rows::public(Noun::Subscription, 8)),
        what: "베이직 월".to_owned(),
        card: Some(rows::card(0)),
        amount: Some(rows::won(9_900)),
        call: None,
        asked: None,
        if_not_seen: None,
        effects: Vec::new(),
        not_happening: Vec::new(),
        warnings: Vec::new(),
        confirm: Confirmation::Key,
    };
    match request {
        Request::Charge { .. } | Request::Retry { .. } => {
            plan.call = call("charge");
            plan.effects = vec![
                Effect::State {
                    from: SubscriptionState::PastDue,
                    to: SubscriptionState::Active,
                },
                Effect::NextCharge {
                    from: Some(rows::now() + Duration::days(3)),
                    to: Some(rows::now() + Duration::days(28)),
                },
                Effect::Mrr(rows::won(0)),
            ];
            plan.not_happening = vec![NotHappening::ScheduleMove];
            plan.warnings = vec![Warning::HardDecline];
            if live {
                plan.confirm = Confirmation::Amount(rows::won(9_900));
            }
        }
        Request::Refund { amount, .. } => {
            let money: Money = match amount {
                RefundAmount::Partial(money) => *money,
                RefundAmount::Full => rows::won(9_900),
            };
            plan.amount = Some(money);
            plan.call = call("cancel");
            plan.effects = vec![
                Effect::RefundableAfter(rows::won(6_900)),
                Effect::Credits(-3),
            ];
            plan.not_happening = vec![NotHappening::Cancel, NotHappening::RefundOfRest];
            plan.confirm = if live {
                Confirmation::AmountAndEnding(money, "9T4K".to_owned())
            } else {
                Confirmation::Amount(money)
            };
        }
        Request::CancelNow { .. } => {
            plan.amount = None;
            plan.effects = vec![
                Effect::State {
                    from: SubscriptionState::Active,
                    to: SubscriptionState::Canceled,
                },
                Effect::InvoicesVoided(1),
                Effect::Mrr(rows::won(-9_900)),
            ];
            plan.not_happening = vec![NotHappening::Refund, NotHappening::ProviderCall];
            plan.confirm = Confirmation::Ending("00Y8".to_owned());
        }
        Request::VoidInvoice { .. } | Request::GiveUpInvoice { .. } => {
            plan.call = call(request.called()).map(|call| PlannedCall {
                provider: paydeck::domain::mode::ProviderName::Stripe,
                ..call
            });
            plan.effects = vec![match request {
                Request::VoidInvoice { .. } => Effect::InvoicesVoided(1),
                _ => Effect::InvoiceGivenUp(rows::public(Noun::Invoice, 31)),
            }];
            plan.not_happening = vec![NotHappening::ScheduleMove];
            if live {
                plan.confirm = Confirmation::Ending("0031".to_owned());
            }
        }
        Request::Pause { .. } => {
            plan.amount = None;
            plan.effects = vec![Effect::CollectionStops];
        }
        _ => plan.amount = None,
    }
    plan
}
