//! Use cases over ports, one verb per file. Nothing here knows SQL, HTTP or a screen.
//!
//! [`Engine::plan`] says what a [`Request`] would do, [`Engine::apply`] does exactly that.
//! [`Engine::billing_run`] bills what is due; [`Engine::reconcile_once`] asks about what is
//! unknown. Whatever answers — a call, a look-up, an event — is settled by the same code.

pub mod action;
pub mod ports;
pub mod queries;
pub mod settings;

use std::sync::Arc;

use crate::domain::billing::Install;
use crate::domain::run::{Decision, Run};

pub use action::{
    ActionPlan, Confirmation, Effect, NotHappening, Outcome, PlanChange, PlanInput, PlannedCall,
    Receipt, Refused, Request, VerbError, Warning,
};
pub use settings::EngineSettings;

use ports::{Clock, Ids, KeyVault, Provider};

/// Everything an engine is made of.
pub struct Parts<S> {
    /// The database.
    pub store: S,
    /// The providers, chosen per payment method.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Opens billing keys.
    pub vault: Arc<dyn KeyVault>,
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
}

/// What a billing run did.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The run.
    pub run: Run,
    /// How many rows were due when it started.
    pub due: u64,
    /// How many rows have each decision.
    pub totals: Vec<(Decision, u64)>,
    /// Charged in all, per currency.
    pub charged: Vec<crate::domain::money::Money>,
    /// How late the oldest row was, in whole days.
    pub late_days: i64,
}

/// What a look at the open attempts did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Attempts claimed.
    pub claimed: u32,
    /// Settled by evidence.
    pub settled: u32,
    /// Sent again under the same id.
    pub resent: u32,
    /// Given up before they were ever sent.
    pub abandoned: u32,
    /// Still unknown.
    pub left: u32,
}
