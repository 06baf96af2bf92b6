//! The port of the second provider over the network of the play: charges in two steps.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use paydeck::domain::evidence::Evidence;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    IssueOutcome, PrepareCall, PrepareOutcome, Provider, ProviderError, RefundCall, RefundRequest,
    RegisterCall, TransactionSeen,
};
use paydeck::provider::stripe::spoken::{self, Ask, Method};
use paydeck::sandbox::Asked;
use paydeck::secret::Secret;

use crate::ledger::Heard;
use crate::net::Net;
use crate::warp::{Warp, Wrong};

/// As the client does.
const MOST_KEYS: u32 = 5;

pub struct StripeProvider {
    pub net: Arc<Net>,
    pub warp: Warp,
}

fn on_the_wire(asked: &spoken::Asked) -> Asked {
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

impl StripeProvider {
    async fn send(&self, ask: Ask) -> Result<Heard, CallReport> {
        let asked = match ask {
            Ask::Send(asked) => on_the_wire(&asked),
            Ask::Known(report) => return Err(report),
        };
        if asked.method != "POST" {
            return Ok(self.net.ask(asked).await);
        }
        let (asked, again) = self.warp.asked(asked);
        let heard = self.net.ask(asked).await;
        Ok(match again {
            Some(again) if heard.is_lost() => self.net.ask(again).await,
            _ => heard,
        })
    }

    async fn read(&self, provider_ref: &str) -> CallReport {
        let intent = match self.send(spoken::ask_intent(Some(provider_ref))).await {
            Ok(heard) => heard.by_stripe(),
            Err(report) => return report,
        };
        // Payments of a play have few refunds: one page is all.
        let pages = match self.send(spoken::ask_refunds(provider_ref, None)).await {
            Ok(heard) => vec![heard.by_stripe()],
            Err(report) => return report,
        };
        spoken::payment(provider_ref, Mode::Sim, intent, pages, 1)
    }
}

impl Provider for StripeProvider {
    fn name(&self) -> ProviderName {
        ProviderName::Stripe
    }

    fn mode(&self) -> Mode {
        Mode::Sim
    }

    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        spoken::charge_body(request)
    }

    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        self.warp.refund_body(spoken::refund_body(request))
    }

    fn prepare<'a>(
        &'a self,
        _: &'a mut Desk,
        call: PrepareCall<'a>,
    ) -> BoxFuture<'a, PrepareOutcome> {
        Box::pin(async move {
            let mut nth = 1;
            loop {
                let mut asked = match spoken::ask_prepare(&call, nth) {
                    Ask::Send(asked) => on_the_wire(&asked),
                    Ask::Known(report) => return PrepareOutcome::Not(report),
                };
                if self.warp.wrong == Wrong::OneShot {
                    asked.body.extend(b"&confirm=true&off_session=true");
                }
                let heard = self.net.ask(asked).await.by_stripe();
                if spoken::is_dead_key(&heard) && nth < MOST_KEYS {
                    nth += 1;
                    continue;
                }
                return spoken::prepare(&call, Mode::Sim, heard, 1);
            }
        })
    }

    fn charge<'a>(&'a self, _: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let heard = match self.send(spoken::ask_charge(&call)).await {
                Ok(heard) => heard,
                Err(report) => return report,
            };
            let report = spoken::charge(&call, Mode::Sim, heard.clone().by_stripe(), 1);
            self.warp
                .answered(report, &heard, call.order_id, call.amount)
        })
    }

    fn refund<'a>(&'a self, _: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let report = match self.send(spoken::ask_refund(&call)).await {
                Ok(heard) => spoken::refund(&call, Mode::Sim, heard.by_stripe(), 1),
                Err(report) => return report,
            };
            self.warp.refunded(report, call.body, call.provider_ref)
        })
    }

    fn confirm<'a>(&'a self, _: &'a mut Desk, _: ConfirmCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(std::future::ready(CallReport::bare(Evidence::NotSent)))
    }

    fn look_up_charge<'a>(
        &'a self,
        _: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let mut report = match self.send(spoken::ask_intent(look.provider_ref)).await {
                Ok(heard) => spoken::look(&look, Mode::Sim, heard.by_stripe(), 1),
                Err(report) => report,
            };
            if spoken::needs_refunds(&report)
                && let Some(provider_ref) = look.provider_ref
            {
                report = self.read(provider_ref).await;
            }
            self.warp.looked_up(report, look.order_id)
        })
    }

    fn look_up_payment<'a>(
        &'a self,
        _: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let report = self.read(provider_ref).await;
            self.warp.looked_up_refund(report)
        })
    }

    fn abandon<'a>(
        &'a self,
        _: &'a mut Desk,
        provider_ref: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Option<CallReport>> {
        Box::pin(async move {
            Some(match self.send(spoken::ask_abandon(provider_ref)).await {
                Ok(heard) => spoken::abandon(provider_ref, Mode::Sim, heard.by_stripe(), 1),
                Err(report) => report,
            })
        })
    }

    fn issue<'a>(&'a self, _: &'a mut Desk, _: RegisterCall<'a>) -> BoxFuture<'a, IssueOutcome> {
        Box::pin(async { IssueOutcome::NotSent })
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
