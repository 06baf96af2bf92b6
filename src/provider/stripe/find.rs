//! Finding what stands for an invoice by our names for it, where keys may be forgotten and our books may be older.
//!
//! Only lists are read, which show an intent at once; the search index lags. It makes and changes nothing, and draws no
//! conclusions: that is `domain::attempt::standing_of`.

use crate::domain::attempt::{CardOf, Standing};
use crate::domain::billing::try_of_invoice;
use crate::domain::evidence::{Evidence, Unusable};
use crate::engine::ports::{CallReport, FindStanding, StandingPage, Whose};
use crate::provider::http::Exchange;

use super::client::{StripeClient, report};
use super::codes::CallKind;
use super::map;
use super::request::{self, Credential, Unsendable};
use super::wire::{self, Expandable};

impl StripeClient {
    pub(super) async fn standing_page(
        &self,
        call: FindStanding<'_>,
        after: Option<&str>,
    ) -> StandingPage {
        let page = self.intents_after(&call, after).await;
        page.unwrap_or_else(StandingPage::Unanswered)
    }

    async fn intents_after(
        &self,
        call: &FindStanding<'_>,
        after: Option<&str>,
    ) -> Result<StandingPage, Box<CallReport>> {
        let unasked = |why: Unsendable| Box::new(why.report(CallKind::LookUp));
        let who = call.billing_key.map(Credential::read).transpose();
        let who = who.map_err(unasked)?;
        let customer = match (call.whose, &who) {
            (Whose::Everybodys | Whose::ForEveryInvoice, _) => None,
            (Whose::OfCustomer, Some(who)) => Some(who.customer),
            (Whose::OfCustomer, None) => return Err(unasked(Unsendable::Credential)),
        };
        let prefix = match (call.whose, try_of_invoice(call.order_id)) {
            (Whose::ForEveryInvoice, _) => "",
            (Whose::OfCustomer | Whose::Everybodys, Some((prefix, _))) => prefix,
            (Whose::OfCustomer | Whose::Everybodys, None) => {
                return Err(unasked(Unsendable::Reference));
            }
        };
        let asked = request::intents_of(customer, call.since.timestamp(), after);
        let exchange = self.send(asked.map_err(unasked)?).await.map_err(unasked)?;
        let page = read(&exchange).map_err(|evidence| Box::new(report(&exchange, *evidence)))?;
        let last = page.data.last().map(|intent| intent.id.clone());
        let card = who.map(|who| who.method);
        let rows = page
            .data
            .iter()
            .filter_map(|intent| standing(intent, prefix, card))
            .collect();
        match (page.has_more, last) {
            (false, _) => Ok(StandingPage::Page { rows, next: None }),
            (true, Some(last)) => Ok(StandingPage::Page {
                rows,
                next: Some(last),
            }),
            (true, None) => Err(Box::new(report(&exchange, unreadable()))),
        }
    }
}

/// An intent of this invoice, or of any, under whatever number.
fn standing(intent: &wire::Intent, prefix: &str, card: Option<&str>) -> Option<Standing> {
    let order_id = wire::note(&intent.metadata, "order_id")?;
    order_id.starts_with(prefix).then(|| Standing {
        provider_ref: intent.id.clone(),
        order_id: order_id.to_owned(),
        status: map::status(intent),
        card: match (card, wire::id_of(intent.payment_method.as_ref())) {
            (Some(ours), Some(theirs)) if ours == theirs => CardOf::Ours,
            _ => CardOf::Another,
        },
        is_given_back: is_given_back(intent),
    })
}

/// Whether all that its last charge took has gone back. Where the charge is not told, nothing has.
fn is_given_back(intent: &wire::Intent) -> bool {
    let charge = intent.latest_charge.as_ref().and_then(Expandable::object);
    let took = intent.amount_received.unwrap_or(intent.amount);
    charge.is_some_and(|charge| took > 0 && charge.amount_refunded >= took)
}

const fn unreadable() -> Evidence {
    Evidence::Unusable(Unusable::Unreadable)
}

/// A customer that we know and Stripe does not is none whose list would prove anything.
fn read(exchange: &Exchange) -> Result<wire::List<wire::Intent>, Box<Evidence>> {
    let body = map::ok_body(exchange, CallKind::LookUp).map_err(|not_ok| match not_ok {
        map::NotOk::NotFound => Box::new(unreadable()),
        not_ok => Box::new(not_ok.into()),
    })?;
    serde_json::from_slice(body).map_err(|_| Box::new(unreadable()))
}
