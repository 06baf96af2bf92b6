//! What a run would do: the list and the total, without a call and without a write.

use chrono::{DateTime, Utc};

use crate::domain::ids::PublicId;
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::states::{MethodState, SubscriptionState};

use super::super::Engine;
use super::super::fingerprint::Fingerprint;
use super::super::ports::Store;
use super::super::queries::{CustomerBrief, DueRow, Reads};
use super::super::refusal::VerbError;

/// One row that would be billed.
#[derive(Debug, Clone)]
pub struct RunPreviewRow {
    /// The subscription that renews or ends.
    pub subscription: Option<PublicId>,
    /// The invoice that is tried again.
    pub invoice: Option<PublicId>,
    /// Who pays.
    pub customer: CustomerBrief,
    /// Plan or description, raw.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// Since when it is due.
    pub due_at: Option<DateTime<Utc>>,
    /// Where the card is that would be charged.
    pub provider: Option<ProviderName>,
    /// `renewal`, `trial end`, `ends`, `dunning`, `no card`, `not taken` (the card's provider does not take the amount),
    /// `no provider` (it is not configured) or `locked`: an earlier attempt is not settled.
    pub kind: &'static str,
}

/// What a run would do.
#[derive(Debug, Clone)]
pub struct RunPreview {
    /// The rows, soonest first.
    pub rows: Vec<RunPreviewRow>,
    /// What would be charged, per currency.
    pub totals: Vec<Money>,
    /// Digest of rows and amounts.
    pub fingerprint: String,
}

impl RunPreviewRow {
    /// Whether a charge goes out for it.
    fn is_charged(&self) -> bool {
        self.amount.is_positive() && matches!(self.kind, "renewal" | "trial end" | "dunning")
    }
}

impl<S: Store + Reads> Engine<S> {
    /// The rows a run would take up at `until`, as many as it counts, and the sums that it would charge.
    pub async fn preview_run(&self, until: DateTime<Utc>) -> Result<RunPreview, VerbError> {
        let due = self.store().due(until).await?;
        let rows: Vec<RunPreviewRow> = due
            .into_iter()
            .map(|row| self.preview_row(row, until))
            .collect();
        let mut totals: Vec<Money> = Vec::new();
        let mut fingerprint = Fingerprint::of("bill-run");
        for row in &rows {
            let named = row.subscription.as_ref().or(row.invoice.as_ref());
            fingerprint = fingerprint
                .and(named.map(PublicId::as_str).unwrap_or_default())
                .number(row.amount.minor())
                .and(row.provider.map_or("", ProviderName::as_str))
                .and(row.kind);
            if !row.is_charged() {
                continue;
            }
            match totals
                .iter_mut()
                .find(|sum| sum.currency() == row.amount.currency())
            {
                Some(sum) => {
                    *sum = sum
                        .checked_add(row.amount)
                        .map_err(|e| VerbError::Range(e.to_string()))?;
                }
                None => totals.push(row.amount),
            }
        }
        Ok(RunPreview {
            rows,
            totals,
            fingerprint: fingerprint.finish(),
        })
    }
}

impl<S: Store> Engine<S> {
    /// Where the card is that a run would charge: the subscription's own, or the first of the currency's order.
    fn would_charge(&self, row: &DueRow) -> Option<ProviderName> {
        let currency = row.amount.currency();
        let own = row.own_card.filter(|(provider, state)| {
            *state == MethodState::Active && self.is_asked_for(*provider, currency)
        });
        let mut order = self.parts.settings.routing.order(currency);
        own.map(|(provider, _)| provider)
            .or_else(|| order.find(|provider| row.cards_at.contains(provider)))
    }

    /// What becomes of a row: the questions of `bill_subscription` and `bill_dunning`, in their order.
    fn preview_row(&self, row: DueRow, until: DateTime<Utc>) -> RunPreviewRow {
        let provider = self.would_charge(&row);
        let kind = self.preview_kind(&row, provider, until);
        let (subscription, invoice) = if row.is_retry {
            (None, Some(row.public_id))
        } else {
            (Some(row.public_id), None)
        };
        RunPreviewRow {
            subscription,
            invoice,
            customer: row.customer,
            what: row.what,
            amount: row.amount,
            due_at: Some(row.due_at),
            provider,
            kind,
        }
    }

    fn preview_kind(
        &self,
        row: &DueRow,
        provider: Option<ProviderName>,
        until: DateTime<Utc>,
    ) -> &'static str {
        let has_own = row
            .own_card
            .is_some_and(|(provider, _)| self.is_asked_for(provider, row.amount.currency()));
        let has_card = has_own || provider.is_some();
        let ends = !row.is_retry
            && (row.state == SubscriptionState::PastDue
                || row.cancel_at.is_some_and(|end| end <= until)
                || (row.state == SubscriptionState::Trialing && !has_card));
        // A session that only looks has no provider at all.
        let is_missing = |name| !self.parts.providers.is_empty() && self.provider(name).is_err();
        let is_charged = row.amount.is_positive();
        match provider {
            _ if ends => "ends",
            _ if row.is_locked => "locked",
            None if is_charged => "no card",
            Some(provider) if is_charged && provider.takes(row.amount).is_err() => "not taken",
            Some(provider) if is_charged && is_missing(provider) => "no provider",
            _ if row.is_retry => "dunning",
            _ if row.state == SubscriptionState::Trialing => "trial end",
            _ => "renewal",
        }
    }
}
