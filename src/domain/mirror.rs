//! Subscriptions that a provider schedules: who schedules what, what may be asked of the provider about one, and when
//! such a wish is fulfilled.
//!
//! A wish has a goal that can be seen on what the provider holds. Only what was read after the call settles it; an
//! answer alone never does. Nothing here charges anybody: a wish is carried out by the provider, and an invoice there
//! is paid once at most whatever is sent.

use chrono::{DateTime, Duration, Utc};

use super::evidence::Refusal;
use super::ids::{InvoiceId, SubscriptionId};

/// Who decides when a subscription is charged. It never changes, and there is never a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheduler {
    /// We do: by the billing run and dunning.
    Paydeck,
    /// Stripe does: we mirror what it did, and ask it for what is to happen.
    Stripe,
}

impl Scheduler {
    /// Every scheduler.
    pub const ALL: [Self; 2] = [Self::Paydeck, Self::Stripe];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paydeck => "paydeck",
            Self::Stripe => "stripe",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Whether we charge it.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Paydeck)
    }
}

/// Whether the provider collects invoices, and what becomes of them while it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collection {
    /// It does.
    On,
    /// They are void: the service is given away.
    Void,
    /// They stay drafts, to be collected later.
    KeepAsDraft,
    /// They are given up.
    MarkUncollectible,
    /// It does not, in a way we do not know.
    Other,
}

impl Collection {
    /// Every way.
    pub const ALL: [Self; 5] = [
        Self::On,
        Self::Void,
        Self::KeepAsDraft,
        Self::MarkUncollectible,
        Self::Other,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Void => "void",
            Self::KeepAsDraft => "keep_as_draft",
            Self::MarkUncollectible => "mark_uncollectible",
            Self::Other => "other",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// How far a mirrored subscription was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Which.
    pub subscription_id: SubscriptionId,
    /// The provider's name for it.
    pub provider_ref: String,
    /// The provider's name for whose it is.
    pub provider_customer: String,
    /// Whether invoices are collected.
    pub collection: Collection,
    /// When they are collected again; none until somebody says so.
    pub resumes_at: Option<DateTime<Utc>>,
    /// When the last reading that was written began, in database time.
    pub read_at: DateTime<Utc>,
    /// When it is read again, in database time; none for one that has ended.
    pub read_again_at: Option<DateTime<Utc>>,
    /// How often in a row it could not be read or written.
    pub tries: u32,
    /// Grows by one with every change.
    pub version: i64,
}

/// From how many failed readings on a person is called.
const MOST_TRIES: u32 = 20;

impl Mirror {
    /// It could not be read or written: counted, and due again, ever more rarely, at least once an hour.
    pub fn has_trouble(&mut self, now: DateTime<Utc>) {
        let wait = [2, 15, 60, 300, 900];
        let at = usize::try_from(self.tries).unwrap_or(usize::MAX);
        self.tries = self.tries.saturating_add(1);
        let seconds = wait.get(at).copied().unwrap_or(3_600);
        self.read_again_at = Some(now + Duration::seconds(seconds));
    }

    /// Whether it has not been readable for so long that a person is called.
    pub const fn needs_human(&self) -> bool {
        self.tries >= MOST_TRIES
    }
}

/// A row of wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WishId(pub i64);

/// What can be asked of the provider about a subscription that it schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WishVerb {
    /// It ends at once.
    CancelNow,
    /// It ends with the running period.
    CancelAtEnd,
    /// It goes on after all.
    UndoCancel,
    /// Invoices are made and stay drafts.
    Pause,
    /// They are collected again.
    Resume,
    /// An open invoice is tried again.
    Pay,
    /// An open invoice is withdrawn.
    Void,
    /// An open invoice is given up; it may still be paid.
    GiveUp,
}

impl WishVerb {
    /// Every verb.
    pub const ALL: [Self; 8] = [
        Self::CancelNow,
        Self::CancelAtEnd,
        Self::UndoCancel,
        Self::Pause,
        Self::Resume,
        Self::Pay,
        Self::Void,
        Self::GiveUp,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CancelNow => "cancel_now",
            Self::CancelAtEnd => "cancel_at_end",
            Self::UndoCancel => "undo_cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Pay => "pay",
            Self::Void => "void",
            Self::GiveUp => "give_up",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }

    /// Whether it is about an invoice, and not about the subscription itself.
    pub const fn is_about_invoice(self) -> bool {
        matches!(self, Self::Pay | Self::Void | Self::GiveUp)
    }
}

/// Where a wish stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WishState {
    /// Its call is out, or its process has gone.
    Sent,
    /// Nobody knows what came of it.
    Unknown,
    /// Its goal was seen.
    Done,
    /// The card said no, and its goal was not there when it was read.
    Declined,
    /// The provider refused it, and its goal was not there when it was read.
    Refused,
    /// Nothing ever left.
    NotSent,
    /// Its key is forgotten, and its goal was not there when it was read: nothing of it is under way any more.
    NotDone,
}

impl WishState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Sent,
        Self::Unknown,
        Self::Done,
        Self::Declined,
        Self::Refused,
        Self::NotSent,
        Self::NotDone,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
            Self::NotDone => "not_done",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether its outcome is still to be learnt.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Unknown)
    }
}

/// Something that was asked of the provider, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Row id.
    pub id: WishId,
    /// About which subscription.
    pub subscription_id: SubscriptionId,
    /// About which of its invoices.
    pub invoice_id: Option<InvoiceId>,
    /// What.
    pub verb: WishVerb,
    /// The provider's name for what it is about.
    pub provider_ref: String,
    /// Idempotency key.
    pub idem_key: String,
    /// Where it stands.
    pub state: WishState,
    /// Which process works on it.
    pub lease_owner: String,
    /// Fencing token; grows with every claim.
    pub lease_epoch: i64,
    /// Until when, in database time.
    pub lease_until: DateTime<Utc>,
    /// First sent, in database time.
    pub first_sent_at: DateTime<Utc>,
    /// How often sent.
    pub send_count: u32,
    /// Next look, in database time.
    pub next_check_at: Option<DateTime<Utc>>,
    /// The last refusal.
    pub refusal: Option<Refusal>,
    /// Who pressed the key.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
}

/// For how long its key is certainly remembered.
const KEY_H: i64 = 23;
/// From when on it is certainly forgotten, and nothing of it can be under way.
const OVER_H: i64 = 48;
/// From when on a person is called about one that nobody knows the outcome of.
const CALL_H: i64 = 24;

impl Wish {
    /// Whether the same request may go out again under its key.
    pub fn may_be_sent_again(&self, now: DateTime<Utc>) -> bool {
        now - self.first_sent_at < Duration::hours(KEY_H)
    }

    /// Whether its key is certainly forgotten and nothing of it can be under way, whether its goal was seen or not.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.over_at()
    }

    /// From when on that is so.
    pub fn over_at(&self) -> DateTime<Utc> {
        self.first_sent_at + Duration::hours(OVER_H)
    }

    /// Whether it is unknown for so long that a person is called.
    pub fn needs_human(&self, now: DateTime<Utc>) -> bool {
        now - self.first_sent_at >= Duration::hours(CALL_H)
    }

    /// When it is looked at again after trouble of its own: ever more rarely with its age, at least once an hour.
    pub fn next_look_after_trouble(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let age = (now - self.first_sent_at) / 4;
        now + age.clamp(Duration::seconds(5), Duration::hours(1))
    }

    /// When it is looked at again: soon at first, then ever more rarely, at least once an hour.
    pub fn next_look(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let wait = [5, 15, 45, 120, 300, 900, 3_600];
        let at = usize::try_from(self.send_count.saturating_sub(1)).unwrap_or(usize::MAX);
        now + Duration::seconds(wait.get(at).copied().unwrap_or(3_600))
    }
}

/// What the call itself said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It was taken in.
    Taken,
    /// Nothing left.
    NotSent,
    /// The card said no.
    Declined(Refusal),
    /// Refused for good: the request does not fit what stands there.
    Refused(Refusal),
    /// No usable answer, or not now.
    Nothing,
}

/// Where a wish goes, by what its call said and whether its goal was seen on what was read afterwards.
///
/// A goal that was seen is the end of it, whoever brought it about. Without it a refusal is believed: every send has the
/// same key, so it says what became of all of them. Silence becomes "not done" only when nothing can be under way.
pub fn judge(wish: &Wish, heard: &Heard, is_reached: bool, now: DateTime<Utc>) -> WishState {
    if is_reached {
        return WishState::Done;
    }
    match heard {
        Heard::Declined(_) => WishState::Declined,
        Heard::Refused(_) => WishState::Refused,
        Heard::NotSent if wish.send_count <= 1 => WishState::NotSent,
        Heard::Taken | Heard::NotSent | Heard::Nothing => {
            if wish.is_over(now) {
                WishState::NotDone
            } else {
                WishState::Unknown
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::Proves;
    use crate::domain::failure::FailureClass;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::hours(hours)
    }

    fn wish(send_count: u32) -> Wish {
        Wish {
            id: WishId(1),
            subscription_id: SubscriptionId(1),
            invoice_id: None,
            verb: WishVerb::CancelAtEnd,
            provider_ref: "sub_1".into(),
            idem_key: "k".into(),
            state: WishState::Sent,
            lease_owner: "p".into(),
            lease_epoch: 1,
            lease_until: at(0),
            first_sent_at: at(0),
            send_count,
            next_check_at: None,
            refusal: None,
            operator: "kim".into(),
            reason: String::new(),
            settled_at: None,
        }
    }

    fn no() -> Refusal {
        Refusal {
            code: "card_declined".into(),
            class: FailureClass::Soft,
            proves: Proves::NotExecuted,
            http_status: 402,
        }
    }

    #[test]
    fn a_goal_that_was_seen_ends_a_wish_whatever_the_call_said() {
        for heard in [
            Heard::Taken,
            Heard::NotSent,
            Heard::Declined(no()),
            Heard::Refused(no()),
            Heard::Nothing,
        ] {
            assert_eq!(judge(&wish(1), &heard, true, at(1)), WishState::Done);
        }
    }

    #[test]
    fn silence_is_never_a_no_while_something_may_be_under_way() {
        assert_eq!(
            judge(&wish(1), &Heard::Nothing, false, at(47)),
            WishState::Unknown
        );
        assert_eq!(
            judge(&wish(1), &Heard::Taken, false, at(47)),
            WishState::Unknown
        );
        assert_eq!(
            judge(&wish(1), &Heard::Nothing, false, at(48)),
            WishState::NotDone
        );
    }

    #[test]
    fn what_left_once_is_not_called_unsent_because_a_second_send_did_not_leave() {
        assert_eq!(
            judge(&wish(1), &Heard::NotSent, false, at(0)),
            WishState::NotSent
        );
        assert_eq!(
            judge(&wish(2), &Heard::NotSent, false, at(0)),
            WishState::Unknown
        );
    }

    #[test]
    fn a_key_is_used_again_for_less_than_a_day() {
        assert!(wish(1).may_be_sent_again(at(22)));
        assert!(!wish(1).may_be_sent_again(at(23)));
    }

    #[test]
    fn stored_names_read_back() {
        for state in WishState::ALL {
            assert_eq!(WishState::parse(state.as_str()), Some(state));
        }
        for verb in WishVerb::ALL {
            assert_eq!(WishVerb::parse(verb.as_str()), Some(verb));
        }
        for collection in Collection::ALL {
            assert_eq!(Collection::parse(collection.as_str()), Some(collection));
        }
    }
}
