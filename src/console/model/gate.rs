//! What stands between a plan on the screen and its being done: a moment, what must be typed, and an end.

use tui_input::Input;

use crate::domain::money::Money;
use crate::engine::Confirmation;

/// How long nothing is taken after a dialog's first frame is on the screen, in milliseconds.
pub const ARM_MS: u64 = 300;
/// How long a plan may be looked at before it must be read again, in milliseconds.
pub const EXPIRY_MS: u64 = 60_000;

/// The gate of one plan.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// When its first frame was on the screen; nothing counts before.
    pub shown_ms: Option<u64>,
    /// What must be typed, one field each.
    pub typed: Vec<Typed>,
    pub focus: usize,
    /// Somebody went on from a field that does not hold what it must.
    pub missed: bool,
    /// First line of a plan that is taller than the dialog.
    pub scroll: usize,
}

/// One field of a typed confirmation.
#[derive(Debug, Clone)]
pub struct Typed {
    pub wanted: Wanted,
    pub input: Input,
    /// When it last changed.
    pub changed_ms: u64,
}

/// What a field must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Amount(Money),
    Ending(String),
    Count(u64),
}

impl Wanted {
    /// Whether what was typed is it.
    pub fn is_met_by(&self, typed: &str) -> bool {
        let digits = || -> String {
            typed
                .chars()
                .filter(|ch| !matches!(ch, ',' | ' '))
                .collect()
        };
        match self {
            Self::Amount(money) => Money::parse(&digits(), money.currency()) == Ok(*money),
            Self::Count(count) => digits().parse() == Ok(*count),
            Self::Ending(ending) => !ending.is_empty() && typed.trim().eq_ignore_ascii_case(ending),
        }
    }

    /// Whether a character may stand in the field.
    pub fn takes(&self, ch: char, typed: &str) -> bool {
        match self {
            Self::Amount(_) | Self::Count(_) => {
                matches!(ch, '0'..='9' | ',' | '.') && typed.len() < 20
            }
            Self::Ending(ending) => ch.is_ascii_alphanumeric() && typed.len() < ending.len(),
        }
    }
}

impl Gate {
    pub fn new(wanted: Vec<Wanted>) -> Self {
        let typed = wanted.into_iter().map(|wanted| Typed {
            wanted,
            input: Input::default(),
            changed_ms: 0,
        });
        Self {
            typed: typed.collect(),
            ..Self::default()
        }
    }

    pub fn of(confirm: &Confirmation) -> Self {
        Self::new(match confirm {
            Confirmation::Key => Vec::new(),
            Confirmation::Amount(money) => vec![Wanted::Amount(*money)],
            Confirmation::Ending(ending) => vec![Wanted::Ending(ending.clone())],
            Confirmation::AmountAndEnding(money, ending) => {
                vec![Wanted::Amount(*money), Wanted::Ending(ending.clone())]
            }
        })
    }

    /// Whether keys count already.
    pub fn is_armed(&self, now_ms: u64) -> bool {
        self.shown_ms
            .is_some_and(|shown| now_ms >= shown.saturating_add(ARM_MS))
    }

    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.shown_ms
            .is_some_and(|shown| now_ms >= shown.saturating_add(EXPIRY_MS))
    }

    /// Whole seconds left, rounded up.
    pub fn seconds_left(&self, now_ms: u64) -> u64 {
        let until = self.shown_ms.unwrap_or(now_ms).saturating_add(EXPIRY_MS);
        until.saturating_sub(now_ms).div_ceil(1_000)
    }

    /// Goes on to the next field. What was typed and is not it is said instead.
    pub fn go_on(&mut self) {
        let is_wrong = |typed: &Typed| {
            let text = typed.input.value();
            !text.is_empty() && !typed.wanted.is_met_by(text)
        };
        self.missed = self.typed.get(self.focus).is_some_and(is_wrong);
        if !self.missed && !self.typed.is_empty() {
            self.focus = (self.focus + 1) % self.typed.len();
        }
    }

    /// Whether everything that must be typed has been.
    pub fn is_typed(&self) -> bool {
        self.typed
            .iter()
            .all(|field| field.wanted.is_met_by(field.input.value()))
    }

    /// Whether the confirming key would confirm. An ending may end in the confirming key itself, so that key only
    /// counts a moment after the ending was typed.
    pub fn may_confirm(&self, now_ms: u64) -> bool {
        let settled = self.typed.iter().all(|field| match field.wanted {
            Wanted::Amount(_) | Wanted::Count(_) => true,
            Wanted::Ending(_) => now_ms >= field.changed_ms.saturating_add(ARM_MS),
        });
        self.is_armed(now_ms) && !self.is_expired(now_ms) && settled && self.is_typed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    #[test]
    fn an_amount_may_be_typed_with_or_without_commas_and_nothing_else_is_it() {
        let wanted = Wanted::Amount(Money::new(9_900, Currency::KRW));
        assert!(wanted.is_met_by("9900") && wanted.is_met_by("9,900"));
        for wrong in ["", "990", "99000", "9900.0", "-9900"] {
            assert!(!wanted.is_met_by(wrong), "{wrong}");
        }
        let dollars = Wanted::Amount(Money::new(29_000, Currency::USD));
        assert!(dollars.is_met_by("290.00") && !dollars.is_met_by("29000"));
    }

    #[test]
    fn an_ending_takes_any_case_and_an_empty_one_is_never_met() {
        assert!(Wanted::Ending("9T4K".into()).is_met_by("9t4k"));
        assert!(!Wanted::Ending(String::new()).is_met_by(""));
    }

    #[test]
    fn nothing_confirms_before_the_moment_and_after_the_end() {
        let mut gate = Gate::new(Vec::new());
        assert!(!gate.may_confirm(10_000), "not on the screen yet");
        gate.shown_ms = Some(1_000);
        assert!(!gate.may_confirm(1_299));
        assert!(gate.may_confirm(1_300));
        assert!(!gate.may_confirm(1_000 + EXPIRY_MS));
    }
}
