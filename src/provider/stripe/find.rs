//! Finding an intent by our name for it, where its key may be forgotten and its own name is not in our books.
//!
//! Only the customer's list is read, which shows an intent at once; the search index lags. What is found is then read by
//! its name, like any other. It makes and changes nothing.

use crate::domain::evidence::{Evidence, Unusable};
use crate::engine::ports::{CallReport, ChargeLook, FindPrepared, FoundPrepared};
use crate::provider::http::Exchange;

use super::client::{StripeClient, report};
use super::codes::CallKind;
use super::map;
use super::request::{self, Credential};
use super::wire;

/// Most pages of one customer's intents that are read.
const MAX_PAGES: u32 = 20;

impl StripeClient {
    pub(super) async fn find_prepared_once(&self, call: FindPrepared<'_>) -> FoundPrepared {
        let who = match Credential::read(call.billing_key) {
            Ok(who) => who,
            Err(why) => return FoundPrepared::Unanswered(why.report(CallKind::LookUp)),
        };
        let ours = match self.intents_named(who.customer, &call).await {
            Ok(ours) => ours,
            Err(report) => return FoundPrepared::Unanswered(report),
        };
        let found = match map::most_telling(&ours) {
            Ok(Some(intent)) => intent.id.clone(),
            Ok(None) => return FoundPrepared::Nothing,
            Err(why) => {
                return FoundPrepared::Unanswered(CallReport::bare(Evidence::Unusable(why)));
            }
        };
        let look = ChargeLook {
            order_id: call.order_id,
            provider_ref: Some(&found),
            amount: call.amount,
        };
        let report = self.find_charge(look).await;
        match report.evidence {
            Evidence::Seen(_) => FoundPrepared::One {
                provider_ref: found,
                report,
            },
            _ => FoundPrepared::Unanswered(report),
        }
    }

    /// Every intent of the customer that carries our name for it.
    async fn intents_named(
        &self,
        customer: &str,
        call: &FindPrepared<'_>,
    ) -> Result<Vec<wire::Intent>, CallReport> {
        let mut ours = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let since = call.since.timestamp();
            let asked = request::intents_of(customer, since, after.as_deref());
            let asked = asked.map_err(|why| why.report(CallKind::LookUp))?;
            let exchange = self.send(asked).await;
            let exchange = exchange.map_err(|why| why.report(CallKind::LookUp))?;
            let page = page(&exchange).map_err(|evidence| report(&exchange, *evidence))?;
            after = page.data.last().map(|intent| intent.id.clone());
            let is_named = |intent: &wire::Intent| {
                wire::note(&intent.metadata, "order_id") == Some(call.order_id)
            };
            ours.extend(page.data.into_iter().filter(is_named));
            if !page.has_more {
                return Ok(ours);
            }
            if after.is_none() {
                break;
            }
        }
        Err(CallReport::bare(Evidence::Unusable(Unusable::Unreadable)))
    }
}

/// A customer that we know and Stripe does not is none whose list would prove anything.
fn page(exchange: &Exchange) -> Result<wire::List<wire::Intent>, Box<Evidence>> {
    let body = map::ok_body(exchange, CallKind::LookUp).map_err(|not_ok| match not_ok {
        map::NotOk::NotFound => Box::new(Evidence::Unusable(Unusable::Unreadable)),
        not_ok => Box::new(not_ok.into()),
    })?;
    serde_json::from_slice(body).map_err(|_| Box::new(Evidence::Unusable(Unusable::Unreadable)))
}
