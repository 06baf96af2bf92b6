//! The shipped client of the second provider over the network of the play: only the line is ours.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, CustomerLink,
    DeleteOutcome, Desk, FindStanding, IssueOutcome, MirroredProvider, PrepareCall, PrepareOutcome,
    Provider, ProviderError, RefundCall, RefundRequest, RegisterCall, StandingPage,
    TransactionSeen,
};
use paydeck::provider::stripe::StripeClient;
use paydeck::provider::stripe::line::{self, Line, Method};
use paydeck::sandbox::Asked;
use paydeck::secret::Secret;

use crate::net::Net;
use crate::warp::Warp;

pub struct StripeProvider {
    pub client: StripeClient,
    pub net: Arc<Net>,
    pub warp: Warp,
}

/// Requests leave as flights.
struct Flights {
    net: Arc<Net>,
    warp: Warp,
}

pub fn on_the_wire(asked: &line::Asked) -> Asked {
    Asked {
        method: match asked.method() {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        },
        path: asked.target(),
        idempotency_key: asked.idem_key().map(ToOwned::to_owned),
        body: asked.body().to_vec(),
    }
}

impl Line for Flights {
    fn carry(&self, asked: line::Asked) -> BoxFuture<'_, line::Heard> {
        Box::pin(async move {
            let asked = on_the_wire(&asked);
            if asked.method != "POST" {
                return self.net.ask(asked).await.by_stripe();
            }
            let (asked, again) = self.warp.posted(asked);
            let heard = self.net.ask(asked).await;
            match again {
                Some(again) if heard.is_lost() => self.net.ask(again).await.by_stripe(),
                _ => heard.by_stripe(),
            }
        })
    }
}

impl StripeProvider {
    pub fn new(net: &Arc<Net>, warp: &Warp) -> Self {
        let flights = Flights {
            net: Arc::clone(net),
            warp: warp.clone(),
        };
        Self {
            client: StripeClient::over(Arc::new(flights), Mode::Sim)
                .expect("a client")
                .returning_to("https://shop.example/back"),
            net: Arc::clone(net),
            warp: warp.clone(),
        }
    }
}

impl Provider for StripeProvider {
    fn name(&self) -> ProviderName {
        Provider::name(&self.client)
    }

    fn mode(&self) -> Mode {
        Provider::mode(&self.client)
    }

    fn account(&self) -> Option<String> {
        self.client.account()
    }

    fn mirrored(&self) -> Option<&dyn MirroredProvider> {
        Some(self)
    }

    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        self.client.charge_body(request)
    }

    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        self.warp.refund_body(self.client.refund_body(request))
    }

    fn lists_standing(&self) -> bool {
        self.client.lists_standing()
    }

    fn standing<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: FindStanding<'a>,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, StandingPage> {
        let first = self.net.first_charge();
        match self.warp.standing(call.order_id, first) {
            Some(rows) => {
                let next = None;
                Box::pin(std::future::ready(StandingPage::Page { rows, next }))
            }
            None => self.client.standing(desk, call, after),
        }
    }

    fn prepare<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: PrepareCall<'a>,
    ) -> BoxFuture<'a, PrepareOutcome> {
        self.client.prepare(desk, call)
    }

    fn charge<'a>(&'a self, desk: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let made = self.prepared_again(desk, &call).await;
            let call = ChargeCall {
                provider_ref: made.as_deref().or(call.provider_ref),
                ..call
            };
            let report = self.client.charge(desk, call).await;
            self.warp.answered(report, &call)
        })
    }

    fn charge_with_customer<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ChargeCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let made = self.prepared_again(desk, &call).await;
            let call = ChargeCall {
                provider_ref: made.as_deref().or(call.provider_ref),
                ..call
            };
            let report = self.client.charge_with_customer(desk, call).await;
            self.warp.answered(report, &call)
        })
    }

    fn customer_link<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CustomerLink> {
        self.client.customer_link(desk, provider_ref)
    }

    fn refund<'a>(&'a self, desk: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let report = self.client.refund(desk, call).await;
            self.warp.refunded(report, call.body, call.provider_ref)
        })
    }

    fn confirm<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        self.client.confirm(desk, call)
    }

    fn look_up_charge<'a>(
        &'a self,
        desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let report = self.client.look_up_charge(desk, look).await;
            self.warp.looked_up(report, &look)
        })
    }

    fn look_up_payment<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let report = self.client.look_up_payment(desk, provider_ref).await;
            self.warp.looked_up_refund(report)
        })
    }

    fn abandon<'a>(
        &'a self,
        desk: &'a mut Desk,
        provider_ref: &'a str,
        idem_key: &'a str,
    ) -> BoxFuture<'a, Option<CallReport>> {
        Box::pin(async move {
            if let Some(report) = self.warp.ends_without_asking(provider_ref) {
                return Some(report);
            }
            let ended = self.client.abandon(desk, provider_ref, idem_key).await;
            ended.map(|report| self.warp.ended(report, provider_ref))
        })
    }

    fn issue<'a>(
        &'a self,
        desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        Box::pin(async move {
            let outcome = self.client.issue(desk, call).await;
            self.net.hears_of_key(&outcome);
            outcome
        })
    }

    fn delete_key<'a>(&'a self, _: &'a mut Desk, _: &'a Secret) -> BoxFuture<'a, DeleteOutcome> {
        Box::pin(async { DeleteOutcome::Unanswered })
    }

    fn transactions<'a>(
        &'a self,
        _: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        Box::pin(self.net.list(from, to, after))
    }

    fn self_test<'a>(&'a self, _: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
}

impl StripeProvider {
    /// A mistake: what was sent before is made anew, under another key.
    async fn prepared_again(&self, desk: &mut Desk, call: &ChargeCall<'_>) -> Option<String> {
        let key = self.warp.key_of_new_intent(call)?;
        let prepare = PrepareCall {
            billing_key: call.billing_key,
            body: call.body,
            idem_key: &key,
            order_id: call.order_id,
            amount: call.amount,
        };
        match self.client.prepare(desk, prepare).await {
            PrepareOutcome::Prepared { provider_ref } => Some(provider_ref),
            PrepareOutcome::Not(_) => None,
        }
    }
}
