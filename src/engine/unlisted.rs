//! The provider's own list of certain days, read to its end with no transaction open: whether an attempt is on it.
//!
//! It can show an attempt; that it does not is one of several things that must be true before two persons may declare it
//! not executed.

use std::fmt;

use chrono::{DateTime, Duration, Utc};

use crate::domain::approval::Asked;
use crate::domain::attempt::{Attempt, AttemptKind, NotAbsent, Sighting};
use crate::domain::ids::AttemptId;
use crate::domain::operator::Operator;

use super::Engine;
use super::action::Outcome;
use super::ports::{
    Approvals, Attempts, BookedRefund, Desk, Payments, ProviderError, Store, TransactionSeen,
};
use super::refusal::{Refused, VerbError};
use super::request::Request;
use super::resolve::Reach;

/// Rows of the provider's list asked for at a time.
const LIST_PAGE: u32 = 1_000;
/// The most pages for each day of it: a list that does not end proves nothing.
const LIST_PAGES_A_DAY: u32 = 2_000;

/// Proof that the provider's list of certain days was read to its end and that this attempt, as it
/// was sent last, is not on it.
#[derive(Debug, Clone)]
pub(super) struct Unlisted {
    pub attempt: AttemptId,
    pub last_sent_at: Option<DateTime<Utc>>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    rows: usize,
}

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.date_naive(), self.to.date_naive());
        write!(f, "not among {} transactions {from}..{to}", self.rows)
    }
}

impl<S: Store> Engine<S> {
    /// For a request that needs it: everything that can be refused is refused first, then the
    /// provider's list is read to its end, with no transaction open.
    pub(super) async fn read_list(
        &self,
        operator: &Operator,
        request: &Request,
        fingerprint: &str,
    ) -> Result<Option<Unlisted>, VerbError> {
        if !matches!(
            request,
            Request::AskNotExecuted { .. } | Request::Grant { .. }
        ) {
            return Ok(None);
        }
        let listed = self.to_be_listed(operator, request, fingerprint).await?;
        let Some(attempt) = listed else {
            return Ok(None);
        };
        if attempt.kind == AttemptKind::Refund {
            self.read_back(attempt.id, operator).await?;
        }
        let (from, to) = self.days_of(&attempt).await?;
        let unlisted = self.search_list(&attempt, from, to).await?;
        if unlisted.is_none() {
            // It is there: what the provider says of it settles the attempt, whoever asked. Where somebody else holds it,
            // or it cannot be asked about now, that is the answer.
            self.look_now(attempt.id, Reach::Look, operator).await?;
            return Err(VerbError::Refused(Refused::Listed));
        }
        Ok(unlisted)
    }

    /// The payment of a refund is read once more, and the books follow what it says: the list does not say whose a refund
    /// is. That it is read at all under this key proves that it is the account's.
    async fn read_back(&self, id: AttemptId, operator: &Operator) -> Result<(), VerbError> {
        match self.look_now(id, Reach::Look, operator).await? {
            Outcome::Unknown(_) => {}
            _ => return Err(VerbError::Refused(Refused::Listed)),
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let look_ups = tx.look_ups_of(id).await?;
        match look_ups.last().map(|look_up| look_up.sighting) {
            Some(Sighting::NotSeen | Sighting::Elsewhere) => Ok(()),
            Some(Sighting::OtherBalance) => Err(VerbError::Refused(Refused::MayBeExecuted(
                NotAbsent::OtherBalance,
            ))),
            Some(Sighting::Seen | Sighting::NoAnswer) | None => {
                Err(VerbError::Provider(ProviderError::Unusable {
                    operation: "read the payment back",
                }))
            }
        }
    }

    /// The attempt whose absence a request needs; none for every other request.
    async fn to_be_listed(
        &self,
        operator: &Operator,
        request: &Request,
        fingerprint: &str,
    ) -> Result<Option<Attempt>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let id = match request {
            Request::AskNotExecuted { attempt, .. } => *attempt,
            Request::Grant { approval } => match tx.approval(*approval).await?.asked {
                Asked::NotExecuted(attempt) => attempt,
                Asked::Refund(_) | Asked::Return(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        let prepared = self.prepare(&mut tx, operator, request).await?;
        if prepared.plan.fingerprint != fingerprint {
            return Err(VerbError::Stale);
        }
        let attempt = tx.lock_attempt(id).await?;
        // Where the provider can end it, its list proves less than that.
        Ok((!attempt.can_be_ended()).then_some(attempt))
    }

    /// The days in which it would stand on the list, by either clock, with a day on both sides.
    async fn days_of(
        &self,
        attempt: &Attempt,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let here = tx.db_now().await?;
        let business = self.now();
        let sent = attempt.first_sent_at.unwrap_or(attempt.created_at);
        let from = sent.min(sent + (business - here)) - Duration::days(1);
        Ok((from, here.max(business) + Duration::days(1)))
    }

    /// None when the order is on the list. A list without one order of this installation may be anybody's: it proves
    /// nothing.
    async fn search_list(
        &self,
        attempt: &Attempt,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Option<Unlisted>, VerbError> {
        let provider = self.provider(attempt.provider)?;
        let _counted = self.count_call();
        let mut desk = Desk::new();
        let mut after: Option<String> = None;
        // A refund's payment was read under this key: the list is of its account.
        let (mut rows, mut has_ours) = (0, attempt.kind == AttemptKind::Refund);
        let mut booked = self.booked_alike(attempt, from).await?;
        for _ in 0..most_pages(from, to) {
            let page = provider
                .transactions(&mut desk, from, to, after.as_deref(), LIST_PAGE)
                .await
                .map_err(other_account)?;
            match attempt.kind {
                AttemptKind::Charge if page.iter().any(|row| row.order_id == attempt.order_id) => {
                    return Ok(None);
                }
                AttemptKind::Charge => {}
                AttemptKind::Refund => {
                    let alike = page.iter().filter(|row| could_be(attempt, row)).count();
                    // One more than our books have: it may be this one.
                    let Some(left) = booked.checked_sub(alike) else {
                        return Ok(None);
                    };
                    booked = left;
                }
            }
            rows += page.len();
            has_ours |= page
                .iter()
                .any(|row| self.parts.install.made(&row.order_id));
            let next = page.last().map(|row| row.transaction_key.clone());
            let is_last = page.len() < usize::try_from(LIST_PAGE).unwrap_or(usize::MAX);
            if is_last && !has_ours {
                return Err(VerbError::Refused(Refused::ListProvesNothing { rows }));
            }
            if is_last {
                return Ok(Some(Unlisted {
                    attempt: attempt.id,
                    last_sent_at: attempt.last_sent_at,
                    from,
                    to,
                    rows,
                }));
            }
            if next == after {
                break;
            }
            after = next;
        }
        Err(VerbError::Provider(ProviderError::Unusable {
            operation: "list transactions",
        }))
    }

    /// Refunds like this one that our books have since then: the provider's list does not say whose a refund is.
    async fn booked_alike(
        &self,
        attempt: &Attempt,
        since: DateTime<Utc>,
    ) -> Result<usize, VerbError> {
        let Some(payment) = attempt.payment_id else {
            return Ok(0);
        };
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let refunds = tx.refunds_booked(payment).await?;
        let is_alike =
            |refund: &&BookedRefund| refund.amount == attempt.amount && refund.refunded_at >= since;
        Ok(refunds.iter().filter(is_alike).count())
    }
}

/// So many pages a list of these days may have. What was sent weeks ago is on a long one.
fn most_pages(from: DateTime<Utc>, to: DateTime<Utc>) -> u32 {
    let days = u32::try_from((to - from).num_days()).unwrap_or(0);
    days.saturating_add(1).saturating_mul(LIST_PAGES_A_DAY)
}

/// Whether a row of the provider's list could be this refund.
fn could_be(attempt: &Attempt, row: &TransactionSeen) -> bool {
    row.is_cancel
        && attempt.provider_ref.as_deref() == Some(row.provider_ref.as_str())
        && row.amount == attempt.amount
}

/// The list of another account: not a question of the provider's, but of our key.
fn other_account(error: ProviderError) -> VerbError {
    match error {
        ProviderError::OtherAccount { .. } => VerbError::Refused(Refused::OtherAccount),
        other => VerbError::Provider(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_of_a_size_can_read_the_list_of_weeks_to_its_end() {
        let from = DateTime::UNIX_EPOCH;
        let days = |days| from + Duration::days(days);
        let pages = |rows_a_day: u32, days: u32| rows_a_day * days / LIST_PAGE;
        assert!(most_pages(from, days(22)) > pages(1_000_000, 22));
        assert!(
            most_pages(from, from) >= LIST_PAGES_A_DAY,
            "and an end there is"
        );
        assert!(most_pages(days(1), from) > 0);
    }
}
