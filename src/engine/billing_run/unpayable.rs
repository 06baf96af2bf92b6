//! A due row that cannot go out, for no fault of the customer's. Nothing is sent for it, nothing is counted against it, and
//! where nothing mends it by itself a person is called.

use chrono::Duration;

use crate::domain::dunning::DunningState;
use crate::domain::invoice::Invoice;
use crate::domain::routing::NotTaken;
use crate::domain::run::{Decision, Run};

use super::super::Engine;
use super::super::charge::ChargeWork;
use super::super::ports::{Store, Tx};
use super::super::refusal::{Refused, VerbError};
use super::bill::{Line, Step};

/// A row that was held back is taken up again by a run so much later.
const AGAIN_AFTER: Duration = Duration::hours(1);

impl<S: Store> Engine<S> {
    /// It asks for something else than its term gives: dunning lets go of it.
    pub(super) async fn leave_to_a_person<T: Tx>(
        &self,
        tx: &mut T,
        line: Line<'_>,
        mut invoice: Invoice,
        reason: &Refused,
    ) -> Result<Step, VerbError> {
        invoice.dunning = DunningState::Idle;
        invoice.next_attempt_at = None;
        tx.save_invoice(&invoice).await?;
        self.page_about(tx, &invoice, "amount", "amount_mismatch")
            .await?;
        let reason = reason.to_string();
        self.decided(tx, line, Decision::SkippedConfig, &reason)
            .await
    }

    /// The provider of the card that would be charged does not take the amount.
    pub(super) async fn not_taken<T: Tx>(
        &self,
        tx: &mut T,
        line: Line<'_>,
        mut invoice: Invoice,
        why: NotTaken,
    ) -> Result<Step, VerbError> {
        if invoice.dunning != DunningState::Idle {
            invoice.dunning = DunningState::Idle;
            invoice.next_attempt_at = None;
            tx.save_invoice(&invoice).await?;
        }
        let reason = Refused::from(why).to_string();
        let decision = match why {
            NotTaken::BelowMinimum(_) => Decision::SkippedBelowMinimum,
            NotTaken::Currency { .. } | NotTaken::AboveMaximum(_) | NotTaken::LastDigit(_) => {
                self.page_about(tx, &invoice, "amount", "amount_not_taken")
                    .await?;
                Decision::SkippedConfig
            }
        };
        self.decided(tx, line, decision, &reason).await
    }

    /// Its card is at a provider that is not configured here: another host may have it, or the configuration is mended.
    pub(super) async fn without_provider<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        work: ChargeWork,
    ) -> Result<Step, VerbError> {
        self.page_once(tx, run, &work, "no_provider").await?;
        let reason = Refused::NoProvider(work.method.provider).to_string();
        self.hold_back(tx, run, work, &reason).await
    }

    /// A key that cannot be opened stops this row and no other; a person has to look at it.
    pub(super) async fn without_key<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        mut work: ChargeWork,
        reason: &str,
    ) -> Result<Step, VerbError> {
        self.await_card(tx, &mut work.invoice).await?;
        self.page_once(tx, run, &work, "key_unreadable").await?;
        self.left(tx, run, &work, reason).await
    }

    /// A later run comes back to it.
    pub(super) async fn hold_back<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        mut work: ChargeWork,
        reason: &str,
    ) -> Result<Step, VerbError> {
        let invoice = &mut work.invoice;
        invoice.dunning = DunningState::Scheduled;
        invoice.next_attempt_at = Some(run.until + AGAIN_AFTER);
        tx.save_invoice(invoice).await?;
        self.left(tx, run, &work, reason).await
    }

    async fn left<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        work: &ChargeWork,
        reason: &str,
    ) -> Result<Step, VerbError> {
        let Some((subscription, _)) = &work.subscription else {
            return Ok(Step::Decided);
        };
        let line = Line {
            run,
            subscription,
            invoice: Some(work.invoice.id),
        };
        self.decided(tx, line, Decision::SkippedConfig, reason)
            .await
    }

    /// One call for all rows of a provider in a run that cannot go out for the same reason. It names the first of them; the
    /// run's rows say the others.
    async fn page_once<T: Tx>(
        &self,
        tx: &mut T,
        run: &Run,
        work: &ChargeWork,
        what: &str,
    ) -> Result<(), VerbError> {
        let provider = work.method.provider;
        let key = format!("{}:{provider}:{what}", run.public_id);
        let payload = format!(
            "{{\"invoice\":\"{}\",\"run\":\"{}\",\"provider\":\"{provider}\",\"what\":\"{what}\"}}",
            work.invoice.public_id, run.public_id
        );
        Ok(tx.queue_notice("page", &key, &payload, self.now()).await?)
    }

    async fn page_about<T: Tx>(
        &self,
        tx: &mut T,
        invoice: &Invoice,
        key: &str,
        what: &str,
    ) -> Result<(), VerbError> {
        let id = &invoice.public_id;
        let key = format!("{id}:{key}");
        let payload = format!("{{\"invoice\":\"{id}\",\"what\":\"{what}\"}}");
        Ok(tx.queue_notice("page", &key, &payload, self.now()).await?)
    }
}
