//! What `show` gives of one thing.

use super::rows::{card_use, expiry, failed_row, payment_row, subscription_row, unknown_row};
use crate::cli::record::Record;
use crate::cli::view::View;
use crate::domain::attempt::Attempt;
use crate::domain::customer::{Customer, PaymentMethod};
use crate::domain::failure::FailureClass;
use crate::domain::invoice::Invoice;
use crate::domain::money::Money;
use crate::domain::payment::{Payment, RefundStanding};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::Change;
use crate::engine::queries::{
    CustomerCard, DoneBy, FeesOfPayment, Note, ReversedRefund, SubscriptionCard, Timeline,
    TimelineEntry, TimelineEvent,
};
use crate::text::mask;

fn customer(customer: &Customer, view: &View) -> Record {
    Record::of("customer")
        .id("id", &customer.public_id)
        .text("customer_key", &customer.customer_key)
        .text("name", &customer.name)
        .shown("email", view.email(&customer.email))
        .shown("phone", view.phone(&customer.phone))
        .at("created_at", customer.created_at)
}

pub fn method(method: &PaymentMethod) -> Record {
    Record::of("method")
        .id("id", &method.public_id)
        .word("state", "state.method", method.state.as_str())
        .shown("card", mask::card(&method.card.number))
        .text("card_issuer", &method.card.issuer)
        .text("card_kind", &method.card.kind)
        .text_if("card_expiry", method.card.expiry.map(expiry).as_deref())
        .word("provider", "provider", method.provider.as_str())
        .word("mode", "mode", method.mode.as_str())
        .at("created_at", method.created_at)
}

fn note(note: &Note) -> Record {
    Record::of("note")
        .id("target", &note.target)
        .text("author", &note.author)
        .text("text", &note.text)
        .at("at", note.at)
}

pub fn customer_card(card: &CustomerCard, view: &View) -> Record {
    customer(&card.customer, view)
        .sums("lifetime", &card.lifetime)
        .number("credits", card.credits)
        .records(
            "subscriptions",
            card.subscriptions.iter().map(subscription_row).collect(),
        )
        .records("methods", card.methods.iter().map(method).collect())
        .records("failures", card.failures.iter().map(failed_row).collect())
        .records("unknowns", card.unknowns.iter().map(unknown_row).collect())
        .records("payments", card.payments.iter().map(payment_row).collect())
        .records("notes", card.notes.iter().map(note).collect())
}

pub fn invoice(invoice: &Invoice) -> Record {
    Record::of("invoice")
        .id("id", &invoice.public_id)
        .word("kind", "invoice_kind", invoice.kind.as_str())
        .word("state", "state.invoice", invoice.state.as_str())
        .money("amount", invoice.amount)
        .text("description", &invoice.description)
        .at("due_at", invoice.due_at)
        .day("period_from", invoice.period_from)
        .day("period_to", invoice.period_to)
        .number("attempts", invoice.attempts)
        .number("dunning_used", invoice.dunning_used)
        .word("dunning", "state.dunning", invoice.dunning.as_str())
        .at("next_attempt_at", invoice.next_attempt_at)
        .word_if("last_code", "", invoice.last_code.as_deref())
        .word_if(
            "last_class",
            "class",
            invoice.last_class.map(FailureClass::as_str),
        )
        .at("paid_at", invoice.paid_at)
        .at("created_at", invoice.created_at)
}

fn change(change: &Change) -> Record {
    Record::of("change")
        .at("at", change.at)
        .word_if(
            "from",
            "state.subscription",
            change.from.map(SubscriptionState::as_str),
        )
        .word("to", "state.subscription", change.to.as_str())
        .word("cause", "cause", change.cause.as_str())
        .money("price", change.price)
        .number("quantity", change.quantity)
        .text("requested_by", &change.requested_by)
        .at("requested_at", change.requested_at)
}

pub fn subscription_card(card: &SubscriptionCard) -> Record {
    let subscription = &card.subscription;
    subscription_row(&card.row)
        .number("quantity", subscription.quantity)
        .money("price", card.term.price)
        .word("interval_unit", "", card.plan.interval.unit.as_str())
        .number("interval_count", card.plan.interval.count)
        .number("term_no", subscription.term_no)
        .at("trial_until", subscription.trial_until)
        .at("cancel_requested_at", subscription.cancel_requested_at)
        .at("ended_at", subscription.ended_at)
        .word("mode", "mode", subscription.mode.as_str())
        .records("invoices", card.invoices.iter().map(invoice).collect())
        .records("changes", card.changes.iter().map(change).collect())
}

fn standing(payment: &Payment) -> &'static str {
    match payment.standing() {
        _ if payment.reserved_minor > 0 => "refunding",
        RefundStanding::None => "captured",
        RefundStanding::Partial => "partly_refunded",
        RefundStanding::Full => "refunded",
    }
}

pub fn payment(payment: &Payment, fees: Option<FeesOfPayment>) -> Record {
    let minor = |minor| Money::new(minor, payment.captured.currency());
    let record = Record::of("payment")
        .id("id", &payment.public_id)
        .word("state", "state.payment", standing(payment))
        .money("captured", payment.captured)
        .money("refunded", minor(payment.refunded_minor))
        .money("reserved", minor(payment.reserved_minor))
        .money("refundable", payment.refundable().ok())
        .at("captured_at", payment.captured_at)
        .text("order_id", &payment.order_id)
        .text("payment_key", &payment.provider_ref)
        .flag("duplicate", payment.is_duplicate)
        .word("provider", "provider", payment.provider.as_str())
        .word("mode", "mode", payment.mode.as_str());
    card_use(record, payment.card_use)
        .money("fee", fees.map(|fees| fees.fee))
        .money("net_of_fees", fees.map(|fees| fees.net))
}

pub fn attempt(attempt: &Attempt) -> Record {
    Record::of("attempt")
        .id("id", &attempt.public_id)
        .word("kind", "attempt_kind", attempt.kind.as_str())
        .number("attempt_no", attempt.attempt_no)
        .word("state", "state.attempt", attempt.state.as_str())
        .word("source", "source", attempt.source.as_str())
        .money("amount", attempt.amount)
        .text("order_id", &attempt.order_id)
        .text("idempotency_key", &attempt.idem_key)
        .text_if("payment_key", attempt.provider_ref.as_deref())
        .word_if(
            "code",
            "",
            attempt
                .refusal
                .as_ref()
                .map(|refusal| refusal.code.as_str()),
        )
        .word_if(
            "class",
            "class",
            attempt
                .refusal
                .as_ref()
                .map(|refusal| refusal.class.as_str()),
        )
        .number("send_count", attempt.send_count)
        .at("first_sent_at", attempt.first_sent_at)
        .at("link_until", attempt.link_until())
        .flag("needs_human", attempt.needs_human)
}

/// Everything about one invoice: `show invoice`, `show payment` and `show attempt` give it.
pub fn timeline(timeline: &Timeline, view: &View) -> Record {
    invoice(&timeline.invoice)
        .record("customer", customer(&timeline.customer, view))
        .records(
            "payments",
            timeline
                .payments
                .iter()
                .enumerate()
                .map(|(at, one)| payment(one, timeline.fees.get(at).copied().flatten()))
                .collect(),
        )
        .records(
            "failed_refunds",
            timeline
                .reversals
                .iter()
                .map(|reversal| failed_refund(reversal, timeline))
                .collect(),
        )
        .records(
            "attempt_list",
            timeline.attempts.iter().map(attempt).collect(),
        )
        .records(
            "entries",
            timeline
                .entries
                .iter()
                .map(|one| entry(one, timeline))
                .collect(),
        )
}

/// A refund that its provider took back.
fn failed_refund(reversal: &ReversedRefund, timeline: &Timeline) -> Record {
    let of = |payment: &&Payment| payment.id == reversal.payment_id;
    let payment = timeline.payments.iter().find(of);
    Record::of("failed_refund")
        .id_if("payment_id", payment.map(|payment| &payment.public_id))
        .money("amount", reversal.amount)
        .at("at", reversal.at)
        .flag("made_up_for", reversal.is_made_up_for)
}

fn started(at: Record, timeline: &Timeline, index: usize) -> Record {
    let attempt = timeline.attempts.get(index);
    let by = attempt.map(|attempt| match timeline.done_by(attempt) {
        DoneBy::Us(operator) => ("us", operator),
        DoneBy::Schedule => ("stripe_schedule", ""),
        DoneBy::Asked(person) => ("stripe_asked", person),
    });
    let source = attempt.map(|attempt| attempt.source.as_str());
    at.word("what", "timeline", "started")
        .word_if("source", "source", source)
        .word_if("by", "done_by", by.map(|(code, _)| code))
        .text_if("who", by.map(|(_, who)| who))
}

fn entry(entry: &TimelineEntry, timeline: &Timeline) -> Record {
    let id_of = |index: usize| {
        timeline
            .attempts
            .get(index)
            .map(|attempt| &attempt.public_id)
    };
    let at = Record::of("entry").at("at", entry.at);
    match &entry.what {
        TimelineEvent::InvoiceMade => at.word("what", "timeline", "invoice_made"),
        TimelineEvent::Started(index) => {
            started(at, timeline, *index).id_if("attempt_id", id_of(*index))
        }
        TimelineEvent::Evidence {
            attempt,
            source,
            outcome,
            code,
            http_status,
            trace_id,
        } => at
            .word("what", "timeline", "evidence")
            .id_if("attempt_id", id_of(*attempt))
            .word("evidence", "evidence", source)
            .text("outcome", outcome)
            .word_if("code", "", code.as_deref())
            .number_if("http_status", *http_status)
            .text_if("trace_id", trace_id.as_deref()),
        TimelineEvent::Settled(index) => {
            let state = timeline
                .attempts
                .get(*index)
                .map(|attempt| attempt.state.as_str());
            at.word("what", "timeline", "settled")
                .id_if("attempt_id", id_of(*index))
                .word_if("state", "state.attempt", state)
        }
        TimelineEvent::Refunded {
            amount,
            reason,
            operator,
        } => at
            .word("what", "timeline", "refunded")
            .money("amount", *amount)
            .text("reason", reason)
            .text("operator", operator),
        TimelineEvent::Audit {
            person,
            verb,
            result,
            reason,
        } => at
            .word("what", "timeline", "audit")
            .text("person", person)
            .word("verb", "verb", verb)
            .text("result", result)
            .text("reason", reason),
    }
}
