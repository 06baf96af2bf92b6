//! Creating a customer, and writing notes.

use crate::domain::customer::check_customer_key;
use crate::domain::ids::{Noun, PublicId};
use crate::domain::operator::Verb;

use super::Engine;
use super::action::{ActionPlan, Confirmation, NotHappening, Outcome, Receipt};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::fingerprint::Fingerprint;
use super::ports::{Constraint, Found, NewCustomer, Store, StoreError, Tx};
use super::refusal::{Refused, VerbError};

/// What is to be written.
pub(super) enum CustomerWork {
    Create {
        key: Option<String>,
        name: String,
        email: String,
        phone: String,
    },
    Note {
        target: PublicId,
        text: String,
    },
}

/// The longest note that is kept, in characters.
const NOTE_LIMIT: usize = 2_000;

impl<S: Store> Engine<S> {
    /// A plan of something that touches no provider.
    pub(super) fn quiet_plan(
        &self,
        verb: Verb,
        subject: Option<PublicId>,
        what: &str,
        fingerprint: String,
    ) -> ActionPlan {
        ActionPlan {
            verb,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: None,
            subject,
            subscription: None,
            what: what.to_owned(),
            card: None,
            amount: None,
            call: None,
            if_not_seen: None,
            asked: None,
            effects: Vec::new(),
            not_happening: vec![NotHappening::ProviderCall],
            warnings: Vec::new(),
            confirm: Confirmation::Key,
        }
    }

    pub(super) fn prepare_customer(
        &self,
        key: Option<&str>,
        name: &str,
        email: &str,
        phone: &str,
    ) -> Result<Prepared, VerbError> {
        let input = |field, reason: String| VerbError::Input { field, reason };
        if let Some(key) = key {
            check_customer_key(key).map_err(|e| input("customer-key", e.to_string()))?;
        }
        if name.trim().is_empty() {
            return Err(input("name", "a customer needs a name".to_owned()));
        }
        for (field, text, limit) in [
            ("name", name, 100),
            ("email", email, 100),
            ("phone", phone, 40),
        ] {
            if text.chars().count() > limit {
                return Err(input(field, format!("at most {limit} characters")));
            }
        }
        if !email.is_empty() && !is_email(email) {
            return Err(input("email", "not an e-mail address".to_owned()));
        }
        let fingerprint = Fingerprint::of("create-customer")
            .and(key.unwrap_or(""))
            .and(name)
            .and(email)
            .and(phone)
            .finish();
        let plan = self.quiet_plan(Verb::CreateCustomer, None, name, fingerprint);
        let work = CustomerWork::Create {
            key: key.map(str::to_owned),
            name: name.trim().to_owned(),
            email: email.trim().to_owned(),
            phone: phone.trim().to_owned(),
        };
        Ok(Prepared {
            plan,
            work: Work::Customer(Box::new(work)),
        })
    }

    pub(super) async fn prepare_note<T: Tx>(
        &self,
        tx: &mut T,
        target: &PublicId,
        text: &str,
    ) -> Result<Prepared, VerbError> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > NOTE_LIMIT {
            return Err(VerbError::Input {
                field: "text",
                reason: format!("a note has 1 to {NOTE_LIMIT} characters"),
            });
        }
        let noun = noun_of(target)?;
        let query = crate::domain::ids::IdQuery::Exact(target.clone());
        if !matches!(tx.find_id(noun, &query).await?, Found::One(_)) {
            return Err(VerbError::Store(StoreError::NotFound { noun }));
        }
        let fingerprint = Fingerprint::of("note")
            .and(target.as_str())
            .and(text)
            .finish();
        let plan = self.quiet_plan(Verb::Note, Some(target.clone()), text, fingerprint);
        let work = CustomerWork::Note {
            target: target.clone(),
            text: text.to_owned(),
        };
        Ok(Prepared {
            plan,
            work: Work::Customer(Box::new(work)),
        })
    }

    pub(super) async fn write_customer<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: CustomerWork,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let (verb, target) = match work {
            CustomerWork::Create {
                key,
                name,
                email,
                phone,
            } => {
                let public_id = self.parts.ids.public_id(Noun::Customer);
                let key = key.unwrap_or_else(|| self.parts.ids.random_text());
                let new = NewCustomer {
                    public_id: &public_id,
                    customer_key: &key,
                    name: &name,
                    email: &email,
                    phone: &phone,
                    at: self.now(),
                };
                tx.insert_customer(&new).await.map_err(as_taken)?;
                (Verb::CreateCustomer, public_id)
            }
            CustomerWork::Note { target, text } => {
                tx.insert_note(&target, actor.person, &text, self.now())
                    .await?;
                (Verb::Note, target)
            }
        };
        let press = Press {
            verb: verb.as_str(),
            target: target.as_str(),
            result: "done",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
            public_id: Some(target),
            ..Receipt::default()
        }))))
    }
}

fn noun_of(id: &PublicId) -> Result<Noun, VerbError> {
    let prefix = id.as_str().split('_').next().unwrap_or_default();
    [Noun::Customer, Noun::Payment, Noun::Subscription]
        .into_iter()
        .find(|noun| noun.prefix() == prefix)
        .ok_or(VerbError::Input {
            field: "target",
            reason: "notes go on customers, subscriptions and payments".to_owned(),
        })
}

fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(local), Some(host), None) => {
            !local.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
        }
        _ => false,
    }
}

fn as_taken(error: StoreError) -> VerbError {
    match error {
        StoreError::Refused(Constraint::CustomerKey) => {
            VerbError::Refused(Refused::Taken("the customer key"))
        }
        other => VerbError::Store(other),
    }
}
