//! Use cases over ports, one verb per file. Nothing here knows SQL, HTTP or a screen.
//!
//! [`Engine::plan`] says what a [`Request`] would do, [`Engine::apply`] does exactly that.
//! [`Engine::billing_run`] bills what is due; [`Engine::reconcile_once`] asks about what is
//! unknown. Whatever answers — a call, a look-up, an event — is settled by the same code.

pub mod action;
pub mod ports;
pub mod queries;
mod settings;

mod absence;
mod account;
mod after_payment;
mod again;
mod apply;
mod approval;
mod audit;
mod billing_run;
mod breaker;
mod cancel;
mod charge;
mod checkout;
mod customer;
mod everybodys;
mod fallback;
mod fees;
mod fence;
mod find;
mod fingerprint;
mod kept;
mod keyless;
mod lapsed;
mod limits;
mod link;
mod method;
mod mirror;
mod names;
mod older_books;
mod one_time;
mod plans;
mod prepared_return;
mod presence;
mod reconcile;
mod refund;
mod refusal;
mod request;
mod resolve;
mod reveal;
mod rotate;
mod route;
mod saved_cards;
mod send;
mod set_aside;
mod settle;
mod standing;
mod subscribe;
mod target;
mod two_steps;
mod unlisted;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::billing::Install;
use crate::domain::mode::ProviderName;
use crate::domain::period::local_date;

pub use action::{
    ActionPlan, AskedBy, Confirmation, Effect, NotHappening, Outcome, PlannedCall, Receipt, Warning,
};
pub use billing_run::{RunPreview, RunPreviewRow, RunProgress, RunSummary};
pub use fees::FeesPulled;
pub use find::IdProblem;
pub use limits::{LimitOf, RefundAlone, RefundLimits};
pub use link::OpenLink;
pub use mirror::{Adopted, Pulled};
pub use reconcile::{ReconcilePreview, Reconciled, WouldDo};
pub use refusal::{Refused, VerbError};
pub use request::{PlanChange, PlanInput, Request};
pub use settings::EngineSettings;

use breaker::Breaker;
use ports::{Clock, Desk, Ids, KeyVault, Provider, Spool, Store, StoreError};

/// Everything an engine is made of.
pub struct Parts<S> {
    /// The database.
    pub store: S,
    /// The providers, chosen per payment method.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Opens billing keys.
    pub vault: Arc<dyn KeyVault>,
    /// Where what must not be lost is kept while the database is away.
    pub spool: Arc<dyn Spool>,
    /// Business time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Policies and limits.
    pub settings: EngineSettings,
    /// This installation's id and key.
    pub install: Install,
    /// This process: `host:pid:start`, owner of leases.
    pub process: String,
}

/// The use cases. Shared by reference; every verb takes the person who asks.
pub struct Engine<S> {
    parts: Parts<S>,
    breakers: [Breaker; ProviderName::ALL.len()],
    in_flight: AtomicUsize,
    pins: [account::Pin; ProviderName::ALL.len()],
    readings: [everybodys::LastReading; ProviderName::ALL.len()],
}

impl<S: Store> Engine<S> {
    /// An engine of these parts.
    pub fn new(parts: Parts<S>) -> Self {
        let (after, open_s) = (parts.settings.breaker_after, parts.settings.breaker_open_s);
        let breakers = ProviderName::ALL.map(|_| Breaker::new(after, open_s));
        Self {
            parts,
            breakers,
            in_flight: AtomicUsize::new(0),
            pins: ProviderName::ALL.map(|_| account::Pin::default()),
            readings: ProviderName::ALL.map(|_| everybodys::LastReading::default()),
        }
    }

    /// The database, for its read side.
    pub const fn store(&self) -> &S {
        &self.parts.store
    }

    /// Policies and limits.
    pub const fn settings(&self) -> &EngineSettings {
        &self.parts.settings
    }

    /// Business time.
    pub fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }

    /// Takes over what another process did to the time.
    pub async fn follow_clock(&self) {
        self.parts.clock.follow().await;
    }

    /// Provider calls out right now: while there are any, a closing console waits for them.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whether calls to the provider are held back after repeated trouble.
    pub fn is_breaker_open(&self) -> bool {
        self.breakers.iter().any(|one| one.is_open(self.now()))
    }

    fn provider(&self, name: ProviderName) -> Result<&Arc<dyn Provider>, VerbError> {
        let is_ours =
            |p: &&Arc<dyn Provider>| p.name() == name && p.mode() == self.parts.settings.mode;
        self.parts
            .providers
            .iter()
            .find(is_ours)
            .ok_or(VerbError::Refused(Refused::NoProvider(name)))
    }

    /// Trouble with one provider holds no calls to another back.
    const fn breaker(&self, provider: ProviderName) -> &Breaker {
        let [toss, stripe] = &self.breakers;
        match provider {
            ProviderName::Toss => toss,
            ProviderName::Stripe => stripe,
        }
    }

    /// Whether a call to it may start; asking counts as starting.
    fn admits(&self, provider: ProviderName) -> bool {
        self.breaker(provider).admit(self.now()).is_given()
    }

    fn local_date(&self, at: DateTime<Utc>) -> NaiveDate {
        local_date(at, self.parts.settings.zone)
    }

    fn count_call(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(&self.in_flight)
    }

    /// Waits a little before something is tried again.
    async fn pause_ms(&self, ms: i64) {
        let clock = &self.parts.clock;
        clock
            .sleep_until(clock.now() + chrono::Duration::milliseconds(ms))
            .await;
    }

    async fn begin<'d>(&'d self, desk: &'d mut Desk) -> Result<S::Tx<'d>, StoreError> {
        self.parts.store.begin(desk).await
    }
}

/// Counts one call for as long as it lives.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
