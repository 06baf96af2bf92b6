//! An entry as it is written: versioned, in words of our own, read back only when every part of it is understood.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::customer::{Card, SealedKey};
use crate::domain::evidence::{CancelSeen, Evidence, PaymentSeen, Proves, Refusal, SeenStatus};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{AttemptId, CustomerId, PublicId};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{CardUse, ThreeDSecure};
use crate::engine::ports::{CallReport, Kept, KeptAnswer, KeptKey};

const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    version: u32,
    install: String,
    /// The process that keeps it; nobody knows of entries of the first release.
    #[serde(default)]
    by: String,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Key(Issued),
    Answer(Answer),
    /// Not to be kept: see [`Entry::of`].
    Nothing,
}

#[derive(Debug, Serialize, Deserialize)]
struct Issued {
    issue: i64,
    customer: i64,
    customer_key: String,
    method: String,
    provider: String,
    mode: String,
    sealed: String,
    sealed_under: String,
    hash: String,
    issuer: String,
    number: String,
    kind: String,
    expiry: Option<(i32, u32)>,
    at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    attempt: i64,
    order_id: String,
    epoch: i64,
    evidence: Proof,
    http_status: Option<u16>,
    trace_id: Option<String>,
    body_sha256: Option<String>,
    elapsed_ms: u64,
    #[serde(default)]
    is_replay: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Proof {
    Seen(Box<Seen>),
    Refused(Refused),
}

#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    order_id: String,
    provider_ref: String,
    status: String,
    total_minor: i64,
    currency: String,
    balance_minor: i64,
    approved_at: Option<DateTime<Utc>>,
    cancels: Vec<Cancel>,
    #[serde(default)]
    undone: Vec<Cancel>,
    failure: Option<Refused>,
    method: String,
    #[serde(default)]
    installment_months: Option<u32>,
    #[serde(default)]
    three_d_secure: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Cancel {
    transaction_key: String,
    reason: String,
    amount_minor: i64,
    at: DateTime<Utc>,
    is_done: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    code: String,
    class: String,
    proves: String,
    http_status: u16,
}

impl Entry {
    pub(super) fn of(install: &str, by: &str, kept: &Kept) -> Self {
        let what = match kept {
            Kept::Key(key) => What::Key(of_key(key)),
            // The engine keeps only answers that prove something.
            Kept::Answer(answer) => of_answer(answer).map_or(What::Nothing, What::Answer),
        };
        Self {
            version: VERSION,
            install: install.to_owned(),
            by: by.to_owned(),
            what,
        }
    }

    /// Who keeps it and what; none for an entry of another installation or of a later version, or one that is not
    /// understood.
    pub(super) fn into_kept(self, install: &str) -> Option<(String, Kept)> {
        if self.version != VERSION || self.install != install {
            return None;
        }
        let kept = match self.what {
            What::Key(key) => Kept::Key(Box::new(into_key(key)?)),
            What::Answer(answer) => Kept::Answer(Box::new(into_answer(answer)?)),
            What::Nothing => return None,
        };
        Some((self.by, kept))
    }
}

fn of_key(key: &KeptKey) -> Issued {
    Issued {
        issue: key.issue,
        customer: key.customer.0,
        customer_key: key.customer_key.clone(),
        method: key.method.to_string(),
        provider: key.provider.as_str().to_owned(),
        mode: key.mode.as_str().to_owned(),
        sealed: STANDARD.encode(&key.key.sealed),
        sealed_under: key.key.key_id.clone(),
        hash: key.key.hash.clone(),
        issuer: key.card.issuer.clone(),
        number: key.card.number.clone(),
        kind: key.card.kind.clone(),
        expiry: key.card.expiry,
        at: key.at,
    }
}

fn into_key(key: Issued) -> Option<KeptKey> {
    Some(KeptKey {
        issue: key.issue,
        customer: CustomerId(key.customer),
        customer_key: key.customer_key,
        method: PublicId::from_stored(key.method),
        provider: ProviderName::parse(&key.provider)?,
        mode: Mode::parse(&key.mode)?,
        key: SealedKey {
            sealed: STANDARD.decode(key.sealed).ok()?,
            key_id: key.sealed_under,
            hash: key.hash,
        },
        card: Card {
            issuer: key.issuer,
            number: key.number,
            kind: key.kind,
            expiry: key.expiry,
        },
        at: key.at,
    })
}

fn of_answer(answer: &KeptAnswer) -> Option<Answer> {
    let report = &answer.report;
    let evidence = match &report.evidence {
        Evidence::Seen(seen) => Proof::Seen(Box::new(of_seen(seen))),
        Evidence::Refused(refusal) => Proof::Refused(of_refusal(refusal)),
        Evidence::NotSeen
        | Evidence::NotSent
        | Evidence::Unconfirmed
        | Evidence::Withdrawn
        | Evidence::Withheld(_)
        | Evidence::Elsewhere(_)
        | Evidence::Throttled { .. }
        | Evidence::Busy
        | Evidence::Unusable(_) => return None,
    };
    Some(Answer {
        attempt: answer.attempt.0,
        order_id: answer.order_id.clone(),
        epoch: answer.epoch,
        evidence,
        http_status: report.http_status,
        trace_id: report.trace_id.clone(),
        body_sha256: report.body_sha256.clone(),
        elapsed_ms: report.elapsed_ms,
        is_replay: report.is_replay,
    })
}

fn into_answer(answer: Answer) -> Option<KeptAnswer> {
    let evidence = match answer.evidence {
        Proof::Seen(seen) => Evidence::Seen(into_seen(*seen)?),
        Proof::Refused(refused) => Evidence::Refused(into_refusal(refused)?),
    };
    Some(KeptAnswer {
        attempt: AttemptId(answer.attempt),
        order_id: answer.order_id,
        epoch: answer.epoch,
        report: CallReport {
            evidence,
            http_status: answer.http_status,
            trace_id: answer.trace_id,
            body_sha256: answer.body_sha256,
            elapsed_ms: answer.elapsed_ms,
            is_replay: answer.is_replay,
        },
    })
}

fn of_refusal(refusal: &Refusal) -> Refused {
    Refused {
        code: refusal.code.clone(),
        class: refusal.class.as_str().to_owned(),
        proves: refusal.proves.as_str().to_owned(),
        http_status: refusal.http_status,
    }
}

fn into_refusal(refused: Refused) -> Option<Refusal> {
    Some(Refusal {
        code: refused.code,
        class: FailureClass::parse(&refused.class)?,
        proves: Proves::parse(&refused.proves)?,
        http_status: refused.http_status,
    })
}

fn of_seen(seen: &PaymentSeen) -> Seen {
    let cancel = |cancel: &CancelSeen| Cancel {
        transaction_key: cancel.transaction_key.clone(),
        reason: cancel.reason.clone(),
        amount_minor: cancel.amount_minor,
        at: cancel.at,
        is_done: cancel.is_done,
    };
    Seen {
        order_id: seen.order_id.clone(),
        provider_ref: seen.provider_ref.clone(),
        status: seen.status.as_str().to_owned(),
        total_minor: seen.total.minor(),
        currency: seen.total.currency().code().to_owned(),
        balance_minor: seen.balance_minor,
        approved_at: seen.approved_at,
        cancels: seen.cancels.iter().map(cancel).collect(),
        undone: seen.undone.iter().map(cancel).collect(),
        failure: seen.failure.as_ref().map(of_refusal),
        method: seen.method.clone(),
        installment_months: seen.card_use.installment_months,
        three_d_secure: seen
            .card_use
            .three_d_secure
            .map(|one| one.as_str().to_owned()),
    }
}

fn into_seen(seen: Seen) -> Option<PaymentSeen> {
    let cancel = |cancel: Cancel| CancelSeen {
        transaction_key: cancel.transaction_key,
        reason: cancel.reason,
        amount_minor: cancel.amount_minor,
        at: cancel.at,
        is_done: cancel.is_done,
    };
    let status = SeenStatus::parse(&seen.status)?;
    let failure = match seen.failure {
        Some(refused) => Some(into_refusal(refused)?),
        None => None,
    };
    Some(PaymentSeen {
        order_id: seen.order_id,
        provider_ref: seen.provider_ref,
        status,
        total: Money::new(seen.total_minor, Currency::parse(&seen.currency).ok()?),
        balance_minor: seen.balance_minor,
        approved_at: seen.approved_at,
        cancels: seen.cancels.into_iter().map(cancel).collect(),
        undone: seen.undone.into_iter().map(cancel).collect(),
        failure,
        method: seen.method,
        card_use: CardUse {
            installment_months: seen.installment_months,
            three_d_secure: seen.three_d_secure.as_deref().and_then(ThreeDSecure::parse),
        },
    })
}
