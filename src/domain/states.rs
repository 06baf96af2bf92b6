//! The tables of states and moves, one per noun. Nothing else changes a status.

/// Defines an enum with its stored names and its table of moves.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal => [$($to:ident),*]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every state, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and shown name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads a stored name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// Where this state may move to.
            pub const fn moves(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$(Self::$to),*]),+ }
            }

            /// Whether the table has this move.
            pub fn can_move_to(self, to: Self) -> bool {
                self.moves().contains(&to)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// One try to move money. `Declined`, `NotExecuted` and `Abandoned` move again only with a new
    /// evidence row, and that pages someone.
    AttemptState {
        /// Waits for a second person.
        WaitingApproval = "waiting_approval" => [Ready, Abandoned],
        /// Written down, not sent.
        Ready = "ready" => [Sent, Abandoned],
        /// Handed to the network, no answer yet. After a crash it is read as unknown.
        Sent = "sent" => [Succeeded, Declined, Unknown, Ready],
        /// Sent, and the answer was lost or unusable. Only the provider can tell more.
        Unknown = "unknown" => [Succeeded, Declined, NotExecuted, Duplicate],
        /// The provider proved that the money moved.
        Succeeded = "succeeded" => [],
        /// The provider proved that it did not.
        Declined = "declined" => [Succeeded, Duplicate],
        /// Two persons with evidence declared that the provider never executed it.
        NotExecuted = "not_executed" => [Succeeded, Duplicate],
        /// Given up before it was ever sent.
        Abandoned = "abandoned" => [Succeeded, Duplicate],
        /// Money was taken for an obligation already paid; a refund is prepared.
        Duplicate = "duplicate" => [],
    }
}

states! {
    /// What is owed for one period, or once.
    InvoiceState {
        /// Being made.
        Draft = "draft" => [Open],
        /// Owed.
        Open = "open" => [Paid, Void, Uncollectible],
        /// Settled.
        Paid = "paid" => [],
        /// Withdrawn before it was paid.
        Void = "void" => [],
        /// Given up, but still owed.
        Uncollectible = "uncollectible" => [Paid],
    }
}

states! {
    /// A customer on a plan.
    SubscriptionState {
        /// Its first charge has not succeeded.
        Incomplete = "incomplete" => [Active, Expired],
        /// In a free trial.
        Trialing = "trialing" => [Active, PastDue, Canceled, Expired],
        /// Paid.
        Active = "active" => [PastDue, Paused, Canceled],
        /// A renewal was declined; dunning is under way.
        PastDue = "past_due" => [Active, Unpaid, Paused, Canceled],
        /// Dunning ended: access is over, the debt is kept.
        Unpaid = "unpaid" => [Active, Canceled],
        /// Not billed for now.
        Paused = "paused" => [Active, Canceled],
        /// Ended by a person or a policy.
        Canceled = "canceled" => [],
        /// Never became active, or ended by its own term.
        Expired = "expired" => [],
    }
}

states! {
    /// A billing run.
    RunState {
        /// Written down, not started.
        Planned = "planned" => [Running],
        /// Under way.
        Running = "running" => [Finished, Stopped],
        /// Every due row has an outcome.
        Finished = "finished" => [],
        /// Stopped by a person, a breaker or a configuration error; may be resumed.
        Stopped = "stopped" => [Running],
    }
}

states! {
    /// A received webhook event.
    InboxState {
        /// Stored, not looked at.
        Received = "received" => [Processed, Ignored, Failed, Quarantined],
        /// Acted on.
        Processed = "processed" => [],
        /// Needs no action.
        Ignored = "ignored" => [],
        /// Could not be acted on; replay puts it back.
        Failed = "failed" => [Received],
        /// About something we do not know.
        Quarantined = "quarantined" => [],
    }
}

states! {
    /// A notice or event still to be sent.
    OutboxState {
        /// Waits to be sent.
        Queued = "queued" => [Sent, Failed, Expired],
        /// Delivered.
        Sent = "sent" => [],
        /// Could not be delivered; queued again by schedule.
        Failed = "failed" => [Queued],
        /// Too old to be of use.
        Expired = "expired" => [],
    }
}

states! {
    /// What one person asked for and another approves. It is decided once.
    ApprovalState {
        /// Nobody has decided.
        Waiting = "waiting" => [Granted, Rejected, Expired, Void],
        /// Another person approved it, and it happened with that.
        Granted = "granted" => [],
        /// Turned down.
        Rejected = "rejected" => [],
        /// Nobody decided in time.
        Expired = "expired" => [],
        /// What it was about changed, and it was asked for anew.
        Void = "void" => [],
    }
}

states! {
    /// A stored way to charge.
    MethodState {
        /// May be charged.
        Active = "active" => [Replaced, Deleted],
        /// A newer one took its place.
        Replaced = "replaced" => [Deleted],
        /// The provider no longer knows it.
        Deleted = "deleted" => [],
    }
}

impl AttemptState {
    /// Whether this state holds the one place an obligation has for an open charge.
    pub const fn holds_charge_slot(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Sent | Self::Unknown | Self::Succeeded
        )
    }

    /// Whether money may still move, so that nothing new may be started on the target.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::WaitingApproval | Self::Ready | Self::Sent | Self::Unknown
        )
    }
}

impl SubscriptionState {
    /// Counts in MRR and in the figure "active".
    pub const fn is_billed(self) -> bool {
        matches!(self, Self::Active | Self::PastDue)
    }

    /// Has ended for good.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Canceled | Self::Expired)
    }
}

/// How statuses of other systems read here, by source: used by imports and shown by
/// `paydeck states`. The last column is the state's stored name.
pub const STATUS_VOCABULARY: &[(&str, &str, SubscriptionState)] = &[
    ("django-toss", "ACTIVE", SubscriptionState::Active),
    ("django-toss", "CANCELLED", SubscriptionState::Canceled),
    ("django-toss", "EXPIRED", SubscriptionState::Expired),
    ("django-toss", "PENDING", SubscriptionState::Incomplete),
    ("django-toss", "SUSPENDED", SubscriptionState::Unpaid),
    ("ninja-toss", "active", SubscriptionState::Active),
    ("ninja-toss", "trial", SubscriptionState::Trialing),
    ("ninja-toss", "past_due", SubscriptionState::PastDue),
    ("ninja-toss", "paused", SubscriptionState::Paused),
    ("ninja-toss", "canceled", SubscriptionState::Canceled),
    ("ninja-toss", "expired", SubscriptionState::Expired),
    ("supabase-toss", "active", SubscriptionState::Active),
    ("supabase-toss", "cancelled", SubscriptionState::Canceled),
    ("supabase-toss", "pending_cancel", SubscriptionState::Active),
    ("supabase-toss", "terminated", SubscriptionState::Canceled),
    ("supabase-toss", "free", SubscriptionState::Expired),
    ("ninja-stripe", "incomplete", SubscriptionState::Incomplete),
    (
        "ninja-stripe",
        "incomplete_expired",
        SubscriptionState::Expired,
    ),
    ("ninja-stripe", "trialing", SubscriptionState::Trialing),
    ("ninja-stripe", "active", SubscriptionState::Active),
    ("ninja-stripe", "past_due", SubscriptionState::PastDue),
    ("ninja-stripe", "canceled", SubscriptionState::Canceled),
    ("ninja-stripe", "unpaid", SubscriptionState::Unpaid),
    ("ninja-stripe", "paused", SubscriptionState::Paused),
    ("prisma-toss", "ACTIVE", SubscriptionState::Active),
    ("prisma-toss", "INACTIVE", SubscriptionState::Expired),
    ("prisma-toss", "PAST_DUE", SubscriptionState::PastDue),
    ("prisma-toss", "CANCELED", SubscriptionState::Canceled),
    ("prisma-toss", "TRIALING", SubscriptionState::Trialing),
    ("prisma-toss", "PAUSED", SubscriptionState::Paused),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_settled_attempt_never_goes_back_to_open() {
        for from in AttemptState::ALL.iter().filter(|s| !s.is_open()) {
            assert!(from.moves().iter().all(|to| !to.is_open()), "{from}");
        }
    }

    #[test]
    fn stored_names_read_back() {
        for state in AttemptState::ALL {
            assert_eq!(AttemptState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(SubscriptionState::parse("PastDue"), None);
    }

    proptest! {
        #[test]
        fn no_walk_leaves_an_ended_subscription(steps in prop::collection::vec(0_usize..8, 1..40)) {
            let mut state = SubscriptionState::Incomplete;
            for step in steps {
                let to = SubscriptionState::ALL[step];
                if state.can_move_to(to) {
                    prop_assert!(!state.is_ended());
                    state = to;
                }
            }
        }

        #[test]
        fn success_is_final_and_unknown_never_becomes_ready(steps in prop::collection::vec(0_usize..9, 1..40)) {
            let mut state = AttemptState::WaitingApproval;
            let mut was_unknown = false;
            for step in steps {
                let to = AttemptState::ALL[step];
                if state.can_move_to(to) {
                    prop_assert!(state != AttemptState::Succeeded && state != AttemptState::Duplicate);
                    prop_assert!(!(was_unknown && to == AttemptState::Ready));
                    was_unknown |= to == AttemptState::Unknown;
                    state = to;
                }
            }
        }
    }
}
