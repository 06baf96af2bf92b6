//! The settings as they are written, and all defaults. Nothing is checked here but the shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::secret::Secret;

/// Out of sight from the moment it is read.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.map(Secret::new))
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Raw {
    pub(super) mode: Option<String>,
    pub(super) database: RawDatabase,
    pub(super) provider: RawProvider,
    pub(super) routing: RawRouting,
    pub(super) billing: RawBilling,
    pub(super) dunning: RawDunning,
    pub(super) limits: RawLimits,
    pub(super) people: BTreeMap<String, RawPerson>,
    pub(super) vault: RawVault,
    pub(super) ui: RawUi,
    pub(super) log: RawLog,
    pub(super) timeouts: RawTimeouts,
    pub(super) leases: RawLeases,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawDatabase {
    #[serde(deserialize_with = "secret")]
    pub(super) url: Option<Secret>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawProvider {
    pub(super) toss: RawToss,
    pub(super) stripe: RawStripe,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawStripe {
    pub(super) base_url: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) secret_key: Option<Secret>,
    pub(super) secret_key_file: Option<String>,
    pub(super) return_url: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawRouting {
    pub(super) rules: Vec<String>,
}

impl Default for RawRouting {
    fn default() -> Self {
        Self {
            rules: vec!["KRW toss".to_owned(), "* stripe".to_owned()],
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawToss {
    pub(super) base_url: String,
    #[serde(deserialize_with = "secret")]
    pub(super) secret_key: Option<Secret>,
    pub(super) secret_key_file: Option<String>,
}

impl Default for RawToss {
    fn default() -> Self {
        Self {
            base_url: super::address::official(crate::domain::mode::ProviderName::Toss).to_owned(),
            secret_key: None,
            secret_key_file: None,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawBilling {
    pub(super) zone: String,
    pub(super) hour: i64,
    pub(super) concurrency: i64,
    pub(super) catch_up_periods: i64,
    pub(super) send_contact: bool,
}

impl Default for RawBilling {
    fn default() -> Self {
        Self {
            zone: "Asia/Seoul".to_owned(),
            hour: 9,
            concurrency: 8,
            catch_up_periods: 1,
            send_contact: false,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawDunning {
    pub(super) days: Vec<i64>,
    pub(super) hour: i64,
    pub(super) needs_customer_days: i64,
    pub(super) end_action: String,
}

impl Default for RawDunning {
    fn default() -> Self {
        Self {
            days: vec![1, 3, 5, 7],
            hour: 10,
            needs_customer_days: 3,
            end_action: "unpaid".to_owned(),
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawLimits {
    pub(super) refund: RawRefundLimits,
    pub(super) refunds_per_day: i64,
    pub(super) daily_multiple: i64,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            refund: RawRefundLimits::default(),
            refunds_per_day: 100,
            daily_multiple: 5,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawRefundLimits {
    pub(super) support: Vec<String>,
    pub(super) oncall: Vec<String>,
    pub(super) finance: Vec<String>,
    pub(super) admin: Vec<String>,
}

impl Default for RawRefundLimits {
    fn default() -> Self {
        let usual = || vec!["500000 KRW".to_owned(), "400 USD".to_owned()];
        Self {
            support: usual(),
            oncall: usual(),
            finance: usual(),
            admin: usual(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawPerson {
    pub(super) uid: Option<i64>,
    pub(super) uids: Vec<i64>,
    pub(super) keys: Vec<String>,
    pub(super) roles: Vec<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawVault {
    pub(super) key_file: String,
    pub(super) previous_key_files: Vec<String>,
    pub(super) spool_dir: String,
}

impl Default for RawVault {
    fn default() -> Self {
        Self {
            key_file: "vault.key".to_owned(),
            previous_key_files: Vec::new(),
            spool_dir: "spool".to_owned(),
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawUi {
    pub(super) name: String,
    pub(super) lang: String,
    pub(super) color: String,
    pub(super) mouse: bool,
    pub(super) clipboard: String,
    pub(super) title: bool,
    pub(super) mask_personal: bool,
}

impl Default for RawUi {
    fn default() -> Self {
        Self {
            name: String::new(),
            lang: "auto".to_owned(),
            color: "auto".to_owned(),
            mouse: false,
            clipboard: "auto".to_owned(),
            title: false,
            mask_personal: true,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RawLog {
    pub(super) dir: String,
    pub(super) level: String,
    pub(super) keep_days: i64,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            dir: "log".to_owned(),
            level: "info".to_owned(),
            keep_days: 14,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_field_names,
    reason = "the unit is part of the key's name"
)]
pub(super) struct RawTimeouts {
    pub(super) connect_s: i64,
    pub(super) total_s: i64,
    pub(super) database_s: i64,
}

impl Default for RawTimeouts {
    fn default() -> Self {
        Self {
            connect_s: 5,
            total_s: 70,
            database_s: 10,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_field_names,
    reason = "the unit is part of the key's name"
)]
pub(super) struct RawLeases {
    pub(super) attempt_s: i64,
    pub(super) run_s: i64,
    pub(super) manual_ready_s: i64,
    pub(super) look_ups_s: Vec<i64>,
    pub(super) look_ups_then_s: i64,
}

impl Default for RawLeases {
    fn default() -> Self {
        const SIX_HOURS: i64 = 6 * 3_600;
        let mut look_ups_s = vec![5, 15, 45, 120, 300, 900, 3_600, 3 * 3_600];
        look_ups_s.extend([SIX_HOURS; 12]);
        Self {
            attempt_s: 120,
            run_s: 120,
            manual_ready_s: 120,
            look_ups_s,
            look_ups_then_s: 24 * 3_600,
        }
    }
}
