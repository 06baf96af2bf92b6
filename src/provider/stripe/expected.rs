//! What the answer to each call must be about.

use crate::domain::mode::Mode;
use crate::engine::ports::{ChargeCall, ChargeLook, PrepareCall, RefundCall};

use super::codes::CallKind;
use super::map::Expected;

impl<'a> Expected<'a> {
    pub(super) const fn of(call: CallKind, mode: Mode) -> Self {
        Self {
            call,
            mode,
            order_id: None,
            provider_ref: None,
            total: None,
        }
    }

    pub(super) const fn prepare(call: &PrepareCall<'a>, mode: Mode) -> Self {
        Self {
            order_id: Some(call.order_id),
            total: Some(call.amount),
            ..Self::of(CallKind::Prepare, mode)
        }
    }

    pub(super) const fn charge(call: &ChargeCall<'a>, mode: Mode) -> Self {
        Self {
            order_id: Some(call.order_id),
            provider_ref: call.provider_ref,
            total: Some(call.amount),
            ..Self::of(CallKind::Charge, mode)
        }
    }

    pub(super) const fn look(look: &ChargeLook<'a>, mode: Mode) -> Self {
        Self {
            order_id: Some(look.order_id),
            provider_ref: look.provider_ref,
            total: Some(look.amount),
            ..Self::of(CallKind::LookUp, mode)
        }
    }

    pub(super) const fn payment(provider_ref: &'a str, mode: Mode) -> Self {
        Self {
            provider_ref: Some(provider_ref),
            ..Self::of(CallKind::LookUp, mode)
        }
    }

    pub(super) const fn refund(call: &RefundCall<'a>, mode: Mode) -> Self {
        Self {
            provider_ref: Some(call.provider_ref),
            ..Self::of(CallKind::Refund, mode)
        }
    }

    pub(super) const fn abandon(provider_ref: &'a str, mode: Mode) -> Self {
        Self {
            provider_ref: Some(provider_ref),
            ..Self::of(CallKind::Abandon, mode)
        }
    }
}
