//! A payment in the provider's books, its cancels, and its tax split.

use chrono::{DateTime, Utc};

use super::{CardFace, Refusal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Paid in a checkout window.
    Normal,
    /// Charged with a billing key.
    Billing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Authenticated in a checkout, not confirmed.
    InProgress,
    Done,
    /// Cancelled in one go.
    Canceled,
    /// Has a partial cancel; it stays so even when the rest is cancelled too (measured).
    PartialCanceled,
    /// Declined.
    Aborted,
    /// A checkout that nobody confirmed in time.
    Expired,
}

impl Status {
    pub const ALL: [Self; 6] = [
        Self::InProgress,
        Self::Done,
        Self::Canceled,
        Self::PartialCanceled,
        Self::Aborted,
        Self::Expired,
    ];

    pub fn wire(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Done => "DONE",
            Self::Canceled => "CANCELED",
            Self::PartialCanceled => "PARTIAL_CANCELED",
            Self::Aborted => "ABORTED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Money was taken at some time.
    pub fn was_approved(self) -> bool {
        match self {
            Self::Done | Self::Canceled | Self::PartialCanceled => true,
            Self::InProgress | Self::Aborted | Self::Expired => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    pub transaction_key: String,
    pub amount: i64,
    pub reason: String,
    pub tax_free: i64,
    pub tax_exemption: i64,
    /// What was left after it.
    pub refundable_after: i64,
    pub canceled_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: i64,
    /// The provider's paymentKey, stable for life.
    pub key: String,
    pub order_id: String,
    pub order_name: String,
    pub kind: Kind,
    pub status: Status,
    pub card_id: i64,
    pub customer_key: Option<String>,
    pub face: CardFace,
    pub amount: i64,
    pub balance: i64,
    pub tax_free: i64,
    pub tax_exemption: i64,
    pub installment_months: i64,
    pub requested_at: DateTime<Utc>,
    pub approved_at: Option<DateTime<Utc>>,
    /// Key of the approval.
    pub transaction_key: Option<String>,
    /// Code of the decline.
    pub failure: Option<String>,
    pub cancels: Vec<Cancel>,
}

impl Payment {
    pub fn last_transaction_key(&self) -> Option<&str> {
        self.cancels
            .last()
            .map(|cancel| cancel.transaction_key.as_str())
            .or(self.transaction_key.as_deref())
    }

    pub fn approve(&mut self, transaction_key: String, now: DateTime<Utc>) {
        self.status = Status::Done;
        self.approved_at = Some(now);
        self.transaction_key = Some(transaction_key);
        self.failure = None;
    }

    pub fn abort(&mut self, refusal: &Refusal) {
        self.status = Status::Aborted;
        self.failure = Some(refusal.code.to_string());
        self.balance = 0;
    }

    /// Value added tax and supply price of what is left.
    pub fn tax_split(&self) -> (i64, i64) {
        let canceled_tax_free: i64 = self.cancels.iter().map(|cancel| cancel.tax_free).sum();
        let tax_free = (self.tax_free - canceled_tax_free).clamp(0, self.balance);
        let vat = vat_of(self.balance - tax_free);
        (vat, self.balance - tax_free - vat)
    }
}

/// One eleventh, rounded half up, of an amount that is not negative.
pub(super) fn vat_of(taxable: i64) -> i64 {
    let whole = taxable / 11;
    whole + i64::from((taxable % 11) * 2 >= 11)
}

#[cfg(test)]
mod tests {
    use super::vat_of;

    #[test]
    fn vat_is_one_eleventh_rounded_half_up() {
        for (taxable, vat) in [
            (4900, 445),
            (9900, 900),
            (15000, 1364),
            (7000, 636),
            (167_136, 15194),
            (0, 0),
        ] {
            assert_eq!(vat_of(taxable), vat, "{taxable}");
        }
    }
}
