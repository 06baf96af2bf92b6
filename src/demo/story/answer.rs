//! What the provider answers to a charge, and what is asked until a refusal is certain.

use chrono::{DateTime, TimeDelta, Utc};

use super::charge::{Named, Try};
use super::{Halt, Story};
use crate::demo::declines::No;
use crate::demo::rows::Brought;
use crate::domain::attempt::Attempt;
use crate::domain::evidence::{EvidenceSource, Proves};
use crate::domain::ids::EvidenceId;
use crate::domain::invoice::Invoice;
use crate::domain::states::AttemptState;

impl Story {
    /// The provider said no: what it said and when it was certain.
    pub(super) fn refuse(
        &mut self,
        attempt: &mut Attempt,
        this: Try<'_>,
        named: &Named,
        (no, elapsed): (No, TimeDelta),
    ) -> Result<(DateTime<Utc>, EvidenceId), Halt> {
        attempt.state = AttemptState::Declined;
        attempt.refusal = Some(no.refusal());
        let answer = Brought {
            digest: Some(self.chance.digest()),
            trace_id: Some(&named.trace_id),
            elapsed_ms: elapsed.num_milliseconds(),
            ..said_no(no, this.at + elapsed)
        };
        let evidence = self.books.evidence(attempt.id, answer)?;
        match no.proves {
            Proves::Nothing => self.wait_out(attempt, no, this.at + elapsed),
            Proves::Unlisted => self.look_after(attempt, no, this.at + elapsed, named),
            Proves::NotExecuted | Proves::LookUp | Proves::ConfigTrouble => {
                Ok((this.at + elapsed, evidence))
            }
        }
    }

    /// Trouble at the other side: looked up, sent again, answered alike, looked up once more.
    fn wait_out(
        &mut self,
        attempt: &mut Attempt,
        no: No,
        at: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, EvidenceId), Halt> {
        let again = at + TimeDelta::seconds(6);
        self.books
            .evidence(attempt.id, not_seen(at + TimeDelta::seconds(5)))?;
        let answer = Brought {
            digest: Some(self.chance.digest()),
            elapsed_ms: 640,
            ..said_no(no, again)
        };
        self.books.evidence(attempt.id, answer)?;
        let certain = again + TimeDelta::seconds(66);
        let last = self.books.evidence(attempt.id, not_seen(certain))?;
        attempt.send_count = 2;
        attempt.last_sent_at = Some(again);
        attempt.replayed_at = Some(again);
        attempt.checks = 2;
        attempt.not_seen = 2;
        Ok((certain, last))
    }

    /// A code that no table knows: only a look-up makes it certain.
    fn look_after(
        &mut self,
        attempt: &mut Attempt,
        no: No,
        at: DateTime<Utc>,
        named: &Named,
    ) -> Result<(DateTime<Utc>, EvidenceId), Halt> {
        let certain = at + TimeDelta::milliseconds(5_240);
        let seen = Brought {
            source: EvidenceSource::LookUp,
            outcome: "failed",
            http_status: Some(200),
            code: Some(no.code),
            reference: Some(&named.payment_key),
            amount: Some(attempt.amount.minor()),
            digest: Some(self.chance.digest()),
            elapsed_ms: 210,
            ..said_no(no, certain)
        };
        let evidence = self.books.evidence(attempt.id, seen)?;
        attempt.checks = 1;
        Ok((certain, evidence))
    }
}

pub(super) fn captured<'a>(
    invoice: &Invoice,
    named: &'a Named,
    elapsed: TimeDelta,
    at: DateTime<Utc>,
) -> Brought<'a> {
    Brought {
        source: EvidenceSource::Answer,
        outcome: "captured",
        http_status: Some(200),
        code: None,
        reference: Some(&named.payment_key),
        amount: Some(invoice.amount.minor()),
        trace_id: Some(&named.trace_id),
        digest: None,
        elapsed_ms: elapsed.num_milliseconds(),
        at: at + elapsed,
    }
}

fn said_no(no: No, at: DateTime<Utc>) -> Brought<'static> {
    Brought {
        source: EvidenceSource::Answer,
        outcome: "refused",
        http_status: Some(no.http_status),
        code: Some(no.code),
        reference: None,
        amount: None,
        trace_id: None,
        digest: None,
        elapsed_ms: 0,
        at,
    }
}

pub(super) fn not_seen(at: DateTime<Utc>) -> Brought<'static> {
    Brought {
        source: EvidenceSource::LookUp,
        outcome: "not_seen",
        http_status: Some(404),
        code: None,
        reference: None,
        amount: None,
        trace_id: None,
        digest: None,
        elapsed_ms: 180,
        at,
    }
}
