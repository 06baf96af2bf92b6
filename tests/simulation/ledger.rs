//! The providers' books, driven without a line: each simulator's own rules under one roof.

use chrono::{DateTime, Utc};

use paydeck::domain::mode::ProviderName;
use paydeck::provider::stripe::line;
use paydeck::provider::toss;
use paydeck::sandbox::{self, Asked, Booked, CardDraft, Fault, Offline, Switches};

/// The reason of refunds that nobody asked us for.
pub const AT_DESK: &str = "at the desk";
/// Refunds that we asked for carry a tag that begins so.
const OUR_TAG: &str = "rf:";

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Said {
    Answer {
        status: u16,
        retry_after_s: Option<u64>,
        is_replay: bool,
        body: Vec<u8>,
    },
    /// The line broke, before or in the answer.
    Broken,
}

/// What was heard after asking.
#[derive(Debug, Clone)]
pub enum Heard {
    NoConnection,
    Silence,
    Said(Said),
}

impl Heard {
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Silence | Self::Said(Said::Broken))
    }

    pub fn by_toss(self) -> toss::spoken::Heard {
        match self {
            Self::NoConnection => toss::spoken::Heard::NoConnection,
            Self::Silence => toss::spoken::Heard::Silence,
            Self::Said(Said::Broken) => toss::spoken::Heard::Broken,
            Self::Said(Said::Answer {
                status,
                retry_after_s,
                body,
                ..
            }) => toss::spoken::Heard::Answer {
                status,
                retry_after_s,
                body,
            },
        }
    }

    pub fn by_stripe(self) -> line::Heard {
        match self {
            Self::NoConnection => line::Heard::NoConnection,
            Self::Silence => line::Heard::Silence,
            Self::Said(Said::Broken) => line::Heard::Broken,
            Self::Said(Said::Answer {
                status,
                retry_after_s,
                is_replay,
                body,
            }) => line::Heard::Answer {
                status,
                retry_after_s,
                replayed: if is_replay {
                    line::Replayed::Yes
                } else {
                    line::Replayed::No
                },
                body,
            },
        }
    }
}

#[derive(Debug)]
enum Books {
    Toss(Offline),
    Stripe(sandbox::stripe::Offline),
}

/// A charge that waits at a link until its customer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub intent: String,
    pub order_id: String,
}

/// One provider's books.
#[derive(Debug)]
pub struct Ledger {
    books: Books,
    /// Events are told, and money moves there by itself.
    tells: bool,
    /// Whether any card here asks its owner.
    has_asking_cards: bool,
    links: Vec<Link>,
    answers: u64,
    /// What took money, as it stands: reading it out of the books takes long.
    approved: Vec<Booked>,
    movements: usize,
}

impl Ledger {
    pub fn new(provider: ProviderName, seed: u64) -> Self {
        let switches = Switches::default();
        let books = match provider {
            ProviderName::Toss => Books::Toss(Offline::new(seed, switches).expect("books")),
            ProviderName::Stripe => {
                let offline = sandbox::stripe::Offline::new(seed, switches);
                Books::Stripe(offline.without_events())
            }
        };
        Self {
            books,
            tells: false,
            has_asking_cards: false,
            links: Vec::new(),
            answers: 0,
            approved: Vec::new(),
            movements: 0,
        }
    }

    /// Books of the second provider that tell what happens.
    pub fn telling(seed: u64) -> Self {
        let offline = sandbox::stripe::Offline::new(seed, Switches::default());
        Self {
            books: Books::Stripe(offline),
            tells: true,
            has_asking_cards: false,
            links: Vec::new(),
            answers: 0,
            approved: Vec::new(),
            movements: 0,
        }
    }

    pub fn provider(&self) -> ProviderName {
        match &self.books {
            Books::Toss(_) => ProviderName::Toss,
            Books::Stripe(_) => ProviderName::Stripe,
        }
    }

    pub fn switch(&mut self, switches: Switches) {
        match &mut self.books {
            Books::Toss(offline) => offline.switch(switches),
            Books::Stripe(offline) => offline.switch(switches),
        }
    }

    /// The same books again, with other identifiers from now on.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        let books = match &self.books {
            Books::Toss(offline) => Books::Toss(offline.copy(seed)),
            Books::Stripe(offline) => Books::Stripe(offline.copy(seed)),
        };
        Self {
            books,
            tells: self.tells,
            has_asking_cards: self.has_asking_cards,
            links: self.links.clone(),
            answers: 0,
            approved: self.approved.clone(),
            movements: self.movements,
        }
    }

    /// A card of a customer, and what a charge of it needs.
    pub fn register(&mut self, customer_key: &str, now: DateTime<Utc>) -> Option<String> {
        match &mut self.books {
            Books::Toss(offline) => offline.register(customer_key, CardDraft::default(), now),
            Books::Stripe(offline) => {
                let (customer, method) = offline.register("pm_card_visa", now)?;
                Some(format!("{customer} {method}"))
            }
        }
    }

    /// Whether anything is scheduled there.
    pub fn tells(&self) -> bool {
        self.tells
    }

    /// A card whose bank asks its owner, and what a charge of it needs.
    pub fn register_asking(&mut self, card: &str, now: DateTime<Utc>) -> Option<String> {
        let Books::Stripe(offline) = &mut self.books else {
            return None;
        };
        let (customer, method) = offline.register(card, now)?;
        self.has_asking_cards = true;
        Some(format!("{customer} {method}"))
    }

    pub fn has_asking_cards(&self) -> bool {
        self.has_asking_cards
    }

    /// How many customers answered.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Charges that wait for their customers.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    pub fn has_link(&self, order_id: &str) -> bool {
        self.links.iter().any(|link| link.order_id == order_id)
    }

    /// A customer answers at their link. False where it is closed.
    pub fn answer_at(&mut self, link: &Link, agrees: bool, now: DateTime<Utc>) -> bool {
        let Books::Stripe(offline) = &mut self.books else {
            return false;
        };
        let is_open = offline.answer_challenge(&link.intent, agrees, now);
        self.answers += u64::from(is_open);
        self.links.retain(|other| other != link);
        self.count();
        is_open
    }

    /// Whether the charge of this path waits for its customer now.
    fn follow_link(&mut self, asked: &Asked, now: DateTime<Utc>) {
        let rest = asked.path.strip_prefix("/v1/payment_intents/");
        let Some((intent, "confirm" | "cancel")) = rest.and_then(|rest| rest.split_once('/'))
        else {
            return;
        };
        let shown = self.shown(&format!("/v1/payment_intents/{intent}"), now);
        let is_waiting = shown["status"] == "requires_action";
        let known = self.links.iter().position(|link| link.intent == intent);
        match (is_waiting, known) {
            (true, None) => self.links.push(Link {
                intent: intent.to_owned(),
                order_id: shown["metadata"]["order_id"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            }),
            (false, Some(at)) => {
                self.links.remove(at);
            }
            _ => {}
        }
    }

    /// An object or list of the second provider's books, as it would show it.
    pub fn shown(&mut self, path: &str, now: DateTime<Utc>) -> serde_json::Value {
        let asked = Asked {
            method: "GET",
            path: path.to_owned(),
            idempotency_key: None,
            body: Vec::new(),
        };
        match self.carry_out(&asked, None, now) {
            Said::Answer { body, .. } => serde_json::from_slice(&body).unwrap_or_default(),
            Said::Broken => serde_json::Value::Null,
        }
    }

    /// The customer registers a card in the provider's window, where it has one.
    pub fn open_window(&mut self, customer_key: &str, now: DateTime<Utc>) -> Option<String> {
        match &mut self.books {
            Books::Toss(offline) => offline.open_window(customer_key, CardDraft::default(), now),
            Books::Stripe(_) => {
                let made = Asked {
                    method: "POST",
                    path: "/v1/payment_methods".to_owned(),
                    idempotency_key: None,
                    body: b"type=card&card[token]=tok_visa".to_vec(),
                };
                let Said::Answer { body, .. } = self.carry_out(&made, None, now) else {
                    return None;
                };
                let method: serde_json::Value = serde_json::from_slice(&body).ok()?;
                Some(method["id"].as_str()?.to_owned())
            }
        }
    }

    /// The customer authenticates a payment in the provider's window, where it has one.
    pub fn authenticate(
        &mut self,
        order_id: &str,
        amount: i64,
        now: DateTime<Utc>,
    ) -> Option<String> {
        match &mut self.books {
            Books::Toss(offline) => offline.authenticate(order_id, amount, now),
            Books::Stripe(_) => None,
        }
    }

    /// Somebody gives money back at the provider's own desk.
    pub fn refund_at_desk(&mut self, payment: &str, amount: i64, key: String, now: DateTime<Utc>) {
        let (path, body) = match &self.books {
            Books::Toss(_) => (
                format!("/v1/payments/{payment}/cancel"),
                format!(r#"{{"cancelReason":"{AT_DESK}","cancelAmount":{amount}}}"#),
            ),
            Books::Stripe(_) => (
                "/v1/refunds".to_owned(),
                format!("payment_intent={payment}&amount={amount}"),
            ),
        };
        let asked = Asked {
            method: "POST",
            path,
            idempotency_key: Some(key),
            body: body.into_bytes(),
        };
        self.carry_out(&asked, None, now);
    }

    /// "A request under this key is being processed."
    pub fn busy(&self) -> Said {
        match &self.books {
            Books::Toss(offline) => of_toss(offline.busy()),
            Books::Stripe(offline) => of_stripe(offline.busy()),
        }
    }

    pub fn carry_out(&mut self, asked: &Asked, fault: Option<&Fault>, now: DateTime<Utc>) -> Said {
        let written_before = self.money_writes();
        let said = match &mut self.books {
            Books::Toss(offline) => of_toss(offline.carry_out(asked, fault, now)),
            Books::Stripe(offline) => {
                let asked = sandbox::stripe::Asked {
                    method: asked.method,
                    path: asked.path.clone(),
                    idempotency_key: asked.idempotency_key.clone(),
                    version: None,
                    body: asked.body.clone(),
                };
                of_stripe(offline.carry_out(&asked, fault, now))
            }
        };
        if (self.tells || may_move_money(asked)) && self.money_writes() != written_before {
            self.count();
        }
        if self.has_asking_cards && asked.method == "POST" {
            self.follow_link(asked, now);
        }
        said
    }

    fn count(&mut self) {
        self.approved = match &self.books {
            Books::Toss(offline) => offline.approved().collect(),
            Books::Stripe(offline) => offline.approved().into_iter().map(as_booked).collect(),
        };
        let one = |payment: &Booked| 1 + payment.cancels.len();
        self.movements = self.approved.iter().map(one).sum();
    }

    /// It grows with each charge or refund that is written.
    fn money_writes(&self) -> u64 {
        match &self.books {
            Books::Toss(offline) => u64::try_from(offline.movements()).unwrap_or(u64::MAX),
            Books::Stripe(offline) => offline.money_writes(),
        }
    }

    /// Everything that took money, in the order it was executed.
    pub fn approved(&self) -> &[Booked] {
        &self.approved
    }

    /// How many charges and refunds were executed.
    pub const fn movements(&self) -> usize {
        self.movements
    }

    /// When the order's money was taken, if it was.
    pub fn taken_at(&self, order_id: &str) -> Option<DateTime<Utc>> {
        let mut approved = self.approved.iter();
        approved
            .find(|payment| payment.order_id == order_id)?
            .approved_at
    }
}

/// Looking takes nothing, and neither does preparing, unless it says that it confirms at once.
fn may_move_money(asked: &Asked) -> bool {
    let is_first_step = asked.path == "/v1/payment_intents";
    let confirms = || String::from_utf8_lossy(&asked.body).contains("confirm=true");
    asked.method == "POST" && (!is_first_step || confirms())
}

fn as_booked(booked: sandbox::stripe::Booked) -> Booked {
    let cancels = booked.refunds.into_iter().map(|(tag, amount)| {
        let reason = if tag.starts_with(OUR_TAG) {
            format!("[{tag}]")
        } else {
            AT_DESK.to_owned()
        };
        (reason, amount)
    });
    Booked {
        key: booked.intent,
        // What it charged by its own schedule has no name of ours.
        order_id: if booked.order_id.is_empty() {
            booked.charge
        } else {
            booked.order_id
        },
        amount: booked.amount,
        balance: booked.balance,
        approved_at: booked.approved_at,
        cancels: cancels.collect(),
    }
}

fn of_toss(said: sandbox::Said) -> Said {
    match said {
        sandbox::Said::Broken => Said::Broken,
        sandbox::Said::Answer {
            status,
            retry_after_seconds,
            body,
        } => Said::Answer {
            status,
            retry_after_s: retry_after_seconds.map(u64::from),
            is_replay: false,
            body,
        },
    }
}

fn of_stripe(said: sandbox::stripe::Said) -> Said {
    match said {
        sandbox::stripe::Said::Broken => Said::Broken,
        sandbox::stripe::Said::Answer {
            status,
            is_replay,
            retry_after_seconds,
            body,
            ..
        } => Said::Answer {
            status,
            retry_after_s: retry_after_seconds.map(u64::from),
            is_replay,
            body,
        },
    }
}
