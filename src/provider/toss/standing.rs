//! What stands for an invoice: each of its possible names is looked up, one a page.
//!
//! Toss shows an order by our name for it alone; a name that was never used is not found. It makes and changes nothing.

use crate::domain::attempt::{CardOf, Standing};
use crate::domain::billing::try_of_invoice;
use crate::domain::evidence::{Evidence, SeenStatus, Unusable};
use crate::engine::ports::{CallReport, FindStanding, StandingPage};

use super::client::TossClient;

/// So many tries later than the one that is asked for are looked for: more than a schedule and people make in days.
const LATER: u32 = 9;

impl TossClient {
    pub(super) async fn standing_page(
        &self,
        call: FindStanding<'_>,
        after: Option<&str>,
    ) -> StandingPage {
        let number = after.map_or(Some(1), |number| number.parse().ok());
        let (Some((prefix, ours)), Some(number)) = (try_of_invoice(call.order_id), number) else {
            let unreadable = Evidence::Unusable(Unusable::Unreadable);
            return StandingPage::Unanswered(Box::new(CallReport::bare(unreadable)));
        };
        let order_id = format!("{prefix}{number}");
        let report = self.find_order(&order_id).await;
        let rows = match report.evidence {
            Evidence::NotSeen => Vec::new(),
            Evidence::Seen(seen) => vec![Standing {
                is_given_back: seen.status == SeenStatus::Captured && seen.balance_minor == 0,
                provider_ref: seen.provider_ref,
                order_id,
                status: seen.status,
                card: CardOf::Another,
            }],
            _ => return StandingPage::Unanswered(Box::new(report)),
        };
        StandingPage::Page {
            rows,
            next: (number < ours.saturating_add(LATER)).then(|| (number + 1).to_string()),
        }
    }
}
