//! What stands at a provider for an invoice, where our books may be older: read page by page, by our names for it.
//!
//! It says what follows for one attempt; it makes nothing, and settles nothing. Reading may take longer than a lease: whoever
//! reads holds on to its attempt between two pages, and stops where somebody else has taken it over.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::attempt::{
    Attempt, OtherTries, Standing, Stands, is_known_since_before, standing_of,
};
use crate::domain::billing::try_of_invoice;
use crate::domain::evidence::{Elsewhere, Evidence, Proves, Refusal, SeenStatus, Unusable};
use crate::domain::mode::ProviderName;
use crate::secret::Secret;

use super::Engine;
use super::ports::{
    Attempts, CallReport, ChargeLook, Customers, Desk, FindStanding, Provider, StandingPage, Store,
    Tx, Whose,
};
use super::refusal::VerbError;
use super::send::nothing_left;
use super::settle::fence_of;

/// Most pages of one reading. A shop that makes more since the debt is somebody's to look at.
const MAX_PAGES: u32 = 2_000;

/// Why it is not known what stands there.
#[derive(Debug)]
pub(super) enum NotRead {
    /// The provider did not say.
    Unanswered(Box<CallReport>),
    /// The attempt that it is read for is somebody else's meanwhile, or the database does not say whose.
    Lost,
}

impl NotRead {
    /// What it says of an attempt at the provider that was asked.
    fn into_report(self) -> CallReport {
        match self {
            Self::Unanswered(report) => as_unasked(*report),
            Self::Lost => nothing_left(),
        }
    }
}

/// What stands for an attempt under its own name.
pub(super) enum Own {
    /// It is there, and how.
    Found(String, CallReport),
    /// Nothing is, and nothing can be charged that was made for it before: so much was.
    Free { ended: u32 },
    /// It is not to be made now. The report says why.
    Not(CallReport),
}

/// What is asked for one attempt.
pub(super) struct LookFor<'a> {
    pub attempt: &'a Attempt,
    /// The card of the attempt.
    pub key: &'a Secret,
    pub since: DateTime<Utc>,
    /// When the attempt's lease was taken, by the clock's uptime.
    pub marked: &'a mut Duration,
}

impl<S: Store> Engine<S> {
    /// Whether an attempt is to be made, or stands there already. What waits there for another card is ended.
    pub(super) async fn look_before(&self, provider: &dyn Provider, look: LookFor<'_>) -> Own {
        let attempt = look.attempt;
        match self.stands(provider, look, OtherTries::Count).await {
            Err(report) => Own::Not(report),
            Ok(Stands::Nothing { ended }) => Own::Free { ended },
            Ok(Stands::Ours(standing)) => self.seen_as(provider, attempt, standing).await,
            Ok(Stands::OfAnotherCard { standing, ended }) => {
                match self.ended_for_another(provider, attempt, &standing).await {
                    None => Own::Free { ended: ended + 1 },
                    Some(report) => Own::Not(report),
                }
            }
            Ok(Stands::Another(standing)) => Own::Not(found_elsewhere(attempt.provider, &standing)),
            Ok(Stands::Twice) => Own::Not(mismatch()),
        }
    }

    /// What stands there for an attempt, by everything that stands for its invoice.
    pub(super) async fn stands(
        &self,
        provider: &dyn Provider,
        look: LookFor<'_>,
        others: OtherTries,
    ) -> Result<Stands, CallReport> {
        let LookFor {
            attempt,
            key,
            since,
            marked,
        } = look;
        let whose = self.whose(attempt, since).await.map_err(|error| {
            tracing::warn!(%error, "what stands at the provider could not be looked for");
            nothing_left()
        })?;
        let call = FindStanding {
            billing_key: Some(key),
            whose,
            order_id: &attempt.order_id,
            since,
        };
        let held = (attempt, marked);
        let rows = self.standing_there(provider, call, held).await;
        let mut rows = rows.map_err(NotRead::into_report)?;
        let stands = standing_of(&attempt.order_id, &rows, others);
        if others == OtherTries::Count
            && matches!(
                stands,
                Stands::Nothing { .. } | Stands::OfAnotherCard { .. }
            )
        {
            rows.retain(|row| row.order_id != attempt.order_id);
            let told = self.tell_given_back(attempt, &rows).await;
            told.map_err(|error| {
                tracing::warn!(%error, "nobody could be told what was given back: it does not go on");
                nothing_left()
            })?;
        }
        Ok(stands)
    }

    /// A card that was registered after the debt fell due may be of a second customer, whose first one our books have
    /// forgotten.
    async fn whose(&self, attempt: &Attempt, since: DateTime<Utc>) -> Result<Whose, VerbError> {
        let Some(id) = attempt.method_id else {
            return Ok(Whose::Everybodys);
        };
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let method = tx.method(id).await?;
        Ok(if is_known_since_before(method.created_at, since) {
            Whose::OfCustomer
        } else {
            Whose::Everybodys
        })
    }

    /// Everything of one invoice. Everybody's are read once for many rows; only where something of this invoice is among
    /// them is it read by itself.
    async fn standing_there(
        &self,
        provider: &dyn Provider,
        call: FindStanding<'_>,
        (attempt, marked): (&Attempt, &mut Duration),
    ) -> Result<Vec<Standing>, NotRead> {
        if call.whose == Whose::Everybodys && provider.lists_standing() {
            let held = (attempt, &mut *marked);
            let all = self.everybodys(provider, call.since, held, |_| {}).await?;
            let known = try_of_invoice(&attempt.order_id).and_then(|(of, _)| all.get(of));
            if known.is_none() {
                return Ok(Vec::new());
            }
        }
        self.read_standing(provider, call, (attempt, marked)).await
    }

    /// All pages. The attempt is held on to meanwhile.
    pub(super) async fn read_standing(
        &self,
        provider: &dyn Provider,
        call: FindStanding<'_>,
        (attempt, marked): (&Attempt, &mut Duration),
    ) -> Result<Vec<Standing>, NotRead> {
        let mut rows = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = {
                let _counted = self.count_call();
                let mut desk = Desk::new();
                provider.standing(&mut desk, call, after.as_deref()).await
            };
            match page {
                StandingPage::Unanswered(report) => return Err(NotRead::Unanswered(report)),
                StandingPage::Page { rows: more, next } => {
                    rows.extend(more);
                    if next.is_none() {
                        return Ok(rows);
                    }
                    after = next;
                }
            }
            self.still_ours(attempt, marked).await?;
        }
        let too_many = CallReport::bare(Evidence::Unusable(Unusable::Unreadable));
        Err(NotRead::Unanswered(Box::new(too_many)))
    }

    /// Holds on to an attempt that something is read for.
    pub(super) async fn still_ours(
        &self,
        attempt: &Attempt,
        marked: &mut Duration,
    ) -> Result<(), NotRead> {
        match self.hold_on(attempt, marked).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotRead::Lost),
            Err(error) => {
                tracing::warn!(%error, "what is looked for could not be held on to");
                Err(NotRead::Lost)
            }
        }
    }

    /// Takes the lease anew where a good part of it is over. Whether it is still ours.
    async fn hold_on(&self, ours: &Attempt, marked: &mut Duration) -> Result<bool, VerbError> {
        let lease = Duration::from_secs(u64::try_from(self.parts.settings.lease_s).unwrap_or(0));
        let uptime = self.parts.clock.uptime();
        if uptime.saturating_sub(*marked) < lease / 4 {
            return Ok(true);
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut attempt = tx.lock_attempt(ours.id).await?;
        if attempt.state != ours.state || attempt.lease_epoch != ours.lease_epoch {
            return Ok(false);
        }
        let fence = fence_of(&attempt);
        let now = tx.db_now().await?;
        attempt.lease_until = Some(self.lease(now).until);
        tx.save_attempt(&attempt, fence).await?;
        tx.commit().await?;
        *marked = uptime;
        Ok(true)
    }

    /// What stands there under our name is read by its own, like any other.
    async fn seen_as(&self, provider: &dyn Provider, attempt: &Attempt, of: Standing) -> Own {
        let look = ChargeLook {
            order_id: &attempt.order_id,
            provider_ref: Some(&of.provider_ref),
            amount: attempt.amount,
        };
        let report = {
            let _counted = self.count_call();
            provider.look_up_charge(&mut Desk::new(), look).await
        };
        match report.evidence {
            Evidence::Seen(_) => Own::Found(of.provider_ref, report),
            _ => Own::Not(as_unasked(report)),
        }
    }

    /// Ends what would charge a card that is not the attempt's; why it could not, where it could not.
    async fn ended_for_another(
        &self,
        provider: &dyn Provider,
        attempt: &Attempt,
        of: &Standing,
    ) -> Option<CallReport> {
        let key = format!("{}:card:{}", attempt.idem_key, of.provider_ref);
        let report = {
            let _counted = self.count_call();
            let mut desk = Desk::new();
            provider.abandon(&mut desk, &of.provider_ref, &key).await
        };
        let report = report.unwrap_or_else(nothing_left);
        match &report.evidence {
            Evidence::Seen(seen) if seen.status == SeenStatus::Canceled => None,
            // Somebody confirmed it meanwhile: the next look finds it so.
            Evidence::Seen(_) => Some(CallReport {
                evidence: Evidence::Unusable(Unusable::Unreadable),
                ..report
            }),
            _ => Some(as_unasked(report)),
        }
    }
}

/// Money for the same invoice stands elsewhere, or may.
pub(super) fn found_elsewhere(provider: ProviderName, standing: &Standing) -> CallReport {
    CallReport::bare(Evidence::Elsewhere(Elsewhere {
        provider,
        provider_ref: standing.provider_ref.clone(),
        order_id: standing.order_id.clone(),
    }))
}

/// Somebody has to see what it is.
pub(super) fn mismatch() -> CallReport {
    CallReport::bare(Evidence::Unusable(Unusable::Mismatch))
}

/// A refused question declines nothing; that our key is refused is true of every call.
fn as_unasked(report: CallReport) -> CallReport {
    match report.evidence {
        Evidence::Refused(refusal) if refusal.proves != Proves::ConfigTrouble => CallReport {
            evidence: Evidence::Refused(Refusal {
                proves: Proves::Nothing,
                ..refusal
            }),
            ..report
        },
        _ => report,
    }
}
