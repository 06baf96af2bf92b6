//! Rows of lists.

use crate::cli::record::Record;
use crate::cli::view::View;
use crate::domain::failure::FailureClass;
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::payment::{CardUse, ThreeDSecure};
use crate::domain::run::{Decision, INTERRUPTED};
use crate::domain::states::{AttemptState, SubscriptionState};
use crate::engine::queries::{
    ActivityRow, CardBrief, CustomerBrief, CustomerRow, EventRow, FailedRow, Hit, HitTarget,
    PaymentRow, PlanRow, RenewalFlag, RunItemRow, RunRow, SubscriptionRow, UnknownRow, WaitingRow,
    WishCan, WishRow,
};
use crate::text::mask;

fn customer(record: Record, brief: &CustomerBrief) -> Record {
    record
        .id("customer_id", &brief.public_id)
        .text("customer_name", &brief.name)
}

fn card(record: Record, card: Option<&CardBrief>) -> Record {
    let record = match card {
        Some(card) => record
            .shown("card", mask::card(&card.number))
            .word("card_provider", "provider", card.provider.as_str())
            .text("card_issuer", &card.issuer),
        None => record
            .text_if("card", None)
            .text_if("card_provider", None)
            .text_if("card_issuer", None),
    };
    record
        .text_if(
            "card_expiry",
            card.and_then(|card| card.expiry).map(expiry).as_deref(),
        )
        .word_if(
            "card_state",
            "state.method",
            card.map(|card| card.state.as_str()),
        )
}

/// `2027-03`.
pub fn expiry((year, month): (i32, u32)) -> String {
    format!("{year:04}-{month:02}")
}

pub fn customer_row(row: &CustomerRow, view: &View) -> Record {
    Record::of("customer")
        .id("id", &row.customer.public_id)
        .text("name", &row.customer.name)
        .shown("email", view.email(&row.email))
        .shown("phone", view.phone(&row.phone))
        .number("subscriptions", row.subscriptions)
        .at("created_at", row.created_at)
}

/// The name scripts read.
pub const fn flag_name(flag: RenewalFlag) -> &'static str {
    match flag {
        RenewalFlag::CardExpires => "card_expires",
        RenewalFlag::KeyDeleted => "key_deleted",
        RenewalFlag::NoMethod => "no_method",
        RenewalFlag::PastDue => "past_due",
        RenewalFlag::Ends => "ends",
        RenewalFlag::TrialEnds => "trial_ends",
    }
}

pub fn subscription_row(row: &SubscriptionRow) -> Record {
    let record = Record::of("subscription").id("id", &row.public_id);
    let record = customer(record, &row.customer)
        .text("plan", &row.plan_code)
        .text("plan_name", &row.plan_name)
        .word("state", "state.subscription", row.state.as_str())
        .money("amount", row.amount)
        .at("next_due_at", row.next_due_at)
        .at("cancel_at", row.cancel_at)
        .at("paid_until", row.paid_until);
    let flags = row
        .flags
        .iter()
        .map(|flag| flag_name(*flag).to_owned())
        .collect();
    card(record, row.card.as_ref())
        .words("flags", "flag", flags)
        .at("created_at", row.created_at)
}

pub fn failed_row(row: &FailedRow) -> Record {
    let record = Record::of("failed").id("invoice_id", &row.invoice_public_id);
    customer(record, &row.customer)
        .word("invoice_state", "state.invoice", row.invoice_state.as_str())
        .word_if(
            "subscription_state",
            "state.subscription",
            row.subscription_state.map(SubscriptionState::as_str),
        )
        .text("what", &row.what)
        .money("amount", row.amount)
        .word_if(
            "provider",
            "provider",
            row.provider.map(ProviderName::as_str),
        )
        .word_if("code", "", row.code.as_deref())
        .word_if("class", "class", row.class.map(FailureClass::as_str))
        .number("attempts", row.attempts)
        .number("dunning_used", row.dunning_used)
        .word("dunning", "state.dunning", row.dunning.as_str())
        .at("next_attempt_at", row.next_attempt_at)
        .at("first_failed_at", row.first_failed_at)
        .word_if(
            "open_attempt",
            "state.attempt",
            row.open_attempt.map(AttemptState::as_str),
        )
}

pub fn payment_row(row: &PaymentRow) -> Record {
    let minor = |minor| Money::new(minor, row.captured.currency());
    let record = Record::of("payment").id("id", &row.public_id);
    let record = customer(record, &row.customer)
        .text("what", &row.what)
        .money("captured", row.captured)
        .money("refunded", minor(row.refunded_minor))
        .money("reserved", minor(row.reserved_minor))
        .at("captured_at", row.captured_at);
    let record = card(record, row.card.as_ref())
        .text("order_id", &row.order_id)
        .word("provider", "provider", row.provider.as_str())
        .text("payment_key", &row.provider_ref)
        .flag("duplicate", row.is_duplicate)
        .word("mode", "mode", row.mode.as_str());
    card_use(record, row.card_use)
}

/// How a card was charged: empty where nobody said.
pub fn card_use(record: Record, used: CardUse) -> Record {
    record
        .number_if("installment_months", used.installment_months)
        .word_if(
            "three_d_secure",
            "three_d_secure",
            used.three_d_secure.map(ThreeDSecure::as_str),
        )
}

pub fn plan_row(row: &PlanRow) -> Record {
    let plan = &row.plan;
    Record::of("plan")
        .id("id", &plan.public_id)
        .text("code", &plan.code)
        .text("name", &plan.name)
        .text("product_name", &row.product_name)
        .money("price", plan.price)
        .word("interval_unit", "", plan.interval.unit.as_str())
        .number("interval_count", plan.interval.count)
        .text("tier", &plan.tier)
        .number("trial_days", plan.trial_days)
        .text("features", &plan.features.join("; "))
        .flag("active", plan.active)
        .number("subscriptions", row.active)
        .number("trialing", row.trialing)
        .money("mrr", row.mrr)
        .at("created_at", plan.created_at)
}

pub fn unknown_row(row: &UnknownRow) -> Record {
    let record = Record::of("unknown")
        .id("id", &row.public_id)
        .word("kind", "attempt_kind", row.kind.as_str())
        .word("state", "state.attempt", row.state.as_str());
    customer(record, &row.customer)
        .money("amount", row.amount)
        .word("provider", "provider", row.provider.as_str())
        .text("order_id", &row.order_id)
        .word("source", "source", row.source.as_str())
        .at("first_sent_at", row.first_sent_at)
        .at("last_sent_at", row.last_sent_at)
        .number("send_count", row.send_count)
        .number("checks", row.checks)
        .number("not_seen", row.not_seen)
        .at("next_check_at", row.next_check_at)
        .text_if("last_outcome", row.last_outcome.as_deref())
        .at("link_until", row.link_until())
        .at("last_evidence_at", row.last_evidence_at)
        .flag("needs_human", row.needs_human)
        .text("operator", &row.operator)
}

/// What was asked of a provider, and what a person may do about it.
pub fn wish_row(row: &WishRow) -> Record {
    let wish = &row.wish;
    let refusal = wish.refusal.as_ref();
    let record = Record::of("wish")
        .word("asked", "verb", wish.verb.as_str())
        .word("state", "state.wish", wish.state.as_str())
        .id("subscription_id", &row.subscription)
        .id_if("invoice_id", row.invoice.as_ref().map(|(id, _)| id));
    customer(record, &row.customer)
        .money("amount", row.invoice.as_ref().map(|(_, amount)| *amount))
        .text("operator", &wish.operator)
        .text("reason", &wish.reason)
        .at("first_sent_at", wish.first_sent_at)
        .number("send_count", wish.send_count)
        .word_if("code", "", refusal.map(|refusal| refusal.code.as_str()))
        .word_if(
            "class",
            "class",
            refusal.map(|refusal| refusal.class.as_str()),
        )
        .at("next_check_at", wish.next_check_at)
        .flag("needs_human", row.can != WishCan::Wait)
        .word("can", "wish_can", row.can.as_str())
        .at("again_from", row.over_at())
}

/// What waits for a second person, or what became of it.
pub fn waiting_row(row: &WaitingRow) -> Record {
    let record = Record::of("approval")
        .id("id", &row.public_id)
        .word("what", "waiting_for", row.what.as_str())
        .word("state", "state.approval", row.state.as_str());
    customer(record, &row.customer)
        .id("target_id", &row.target)
        .money("amount", row.amount)
        .text("requester", &row.requester)
        .text("reason", &row.reason)
        .text("evidence", &row.evidence)
        .word("mode", "mode", row.mode.as_str())
        .at("since", row.since)
        .number_if("seconds_left", row.left_s)
        .text_if("decided_by", row.decided_by.as_deref())
}

/// How many rows of a run ended how; the skipped ones in one number and, beside it, by reason.
pub fn run_row(row: &RunRow) -> Record {
    let count = |name: &str| -> u64 {
        let of_name = row
            .totals
            .iter()
            .filter(|(decision, _)| decision.is_some_and(|d| d.as_str() == name));
        of_name.map(|(_, count)| count).sum()
    };
    let due: u64 = row.totals.iter().map(|(_, count)| count).sum();
    let under_way: u64 = row
        .totals
        .iter()
        .filter(|(decision, _)| decision.is_none())
        .map(|(_, count)| count)
        .sum();
    let skipped = row
        .totals
        .iter()
        .filter(|(decision, _)| decision.is_some_and(|d| d.as_str().starts_with("skipped")));
    let by_decision = row
        .totals
        .iter()
        .filter_map(|(decision, count)| decision.map(|decision| (decision, *count)))
        .map(|(decision, count)| {
            Record::default()
                .word("decision", "decision", decision.as_str())
                .number("count", count)
        })
        .collect();
    run(&row.run)
        .number("due", due)
        .number("done", count("done"))
        .number("declined", count("declined"))
        .number("unknown", count("unknown"))
        .number("not_sent", count("not_sent"))
        .number("not_executed", count("not_executed"))
        .number("zero_amount", count("zero_amount"))
        .number("canceled", count("canceled"))
        .number("skipped", skipped.map(|(_, count)| count).sum::<u64>())
        .number("under_way", under_way)
        .records("decisions", by_decision)
}

fn run(run: &crate::domain::run::Run) -> Record {
    let record = Record::of("run")
        .id("id", &run.public_id)
        .word("state", "state.run", run.state.as_str())
        .text("operator", &run.operator)
        .text("host", &run.host)
        .at("until", run.until)
        .at("started_at", run.started_at)
        .at("finished_at", run.finished_at);
    if run.is_interrupted() {
        record.word("stop_reason", "run_stop", INTERRUPTED)
    } else {
        record.text_if("stop_reason", run.stop_reason.as_deref())
    }
}

pub fn run_item_row(row: &RunItemRow) -> Record {
    let record = Record::of("run_item").id("subscription_id", &row.subscription_public_id);
    customer(record, &row.customer)
        .money("amount", row.amount)
        .word_if("decision", "decision", row.decision.map(Decision::as_str))
        .text("reason", &row.reason)
        .at("at", row.at)
}

pub fn event_row(row: &EventRow) -> Record {
    Record::of("event")
        .number("id", row.id)
        .text("kind", &row.kind)
        .word("state", "state.event", &row.state)
        .number("tries", row.tries)
        .at("received_at", row.received_at)
        .word("provider", "provider", row.provider.as_str())
        .text_if("about", row.about.as_deref())
        .id_if("subscription_id", row.subscription.as_ref())
        .at("happened_at", row.happened_at)
        .at("processed_at", row.processed_at)
        .text_if("error", row.error.as_deref())
        .word("advice", "event_advice", row.standing())
}

pub fn activity_row(row: &ActivityRow) -> Record {
    let record = &row.record;
    let entry = &record.entry;
    Record::of("activity")
        .at("at", entry.at)
        .text("person", &entry.person)
        .word("verb", "verb", &entry.verb)
        .text("target", &entry.target)
        .text("before", &entry.before)
        .text("after", &entry.after)
        .text("reason", &entry.reason)
        .text("result", &entry.result)
        .text("provider_ref", &entry.provider_ref)
        .text("approver", &entry.approver)
        .word("mode", "mode", entry.mode.as_str())
        .text("chain", &record.chain)
        .number("seq", record.seq)
        .text("hash", &record.hash)
}

pub fn hit(hit: &Hit) -> Record {
    let kind = match hit.target {
        HitTarget::Customer(_) => "customer",
        HitTarget::Subscription(_) => "subscription",
        HitTarget::Payment(_) => "payment",
        HitTarget::Invoice(_) => "invoice",
        HitTarget::Attempt(_) => "attempt",
        HitTarget::Plan(_) => "plan",
    };
    let record = Record::of("hit")
        .word("kind", "noun", kind)
        .id("id", &hit.public_id);
    customer(record, &hit.customer)
        .word("matched", "", hit.matched)
        .text("label", &hit.label)
        .money("amount", hit.amount)
        .at("at", hit.at)
}
