//! The sections whose values stand for themselves: ranges and choices.

use super::Check;
use crate::config::error::{ConfigError, Problem};
use crate::config::raw::{RawBilling, RawDunning, RawLeases, RawLog, RawTimeouts, RawUi, RawVault};
use crate::config::settings::{
    Billing, Clipboard, Color, Language, Leases, Log, LogLevel, Mouse, Personal, Timeouts, Ui,
    VaultFiles, WindowTitle,
};
use crate::domain::dunning::{DunningPolicy, EndAction};

const A_DAY_S: i64 = 24 * 3_600;
const END_ACTIONS: &[(&str, EndAction)] = &[
    ("unpaid", EndAction::Unpaid),
    ("cancel", EndAction::Cancel),
    ("pause", EndAction::Pause),
];
const LANGUAGES: &[(&str, Language)] = &[
    ("auto", Language::Auto),
    ("ko", Language::Korean),
    ("en", Language::English),
];
const COLORS: &[(&str, Color)] = &[
    ("auto", Color::Auto),
    ("true", Color::True),
    ("256", Color::Indexed256),
    ("16", Color::Basic16),
    ("off", Color::Off),
];
const CLIPBOARDS: &[(&str, Clipboard)] = &[
    ("auto", Clipboard::Auto),
    ("off", Clipboard::Off),
    ("osc52", Clipboard::Osc52),
];
const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

impl Check<'_> {
    pub(super) fn billing(&self, raw: &RawBilling) -> Result<Billing, ConfigError> {
        let not_a_zone = || Problem::NotAZone {
            value: raw.zone.clone(),
        };
        Ok(Billing {
            zone: raw
                .zone
                .parse()
                .map_err(|_| self.invalid("billing.zone", not_a_zone()))?,
            hour: self.whole("billing.hour", raw.hour, (0, 23))?,
            concurrency: self.whole("billing.concurrency", raw.concurrency, (1, 256))?,
            catch_up_periods: self.whole(
                "billing.catch_up_periods",
                raw.catch_up_periods,
                (0, 12),
            )?,
            send_contact: raw.send_contact,
        })
    }

    pub(super) fn dunning(
        &self,
        raw: &RawDunning,
        billing: &Billing,
    ) -> Result<DunningPolicy, ConfigError> {
        const DAYS: &str = "dunning.days";
        let days: Vec<u32> = raw
            .days
            .iter()
            .map(|day| self.whole(DAYS, *day, (1, 365)))
            .collect::<Result<_, _>>()?;
        if !days.is_sorted_by(|earlier, later| earlier < later) {
            return Err(self.invalid(DAYS, Problem::NotIncreasing));
        }
        Ok(DunningPolicy {
            days,
            hour: self.whole("dunning.hour", raw.hour, (0, 23))?,
            zone: billing.zone,
            needs_customer_days: self.whole(
                "dunning.needs_customer_days",
                raw.needs_customer_days,
                (1, 90),
            )?,
            end_action: self.choice("dunning.end_action", &raw.end_action, END_ACTIONS)?,
        })
    }

    pub(super) fn vault(&self, raw: &RawVault) -> Result<VaultFiles, ConfigError> {
        let previous = |path: &String| self.path("vault.previous_key_files", path);
        Ok(VaultFiles {
            key_file: self.path("vault.key_file", &raw.key_file)?,
            previous_key_files: raw
                .previous_key_files
                .iter()
                .map(previous)
                .collect::<Result<_, _>>()?,
            spool_dir: self.path("vault.spool_dir", &raw.spool_dir)?,
        })
    }

    pub(super) fn ui(&self, raw: RawUi) -> Result<Ui, ConfigError> {
        Ok(Ui {
            language: self.choice("ui.lang", &raw.lang, LANGUAGES)?,
            color: self.choice("ui.color", &raw.color, COLORS)?,
            mouse: if raw.mouse { Mouse::On } else { Mouse::Off },
            clipboard: self.choice("ui.clipboard", &raw.clipboard, CLIPBOARDS)?,
            title: if raw.title {
                WindowTitle::Set
            } else {
                WindowTitle::Untouched
            },
            personal: if raw.mask_personal {
                Personal::Masked
            } else {
                Personal::Shown
            },
            name: raw.name,
        })
    }

    pub(super) fn log(&self, raw: &RawLog) -> Result<Log, ConfigError> {
        Ok(Log {
            dir: self.path("log.dir", &raw.dir)?,
            level: self.choice("log.level", &raw.level, LEVELS)?,
            keep_days: self.whole("log.keep_days", raw.keep_days, (1, 3_650))?,
        })
    }

    pub(super) fn timeouts(&self, raw: &RawTimeouts) -> Result<Timeouts, ConfigError> {
        Ok(Timeouts {
            connect: self.seconds("timeouts.connect_s", raw.connect_s, (1, 60))?,
            total: self.seconds("timeouts.total_s", raw.total_s, (1, 600))?,
            database: self.seconds("timeouts.database_s", raw.database_s, (1, 600))?,
        })
    }

    pub(super) fn leases(&self, raw: RawLeases) -> Result<Leases, ConfigError> {
        const LOOK_UPS: &str = "leases.look_ups_s";
        if raw.look_ups_s.is_empty() {
            return Err(self.invalid(LOOK_UPS, Problem::Empty));
        }
        for wait in &raw.look_ups_s {
            self.whole::<i64>(LOOK_UPS, *wait, (1, A_DAY_S))?;
        }
        Ok(Leases {
            attempt_s: self.whole("leases.attempt_s", raw.attempt_s, (1, 3_600))?,
            run_s: self.whole("leases.run_s", raw.run_s, (1, 3_600))?,
            manual_ready_s: self.whole("leases.manual_ready_s", raw.manual_ready_s, (1, 3_600))?,
            look_ups_s: raw.look_ups_s,
            look_ups_then_s: self.whole(
                "leases.look_ups_then_s",
                raw.look_ups_then_s,
                (1, A_DAY_S),
            )?,
        })
    }
}
