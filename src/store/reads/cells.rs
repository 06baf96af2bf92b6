//! Columns that many lists share, and how they are read.

use crate::domain::ids::{CustomerId, PublicId};
use crate::domain::mode::ProviderName;
use crate::domain::states::{AttemptState, MethodState};
use crate::engine::ports::StoreError;
use crate::engine::queries::{Call, CardBrief, CustomerBrief};
use crate::store::sql::Cells;

type R<T> = Result<T, StoreError>;

/// Reads `customer_id`, `customer_public_id` and `customer_name`.
pub(super) fn customer(cells: &Cells<'_>) -> R<CustomerBrief> {
    Ok(CustomerBrief {
        id: CustomerId(cells.i64("customer_id")?),
        public_id: PublicId::from_stored(cells.text("customer_public_id")?),
        name: cells.text("customer_name")?,
    })
}

/// Reads `card_provider`, `card_issuer`, `card_number`, `exp_year`, `exp_month` and `card_state`; none without a card.
pub(super) fn card(cells: &Cells<'_>) -> R<Option<CardBrief>> {
    let Some(state) = cells.opt_word("card_state", MethodState::parse)? else {
        return Ok(None);
    };
    Ok(Some(CardBrief {
        provider: cells.word("card_provider", ProviderName::parse)?,
        issuer: cells.text("card_issuer")?,
        number: cells.text("card_number")?,
        expiry: expiry(cells)?,
        state,
    }))
}

/// Reads `exp_year` and `exp_month`.
fn expiry(cells: &Cells<'_>) -> R<Option<(i32, u32)>> {
    let (Some(year), Some(month)) = (cells.opt_i64("exp_year")?, cells.opt_i64("exp_month")?)
    else {
        return Ok(None);
    };
    match (i32::try_from(year), u32::try_from(month)) {
        (Ok(year), Ok(month)) => Ok(Some((year, month))),
        _ => Err(cells.bad(format!("its card expires {year}-{month}"))),
    }
}

/// The call of an attempt, while one is out.
pub(super) fn call(cells: &Cells<'_>, state: Option<AttemptState>) -> R<Option<Call>> {
    if state != Some(AttemptState::Sent) {
        return Ok(None);
    }
    let since = cells.opt_at("last_sent_at")?;
    let until = cells.opt_at("lease_until")?;
    let by = cells.opt_text("operator")?;
    Ok(match (by, since, until) {
        (Some(by), Some(since), Some(until)) => Some(Call { by, since, until }),
        _ => None,
    })
}
