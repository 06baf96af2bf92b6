//! Customers, plans, subscriptions and invoices of a transaction in memory.

use chrono::{DateTime, Utc};

use paydeck::domain::attempt::{Attempt, AttemptKind};
use paydeck::domain::customer::{Customer, PaymentMethod, SealedKey};
use paydeck::domain::dunning::DunningState;
use paydeck::domain::ids::{
    CustomerId, IdQuery, InvoiceId, MethodId, Noun, PlanId, ProductId, PublicId, SubscriptionId,
};
use paydeck::domain::invoice::Invoice;
use paydeck::domain::mirror::Scheduler;
use paydeck::domain::plan::{Plan, Product};
use paydeck::domain::states::{InvoiceState, MethodState, SubscriptionState};
use paydeck::domain::subscription::{Change, Subscription, Term};
use paydeck::engine::ports::{
    Constraint, Customers, Exclusivity, Found, Invoices, NewCustomer, NewInvoice, NewMethod,
    NewPlan, NewSubscription, Plans, StoreError, Subscriptions,
};

use super::batch::{Write, if_broken, must_be};
use super::db::{IssueRow, Kind, MethodRow, NoteRow, SubscriptionRow, Tables};
use super::flaw::Flaw;
use super::store::{MemTx, R, Rules};
use super::table::Table;
use super::tx_mirrors::is_mirrored;

fn found(mut ids: impl Iterator<Item = i64>) -> Found {
    match (ids.next(), ids.next()) {
        (None, _) => Found::None,
        (Some(id), None) => Found::One(id),
        (Some(_), Some(_)) => Found::Many,
    }
}

fn matches(id: &PublicId, query: &IdQuery) -> bool {
    match query {
        IdQuery::Exact(exact) => id == exact,
        IdQuery::Ending(ending) => id.ulid().ends_with(ending.as_str()),
    }
}

impl MemTx<'_> {
    /// The row with an id, as this transaction sees it.
    fn read<T: Clone>(&self, id: i64, noun: Noun, table: impl Fn(&Tables) -> &Table<T>) -> R<T> {
        let db = self.db();
        let row = table(&db.tables).get(id, self.no);
        row.map(|row| T::clone(row))
            .ok_or(StoreError::NotFound { noun })
    }
}

impl Customers for MemTx<'_> {
    async fn find_id(&mut self, noun: Noun, query: &IdQuery) -> R<Found> {
        self.step("find id").await?;
        let no = self.no;
        let db = self.db();
        let t = &db.tables;
        macro_rules! among {
            ($table:ident, $($field:ident).+) => {
                found(
                    t.$table
                        .rows_of(no)
                        .filter(|(_, row)| matches(&row.$($field).+, query))
                        .map(|(id, _)| id),
                )
            };
        }
        Ok(match noun {
            Noun::Customer => among!(customers, public_id),
            Noun::Method => among!(methods, method.public_id),
            Noun::Product => among!(products, public_id),
            Noun::Plan => among!(plans, public_id),
            Noun::Subscription => among!(subscriptions, subscription.public_id),
            Noun::Invoice => among!(invoices, public_id),
            Noun::Attempt => among!(attempts, attempt.public_id),
            Noun::Payment => among!(payments, payment.public_id),
            Noun::Refund => among!(refunds, public_id),
            Noun::Run => among!(runs, public_id),
            Noun::Approval => among!(approvals, public_id),
        })
    }

    async fn insert_customer(&mut self, new: &NewCustomer<'_>) -> R<CustomerId> {
        self.step("insert customer").await?;
        let row = Customer {
            id: CustomerId(self.db().tables.customers.next_id()),
            public_id: new.public_id.clone(),
            customer_key: new.customer_key.to_owned(),
            name: new.name.to_owned(),
            email: new.email.to_owned(),
            phone: new.phone.to_owned(),
            created_at: new.at,
            version: 1,
        };
        let rules: Rules<'_, Customer> = &[
            (Constraint::CustomerKey, &|other| {
                other.customer_key == new.customer_key
            }),
            (Constraint::Other, &|other| {
                other.public_id == *new.public_id
            }),
        ];
        self.add(Kind::Customer, row, rules, |t| &mut t.customers)
            .await
            .map(CustomerId)
    }

    async fn customer(&mut self, id: CustomerId) -> R<Customer> {
        if let Some(row) = self.ahead(id.0, |b| &b.customers) {
            return must_be(row, Noun::Customer);
        }
        self.step("customer").await?;
        self.read(id.0, Noun::Customer, |t| &t.customers)
    }

    async fn save_customer(&mut self, customer: &Customer) -> R<()> {
        self.forget(|b| _ = b.customers.remove(&customer.id.0));
        self.step("save customer").await?;
        let any_version = self.has(Flaw::Versions);
        let saved = self
            .put(
                Kind::Customer,
                customer.id.0,
                |t| &mut t.customers,
                |old| {
                    (any_version || old.version == customer.version).then(|| Customer {
                        name: customer.name.clone(),
                        email: customer.email.clone(),
                        phone: customer.phone.clone(),
                        version: old.version + 1,
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Customer)
        }
    }

    async fn insert_method(&mut self, new: &NewMethod<'_>) -> R<MethodId> {
        self.step("insert method").await?;
        let row = MethodRow {
            method: PaymentMethod {
                id: MethodId(self.db().tables.methods.next_id()),
                public_id: new.public_id.clone(),
                customer_id: new.customer_id,
                provider: new.provider,
                mode: new.mode,
                card: new.card.clone(),
                state: MethodState::Active,
                created_at: new.at,
                version: 1,
            },
            key: new.key.clone(),
            deleted_at: None,
        };
        let rules: Rules<'_, MethodRow> = &[(Constraint::Other, &|other| {
            other.key.hash == new.key.hash || other.method.public_id == *new.public_id
        })];
        self.add(Kind::Method, row, rules, |t| &mut t.methods)
            .await
            .map(MethodId)
    }

    async fn method(&mut self, id: MethodId) -> R<PaymentMethod> {
        if let Some(row) = self.ahead(id.0, |b| &b.methods) {
            return must_be(row, Noun::Method);
        }
        self.step("method").await?;
        self.read(id.0, Noun::Method, |t| &t.methods)
            .map(|row| row.method)
    }

    async fn active_method_of(&mut self, customer: CustomerId) -> R<Option<PaymentMethod>> {
        self.step("active method").await?;
        let db = self.db();
        let newest = db
            .tables
            .methods
            .rows_of(self.no)
            .map(|(_, row)| &row.method)
            .filter(|m| m.customer_id == customer && m.state == MethodState::Active)
            .max_by_key(|m| (m.created_at, m.id));
        Ok(newest.cloned())
    }

    async fn methods_of(&mut self, customer: CustomerId) -> R<Vec<PaymentMethod>> {
        self.step("methods").await?;
        let db = self.db();
        let rows = db
            .tables
            .methods
            .rows_of(self.no)
            .map(|(_, row)| &row.method);
        let mut methods: Vec<PaymentMethod> = rows
            .filter(|m| m.customer_id == customer)
            .cloned()
            .collect();
        methods.sort_by_key(|m| std::cmp::Reverse((m.created_at, m.id)));
        Ok(methods)
    }

    async fn active_methods_of(&mut self, customer: CustomerId) -> R<Vec<PaymentMethod>> {
        self.step("active methods").await?;
        let db = self.db();
        let rows = db
            .tables
            .methods
            .rows_of(self.no)
            .map(|(_, row)| &row.method);
        let mut active: Vec<PaymentMethod> = rows
            .filter(|m| m.customer_id == customer && m.state == MethodState::Active)
            .cloned()
            .collect();
        active.sort_by_key(|m| std::cmp::Reverse((m.created_at, m.id)));
        Ok(active)
    }

    async fn sealed_key(&mut self, id: MethodId) -> R<SealedKey> {
        if let Some(row) = self.ahead(id.0, |b| &b.keys) {
            return must_be(row, Noun::Method);
        }
        self.step("sealed key").await?;
        self.read(id.0, Noun::Method, |t| &t.methods)
            .map(|row| row.key)
    }

    async fn methods_sealed_otherwise(
        &mut self,
        key_id: &str,
        after: MethodId,
        limit: u32,
    ) -> R<Vec<PaymentMethod>> {
        self.step("methods sealed otherwise").await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let ids: Vec<i64> = {
            let db = self.db();
            let rows = db.tables.methods.rows_of(self.no);
            rows.filter(|(id, row)| *id > after.0 && row.key.key_id != key_id)
                .map(|(id, _)| id)
                .take(limit)
                .collect()
        };
        let mut taken = Vec::new();
        for id in ids {
            let row = self.take(Kind::Method, id, |t| &mut t.methods).await?;
            taken.extend(row.map(|row| row.method));
        }
        Ok(taken)
    }

    async fn save_sealed_key(&mut self, id: MethodId, key: &SealedKey) -> R<()> {
        self.forget(|b| _ = b.keys.remove(&id.0));
        self.step("save sealed key").await?;
        let saved = self
            .put(
                Kind::Method,
                id.0,
                |t| &mut t.methods,
                |old| {
                    Some(MethodRow {
                        key: key.clone(),
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Method)
        }
    }

    async fn method_by_hash(&mut self, hash: &str) -> R<Option<MethodId>> {
        self.step("method by hash").await?;
        let db = self.db();
        let mut rows = db.tables.methods.rows_of(self.no);
        Ok(rows
            .find(|(_, row)| row.key.hash == hash)
            .map(|(id, _)| MethodId(id)))
    }

    async fn move_method(
        &mut self,
        id: MethodId,
        from: MethodState,
        to: MethodState,
        at: DateTime<Utc>,
    ) -> R<()> {
        self.forget(|b| _ = b.methods.remove(&id.0));
        self.step("move method").await?;
        let saved = self
            .put(
                Kind::Method,
                id.0,
                |t| &mut t.methods,
                |old| {
                    (old.method.state == from).then(|| {
                        let mut new = old.clone();
                        new.method.state = to;
                        new.method.version += 1;
                        if to == MethodState::Deleted {
                            new.deleted_at = Some(at);
                        }
                        new
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Method)
        }
    }

    async fn insert_note(
        &mut self,
        target: &PublicId,
        _author: &str,
        text: &str,
        _at: DateTime<Utc>,
    ) -> R<()> {
        self.step("insert note").await?;
        let row = NoteRow {
            target: target.to_string(),
            text: text.to_owned(),
        };
        self.add(Kind::Note, row, &[], |t| &mut t.notes).await?;
        Ok(())
    }

    async fn insert_issue(
        &mut self,
        _customer: CustomerId,
        auth_key_hash: &str,
        _operator: &str,
        _at: DateTime<Utc>,
    ) -> R<i64> {
        self.step("insert issue").await?;
        let row = IssueRow {
            hash: auth_key_hash.to_owned(),
            outcome: None,
            method: None,
        };
        self.add(Kind::Issue, row, &[], |t| &mut t.issues).await
    }

    async fn finish_issue(
        &mut self,
        issue: i64,
        outcome: &str,
        method: Option<MethodId>,
        _code: Option<&str>,
        _at: DateTime<Utc>,
    ) -> R<()> {
        self.step("finish issue").await?;
        let saved = self
            .put(
                Kind::Issue,
                issue,
                |t| &mut t.issues,
                |old| {
                    old.outcome.is_none().then(|| IssueRow {
                        outcome: Some(outcome.to_owned()),
                        method,
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Method)
        }
    }
}

impl Plans for MemTx<'_> {
    async fn insert_product(
        &mut self,
        public_id: &PublicId,
        code: &str,
        name: &str,
        _at: DateTime<Utc>,
    ) -> R<ProductId> {
        self.step("insert product").await?;
        let row = Product {
            id: ProductId(self.db().tables.products.next_id()),
            public_id: public_id.clone(),
            code: code.to_owned(),
            name: name.to_owned(),
        };
        let rules: Rules<'_, Product> = &[
            (Constraint::Code, &|other| other.code == code),
            (Constraint::Other, &|other| other.public_id == *public_id),
        ];
        self.add(Kind::Product, row, rules, |t| &mut t.products)
            .await
            .map(ProductId)
    }

    async fn product_by_code(&mut self, code: &str) -> R<Option<Product>> {
        self.step("product by code").await?;
        let db = self.db();
        let mut rows = db.tables.products.rows_of(self.no);
        Ok(rows
            .find(|(_, row)| row.code == code)
            .map(|(_, row)| Product::clone(row)))
    }

    async fn insert_plan(&mut self, new: &NewPlan<'_>) -> R<PlanId> {
        self.step("insert plan").await?;
        if new.price.minor() < 0 || new.interval.count == 0 {
            return self.refuse(vec![Constraint::Other]);
        }
        let row = Plan {
            id: PlanId(self.db().tables.plans.next_id()),
            public_id: new.public_id.clone(),
            product_id: new.product_id,
            code: new.code.to_owned(),
            name: new.name.to_owned(),
            price: new.price,
            interval: new.interval,
            tier: new.tier.to_owned(),
            trial_days: new.trial_days,
            features: new.features.to_vec(),
            active: true,
            created_at: new.at,
            version: 1,
        };
        let rules: Rules<'_, Plan> = &[
            (Constraint::Code, &|other| other.code == new.code),
            (Constraint::Other, &|other| {
                other.public_id == *new.public_id
            }),
        ];
        self.add(Kind::Plan, row, rules, |t| &mut t.plans)
            .await
            .map(PlanId)
    }

    async fn plan(&mut self, id: PlanId) -> R<Plan> {
        if let Some(row) = self.ahead(id.0, |b| &b.plans) {
            return must_be(row, Noun::Plan);
        }
        self.step("plan").await?;
        self.read(id.0, Noun::Plan, |t| &t.plans)
    }

    async fn plan_by_code(&mut self, code: &str) -> R<Option<Plan>> {
        self.step("plan by code").await?;
        let db = self.db();
        let mut rows = db.tables.plans.rows_of(self.no);
        Ok(rows
            .find(|(_, row)| row.code == code)
            .map(|(_, row)| Plan::clone(row)))
    }

    async fn count_running_on(&mut self, id: PlanId) -> R<u64> {
        self.step("count running on").await?;
        let db = self.db();
        let running = db
            .tables
            .subscriptions
            .rows_of(self.no)
            .filter(|(_, row)| row.subscription.plan_id == id && !row.subscription.state.is_ended())
            .count();
        Ok(u64::try_from(running).unwrap_or(u64::MAX))
    }

    async fn save_plan(&mut self, plan: &Plan) -> R<()> {
        self.forget(|b| _ = b.plans.remove(&plan.id.0));
        self.step("save plan").await?;
        let saved = self
            .put(
                Kind::Plan,
                plan.id.0,
                |t| &mut t.plans,
                |old| {
                    (old.version == plan.version).then(|| Plan {
                        name: plan.name.clone(),
                        price: plan.price,
                        tier: plan.tier.clone(),
                        trial_days: plan.trial_days,
                        features: plan.features.clone(),
                        active: plan.active,
                        version: old.version + 1,
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Plan)
        }
    }
}

impl Subscriptions for MemTx<'_> {
    async fn insert_subscription(&mut self, new: &NewSubscription<'_>) -> R<SubscriptionId> {
        self.step("insert subscription").await?;
        if new.quantity == 0 {
            return self.refuse(vec![Constraint::Other]);
        }
        let exclusive_key = match new.exclusivity {
            Exclusivity::Any => None,
            Exclusivity::OnePerProduct => Some((new.customer_id.0, new.product_id.0)),
        };
        let row = SubscriptionRow {
            subscription: Subscription {
                id: SubscriptionId(self.db().tables.subscriptions.next_id()),
                public_id: new.public_id.clone(),
                customer_id: new.customer_id,
                product_id: new.product_id,
                plan_id: new.plan_id,
                state: new.state,
                quantity: new.quantity,
                method_id: new.method_id,
                mode: new.mode,
                term_no: 1,
                next_period: 0,
                next_due_at: new.next_due_at,
                paid_until: None,
                trial_until: new.trial_until,
                cancel_at: None,
                cancel_requested_at: None,
                ended_at: None,
                first_failed_at: None,
                scheduler: Scheduler::Paydeck,
                created_at: new.at,
                version: 1,
            },
            exclusive_key,
        };
        let rules: Rules<'_, SubscriptionRow> = &[
            (Constraint::OneSubscription, &|other| {
                !new.state.is_ended() && clashes(other, exclusive_key)
            }),
            (Constraint::Other, &|other| {
                other.subscription.public_id == *new.public_id
            }),
        ];
        self.add(Kind::Subscription, row, rules, |t| &mut t.subscriptions)
            .await
            .map(SubscriptionId)
    }

    async fn lock_subscription(&mut self, id: SubscriptionId) -> R<Subscription> {
        if let Some(row) = self.ahead(id.0, |b| &b.subscriptions) {
            return must_be(row, Noun::Subscription);
        }
        self.step("lock subscription").await?;
        let row = self
            .take(Kind::Subscription, id.0, |t| &mut t.subscriptions)
            .await?;
        row.map(|row| row.subscription).ok_or(StoreError::NotFound {
            noun: Noun::Subscription,
        })
    }

    async fn save_subscription(&mut self, subscription: &Subscription) -> R<()> {
        self.forget(|b| _ = b.subscriptions.remove(&subscription.id.0));
        self.write(Write::SubscriptionMove(Box::new(subscription.clone())))
            .await
    }

    async fn running_subscriptions_of(&mut self, customer: CustomerId) -> R<Vec<SubscriptionId>> {
        self.step("running subscriptions").await?;
        let db = self.db();
        Ok(db
            .tables
            .subscriptions
            .rows_of(self.no)
            .filter(|(_, row)| {
                row.subscription.customer_id == customer
                    && row.subscription.scheduler.is_ours()
                    && !row.subscription.state.is_ended()
            })
            .map(|(id, _)| SubscriptionId(id))
            .collect())
    }

    async fn insert_term(&mut self, term: &Term) -> R<()> {
        self.step("insert term").await?;
        let rules: Rules<'_, Term> = &[(Constraint::Other, &|other| {
            other.subscription_id == term.subscription_id && other.term_no == term.term_no
        })];
        self.add(Kind::Term, term.clone(), rules, |t| &mut t.terms)
            .await?;
        Ok(())
    }

    async fn term(&mut self, id: SubscriptionId, term_no: u32) -> R<Term> {
        if let Some(term) = self
            .batch
            .as_ref()
            .and_then(|b| b.terms.get(&(id.0, term_no)))
        {
            return Ok(term.clone());
        }
        self.step("term").await?;
        let db = self.db();
        let mut rows = db.tables.terms.rows_of(self.no);
        rows.find(|(_, row)| row.subscription_id == id && row.term_no == term_no)
            .map(|(_, row)| Term::clone(row))
            .ok_or(StoreError::NotFound {
                noun: Noun::Subscription,
            })
    }

    async fn end_term(&mut self, id: SubscriptionId, term_no: u32, at: DateTime<Utc>) -> R<()> {
        self.forget(|b| _ = b.terms.remove(&(id.0, term_no)));
        self.step("end term").await?;
        let row = {
            let db = self.db();
            let mut rows = db.tables.terms.rows_of(self.no);
            rows.find(|(_, row)| row.subscription_id == id && row.term_no == term_no)
                .map(|(id, _)| id)
        };
        let Some(row) = row else {
            return self.stale(Noun::Subscription);
        };
        let saved = self
            .put(
                Kind::Term,
                row,
                |t| &mut t.terms,
                |old| {
                    old.to_at.is_none().then(|| Term {
                        to_at: Some(at),
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Subscription)
        }
    }

    async fn insert_change(&mut self, change: &Change) -> R<()> {
        let is_theirs = {
            let db = self.db();
            let row = db
                .tables
                .subscriptions
                .get(change.subscription_id.0, self.no);
            row.is_some_and(|row| !row.subscription.scheduler.is_ours())
        };
        if is_theirs && change.requested_by != "stripe" {
            return self.refuse(vec![Constraint::TwoSchedulers]);
        }
        self.write(Write::Change(Box::new(change.clone()))).await
    }

    async fn claim_due_subscriptions(
        &mut self,
        until: DateTime<Utc>,
        limit: u32,
    ) -> R<Vec<Subscription>> {
        self.step("claim due subscriptions").await?;
        let due = |row: &SubscriptionRow| row.run_at().filter(|at| *at <= until);
        Ok(self.claim_subscriptions(limit, due))
    }

    async fn count_due_subscriptions(&mut self, until: DateTime<Utc>) -> R<u64> {
        self.step("count due subscriptions").await?;
        let db = self.db();
        let due = db
            .tables
            .subscriptions
            .rows_of(self.no)
            .filter(|(_, row)| row.run_at().is_some_and(|at| at <= until))
            .count();
        Ok(u64::try_from(due).unwrap_or(u64::MAX))
    }

    async fn claim_stale_incomplete(
        &mut self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> R<Vec<Subscription>> {
        self.step("claim stale incomplete").await?;
        let is_open = |a: &Attempt| a.kind == AttemptKind::Charge && a.state.is_open();
        let charged: Vec<InvoiceId> = self
            .attempts_where(is_open)
            .iter()
            .map(|a| a.invoice_id)
            .collect();
        let busy: Vec<Option<SubscriptionId>> = {
            let db = self.db();
            let rows = db.tables.invoices.rows_of(self.no);
            rows.filter(|(id, row)| is_unpaid(row) && charged.contains(&InvoiceId(*id)))
                .map(|(_, row)| row.subscription_id)
                .collect()
        };
        let stale = |row: &SubscriptionRow| {
            let row = &row.subscription;
            (!busy.contains(&Some(row.id))
                && row.state == SubscriptionState::Incomplete
                && row.scheduler.is_ours()
                && row.created_at < before)
                .then_some(row.created_at)
        };
        Ok(self.claim_subscriptions(limit, stale))
    }
}

fn clashes(other: &SubscriptionRow, key: Option<(i64, i64)>) -> bool {
    key.is_some() && other.exclusive_key == key && !other.subscription.state.is_ended()
}

impl MemTx<'_> {
    /// Takes the first rows in the order of what `key` gives; those that others hold are left out.
    fn claim_subscriptions(
        &mut self,
        limit: u32,
        key: impl Fn(&SubscriptionRow) -> Option<DateTime<Utc>>,
    ) -> Vec<Subscription> {
        let no = self.no;
        let holds = !self.has(Flaw::RowLocks);
        let mut claimed: Vec<(DateTime<Utc>, Subscription)> = {
            let db = self.db();
            let table = &db.tables.subscriptions;
            let free = table.rows_of(no).filter(|(id, _)| {
                !holds || table.slot(*id).is_some_and(|slot| !slot.is_held_from(no))
            });
            free.filter_map(|(_, row)| Some((key(row)?, row.subscription.clone())))
                .collect()
        };
        claimed.sort_by_key(|(at, row)| (*at, row.id));
        claimed.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for (_, row) in &claimed {
            if holds {
                self.hold(Kind::Subscription, row.id.0, |t| &mut t.subscriptions);
            }
        }
        claimed.into_iter().map(|(_, row)| row).collect()
    }

    /// Takes a row that nobody else holds.
    pub(super) fn hold<T>(
        &mut self,
        kind: Kind,
        id: i64,
        table: impl Fn(&mut Tables) -> &mut Table<T>,
    ) {
        let no = self.no;
        if let Some(slot) = table(&mut self.db().tables).slot_mut(id) {
            slot.locked_by = Some(no);
        }
        self.touch(kind, id);
    }
}

impl MemTx<'_> {
    pub(super) async fn write_subscription_move(&mut self, subscription: &Subscription) -> R<()> {
        let id = subscription.id.0;
        let any_version = self.has(Flaw::Versions);
        if subscription.quantity == 0 {
            return self.refuse(vec![Constraint::Other]);
        }
        let own_key = self
            .db()
            .tables
            .subscriptions
            .get(id, self.no)
            .and_then(|row| row.exclusive_key);
        if !subscription.state.is_ended() {
            let rules: Rules<'_, SubscriptionRow> = &[(Constraint::OneSubscription, &|other| {
                clashes(other, own_key)
            })];
            let broken = self
                .until_free(|tx| tx.broken_rules(Some(id), rules, &|t| &mut t.subscriptions))
                .await?;
            let is_current = self
                .db()
                .tables
                .subscriptions
                .get(id, self.no)
                .is_some_and(|row| row.subscription.version == subscription.version);
            if !broken.is_empty() && is_current {
                return self.refuse(broken);
            }
        }
        let saved = self
            .put(
                Kind::Subscription,
                id,
                |t| &mut t.subscriptions,
                |old| {
                    let was = &old.subscription;
                    (any_version || was.version == subscription.version).then(|| SubscriptionRow {
                        subscription: Subscription {
                            id: was.id,
                            public_id: was.public_id.clone(),
                            customer_id: was.customer_id,
                            product_id: was.product_id,
                            mode: was.mode,
                            scheduler: was.scheduler,
                            created_at: was.created_at,
                            version: was.version + 1,
                            ..subscription.clone()
                        },
                        exclusive_key: old.exclusive_key,
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Subscription)
        }
    }

    pub(super) async fn write_invoice_move(&mut self, invoice: &Invoice) -> R<()> {
        let any_version = self.has(Flaw::Versions);
        let broken = self.broken_by_dunning(invoice);
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        let saved = self
            .put(
                Kind::Invoice,
                invoice.id.0,
                |t| &mut t.invoices,
                |old| {
                    (any_version || old.version == invoice.version).then(|| Invoice {
                        state: invoice.state,
                        attempts: invoice.attempts,
                        dunning_used: invoice.dunning_used,
                        dunning: invoice.dunning,
                        next_attempt_at: invoice.next_attempt_at,
                        first_failed_at: invoice.first_failed_at,
                        last_code: invoice.last_code.clone(),
                        last_class: invoice.last_class,
                        paid_at: invoice.paid_at,
                        version: old.version + 1,
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Invoice)
        }
    }

    /// A new invoice, unless it breaks a rule.
    pub(super) async fn write_invoice(&mut self, row: Invoice) -> R<()> {
        let is_open_for_all = self.has(Flaw::InvoicePeriod);
        let (new, id) = (&row, row.id.0);
        let rules: Rules<'_, Invoice> = &[
            (Constraint::InvoicePeriod, &|other| {
                !is_open_for_all
                    && new.subscription_id.is_some()
                    && other.subscription_id == new.subscription_id
                    && other.term_no == new.term_no
                    && other.period_index == new.period_index
                    && other.kind == new.kind
            }),
            (Constraint::Other, &|other| other.public_id == new.public_id),
        ];
        let mut broken = if_broken(new.amount.minor() < 0);
        broken.extend(self.broken_by_invoice(new));
        broken.extend(
            self.until_free(|tx| tx.broken_rules(None, rules, &|t| &mut t.invoices))
                .await?,
        );
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        self.fill(id, row, |t| &mut t.invoices);
        Ok(())
    }
}

impl Invoices for MemTx<'_> {
    async fn insert_invoice(&mut self, new: &NewInvoice<'_>) -> R<InvoiceId> {
        let id = self
            .number("insert invoice", Kind::Invoice, |t| &mut t.invoices)
            .await
            .map(InvoiceId)?;
        let row = Invoice {
            id,
            public_id: new.public_id.clone(),
            customer_id: new.customer_id,
            subscription_id: new.subscription_id,
            term_no: new.term_no,
            period_index: new.period_index,
            kind: new.kind,
            state: new.state,
            amount: new.amount,
            description: new.description.to_owned(),
            due_at: new.due_at,
            period_from: new.period_from,
            period_to: new.period_to,
            attempts: 0,
            dunning_used: 0,
            dunning: DunningState::Idle,
            next_attempt_at: None,
            first_failed_at: None,
            last_code: None,
            last_class: None,
            paid_at: None,
            created_at: new.at,
            version: 1,
        };
        self.write(Write::Invoice(Box::new(row))).await?;
        Ok(id)
    }

    async fn subscription_of_invoice(&mut self, id: InvoiceId) -> R<Option<SubscriptionId>> {
        if let Some(row) = self.ahead(id.0, |b| &b.owners) {
            return must_be(row, Noun::Invoice);
        }
        self.step("subscription of invoice").await?;
        self.read(id.0, Noun::Invoice, |t| &t.invoices)
            .map(|row| row.subscription_id)
    }

    async fn lock_invoice(&mut self, id: InvoiceId) -> R<Invoice> {
        if let Some(row) = self.ahead(id.0, |b| &b.invoices) {
            return must_be(row, Noun::Invoice);
        }
        self.step("lock invoice").await?;
        let row = self.take(Kind::Invoice, id.0, |t| &mut t.invoices).await?;
        row.ok_or(StoreError::NotFound {
            noun: Noun::Invoice,
        })
    }

    async fn save_invoice(&mut self, invoice: &Invoice) -> R<()> {
        self.forget(|b| _ = b.invoices.remove(&invoice.id.0));
        self.write(Write::InvoiceMove(Box::new(invoice.clone())))
            .await
    }

    async fn unpaid_invoices_of(&mut self, id: SubscriptionId) -> R<Vec<Invoice>> {
        self.step("unpaid invoices").await?;
        let mut ids: Vec<(DateTime<Utc>, i64)> = {
            let db = self.db();
            let rows = db.tables.invoices.rows_of(self.no);
            rows.filter(|(_, row)| row.subscription_id == Some(id) && is_unpaid(row))
                .map(|(id, row)| (row.due_at, id))
                .collect()
        };
        ids.sort_unstable();
        let mut unpaid = Vec::new();
        for (_, id) in ids {
            let row = self.take(Kind::Invoice, id, |t| &mut t.invoices).await?;
            unpaid.extend(row.filter(is_unpaid));
        }
        Ok(unpaid)
    }

    async fn failed_invoices_of_customer(&mut self, customer: CustomerId) -> R<Vec<InvoiceId>> {
        self.step("failed invoices").await?;
        let db = self.db();
        let mut failed: Vec<(DateTime<Utc>, i64)> = db
            .tables
            .invoices
            .rows_of(self.no)
            .filter(|(_, row)| {
                row.customer_id == customer
                    && row.state == InvoiceState::Open
                    && row.first_failed_at.is_some()
                    && !is_mirrored(&db, self.no, row.id)
            })
            .map(|(id, row)| (row.due_at, id))
            .collect();
        failed.sort_unstable();
        Ok(failed.into_iter().map(|(_, id)| InvoiceId(id)).collect())
    }

    async fn claim_due_dunning(&mut self, until: DateTime<Utc>, limit: u32) -> R<Vec<Invoice>> {
        self.step("claim due dunning").await?;
        let no = self.no;
        let holds = !self.has(Flaw::RowLocks);
        let mut due: Vec<Invoice> = {
            let db = self.db();
            let t = &db.tables;
            let is_free = |row: &Invoice| {
                let invoice = t.invoices.slot(row.id.0);
                let owner = row
                    .subscription_id
                    .and_then(|id| t.subscriptions.slot(id.0));
                !holds
                    || (invoice.is_some_and(|slot| !slot.is_held_from(no))
                        && owner.is_none_or(|slot| !slot.is_held_from(no)))
            };
            t.invoices
                .rows_of(no)
                .filter(|(_, row)| is_due(row, until) && is_free(row))
                .map(|(_, row)| Invoice::clone(row))
                .collect()
        };
        due.sort_by_key(|row| (row.next_attempt_at, row.id));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for row in due.iter().filter(|_| holds) {
            self.hold(Kind::Invoice, row.id.0, |t| &mut t.invoices);
            if let Some(owner) = row.subscription_id {
                self.hold(Kind::Subscription, owner.0, |t| &mut t.subscriptions);
            }
        }
        Ok(due)
    }

    async fn count_due_dunning(&mut self, until: DateTime<Utc>) -> R<u64> {
        self.step("count due dunning").await?;
        let db = self.db();
        let rows = db.tables.invoices.rows_of(self.no);
        let due = rows.filter(|(_, row)| is_due(row, until)).count();
        Ok(u64::try_from(due).unwrap_or(u64::MAX))
    }
}

fn is_unpaid(row: &Invoice) -> bool {
    matches!(
        row.state,
        InvoiceState::Draft | InvoiceState::Open | InvoiceState::Uncollectible
    )
}

fn is_due(row: &Invoice, until: DateTime<Utc>) -> bool {
    row.state == InvoiceState::Open
        && row.dunning == DunningState::Scheduled
        && row.subscription_id.is_some()
        && row.next_attempt_at.is_some_and(|at| at <= until)
}
