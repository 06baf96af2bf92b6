//! The network and the provider behind it: requests are flights that land, are carried out by the
//! simulator's own rules, and are answered, each when the play says so; the shipped client's code says
//! what an answer proves.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use paydeck::domain::attempt::{CardOf, Standing};
use paydeck::domain::billing::try_of_invoice;
use paydeck::domain::evidence::{Evidence, SeenStatus};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    FindStanding, IssueOutcome, Provider, ProviderError, RefundCall, RefundRequest, RegisterCall,
    StandingPage, TransactionSeen,
};
use paydeck::provider::toss::spoken;
use paydeck::sandbox::{Asked, Fault, Offline};
use paydeck::secret::Secret;

use crate::ledger::{Heard, Ledger, Said};
use crate::memory::stage::{Chance, Granted, Reason, Stage, instant};
use crate::mirrors::Fates;
use crate::trouble::asked_troubles;
pub use crate::trouble::{Posted, Trouble, posted_troubles};
use crate::warp::Warp;

/// The client gives up after this.
const PATIENCE_US: i64 = 70_000_000;
/// A look-up shows a payment at the latest this long after it was taken. The protocol relies on a minute.
const LONGEST_LAG_S: i64 = 50;

#[derive(Debug, Clone)]
enum Phase {
    Arrives,
    IsCarriedOut,
    IsAnswered(Said),
}

#[derive(Debug, Clone)]
pub struct Flight {
    call: u64,
    asked: Asked,
    trouble: Option<Trouble>,
    phase: Phase,
    pub at: i64,
    is_heard: bool,
}

/// Something that was wished and has happened there.
#[derive(Debug, Clone)]
pub struct WishDone {
    pub key: Option<String>,
    pub path: String,
    pub at: i64,
}

/// A request that changes something, at the moment it left.
#[derive(Debug, Clone)]
pub struct Launch {
    pub method: &'static str,
    pub path: String,
    pub key: String,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct State {
    pub offline: Ledger,
    pub flights: Vec<Flight>,
    answers: Vec<(u64, Said)>,
    entered: Vec<String>,
    next_call: u64,
    pub chance: Chance,
    /// So many calls in a thousand go wrong, so many more in all.
    pub per_mille: u32,
    pub left: u32,
    /// What goes wrong with the next calls that move money, whatever the dice say.
    pub script: VecDeque<Option<Trouble>>,
    pub launches: Vec<Launch>,
    /// Billing keys that a process was told. They exist nowhere else.
    pub heard_keys: Vec<String>,
    /// Nothing arrives at the provider, and nothing comes back.
    pub is_away: bool,
    refunds_at_desk: u64,
    /// What becomes of events.
    pub fates: Fates,
    pub wishes_done: Vec<WishDone>,
    /// Keys under which the provider will answer with the same server error for as long as it keeps them.
    pub dead_keys: Vec<String>,
    /// How long a request is on its way.
    pub latency_us: i64,
    pub sends: u64,
    pub troubles: u64,
    /// Orders whose request is on its way, and must not be called unsent.
    pub trace: Option<Vec<String>>,
}

#[derive(Debug)]
pub struct Net {
    stage: Arc<Stage>,
    state: Mutex<State>,
}

impl Net {
    pub fn new(stage: &Arc<Stage>, offline: Ledger, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            stage: Arc::clone(stage),
            state: Mutex::new(State {
                offline,
                flights: Vec::new(),
                answers: Vec::new(),
                entered: Vec::new(),
                next_call: 0,
                chance: Chance::new(seed),
                per_mille: 0,
                left: 0,
                script: VecDeque::new(),
                launches: Vec::new(),
                heard_keys: Vec::new(),
                is_away: false,
                refunds_at_desk: 0,
                fates: Fates::default(),
                wishes_done: Vec::new(),
                dead_keys: Vec::new(),
                latency_us: 50_000,
                sends: 0,
                troubles: 0,
                trace: None,
            }),
        })
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.stage.now()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The customer registers a card in the provider's window, where it has one.
    pub fn opens_window(&self, customer_key: &str) -> Option<String> {
        let now = self.stage.now();
        self.state().offline.open_window(customer_key, now)
    }

    /// A process was told a key, if it was issued.
    pub fn hears_of_key(&self, outcome: &IssueOutcome) {
        if let IssueOutcome::Issued { billing_key, .. } = outcome {
            let key = billing_key.expose().to_owned();
            self.state().heard_keys.push(key);
        }
    }

    /// The name of the first charge that took money.
    pub fn first_charge(&self) -> Option<String> {
        let state = self.state();
        state
            .offline
            .approved()
            .first()
            .map(|first| first.key.clone())
    }

    /// The customer authenticates a payment in the provider's window, where it has one.
    pub fn authenticates(&self, order_id: &str, amount: i64) -> Option<String> {
        let now = self.stage.now();
        self.state().offline.authenticate(order_id, amount, now)
    }

    /// Somebody gives a part of a payment back at the provider's own desk.
    pub fn refunds_at_the_desk(&self, chance: &mut Chance) {
        let now = self.stage.now();
        let mut state = self.state();
        let paid: Vec<_> = state
            .offline
            .approved()
            .iter()
            .filter(|p| p.balance > 0)
            .cloned()
            .collect();
        if paid.is_empty() {
            return;
        }
        let payment = &paid[chance.below(paid.len())];
        let amount = payment
            .balance
            .min([1_000, 4_000, i64::MAX][chance.below(3)]);
        state.refunds_at_desk += 1;
        let key = format!("desk-{}", state.refunds_at_desk);
        state.offline.refund_at_desk(&payment.key, amount, key, now);
        state.note(|| format!("        at the desk: {amount} of {}", payment.order_id));
    }

    /// The provider's list of what it took, all of it on one page.
    pub async fn list(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Vec<TransactionSeen>, ProviderError> {
        self.stage.wait(Reason::Turn("list")).await;
        let mut state = self.state();
        let is_away = state.left > 0 && {
            let share = state.per_mille;
            state.chance.per_mille(share)
        };
        if is_away {
            state.left -= 1;
            state.troubles += 1;
            return Err(ProviderError::NotReached { operation: "list" });
        }
        if after.is_some() {
            return Ok(Vec::new());
        }
        let taken = state.offline.approved().iter().cloned();
        let rows = taken.filter_map(|payment| {
            let at = payment.approved_at.filter(|at| *at >= from && *at < to)?;
            Some(TransactionSeen {
                transaction_key: format!("t-{}", payment.key),
                provider_ref: payment.key,
                order_id: payment.order_id,
                status: "DONE".to_owned(),
                is_cancel: false,
                at,
                amount: Money::new(payment.amount, Currency::KRW),
            })
        });
        Ok(rows.collect())
    }

    pub async fn ask(&self, asked: Asked) -> Heard {
        self.stage.wait(Reason::Turn("connect")).await;
        let now = self.stage.lock().now;
        let call = {
            let mut state = self.state();
            let trouble = state.draw(&asked, instant(now));
            if asked.method != "GET" {
                state.sends += 1;
            }
            if self.stage.is_calm() {
                let fault = match &trouble {
                    Some(Trouble::Wire(fault)) => Some(fault.clone()),
                    _ => None,
                };
                return Heard::Said(
                    state
                        .offline
                        .carry_out(&asked, fault.as_ref(), instant(now)),
                );
            }
            if trouble == Some(Trouble::Refused) {
                return Heard::NoConnection;
            }
            state.launch(asked, trouble, now)
        };
        let in_vain_at = now + PATIENCE_US;
        match self.stage.wait(Reason::Answer { call, in_vain_at }).await {
            Granted::Go => {
                let mut state = self.state();
                match state.answers.iter().position(|(of, _)| *of == call) {
                    Some(at) => Heard::Said(state.answers.swap_remove(at).1),
                    None => Heard::Said(Said::Broken),
                }
            }
            Granted::InVain => Heard::Silence,
        }
    }
}

fn ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(0) * 1_000
}

impl State {
    pub fn has_answer(&self, call: u64) -> bool {
        self.answers.iter().any(|(of, _)| *of == call)
    }

    /// Whether a request with this key or body may still be carried out.
    pub fn is_flying(&self, key: &str) -> bool {
        self.flights.iter().any(|flight| {
            // What only prepares takes nothing.
            let under = flight.asked.idempotency_key.as_deref().unwrap_or_default();
            let rest = under.strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(":confirm:"))
                && !matches!(flight.phase, Phase::IsAnswered(_))
        })
    }

    /// Whether the flight asks, and is not about to be carried out: then it matters to nobody when it moves.
    pub fn is_asking_in_private(&self, at: usize) -> bool {
        let flight = &self.flights[at];
        flight.asked.method == "GET" && !matches!(flight.phase, Phase::IsCarriedOut)
    }

    /// The key of the flight that is about to be carried out, if it moves money, and whether it is troubled.
    pub fn about_to_move_money(&self, at: usize) -> Option<(&str, bool)> {
        let flight = &self.flights[at];
        match (&flight.phase, &flight.asked.idempotency_key) {
            (Phase::IsCarriedOut, Some(key)) => Some((key, flight.trouble.is_some())),
            _ => None,
        }
    }

    /// A print of an answer that is there.
    pub fn print_of_answer(&self, call: u64) -> u64 {
        let mut ink = DefaultHasher::new();
        for (_, said) in self.answers.iter().filter(|(of, _)| *of == call) {
            said.hash(&mut ink);
        }
        ink.finish()
    }

    /// A print of everything on its way, whatever its calls are numbered: who waits for a call is asked.
    pub fn print(&self, waiting: impl Fn(u64) -> u64) -> u64 {
        let mut prints: Vec<u64> = Vec::new();
        for flight in &self.flights {
            let mut ink = DefaultHasher::new();
            (waiting(flight.call), flight.at, flight.is_heard).hash(&mut ink);
            (flight.asked.method, &flight.asked.path).hash(&mut ink);
            flight.asked.idempotency_key.hash(&mut ink);
            match &flight.phase {
                Phase::Arrives => 0.hash(&mut ink),
                Phase::IsCarriedOut => 1.hash(&mut ink),
                Phase::IsAnswered(said) => said.hash(&mut ink),
            }
            flight.trouble.is_some().hash(&mut ink);
            prints.push(ink.finish());
        }
        for (call, _) in self.answers.iter().filter(|(of, _)| waiting(*of) > 0) {
            let mut ink = DefaultHasher::new();
            (waiting(*call), self.print_of_answer(*call)).hash(&mut ink);
            prints.push(ink.finish());
        }
        prints.sort_unstable();
        let mut entered: Vec<&String> = self.entered.iter().collect();
        entered.sort_unstable();
        let mut ink = DefaultHasher::new();
        (prints, entered, self.script.len()).hash(&mut ink);
        ink.finish()
    }

    pub fn is_anything_flying(&self) -> bool {
        self.flights.iter().any(|f| f.asked.method != "GET")
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    fn draw(&mut self, asked: &Asked, now: DateTime<Utc>) -> Option<Trouble> {
        let is_post = asked.method != "GET";
        if is_post && let Some(scripted) = self.scripted(Posted::by(&asked.path)) {
            self.troubles += u64::from(scripted.is_some());
            return scripted;
        }
        if self.is_away {
            return Some(match self.chance.per_mille(500) {
                true => Trouble::Refused,
                false => Trouble::Wire(Fault::LostBeforeCommit),
            });
        }
        if self.left == 0 || !self.chance.per_mille(self.per_mille) {
            return None;
        }
        let trouble = if is_post {
            let all = posted_troubles(
                self.offline.provider(),
                Posted::by(&asked.path),
                &mut self.chance,
            );
            all[self.chance.below(all.len())].clone()
        } else {
            let all = asked_troubles();
            all[self.chance.below(all.len())].clone()
        };
        if trouble == Trouble::Wire(Fault::NotFound) && !self.may_lag(asked, now) {
            return None;
        }
        self.left -= 1;
        self.troubles += 1;
        self.note(|| format!("        trouble: {trouble:?}"));
        Some(trouble)
    }

    /// What is to go wrong with the next call that moves money. What only a charge can be told waits for one.
    fn scripted(&mut self, posted: Posted) -> Option<Option<Trouble>> {
        let next = self.script.front()?;
        let is_ahead_of_time = posted == Posted::Prepared
            && next.as_ref().is_some_and(|trouble| {
                let all = posted_troubles(self.offline.provider(), posted, &mut Chance::new(7));
                !all.iter().any(|one| one.is_like(trouble))
            });
        match is_ahead_of_time {
            true => Some(None),
            false => self.script.pop_front(),
        }
    }

    fn may_lag(&self, asked: &Asked, now: DateTime<Utc>) -> bool {
        let is_new = |at: DateTime<Utc>| (now - at).num_seconds() < LONGEST_LAG_S;
        if let Some(order) = asked.path.strip_prefix("/v1/payments/orders/") {
            return self.offline.taken_at(order).is_none_or(is_new);
        }
        let Some(rest) = asked.path.strip_prefix("/v1/payment_intents/") else {
            return true;
        };
        let intent = rest.split('?').next().unwrap_or_default();
        let taken = self.offline.approved();
        let payment = taken.iter().find(|payment| payment.key == intent);
        payment.and_then(|p| p.approved_at).is_none_or(is_new)
    }

    fn launch(&mut self, asked: Asked, trouble: Option<Trouble>, now: i64) -> u64 {
        let call = self.next_call;
        self.next_call += 1;
        if asked.method != "GET" {
            self.launches.push(Launch {
                method: asked.method,
                path: asked.path.clone(),
                key: asked.idempotency_key.clone().unwrap_or_default(),
                body: asked.body.clone(),
            });
        }
        let mut flight = Flight {
            call,
            asked,
            trouble: trouble.clone(),
            phase: Phase::Arrives,
            at: now + self.latency_us,
            is_heard: true,
        };
        match trouble {
            Some(Trouble::Silence) => flight.is_heard = false,
            Some(Trouble::Twice { ms: later }) => {
                let mut copy = flight.clone();
                copy.at += ms(later);
                copy.is_heard = false;
                copy.trouble = None;
                self.flights.push(copy);
            }
            Some(Trouble::Wire(fault)) => {
                if let Some(late) = Offline::waits(Some(&fault)).late {
                    flight.at += ms(late);
                    flight.is_heard = false;
                    self.answers.push((call, Said::Broken));
                }
            }
            Some(Trouble::Refused) | None => {}
        }
        self.flights.push(flight);
        call
    }

    /// Brings one flight a phase further.
    pub fn fly(&mut self, at: usize, now: i64) {
        let mut flight = self.flights.swap_remove(at);
        let fault = match &flight.trouble {
            Some(Trouble::Wire(fault)) => Some(fault.clone()),
            _ => None,
        };
        let waits = Offline::waits(fault.as_ref());
        let key = flight.asked.idempotency_key.clone();
        match &flight.phase {
            Phase::Arrives => {
                if let Some(key) = key {
                    if self.entered.contains(&key) {
                        let busy = self.offline.busy();
                        self.answer(&flight, busy);
                        return;
                    }
                    self.entered.push(key);
                }
                flight.phase = Phase::IsCarriedOut;
                flight.at = now + ms(waits.before);
                self.flights.push(flight);
            }
            Phase::IsCarriedOut => {
                let before = self.of_wish(&flight.asked, now);
                let said = self
                    .offline
                    .carry_out(&flight.asked, fault.as_ref(), instant(now));
                if before != self.of_wish(&flight.asked, now) {
                    self.wishes_done.push(WishDone {
                        key: flight.asked.idempotency_key.clone(),
                        path: flight.asked.path.clone(),
                        at: now,
                    });
                }
                self.note(|| {
                    format!(
                        "        provider: {} {} -> {}",
                        flight.asked.method,
                        flight.asked.path,
                        match &said {
                            Said::Broken => "line broken".to_owned(),
                            Said::Answer { status, body, .. } => format!(
                                "{status} {}",
                                String::from_utf8_lossy(&body[..body.len().min(110)])
                            ),
                        }
                    )
                });
                self.note_dead_key(&flight, &said);
                flight.phase = Phase::IsAnswered(said);
                flight.at = now + ms(waits.after);
                self.flights.push(flight);
            }
            Phase::IsAnswered(said) => {
                if let Some(key) = key {
                    self.entered.retain(|other| *other != key);
                }
                let said = said.clone();
                self.answer(&flight, said);
            }
        }
    }

    /// How that stands there which a wish is about.
    fn of_wish(&mut self, asked: &Asked, now: i64) -> Option<Vec<serde_json::Value>> {
        if !matches!(Posted::by(&asked.path), Posted::Wished | Posted::Collected)
            || asked.method == "GET"
        {
            return None;
        }
        let mut words = asked.path.split('/').skip(2);
        let (kind, name) = (words.next()?, words.next()?);
        let shown = self
            .offline
            .shown(&format!("/v1/{kind}/{name}"), instant(now));
        let fields = [
            "status",
            "cancel_at_period_end",
            "cancel_at",
            "pause_collection",
        ];
        Some(fields.iter().map(|field| shown[field].clone()).collect())
    }

    /// One provider says that it repeats itself; of the other nobody hears trouble that it did not keep.
    fn note_dead_key(&mut self, flight: &Flight, said: &Said) {
        let Said::Answer {
            status: 429 | 500..,
            is_replay,
            ..
        } = said
        else {
            return;
        };
        let is_kept = match self.offline.provider() {
            ProviderName::Toss => flight.trouble.is_none(),
            ProviderName::Stripe => *is_replay,
        };
        if is_kept {
            self.dead_keys.extend(flight.asked.idempotency_key.clone());
        }
    }

    fn answer(&mut self, flight: &Flight, said: Said) {
        if flight.is_heard {
            self.answers.push((flight.call, said));
        }
    }
}

/// The provider's port over this network.
pub struct SimProvider {
    pub net: Arc<Net>,
    pub warp: Warp,
}

impl SimProvider {
    fn elapsed(&self) -> u64 {
        let _same_clock_everywhere = &self.net;
        1
    }

    async fn post(&self, path: String, key: &str, body: Vec<u8>) -> Heard {
        let asked = Asked {
            method: "POST",
            path,
            idempotency_key: Some(key.to_owned()),
            body,
        };
        let (asked, again) = self.warp.asked(asked);
        let heard = self.net.ask(asked).await;
        match again {
            Some(again) if heard.is_lost() => self.net.ask(again).await,
            _ => heard,
        }
    }

    async fn get(&self, path: String) -> Heard {
        self.net
            .ask(Asked {
                method: "GET",
                path,
                idempotency_key: None,
                body: Vec::new(),
            })
            .await
    }
}

/// Keys are base64, of which three characters mean something in a path.
fn segment(text: &str) -> String {
    text.replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

impl Provider for SimProvider {
    fn name(&self) -> ProviderName {
        ProviderName::Toss
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

    fn charge<'a>(&'a self, _: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let path = format!("/v1/billing/{}", segment(call.billing_key.expose()));
            let heard = self.post(path, call.idem_key, call.body.to_vec()).await;
            let report = spoken::charge(&call, heard.by_toss(), self.elapsed());
            self.warp.answered(report, &call)
        })
    }

    fn refund<'a>(&'a self, _: &'a mut Desk, call: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let path = format!("/v1/payments/{}/cancel", call.provider_ref);
            let heard = self.post(path, call.idem_key, call.body.to_vec()).await;
            let report = spoken::refund(&call, heard.by_toss(), self.elapsed());
            self.warp.refunded(report, call.body, call.provider_ref)
        })
    }

    fn confirm<'a>(&'a self, _: &'a mut Desk, call: ConfirmCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let body = spoken::confirm_body(&call);
            let path = "/v1/payments/confirm".to_owned();
            let heard = self.post(path, call.idem_key, body).await;
            spoken::confirm(&call, heard.by_toss(), self.elapsed())
        })
    }

    /// As the client does: each number is looked up, one a page.
    fn standing<'a>(
        &'a self,
        _: &'a mut Desk,
        call: FindStanding<'a>,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, StandingPage> {
        Box::pin(async move {
            let (prefix, ours) = try_of_invoice(call.order_id).expect("a try of an invoice");
            let number = after.map_or(1, |number| number.parse().expect("a number"));
            let order_id = format!("{prefix}{number}");
            let heard = self.get(format!("/v1/payments/orders/{order_id}")).await;
            let report = spoken::order(&order_id, heard.by_toss(), self.elapsed());
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
                next: (number < ours + 9).then(|| (number + 1).to_string()),
            }
        })
    }

    fn look_up_charge<'a>(
        &'a self,
        _: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let order_id = look.order_id;
            let heard = self.get(format!("/v1/payments/orders/{order_id}")).await;
            let report = spoken::order(order_id, heard.by_toss(), self.elapsed());
            self.warp.looked_up(report, &look)
        })
    }

    fn look_up_payment<'a>(
        &'a self,
        _: &'a mut Desk,
        provider_ref: &'a str,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let heard = self.get(format!("/v1/payments/{provider_ref}")).await;
            let report = spoken::payment(provider_ref, heard.by_toss(), self.elapsed());
            self.warp.looked_up_refund(report)
        })
    }

    fn issue<'a>(&'a self, _: &'a mut Desk, call: RegisterCall<'a>) -> BoxFuture<'a, IssueOutcome> {
        Box::pin(async move {
            let body = spoken::issue_body(call.auth_key, call.customer_key);
            let path = "/v1/billing/authorizations/issue".to_owned();
            let key = spoken::issue_key(call.auth_key);
            let heard = self.post(path, &key, body).await;
            let outcome = spoken::issued(call.customer_key, heard.by_toss(), self.elapsed());
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
