//! Everybody's payments at a provider since some day, read once for many old debts, not once for each.
//!
//! A reading is kept for a few minutes, and so is that it came to nothing: the rows of one run, or of one round of the
//! reconciler, share it. Whoever reads, and whoever waits for them, holds on to its attempt. It draws no conclusions.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, select};
use futures_util::lock::{Mutex, MutexGuard};

use crate::domain::attempt::{Attempt, Standing};
use crate::domain::billing::try_of_invoice;
use crate::domain::mode::ProviderName;

use super::Engine;
use super::ports::{CallReport, FindStanding, Provider, Store, Whose};
use super::standing::NotRead;

/// So long a reading speaks for other rows too.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// So long nobody asks again after one that came to nothing.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// It is read from so much earlier than who asks needs, for those who need a little more.
const EARLIER: TimeDelta = TimeDelta::days(3);
/// Who waits for a reading looks after its own lease so often, in milliseconds.
const LOOK_MS: i64 = 250;

/// What stands there for each invoice, by what its names begin with.
pub(super) type ByInvoice = HashMap<String, Vec<Standing>>;

#[derive(Debug, Clone)]
struct Reading {
    since: DateTime<Utc>,
    /// When it ended, by the clock's uptime and in business time.
    ended: (Duration, DateTime<Utc>),
    found: Result<Arc<ByInvoice>, Box<CallReport>>,
}

/// The last reading at one provider.
#[derive(Debug, Default)]
pub(super) struct LastReading(Mutex<Option<Reading>>);

impl Reading {
    fn speaks_for(&self, since: DateTime<Utc>, (uptime, now): (Duration, DateTime<Utc>)) -> bool {
        let (ended, at) = self.ended;
        let limit = match self.found {
            Ok(_) => KEPT_FOR,
            Err(_) => REFUSED_FOR,
        };
        // In the simulation business time moves by itself.
        let is_today = (now - at).abs().to_std().is_ok_and(|apart| apart < limit);
        is_today && uptime.saturating_sub(ended) < limit && self.since <= since
    }
}

impl<S: Store> Engine<S> {
    const fn last_reading(&self, provider: ProviderName) -> &LastReading {
        let [toss, stripe] = &self.readings;
        match provider {
            ProviderName::Toss => toss,
            ProviderName::Stripe => stripe,
        }
    }

    /// What stands at a provider that can list it, for every invoice since then. `counts` is told how a reading that was
    /// made for this went; what somebody else has read says nothing new.
    pub(super) async fn everybodys(
        &self,
        provider: &dyn Provider,
        since: DateTime<Utc>,
        (attempt, marked): (&Attempt, &mut Duration),
        counts: impl FnOnce(&CallReport) + Send,
    ) -> Result<Arc<ByInvoice>, NotRead> {
        let mut last = self
            .when_read(provider.name(), (attempt, &mut *marked))
            .await?;
        let clock = &self.parts.clock;
        if let Some(reading) = &*last
            && reading.speaks_for(since, (clock.uptime(), clock.now()))
        {
            return reading.found.clone().map_err(NotRead::Unanswered);
        }
        let since = since - EARLIER;
        let call = FindStanding {
            billing_key: None,
            whose: Whose::ForEveryInvoice,
            order_id: "",
            since,
        };
        let found = match self.read_standing(provider, call, (attempt, marked)).await {
            Ok(rows) => Ok(Arc::new(by_invoice(rows))),
            Err(NotRead::Unanswered(report)) => {
                counts(&report);
                Err(report)
            }
            Err(NotRead::Lost) => return Err(NotRead::Lost),
        };
        *last = Some(Reading {
            since,
            ended: (clock.uptime(), clock.now()),
            found: found.clone(),
        });
        found.map_err(NotRead::Unanswered)
    }

    /// One reads at a time; the others wait for it and hold on to their attempts.
    async fn when_read(
        &self,
        provider: ProviderName,
        (attempt, marked): (&Attempt, &mut Duration),
    ) -> Result<MutexGuard<'_, Option<Reading>>, NotRead> {
        let LastReading(last) = self.last_reading(provider);
        loop {
            let (turn, pause) = (pin!(last.lock()), pin!(self.pause_ms(LOOK_MS)));
            if let Either::Left((last, _)) = select(turn, pause).await {
                return Ok(last);
            }
            self.still_ours(attempt, marked).await?;
        }
    }
}

fn by_invoice(rows: Vec<Standing>) -> ByInvoice {
    let mut found = ByInvoice::new();
    for row in rows {
        if let Some((invoice, _)) = try_of_invoice(&row.order_id) {
            found.entry(invoice.to_owned()).or_default().push(row);
        }
    }
    found
}
