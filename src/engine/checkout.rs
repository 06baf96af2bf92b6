//! Checkout payments: the customer authenticates in the browser, we confirm.
//!
//! Opening a checkout writes the invoice; its order id goes to the payment window. What the browser
//! brings back is compared with our invoice before anything is sent; a confirm that comes twice
//! finds the payment that the first one made.

use crate::domain::attempt::{AlsoCancel, AttemptKind, Source};
use crate::domain::customer::Customer;
use crate::domain::ids::{CustomerId, IdQuery, InvoiceId, Noun};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::payment::Payment;
use crate::domain::states::{AttemptState, InvoiceState};

use super::Engine;
use super::action::{ActionPlan, Confirmation, NotHappening, Outcome, PlannedCall, Receipt};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::{as_in_progress, check_chargeable, customer_brief, next_attempt_no};
use super::fingerprint::Fingerprint;
use super::ports::{Found, NewAttempt, NewInvoice, Store, StoreError, Tx};
use super::refusal::{Refused, VerbError};

/// What is to be written.
pub(super) enum CheckoutWork {
    Open {
        customer: Customer,
        amount: Money,
        description: String,
    },
    Confirm {
        invoice: Invoice,
        payment_key: String,
        attempt_no: u32,
    },
    /// This very payment was confirmed before.
    Known(Receipt),
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_checkout<T: Tx>(
        &self,
        tx: &mut T,
        customer: CustomerId,
        amount: Money,
        description: &str,
    ) -> Result<Prepared, VerbError> {
        let description = description.trim();
        if description.is_empty() || description.chars().count() > 100 {
            let reason = "1 to 100 characters".to_owned();
            return Err(VerbError::Input {
                field: "description",
                reason,
            });
        }
        check_chargeable(ProviderName::Toss, amount)?;
        let customer = tx.customer(customer).await?;
        let fingerprint = Fingerprint::of("checkout")
            .and(customer.public_id.as_str())
            .number(customer.version)
            .number(amount.minor())
            .and(description)
            .finish();
        let subject = Some(customer.public_id.clone());
        let mut plan = self.quiet_plan(Verb::OneTime, subject, description, fingerprint);
        plan.customer = Some(customer_brief(&customer));
        plan.amount = Some(amount);
        let description = description.to_owned();
        let work = CheckoutWork::Open {
            customer,
            amount,
            description,
        };
        Ok(Prepared {
            plan,
            work: Work::Checkout(Box::new(work)),
        })
    }

    pub(super) async fn prepare_confirm<T: Tx>(
        &self,
        tx: &mut T,
        payment_key: &str,
        order_id: &str,
        amount: Money,
    ) -> Result<Prepared, VerbError> {
        let is_key = (1..=200).contains(&payment_key.len())
            && payment_key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !is_key {
            let reason = "1 to 200 letters, digits, - or _".to_owned();
            return Err(VerbError::Input {
                field: "payment-key",
                reason,
            });
        }
        let id = self.invoice_of_order(tx, order_id).await?;
        let (_, invoice) = self.lock_invoice_in_order(tx, id).await?;
        if invoice.amount != amount {
            return Err(VerbError::Refused(Refused::OtherAmount {
                wanted: invoice.amount,
                given: amount,
            }));
        }
        let attempts = tx.charges_of(id).await?;
        let customer = tx.customer(invoice.customer_id).await?;
        if invoice.state == InvoiceState::Paid {
            let payments = tx.payments_of(id).await?;
            let Some(paid) = payments.iter().find(|p| p.provider_ref == payment_key) else {
                return Err(VerbError::Refused(Refused::AlreadyPaid));
            };
            let plan = self.confirm_plan(&invoice, &customer, payment_key, 0);
            return Ok(known(plan, &invoice, paid));
        }
        if invoice.state != InvoiceState::Open {
            return Err(VerbError::Refused(Refused::NotChargeable));
        }
        if let Some(open) = attempts.iter().find(|a| a.state.is_open()) {
            return Err(VerbError::Refused(Refused::InProgress {
                attempt: open.public_id.clone(),
                operator: open.operator.clone(),
                since: open.created_at,
            }));
        }
        let attempt_no = next_attempt_no(&attempts)?;
        if self.parts.install.order_id(&invoice.public_id, attempt_no) != order_id {
            return Err(VerbError::Refused(Refused::NotChargeable));
        }
        let plan = self.confirm_plan(&invoice, &customer, payment_key, attempt_no);
        let payment_key = payment_key.to_owned();
        let work = CheckoutWork::Confirm {
            invoice,
            payment_key,
            attempt_no,
        };
        Ok(Prepared {
            plan,
            work: Work::Checkout(Box::new(work)),
        })
    }

    /// Our order ids say which invoice they are for.
    async fn invoice_of_order<T: Tx>(
        &self,
        tx: &mut T,
        order_id: &str,
    ) -> Result<InvoiceId, VerbError> {
        let not_ours = || {
            VerbError::Store(StoreError::NotFound {
                noun: Noun::Invoice,
            })
        };
        let prefix = format!("pd{}-", self.parts.install.id8);
        let ulid = order_id
            .strip_prefix(&prefix)
            .and_then(|rest| rest.split_once('-'))
            .map(|(ulid, _)| ulid)
            .ok_or_else(not_ours)?;
        let query = IdQuery::parse(Noun::Invoice, ulid).map_err(|_| not_ours())?;
        match tx.find_id(Noun::Invoice, &query).await? {
            Found::One(id) => Ok(InvoiceId(id)),
            Found::None | Found::Many => Err(not_ours()),
        }
    }

    fn confirm_plan(
        &self,
        invoice: &Invoice,
        customer: &Customer,
        payment_key: &str,
        attempt_no: u32,
    ) -> ActionPlan {
        let mode = self.parts.settings.mode;
        let install = &self.parts.install;
        let fingerprint = Fingerprint::of("confirm")
            .and(invoice.public_id.as_str())
            .number(invoice.version)
            .and(payment_key)
            .number(i64::from(attempt_no))
            .finish();
        let idem_key = install.idempotency_key(
            ProviderName::Toss,
            mode,
            AttemptKind::Charge,
            &invoice.public_id,
            attempt_no,
        );
        ActionPlan {
            verb: Verb::OneTime,
            mode,
            fingerprint,
            customer: Some(customer_brief(customer)),
            subject: Some(invoice.public_id.clone()),
            subscription: None,
            what: invoice.description.clone(),
            card: None,
            amount: Some(invoice.amount),
            call: Some(PlannedCall {
                provider: ProviderName::Toss,
                operation: "confirm",
                order_id: install.order_id(&invoice.public_id, attempt_no),
                idem_key,
                expected_balance_minor: None,
            }),
            if_not_seen: None,
            asked: None,
            effects: Vec::new(),
            not_happening: vec![NotHappening::ScheduleMove],
            warnings: Vec::new(),
            confirm: match mode {
                Mode::Live => Confirmation::Amount(invoice.amount),
                Mode::Test | Mode::Sim => Confirmation::Key,
            },
        }
    }

    pub(super) async fn write_checkout<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: CheckoutWork,
    ) -> Result<Next, VerbError> {
        match work {
            CheckoutWork::Open {
                customer,
                amount,
                description,
            } => {
                self.open_checkout(tx, actor, &customer, amount, &description)
                    .await
            }
            CheckoutWork::Confirm {
                invoice,
                payment_key,
                attempt_no,
            } => {
                self.start_confirm(tx, actor, invoice, &payment_key, attempt_no)
                    .await
            }
            CheckoutWork::Known(receipt) => {
                Ok(Next::Finished(Box::new(Outcome::AlreadyDone(receipt))))
            }
        }
    }

    async fn open_checkout<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        customer: &Customer,
        amount: Money,
        description: &str,
    ) -> Result<Next, VerbError> {
        tx.save_customer(customer).await?;
        let now = self.now();
        let today = self.local_date(now);
        let public_id = self.parts.ids.public_id(Noun::Invoice);
        tx.insert_invoice(&NewInvoice {
            public_id: &public_id,
            customer_id: customer.id,
            subscription_id: None,
            term_no: 0,
            period_index: 0,
            kind: InvoiceKind::OneTime,
            state: InvoiceState::Open,
            amount,
            description,
            due_at: now,
            period_from: today,
            period_to: today.succ_opt().unwrap_or(today),
            at: now,
        })
        .await?;
        let at = tx.db_now().await?;
        let order_id = self.parts.install.order_id(&public_id, 1);
        let press = Press {
            verb: Verb::OneTime.as_str(),
            target: public_id.as_str(),
            after: &order_id,
            result: "done",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
            public_id: Some(public_id.clone()),
            invoice: Some(public_id),
            amount: Some(amount),
            order_id: Some(order_id),
            ..Receipt::default()
        }))))
    }

    async fn start_confirm<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        mut invoice: Invoice,
        payment_key: &str,
        attempt_no: u32,
    ) -> Result<Next, VerbError> {
        let mode = self.parts.settings.mode;
        let install = &self.parts.install;
        let order_id = install.order_id(&invoice.public_id, attempt_no);
        let idem_key = install.idempotency_key(
            ProviderName::Toss,
            mode,
            AttemptKind::Charge,
            &invoice.public_id,
            attempt_no,
        );
        let now = tx.db_now().await?;
        let public_id = self.parts.ids.public_id(Noun::Attempt);
        let new = NewAttempt {
            public_id: &public_id,
            kind: AttemptKind::Charge,
            invoice_id: invoice.id,
            payment_id: None,
            customer_id: invoice.customer_id,
            subscription_id: None,
            attempt_no,
            source: Source::Manual,
            provider: ProviderName::Toss,
            mode,
            method_id: None,
            order_id: &order_id,
            idem_key: &idem_key,
            provider_ref: Some(payment_key),
            body: &[],
            amount: invoice.amount,
            expected_balance_minor: None,
            also_cancel: AlsoCancel::No,
            state: AttemptState::Ready,
            send_after: None,
            lease: Some(self.lease(now)),
            operator: actor.person,
            reason: "checkout",
            at: now,
        };
        let id = tx.insert_attempt(&new).await.map_err(as_in_progress)?;
        invoice.attempts = invoice.attempts.saturating_add(1);
        tx.save_invoice(&invoice).await?;
        let press = Press {
            verb: Verb::OneTime.as_str(),
            target: invoice.public_id.as_str(),
            after: public_id.as_str(),
            reason: "checkout",
            result: "intent",
            provider_ref: payment_key,
            ..Press::default()
        };
        self.audit_in(tx, actor, press, now).await?;
        Ok(Next::Send(id))
    }
}

/// This very payment was confirmed before: nothing is sent for what is paid.
fn known(plan: ActionPlan, invoice: &Invoice, paid: &Payment) -> Prepared {
    let receipt = Receipt {
        public_id: Some(invoice.public_id.clone()),
        invoice: Some(invoice.public_id.clone()),
        payment: Some(paid.public_id.clone()),
        amount: Some(paid.captured),
        ..Receipt::default()
    };
    Prepared {
        plan: ActionPlan {
            call: None,
            not_happening: vec![NotHappening::ProviderCall, NotHappening::ScheduleMove],
            confirm: Confirmation::Key,
            ..plan
        },
        work: Work::Checkout(Box::new(CheckoutWork::Known(receipt))),
    }
}
