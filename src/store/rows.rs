//! Cells in the words of the domain: instants, local dates, amounts, states and ids.

use chrono::{DateTime, NaiveDate, Utc};

use super::sql::Cells;
use crate::domain::ids::PublicId;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::{Currency, Money};
use crate::engine::ports::StoreError;

impl Cells<'_> {
    /// A count or number that is never negative.
    pub fn u32(&self, column: &str) -> Result<u32, StoreError> {
        let value = self.i64(column)?;
        u32::try_from(value).map_err(|_| self.bad(format!("{column} is {value}")))
    }

    /// How many rows.
    pub fn count(&self, column: &str) -> Result<u64, StoreError> {
        let value = self.i64(column)?;
        u64::try_from(value).map_err(|_| self.bad(format!("{column} is {value}")))
    }

    /// 1 or 0.
    pub fn yes(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.i64(column)? == 1)
    }

    /// An owned text.
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        self.str(column).map(str::to_owned)
    }

    /// An owned text or null.
    pub fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.opt_str(column)?.map(str::to_owned))
    }

    /// An instant.
    pub fn at(&self, column: &str) -> Result<DateTime<Utc>, StoreError> {
        self.opt_at(column)?
            .ok_or_else(|| self.bad(format!("{column} is null")))
    }

    /// An instant or null.
    pub fn opt_at(&self, column: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.opt_i64(column)?
            .map(|micros| {
                DateTime::from_timestamp_micros(micros)
                    .ok_or_else(|| self.bad(format!("{column} is {micros}")))
            })
            .transpose()
    }

    /// A local date.
    pub fn day(&self, column: &str) -> Result<NaiveDate, StoreError> {
        let text = self.str(column)?;
        text.parse()
            .map_err(|_| self.bad(format!("{column} is {text:?}")))
    }

    /// An amount, from the column of its minor units and the column `currency`.
    pub fn money(&self, minor: &str) -> Result<Money, StoreError> {
        let code = self.str("currency")?;
        let currency =
            Currency::parse(code).map_err(|_| self.bad(format!("currency is {code:?}")))?;
        Ok(Money::new(self.i64(minor)?, currency))
    }

    /// A stored word of a closed list.
    pub fn word<T>(
        &self,
        column: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text = self.str(column)?;
        parse(text).ok_or_else(|| self.bad(format!("{column} is {text:?}")))
    }

    /// A stored word of a closed list, or null.
    pub fn opt_word<T>(
        &self,
        column: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.opt_str(column)? {
            None => Ok(None),
            Some(text) => parse(text)
                .map(Some)
                .ok_or_else(|| self.bad(format!("{column} is {text:?}"))),
        }
    }

    /// The column `public_id`.
    pub fn public_id(&self) -> Result<PublicId, StoreError> {
        self.text("public_id").map(PublicId::from_stored)
    }

    /// The column `mode`.
    pub fn mode(&self) -> Result<Mode, StoreError> {
        self.word("mode", Mode::parse)
    }

    /// The column `provider`.
    pub fn provider(&self) -> Result<ProviderName, StoreError> {
        self.word("provider", ProviderName::parse)
    }
}
