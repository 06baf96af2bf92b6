//! Figures, dates, names and ids in the person's language.
//!
//! What comes out may be drawn: raw texts pass `text::Shown`, personal data is masked unless it was revealed.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

use super::super::fault::{Detail, Fault};
use super::super::model::{Model, Privacy};
use super::super::theme::Role;
use crate::domain::failure::FailureClass;
use crate::domain::ids::PublicId;
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::period::Interval;
use crate::domain::run::{INTERRUPTED, Run};
use crate::domain::states::{AttemptState, InvoiceState, RunState, SubscriptionState};
use crate::engine::queries::{Call, CardBrief, LocalDay, RenewalFlag};
use crate::locale::{Day, Locale};
use crate::text::{Shown, mask, short_id, width};

pub fn day(date: NaiveDate) -> Day {
    Day::new(date.year(), date.month(), date.day())
}

impl Model {
    pub fn money(&self, money: Money) -> String {
        let currency = money.currency();
        self.locale()
            .money(money.minor(), currency.exponent(), currency.code())
    }

    /// Amounts of several currencies, never summed.
    pub fn moneys(&self, moneys: &[Money]) -> String {
        match moneys {
            [] => "0".to_owned(),
            all => {
                let texts: Vec<String> = all.iter().map(|money| self.money(*money)).collect();
                texts.join(" ")
            }
        }
    }

    /// Every sum, the large ones in larger units.
    pub fn moneys_short(&self, moneys: &[Money]) -> String {
        if moneys.is_empty() {
            return self.moneys(moneys);
        }
        let texts: Vec<String> = moneys.iter().map(|one| self.money_short(*one)).collect();
        texts.join(" ")
    }

    fn money_short(&self, money: Money) -> String {
        const SHORT: usize = 9;
        let whole = self.money(money);
        if width(&whole) <= SHORT {
            return whole;
        }
        let sign = if money.minor() < 0 { "-" } else { "" };
        let positive = Money::new(money.minor().saturating_abs(), money.currency());
        let digits = self.compact(positive);
        self.locale()
            .money_of(sign, &digits, money.currency().code())
    }

    /// As many whole figures as there is room for, and how many more there are. A figure is never cut: where not even the
    /// first one fits, it is said in larger units.
    pub fn moneys_in(&self, moneys: &[Money], room: usize) -> String {
        let all = self.moneys(moneys);
        if width(&all) <= room {
            return all;
        }
        for shown in (1..moneys.len()).rev() {
            let text = format!(
                "{} +{}",
                self.moneys(&moneys[..shown]),
                moneys.len() - shown
            );
            if width(&text) <= room {
                return text;
            }
        }
        let Some(first) = moneys.first() else {
            return all;
        };
        let rest = match moneys.len() {
            1 => String::new(),
            more => format!(" +{}", more - 1),
        };
        let currency = first.currency();
        let signed = if first.minor() < 0 { "-" } else { "" };
        let whole = Money::new(first.minor().saturating_abs(), first.currency());
        format!("{signed}{} {}{rest}", self.compact(whole), currency.code())
    }

    /// A provider in few columns.
    pub fn provider(&self, provider: ProviderName) -> String {
        self.locale()
            .label("provider_short", provider.as_str())
            .to_owned()
    }

    pub fn count(&self, number: u64) -> String {
        self.locale()
            .count(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A name as it may show now.
    pub fn name(&self, raw: &str) -> String {
        match self.privacy {
            Privacy::Masked => mask::name(raw).into_string(),
            Privacy::Revealed { .. } => Shown::line(raw).into_string(),
        }
    }

    /// A name where somebody looks closely: what is hidden in it shows, also while the name is masked.
    pub fn full_name(&self, raw: &str) -> String {
        let detail = Shown::detail(raw).into_string();
        match self.privacy {
            Privacy::Revealed { .. } => detail,
            Privacy::Masked => {
                let marks = detail.split('<').skip(1).filter_map(|part| {
                    let (mark, _) = part.split_once('>')?;
                    mark.starts_with("U+").then(|| format!("<{mark}>"))
                });
                let marks: String = marks.collect();
                format!("{}{marks}", mask::name(raw))
            }
        }
    }

    pub fn email(&self, raw: &str) -> String {
        match self.privacy {
            _ if raw.is_empty() => "-".to_owned(),
            Privacy::Masked => mask::email(raw).into_string(),
            Privacy::Revealed { .. } => Shown::line(raw).into_string(),
        }
    }

    pub fn phone(&self, raw: &str) -> String {
        match self.privacy {
            _ if raw.is_empty() => "-".to_owned(),
            Privacy::Masked => mask::phone(raw).into_string(),
            Privacy::Revealed { .. } => Shown::line(raw).into_string(),
        }
    }

    pub fn local(&self, at: DateTime<Utc>) -> DateTime<chrono_tz::Tz> {
        at.with_timezone(&self.zone)
    }

    pub fn clock(&self, at: DateTime<Utc>) -> String {
        let local = self.local(at);
        self.locale().clock(local.hour(), local.minute())
    }

    /// `11-21 금`; with the year when it is another one.
    pub fn date(&self, at: DateTime<Utc>) -> String {
        self.day_text(self.local(at).date_naive())
    }

    pub fn day_text(&self, date: NaiveDate) -> String {
        let this_year = self.local(self.now.at).year();
        if date.year() == this_year {
            self.locale().date(day(date))
        } else {
            format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
        }
    }

    /// A day of renewals, or that they are overdue.
    pub fn renewal_day(&self, day: &LocalDay) -> String {
        if day.is_overdue() {
            self.locale().t("console.renewals.overdue").to_owned()
        } else {
            self.day_text(day.date)
        }
    }

    pub fn date_time(&self, at: DateTime<Utc>) -> String {
        let local = self.local(at);
        if local.year() == self.local(self.now.at).year() {
            self.locale()
                .date_time(day(local.date_naive()), local.hour(), local.minute())
        } else {
            local.format("%Y-%m-%d %H:%M").to_string()
        }
    }

    /// How long ago, under a day; else the date.
    pub fn when(&self, at: DateTime<Utc>) -> String {
        let seconds = (self.now.at - at).num_seconds();
        if (0..86_400).contains(&seconds) {
            self.locale().ago(seconds)
        } else {
            self.date(at)
        }
    }

    pub fn age(&self, since: DateTime<Utc>) -> String {
        self.locale()
            .age((self.now.at - since).num_seconds().max(0))
    }

    /// Now by the clock of the database, which dates calls, leases and look-ups.
    pub fn db_now(&self) -> DateTime<Utc> {
        self.now.at - self.db_behind
    }

    /// How long ago, of a time the database's clock gave.
    pub fn db_age(&self, since: DateTime<Utc>) -> String {
        self.age(since + self.db_behind)
    }

    /// When something comes that the database's clock will tell.
    pub fn db_coming(&self, at: DateTime<Utc>) -> String {
        self.coming(at + self.db_behind)
    }

    /// When something was, that the database's clock has told.
    pub fn db_time(&self, at: DateTime<Utc>) -> String {
        self.date_time(at + self.db_behind)
    }

    /// When something is looked at next, by the database's clock; what is due already is looked at by whoever comes first.
    pub fn db_look(&self, at: DateTime<Utc>) -> String {
        if at <= self.db_now() {
            return self.locale().t("console.unknown.soon").to_owned();
        }
        self.db_coming(at)
    }

    /// Who waits for the answer to a call, and for how long; none when nobody does any more.
    pub fn in_progress(&self, call: Option<&Call>) -> Option<String> {
        let who = self.caller(call)?;
        let text = self
            .locale()
            .t_args("console.unknown.in_progress", &[("who", &who)]);
        Some(text)
    }

    /// The same in few columns.
    pub fn caller(&self, call: Option<&Call>) -> Option<String> {
        let call = call.filter(|call| call.until > self.db_now())?;
        let who = Shown::line(&call.by).into_string();
        let seconds = (self.db_now() - call.since).num_seconds().max(0);
        let age = if seconds < 60 {
            let n = seconds.to_string();
            self.locale()
                .t_args("console.unknown.seconds", &[("n", &n)])
        } else {
            self.db_age(call.since)
        };
        Some(format!("{who}, {age}"))
    }

    /// When something comes: in how long, under a day; else date and time.
    pub fn coming(&self, at: DateTime<Utc>) -> String {
        let seconds = (at - self.now.at).num_seconds();
        if (0..86_400).contains(&seconds) {
            self.locale().until(seconds)
        } else {
            self.date_time(at)
        }
    }

    /// Whole local days from today.
    pub fn days_left(&self, at: DateTime<Utc>) -> i64 {
        let today = self.local(self.now.at).date_naive();
        (self.local(at).date_naive() - today).num_days()
    }

    pub fn issuer(&self, code: &str) -> String {
        match self.locale().find(&format!("console.issuer.{code}")) {
            Some(name) => name.to_owned(),
            None => Shown::line(code).into_string(),
        }
    }

    /// A card in few columns: issuer and last characters.
    pub fn card_short(&self, card: &CardBrief) -> String {
        let number = mask::card(&card.number).into_string();
        let end: String = number.chars().rev().take(4).collect();
        let end: String = end.chars().rev().collect();
        format!("{} {end}", self.issuer(&card.issuer))
    }

    /// A card in full, as far as it is known to us.
    pub fn card(&self, card: &CardBrief) -> String {
        let number = mask::card(&card.number).into_string();
        format!(
            "{}  {} {number} {}",
            self.provider(card.provider),
            self.issuer(&card.issuer),
            expiry(card.expiry)
        )
    }

    pub fn interval(&self, interval: Interval) -> String {
        self.locale()
            .interval(interval.unit.as_str(), interval.count)
    }

    /// A figure in few columns: `1.5M`, 150만.
    pub fn compact(&self, money: Money) -> String {
        let exponent = u32::from(money.currency().exponent());
        let whole = money.minor() / 10_i64.pow(exponent);
        let units: [(i64, &str); 3] = match self.lang {
            crate::locale::Lang::Ko => [(100_000_000, "억"), (10_000, "만"), (1, "")],
            crate::locale::Lang::En => [(1_000_000, "M"), (1_000, "K"), (1, "")],
        };
        let (unit, sign) = units
            .into_iter()
            .find(|(unit, _)| whole >= *unit)
            .unwrap_or((1, ""));
        let (head, tenth) = (whole / unit, whole % unit * 10 / unit);
        if tenth > 0 && head < 100 {
            format!("{head}.{tenth}{sign}")
        } else {
            format!("{}{sign}", self.locale().count(head))
        }
    }

    /// What went wrong, in words: what, and what to do.
    pub fn fault(&self, fault: &Fault) -> (String, String) {
        let details: Vec<(&str, String)> = fault
            .details
            .iter()
            .map(|(name, detail)| (*name, self.detail_text(detail)))
            .collect();
        let args: Vec<(&str, &str)> = details
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let say = |part: &str| {
            self.locale()
                .t_args(&format!("dialog.fault.{}.{part}", fault.kind), &args)
        };
        (say("what"), say("next"))
    }

    fn detail_text(&self, detail: &Detail) -> String {
        match detail {
            Detail::Text(text) => Shown::line(text).into_string(),
            Detail::Money(money) => self.money(*money),
            Detail::Time(at) => self.when(*at),
            Detail::Verb(verb) => self.locale().label("verb", verb.as_str()).to_owned(),
            Detail::State(state) => self
                .locale()
                .label("state.subscription", state.as_str())
                .to_owned(),
            Detail::Approval(state) => self
                .locale()
                .label("state.approval", state.as_str())
                .to_owned(),
        }
    }
}

/// `12/27`, or a dash.
pub fn expiry(expiry: Option<(i32, u32)>) -> String {
    expiry.map_or_else(
        || "-".to_owned(),
        |(year, month)| format!("{month:02}/{:02}", year.rem_euclid(100)),
    )
}

/// A text with each id in it as short as ids are shown: in full they say nothing to a reader.
pub fn short_ids(raw: &str) -> String {
    const ULID: usize = 26;
    let short = |word: &str| match word.split_once('_') {
        Some((noun, rest))
            if (2..=4).contains(&noun.len())
                && rest.len() == ULID
                && rest.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            short_id(word, 6)
        }
        _ => word.to_owned(),
    };
    let words: Vec<String> = raw.split(' ').map(short).collect();
    Shown::line(&words.join(" ")).into_string()
}

pub fn id(id: &PublicId) -> String {
    Shown::line(&short_id(id.as_str(), 6)).into_string()
}

pub const fn subscription_role(state: SubscriptionState) -> Role {
    match state {
        SubscriptionState::Active => Role::Text,
        SubscriptionState::Trialing | SubscriptionState::Incomplete | SubscriptionState::Paused => {
            Role::Waits
        }
        SubscriptionState::PastDue | SubscriptionState::Unpaid => Role::NeedsPerson,
        SubscriptionState::Canceled | SubscriptionState::Expired => Role::Dim,
    }
}

pub const fn attempt_role(state: AttemptState) -> Role {
    match state {
        AttemptState::Succeeded => Role::Settled,
        AttemptState::Declined | AttemptState::Unknown | AttemptState::Duplicate => {
            Role::NeedsPerson
        }
        AttemptState::Sent | AttemptState::Ready | AttemptState::WaitingApproval => Role::Waits,
        AttemptState::NotExecuted | AttemptState::Abandoned => Role::Dim,
    }
}

pub const fn invoice_role(state: InvoiceState) -> Role {
    match state {
        InvoiceState::Paid => Role::Settled,
        InvoiceState::Open => Role::Waits,
        InvoiceState::Uncollectible => Role::NeedsPerson,
        InvoiceState::Draft | InvoiceState::Void => Role::Dim,
    }
}

/// What a run's state is called: one whose process was gone says so.
pub fn run_state(locale: &'static Locale, run: &Run) -> &'static str {
    if run.is_interrupted() {
        locale.label("run_stop", INTERRUPTED)
    } else {
        locale.label("state.run", run.state.as_str())
    }
}

pub const fn run_role(state: RunState) -> Role {
    match state {
        RunState::Finished => Role::Settled,
        RunState::Running | RunState::Planned => Role::Waits,
        RunState::Stopped => Role::NeedsPerson,
    }
}

pub const fn class_role(class: FailureClass) -> Role {
    match class {
        FailureClass::Soft | FailureClass::ProviderDown => Role::Waits,
        FailureClass::Hard
        | FailureClass::NeedsCustomer
        | FailureClass::Config
        | FailureClass::Unclassified => Role::NeedsPerson,
    }
}

pub const fn flag_id(flag: RenewalFlag) -> &'static str {
    match flag {
        RenewalFlag::CardExpires => "card_expires",
        RenewalFlag::KeyDeleted => "key_deleted",
        RenewalFlag::NoMethod => "no_method",
        RenewalFlag::PastDue => "past_due",
        RenewalFlag::Ends => "ends",
        RenewalFlag::TrialEnds => "trial_ends",
    }
}

pub const fn flag_role(flag: RenewalFlag) -> Role {
    match flag {
        RenewalFlag::CardExpires | RenewalFlag::TrialEnds => Role::Waits,
        RenewalFlag::KeyDeleted | RenewalFlag::NoMethod | RenewalFlag::PastDue => Role::NeedsPerson,
        RenewalFlag::Ends => Role::Dim,
    }
}

#[cfg(test)]
mod tests {
    use super::short_ids;

    #[test]
    fn ids_in_a_text_are_short_and_other_words_stay() {
        let raw = "cus_01KZ8V91ABCDEFGHJKMNPQRSTV an older_period att_1";
        let shown = short_ids(raw);
        assert!(!shown.contains("01KZ8V91ABC"), "{shown}");
        assert!(shown.starts_with("cus_") && shown.ends_with("an older_period att_1"));
    }
}
