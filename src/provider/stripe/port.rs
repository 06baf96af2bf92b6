//! The client behind the engine's port: each method is one call of the client.

use chrono::{DateTime, Utc};

use crate::domain::evidence::Refusal;
use crate::domain::mode::{Mode, ProviderName};
use crate::engine::ports::{
    BalanceBook, BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall,
    CustomerLink, DeleteOutcome, Desk, FindStanding, IssueOutcome, MirroredProvider, PrepareCall,
    PrepareOutcome, Provider, ProviderError, RefundCall, RefundRequest, RegisterCall, StandingPage,
    TransactionSeen,
};
use crate::secret::Secret;

use super::body;
use super::client::StripeClient;
use super::codes::{self, CallKind};
use super::request::Unsendable;

impl Provider for StripeClient {
    fn name(&self) -> ProviderName {
        ProviderName::Stripe
    }

    fn mode(&self) -> Mode {
        self.money_mode()
    }

    fn balance_book(&self) -> Option<&dyn BalanceBook> {
        Some(self)
    }

    fn mirrored(&self) -> Option<&dyn MirroredProvider> {
        Some(self)
    }

    fn account(&self) -> Option<String> {
        self.account_said()
    }

    fn refuses_everybody(&self, refusal: &Refusal) -> bool {
        codes::is_everybodys(refusal)
    }

    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        body::charge(request)
    }

    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        body::refund(request)
    }

    fn lists_standing(&self) -> bool {
        true
    }

    fn standing<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: FindStanding<'a>,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, StandingPage> {
        Box::pin(self.standing_page(call, after))
    }

    fn prepare<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: PrepareCall<'a>,
    ) -> BoxFuture<'a, PrepareOutcome> {
        Box::pin(self.prepare_once(call))
    }

    fn charge<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: ChargeCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.charge_once(call))
    }

    fn charge_with_customer<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: ChargeCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.charge_with_customer_once(call))
    }

    fn customer_link<'a>(
        &'a self,
        _desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CustomerLink> {
        Box::pin(self.link_once(provider_ref))
    }

    fn refund<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: RefundCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.refund_once(call))
    }

    /// There is no checkout whose payment we would confirm.
    fn confirm<'a>(
        &'a self,
        _desk: &'a mut Desk,
        _call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        let report = Unsendable::Unsupported.report(CallKind::Charge);
        Box::pin(std::future::ready(report))
    }

    fn look_up_charge<'a>(
        &'a self,
        _desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.find_charge(look))
    }

    fn look_up_payment<'a>(
        &'a self,
        _desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.find_payment(provider_ref))
    }

    /// The key is not used: an intent is canceled once whatever is sent.
    fn abandon<'a>(
        &'a self,
        _desk: &'a mut Desk,
        provider_ref: &'a str,
        _idem_key: &'a str,
    ) -> BoxFuture<'a, Option<CallReport>> {
        Box::pin(async move { Some(self.abandon_once(provider_ref).await) })
    }

    fn issue<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        Box::pin(self.register_once(call))
    }

    fn delete_key<'a>(
        &'a self,
        _desk: &'a mut Desk,
        billing_key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome> {
        Box::pin(self.detach_once(billing_key))
    }

    fn transactions<'a>(
        &'a self,
        _desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        Box::pin(self.page(from, to, after, limit))
    }

    fn self_test<'a>(&'a self, _desk: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.prove_look_up())
    }
}
