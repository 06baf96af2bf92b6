//! The client as the engine sees it. Nothing happens here: each method boxes one of the client's.

use chrono::{DateTime, Utc};

use crate::domain::evidence::Refusal;
use crate::domain::mode::{Mode, ProviderName};
use crate::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    FindStanding, IssueOutcome, Provider, ProviderError, RefundCall, RefundRequest, RegisterCall,
    StandingPage, TransactionSeen,
};
use crate::secret::Secret;

use super::body;
use super::client::TossClient;
use super::codes;

impl Provider for TossClient {
    fn name(&self) -> ProviderName {
        ProviderName::Toss
    }

    fn mode(&self) -> Mode {
        self.money_mode()
    }

    fn account(&self) -> Option<String> {
        self.merchant().map(ToOwned::to_owned)
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

    fn standing<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: FindStanding<'a>,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, StandingPage> {
        Box::pin(self.standing_page(call, after))
    }

    fn charge<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: ChargeCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.charge_once(call))
    }

    fn refund<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: RefundCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.refund_once(call))
    }

    fn confirm<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: ConfirmCall<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.confirm_once(call))
    }

    fn look_up_charge<'a>(
        &'a self,
        _desk: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.find_order(look.order_id))
    }

    fn look_up_payment<'a>(
        &'a self,
        _desk: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(self.find_payment(provider_ref))
    }

    fn issue<'a>(
        &'a self,
        _desk: &'a mut Desk,
        call: RegisterCall<'a>,
    ) -> BoxFuture<'a, IssueOutcome> {
        Box::pin(self.issue_once(call.auth_key, call.customer_key))
    }

    fn delete_key<'a>(
        &'a self,
        _desk: &'a mut Desk,
        billing_key: &'a Secret,
    ) -> BoxFuture<'a, DeleteOutcome> {
        Box::pin(self.delete_once(billing_key))
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
