//! Where what must not be lost is kept while the database is away: this host's own disk.

use chrono::{DateTime, Utc};

use crate::domain::customer::{Card, SealedKey};
use crate::domain::ids::{AttemptId, CustomerId, PublicId};
use crate::domain::mode::{Mode, ProviderName};

use super::BoxError;
use super::provider::CallReport;

/// Something the database has not taken yet.
#[derive(Debug, Clone)]
pub enum Kept {
    /// A billing key that was issued and whose row is not written.
    Key(Box<KeptKey>),
    /// What a provider answered and nobody could settle.
    Answer(Box<KeptAnswer>),
}

/// A sealed billing key with everything its row needs. The key itself is in no file.
#[derive(Debug, Clone)]
pub struct KeptKey {
    /// The row that says that a key was asked for.
    pub issue: i64,
    /// Whose card it is.
    pub customer: CustomerId,
    /// The customer's name at the provider: after a restored backup the same row may be another's.
    pub customer_key: String,
    /// The public id of the row, to which the key is bound.
    pub method: PublicId,
    /// Which provider holds it.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// Sealed as it will be in the row.
    pub key: SealedKey,
    /// What the provider says of the card.
    pub card: Card,
    /// When it was issued, in business time.
    pub at: DateTime<Utc>,
}

/// An answer that proves something. It holds no secret.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    /// What it is about.
    pub attempt: AttemptId,
    /// Its order id: after a restored backup the same row may be another attempt.
    pub order_id: String,
    /// The fence under which the call went out.
    pub epoch: i64,
    /// The answer.
    pub report: CallReport,
}

/// Why the spool cannot keep, read or remove something.
#[derive(Debug, thiserror::Error)]
#[error("the spool on this host cannot be used")]
pub struct SpoolError(#[source] pub BoxError);

/// A directory of entries, each under a name of its own. Entries of other installations are not seen.
pub trait Spool: Send + Sync {
    /// Makes an entry durable before it returns; the same name is written over.
    fn keep(&self, name: &str, entry: &Kept) -> Result<(), SpoolError>;
    /// Every entry that can be read and that its writer has left, oldest first; the others stay where they are.
    fn kept(&self) -> Result<Vec<(String, Kept)>, SpoolError>;
    /// Removes an entry that the database has taken; none is as good.
    fn remove(&self, name: &str) -> Result<(), SpoolError>;
}

/// For sessions that send nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSpool;

impl Spool for NoSpool {
    fn keep(&self, _: &str, _: &Kept) -> Result<(), SpoolError> {
        Err(SpoolError("this session has no spool".into()))
    }

    fn kept(&self) -> Result<Vec<(String, Kept)>, SpoolError> {
        Ok(Vec::new())
    }

    fn remove(&self, _: &str) -> Result<(), SpoolError> {
        Ok(())
    }
}
