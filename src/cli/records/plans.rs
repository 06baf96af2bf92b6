//! What a verb would do, and what it did.

use super::rows::expiry;
use crate::cli::record::Record;
use crate::domain::attempt::AttemptKind;
use crate::domain::mode::ProviderName;
use crate::engine::{
    ActionPlan, AskedBy, Confirmation, Effect, NotHappening, OpenLink, Outcome, PlannedCall,
    Receipt, Warning,
};
use crate::text::mask;

pub fn action_plan(plan: &ActionPlan) -> Record {
    let card = plan.card.as_ref();
    let record = Record::of("action_plan")
        .word("verb", "verb", plan.verb.as_str())
        .word("mode", "mode", plan.mode.as_str())
        .text("fingerprint", &plan.fingerprint)
        .id_if(
            "customer_id",
            plan.customer.as_ref().map(|customer| &customer.public_id),
        )
        .text_if(
            "customer_name",
            plan.customer
                .as_ref()
                .map(|customer| customer.name.as_str()),
        )
        .id_if("subject_id", plan.subject.as_ref())
        .id_if("subscription_id", plan.subscription.as_ref())
        .text("what", &plan.what);
    let record = match card {
        Some(card) => record.shown("card", mask::card(&card.number)),
        None => record.text_if("card", None),
    };
    let call = plan.call.as_ref().map(planned_call);
    record
        .text_if(
            "card_expiry",
            card.and_then(|card| card.expiry).map(expiry).as_deref(),
        )
        .money("amount", plan.amount)
        .record("call", call)
        .record("if_not_seen", plan.if_not_seen.as_ref().map(planned_call))
        .record("asked", plan.asked.as_ref().map(asked))
        .records("effects", plan.effects.iter().map(effect).collect())
        .words(
            "not_happening",
            "not_happening",
            plan.not_happening
                .iter()
                .map(|n| not_happening(*n).to_owned())
                .collect(),
        )
        .words(
            "warnings",
            "warning",
            plan.warnings
                .iter()
                .map(|w| warning(*w).to_owned())
                .collect(),
        )
        .record("confirm", confirmation(&plan.confirm))
}

fn planned_call(call: &PlannedCall) -> Record {
    Record::of("call")
        .word("provider", "provider", call.provider.as_str())
        .word("operation", "", call.operation)
        .text("order_id", &call.order_id)
        .text("idempotency_key", &call.idem_key)
        .number_if("expected_balance_minor", call.expected_balance_minor)
}

/// Who asked for what is decided here.
fn asked(asked: &AskedBy) -> Record {
    Record::of("asked")
        .id_if("approval_id", asked.approval.as_ref())
        .text("requester", &asked.person)
        .text("reason", &asked.reason)
        .text("evidence", &asked.evidence)
        .at("until", asked.until)
}

fn effect(effect: &Effect) -> Record {
    let of = |name| Record::of("effect").word("effect", "effect", name);
    match effect {
        Effect::State { from, to } => of("state")
            .word("from", "state.subscription", from.as_str())
            .word("to", "state.subscription", to.as_str()),
        Effect::NextCharge { from, to } => of("next_charge").at("from", *from).at("to", *to),
        Effect::AccessUntil(at) => of("access_until").at("at", *at),
        Effect::AccessStaysOver(at) => of("access_stays_over").at("at", *at),
        Effect::PeriodsNotBilled { count, from, to } => of("periods_not_billed")
            .number("count", *count)
            .day("from", *from)
            .day("to", *to),
        Effect::PeriodsWrittenDown {
            count,
            from,
            to,
            each,
        } => of("periods_written_down")
            .number("count", *count)
            .day("from", *from)
            .day("to", *to)
            .money("amount", *each),
        Effect::ChargedByNextRun { due_at, amount } => of("charged_by_next_run")
            .at("due_at", *due_at)
            .money("amount", *amount),
        Effect::EndsAt(at) => of("ends_at").at("at", *at),
        Effect::Mrr(amount) => of("mrr").money("amount", *amount),
        Effect::Credits(count) => of("credits").number("count", *count),
        Effect::RefundableAfter(amount) => of("refundable_after").money("amount", *amount),
        Effect::InvoicesVoided(count) => of("invoices_voided").number("count", *count),
        Effect::InvoiceGivenUp(invoice) => of("invoice_given_up").id("invoice_id", invoice),
        Effect::CollectionStops => of("collection_stops"),
        Effect::CollectionGoesOn => of("collection_goes_on"),
        Effect::ChargesOwed { invoice, amount } => of("charges_owed")
            .id("invoice_id", invoice)
            .money("amount", *amount),
        Effect::AskedNext { call, card } => of("asked_next")
            .word("provider", "provider", call.provider.as_str())
            .shown("card", mask::card(&card.number))
            .text("order_id", &call.order_id)
            .text("idempotency_key", &call.idem_key),
        Effect::ChargedByCard(count) => of("charged_by_card").number("count", *count),
        Effect::LeftWithoutCard(count) => of("left_without_card").number("count", *count),
        Effect::SubscriptionsKept(count) => of("subscriptions_kept").number("count", *count),
        Effect::TrialUntil(at) => of("trial_until").at("at", *at),
        Effect::InvoicePaid(invoice) => of("invoice_paid").id("invoice_id", invoice),
        Effect::RequestReplaced(request) => of("request_replaced").id("approval_id", request),
        Effect::SecondPerson { minutes } => of("second_person").number("minutes", *minutes),
        Effect::Attempt { from, to } => of("attempt")
            .word("from", "state.attempt", from.as_str())
            .word("to", "state.attempt", to.as_str()),
    }
}

const fn not_happening(what: NotHappening) -> &'static str {
    match what {
        NotHappening::Cancel => "cancel",
        NotHappening::Refund => "refund",
        NotHappening::RefundOfRest => "refund_of_rest",
        NotHappening::ProviderCall => "provider_call",
        NotHappening::ScheduleMove => "schedule_move",
        NotHappening::DunningMove => "dunning_move",
        NotHappening::SendAgain => "send_again",
        NotHappening::SecondExecution => "second_execution",
        NotHappening::BeforeApproval => "before_approval",
    }
}

const fn warning(warning: Warning) -> &'static str {
    match warning {
        Warning::CardExpired => "card_expired",
        Warning::KeysAreForRecurring => "keys_are_for_recurring",
        Warning::SuspiciousName => "suspicious_name",
        Warning::HardDecline => "hard_decline",
        Warning::CancelScheduled => "cancel_scheduled",
    }
}

fn confirmation(confirm: &Confirmation) -> Record {
    let of = |how| Record::of("confirm").word("how", "confirm", how);
    match confirm {
        Confirmation::Key => of("key"),
        Confirmation::Amount(amount) => of("amount").money("amount", *amount),
        Confirmation::Ending(ending) => of("ending").text("ending", ending),
        Confirmation::AmountAndEnding(amount, ending) => of("amount_and_ending")
            .money("amount", *amount)
            .text("ending", ending),
    }
}

/// The name scripts read.
pub const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::AlreadyDone(_) => "already_done",
        Outcome::Declined { .. } => "declined",
        Outcome::Unknown(_) => "unknown",
        Outcome::AsksCustomer(_) => "asks_customer",
        Outcome::NotSent(_) => "not_sent",
        Outcome::GoesOut(_) => "goes_out",
        Outcome::Ended(_) => "ended",
        Outcome::NotSeen(_) => "not_seen",
        Outcome::Asked(_) => "asked",
    }
}

/// The link, alone.
pub fn link(link: &OpenLink) -> Record {
    Record::of("link")
        .id("attempt_id", &link.attempt)
        .id("customer_id", &link.customer.public_id)
        .money("amount", link.amount)
        .text("link", link.url.expose())
        .at("link_until", link.until)
}

pub fn outcome(verb: &str, outcome: &Outcome, link: Option<&OpenLink>) -> Record {
    let refusal = match outcome {
        Outcome::Declined { refusal, .. } => Some(refusal),
        Outcome::Done(_)
        | Outcome::AlreadyDone(_)
        | Outcome::Unknown(_)
        | Outcome::AsksCustomer(_)
        | Outcome::NotSent(_)
        | Outcome::GoesOut(_)
        | Outcome::Ended(_)
        | Outcome::NotSeen(_)
        | Outcome::Asked(_) => None,
    };
    let record = Record::of("outcome")
        .word("verb", "verb", verb)
        .word("outcome", "outcome", outcome_name(outcome))
        .word_if("code", "", refusal.map(|refusal| refusal.code.as_str()))
        .word_if(
            "class",
            "class",
            refusal.map(|refusal| refusal.class.as_str()),
        );
    receipt(record, outcome)
        .at("link_until", receipt_of(outcome).link_until)
        .text_if("link", link.map(|link| link.url.expose()))
}

/// Whether money moved, in one word; none where no money was to move.
fn money_moved(outcome: &Outcome) -> Option<&'static str> {
    let kind = receipt_of(outcome).kind?;
    Some(match (outcome, kind) {
        (Outcome::Done(_) | Outcome::AlreadyDone(_), AttemptKind::Charge) => "taken",
        (Outcome::Done(_) | Outcome::AlreadyDone(_), AttemptKind::Refund) => "given_back",
        (
            Outcome::Declined { .. } | Outcome::NotSent(_) | Outcome::Ended(_) | Outcome::Asked(_),
            _,
        ) => "none",
        // What goes out by itself may have gone by now, and a customer may have answered.
        (
            Outcome::Unknown(_)
            | Outcome::AsksCustomer(_)
            | Outcome::GoesOut(_)
            | Outcome::NotSeen(_),
            _,
        ) => "unknown",
    })
}

const fn receipt_of(outcome: &Outcome) -> &Receipt {
    match outcome {
        Outcome::Done(receipt)
        | Outcome::AlreadyDone(receipt)
        | Outcome::Declined { receipt, .. }
        | Outcome::Unknown(receipt)
        | Outcome::AsksCustomer(receipt)
        | Outcome::NotSent(receipt)
        | Outcome::GoesOut(receipt)
        | Outcome::Ended(receipt)
        | Outcome::NotSeen(receipt)
        | Outcome::Asked(receipt) => receipt,
    }
}

fn receipt(record: Record, outcome: &Outcome) -> Record {
    let receipt = receipt_of(outcome);
    let subscription = receipt.subscription.as_ref();
    let record = match &receipt.card {
        Some(card) => record.shown("card", mask::card(&card.number)),
        None => record.text_if("card", None),
    };
    record
        .id_if("id", receipt.public_id.as_ref())
        .id_if("attempt_id", receipt.attempt.as_ref())
        .word_if("kind", "kind", receipt.kind.map(AttemptKind::as_str))
        .word_if("money", "money_moved", money_moved(outcome))
        .id_if("invoice_id", receipt.invoice.as_ref())
        .id_if("payment_id", receipt.payment.as_ref())
        .id_if("subscription_id", subscription.map(|(id, _)| id))
        .word_if(
            "subscription_state",
            "state.subscription",
            subscription.map(|(_, state)| state.as_str()),
        )
        .money("amount", receipt.amount)
        .text_if("order_id", receipt.order_id.as_deref())
        .word_if(
            "provider",
            "provider",
            receipt.provider.map(ProviderName::as_str),
        )
        .word_if(
            "instead_of",
            "provider",
            receipt.instead_of.map(ProviderName::as_str),
        )
        .at("next_due_at", receipt.next_due_at)
}
