//! What the engine is told once: mode, zone, policies, limits, lengths of leases.

use chrono_tz::Tz;

use crate::domain::dunning::DunningPolicy;
use crate::domain::mode::Mode;
use crate::domain::routing::Routing;

use super::limits::RefundAlone;
use super::ports::Exclusivity;

/// The engine's settings. There are no defaults here but [`EngineSettings::standard`].
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Live, test or sim.
    pub mode: Mode,
    /// The billing zone.
    pub zone: Tz,
    /// When to try again after a decline.
    pub dunning: DunningPolicy,
    /// How long a process may hold an attempt, in seconds.
    pub lease_s: i64,
    /// How long a billing run is taken for alive after its last sign of life, in seconds.
    pub run_lease_s: i64,
    /// Seconds before each look-up of an unknown attempt; the last one repeats for ever.
    pub look_up_s: Vec<i64>,
    /// Provider calls in flight at once in a run.
    pub concurrency: usize,
    /// Troubled calls in a row that open the breaker.
    pub breaker_after: u32,
    /// How long the breaker stays open before one probe, in seconds.
    pub breaker_open_s: i64,
    /// One running subscription per customer and product, or any number.
    pub exclusivity: Exclusivity,
    /// What a person may refund without a second one.
    pub refund_alone: RefundAlone,
    /// Incomplete subscriptions expire after so many hours.
    pub incomplete_hours: u32,
    /// A manual attempt that was not sent within this time is given up, in seconds.
    pub manual_ready_s: i64,
    /// Which provider is asked for which currency.
    pub routing: Routing,
}

impl EngineSettings {
    /// The defaults of `config.toml.example`, for a mode and a zone.
    pub fn standard(mode: Mode, zone: Tz) -> Self {
        Self {
            mode,
            zone,
            dunning: DunningPolicy::standard(zone),
            lease_s: 120,
            run_lease_s: 120,
            look_up_s: vec![5, 15, 45, 120, 300, 900, 3_600, 10_800, 21_600, 86_400],
            concurrency: 32,
            breaker_after: 5,
            breaker_open_s: 60,
            exclusivity: Exclusivity::OnePerProduct,
            refund_alone: RefundAlone::Anything,
            incomplete_hours: 23,
            manual_ready_s: 120,
            routing: Routing::default(),
        }
    }
}
