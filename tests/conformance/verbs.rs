//! Each call of the port, on any database, told in words that are the same on all.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use paydeck::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use paydeck::domain::audit::AuditEntry;
use paydeck::domain::customer::{Card, SealedKey};
use paydeck::domain::dunning::DunningState;
use paydeck::domain::evidence::EvidenceSource;
use paydeck::domain::ids::{
    AttemptId, CustomerId, InvoiceId, MethodId, Noun, PaymentId, PlanId, ProductId, PublicId,
    RunId, SubscriptionId,
};
use paydeck::domain::invoice::{Invoice, InvoiceKind};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::{CardUse, Payment, ThreeDSecure};
use paydeck::domain::period::{Anchor, Interval, Unit};
use paydeck::domain::run::{Decision, Run, RunItem};
use paydeck::domain::states::RunState;
use paydeck::domain::subscription::{Subscription, Term};
use paydeck::engine::ports::{
    Account, Claim, Exclusivity, Fence, Foreseen, Lease, NewAttempt, NewCustomer, NewEvidence,
    NewInvoice, NewMethod, NewPayment, NewPlan, NewRefund, NewSubscription, Posting, StoreError,
    Tx,
};

use crate::approvals;
use crate::base;
use crate::mirrors;
use crate::script::{Foreseen as Ahead, Op, Refusing, Told};
use crate::world::{World, pick, place};

type R<T> = Result<T, StoreError>;

const NOBODY: i64 = 999_999;

fn id(noun: Noun, name: u32) -> PublicId {
    PublicId::new(noun, &format!("{name:026}"))
}

fn at(s: i64) -> DateTime<Utc> {
    base() + Duration::seconds(s)
}

fn won(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).expect("a day of March")
}

fn interval() -> Interval {
    Interval {
        unit: Unit::Month,
        count: 1,
    }
}

pub async fn perform<T: Refusing>(tx: &mut T, op: &Op, world: &mut World) -> Told {
    let outcome = Box::pin(one(tx, op, world)).await;
    match Told::from(outcome) {
        Told::Refused(named) => {
            let all = tx.broken();
            Told::Refused(if all.is_empty() { named } else { all })
        }
        told => told,
    }
}

async fn one<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    match op {
        Op::Customer { .. }
        | Op::SaveCustomer { .. }
        | Op::Method { .. }
        | Op::ActiveMethod { .. }
        | Op::Product { .. }
        | Op::Plan { .. } => people(tx, op, w).await,
        Op::Subscribe { .. }
        | Op::LockSubscription { .. }
        | Op::SaveSubscription { .. }
        | Op::Running { .. }
        | Op::ClaimDue { .. }
        | Op::ClaimIncomplete { .. } => subscriptions(tx, op, w).await,
        Op::Invoice { .. }
        | Op::SaveInvoice { .. }
        | Op::Unpaid { .. }
        | Op::FailedOf { .. }
        | Op::ClaimDunning { .. } => invoices(tx, op, w).await,
        Op::Attempt { .. }
        | Op::SaveAttempt { .. }
        | Op::Evidence { .. }
        | Op::Charges { .. }
        | Op::Refunds { .. }
        | Op::ClaimOpen { .. }
        | Op::Release { .. }
        | Op::Owners => attempts(tx, op, w).await,
        Op::Ask { .. } | Op::Decision { .. } | Op::WaitingOf { .. } | Op::LookUps { .. } => {
            approvals::perform(tx, op, w).await
        }
        Op::Payment { .. } | Op::SavePayment { .. } | Op::PaymentsOf { .. } | Op::Refund { .. } => {
            payments(tx, op, w).await
        }
        Op::Mirror { .. }
        | Op::MirroredInvoice { .. }
        | Op::Wish { .. }
        | Op::WishLearnt { .. }
        | Op::ClaimWishes { .. }
        | Op::Event { .. }
        | Op::MoveEvents { .. }
        | Op::MirrorOf { .. } => mirrors::perform(tx, op, w).await,
        Op::Foresee { .. } => foresee(tx, op, w).await,
        _ => books(tx, op, w).await,
    }
}

/// As the engine does: claims, and says that it will work on what it claimed.
async fn foresee<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let Op::Foresee {
        what,
        until,
        limit,
        at: which,
    } = *op
    else {
        return Ok(String::new());
    };
    w.is_batched = true;
    match what {
        Ahead::Billing => {
            let due = tx.claim_due_subscriptions(at(until), limit).await?;
            tx.foresee(Foreseen::Billing(&due)).await?;
            let mut told = Vec::new();
            for row in &due {
                told.push(told_subscription(row, w));
                let term = tx.term(row.id, 1).await?;
                told.push(format!("{:?} {}", term.to_at, term.price));
                told.push(tx.plan(row.plan_id).await?.code);
                told.push(tx.customer(row.customer_id).await?.name);
            }
            Ok(told.join("; "))
        }
        Ahead::Dunning => {
            let due = tx.claim_due_dunning(at(until), limit).await?;
            tx.foresee(Foreseen::Dunning(&due)).await?;
            let mut told = Vec::new();
            for row in &due {
                let owner = tx.subscription_of_invoice(row.id).await?;
                if let Some(owner) = owner {
                    told.push(told_subscription(&tx.lock_subscription(owner).await?, w));
                }
                told.push(told_invoice(&tx.lock_invoice(row.id).await?, w));
                told.push(told_attempts(&tx.charges_of(row.id).await?, w));
            }
            Ok(told.join("; "))
        }
        Ahead::Settling => {
            let mut rows = Vec::new();
            for n in 0..usize::try_from(limit).unwrap_or(2).min(w.attempts.len()) {
                let id = pick(&w.attempts, which + n, AttemptId(NOBODY));
                rows.push(tx.lock_attempt(id).await?);
            }
            let attempts: Vec<&Attempt> = rows.iter().collect();
            tx.foresee(Foreseen::Settling(&attempts)).await?;
            let mut told = Vec::new();
            for row in &rows {
                told.push(told_invoice(&tx.lock_invoice(row.invoice_id).await?, w));
                if let Some(payment) = row.payment_id {
                    told.push(told_payment(&tx.lock_payment(payment).await?, w));
                }
                told.push(told_attempt(&tx.lock_attempt(row.id).await?, w));
            }
            Ok(told.join("; "))
        }
    }
}

async fn people<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    match *op {
        Op::Customer { name, key } => {
            let new = NewCustomer {
                public_id: &id(Noun::Customer, name),
                customer_key: &format!("key-{key}"),
                name: "김서현",
                email: "a@b.c",
                phone: "010",
                at: base(),
            };
            let made = tx.insert_customer(&new).await?;
            w.customers.push(made);
        }
        Op::SaveCustomer { at, stale } => {
            let mut row = tx
                .customer(pick(&w.customers, at, CustomerId(NOBODY)))
                .await?;
            row.version -= i64::from(stale);
            row.name.push('!');
            tx.save_customer(&row).await?;
            let row = tx.customer(row.id).await?;
            return Ok(format!("{} {}", row.name, row.version));
        }
        Op::Method {
            customer,
            name,
            hash,
        } => {
            let new = NewMethod {
                public_id: &id(Noun::Method, name),
                customer_id: pick(&w.customers, customer, CustomerId(NOBODY)),
                provider: ProviderName::Toss,
                mode: Mode::Sim,
                card: &Card::default(),
                key: &SealedKey {
                    sealed: vec![1],
                    key_id: "k1".to_owned(),
                    hash: format!("h{hash}"),
                },
                at: at(i64::from(name)),
            };
            let made = tx.insert_method(&new).await?;
            w.methods.push(made);
        }
        Op::ActiveMethod { customer } => {
            let customer = pick(&w.customers, customer, CustomerId(NOBODY));
            let found = tx.active_method_of(customer).await?;
            let found = found.map(|m| place(&w.methods, &m.id));
            return Ok(format!("{found:?}"));
        }
        Op::Product { name, code } => {
            let code = format!("code-{code}");
            let made = tx
                .insert_product(&id(Noun::Product, name), &code, "구독", base())
                .await?;
            w.products.push(made);
        }
        Op::Plan { name, code, price } => {
            let new = NewPlan {
                public_id: &id(Noun::Plan, name),
                product_id: pick(&w.products, 0, ProductId(NOBODY)),
                code: &format!("plan-{code}"),
                name: "프로",
                price: won(price),
                interval: interval(),
                tier: "PRO",
                trial_days: 0,
                features: &[],
                at: base(),
            };
            let made = tx.insert_plan(&new).await?;
            w.plans.push(made);
        }
        _ => {}
    }
    Ok("done".to_owned())
}

fn told_subscription(row: &Subscription, w: &World) -> String {
    format!(
        "sub {:?} {} due {:?} cancel {:?} v{}",
        place(&w.subscriptions, &row.id),
        row.state,
        row.next_due_at,
        row.cancel_at,
        row.version
    )
}

async fn subscriptions<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let nobody = SubscriptionId(NOBODY);
    let told = |rows: &[Subscription], w: &World| {
        let rows: Vec<String> = rows.iter().map(|row| told_subscription(row, w)).collect();
        rows.join("; ")
    };
    match *op {
        Op::Subscribe {
            name,
            customer,
            state,
            exclusive,
            quantity,
            due,
        } => {
            let new = NewSubscription {
                public_id: &id(Noun::Subscription, name),
                customer_id: pick(&w.customers, customer, CustomerId(NOBODY)),
                product_id: pick(&w.products, 0, ProductId(NOBODY)),
                plan_id: pick(&w.plans, 0, PlanId(NOBODY)),
                state,
                quantity,
                method_id: None,
                mode: Mode::Sim,
                next_due_at: due.map(at),
                trial_until: None,
                exclusivity: if exclusive == 1 {
                    Exclusivity::OnePerProduct
                } else {
                    Exclusivity::Any
                },
                at: at(i64::from(name % 1_000)),
            };
            let made = tx.insert_subscription(&new).await?;
            w.subscriptions.push(made);
            tx.insert_term(&Term {
                subscription_id: made,
                term_no: 1,
                plan_id: pick(&w.plans, 0, PlanId(NOBODY)),
                anchor: Anchor {
                    date: day(10),
                    zone: chrono_tz::Asia::Seoul,
                    interval: interval(),
                },
                quantity: 1,
                price: won(9_900),
                from_at: base(),
                to_at: None,
            })
            .await?;
            Ok("done".to_owned())
        }
        Op::LockSubscription { at } => {
            let row = tx
                .lock_subscription(pick(&w.subscriptions, at, nobody))
                .await?;
            Ok(told_subscription(&row, w))
        }
        Op::SaveSubscription {
            at: which,
            state,
            due,
            cancel,
            stale,
        } => {
            let mut row = tx
                .lock_subscription(pick(&w.subscriptions, which, nobody))
                .await?;
            // As the engine does: what has ended does not come back.
            if row.state.is_ended() && !state.is_ended() {
                return Ok("left alone".to_owned());
            }
            row.state = state;
            row.next_due_at = due.map(at);
            row.cancel_at = cancel.map(at);
            row.version -= i64::from(stale);
            tx.save_subscription(&row).await?;
            if w.is_batched {
                return Ok("done".to_owned());
            }
            let row = tx.lock_subscription(row.id).await?;
            Ok(told_subscription(&row, w))
        }
        Op::Running { customer } => {
            let customer = pick(&w.customers, customer, CustomerId(NOBODY));
            let rows = tx.running_subscriptions_of(customer).await?;
            let rows: Vec<_> = rows.iter().map(|id| place(&w.subscriptions, id)).collect();
            Ok(format!("{rows:?}"))
        }
        Op::ClaimDue { until, limit } => {
            let rows = tx.claim_due_subscriptions(at(until), limit).await?;
            let n = tx.count_due_subscriptions(at(until)).await?;
            Ok(format!("{n}: {}", told(&rows, w)))
        }
        Op::ClaimIncomplete { before, limit } => {
            let rows = tx.claim_stale_incomplete(at(before), limit).await?;
            Ok(told(&rows, w))
        }
        _ => Ok(String::new()),
    }
}

fn told_invoice(row: &Invoice, w: &World) -> String {
    format!(
        "inv {:?} {} {:?} next {:?} failed {:?} v{}",
        place(&w.invoices, &row.id),
        row.state,
        row.dunning,
        row.next_attempt_at,
        row.first_failed_at,
        row.version
    )
}

async fn invoices<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let told = |rows: &[Invoice], w: &World| {
        let rows: Vec<String> = rows.iter().map(|row| told_invoice(row, w)).collect();
        rows.join("; ")
    };
    match *op {
        Op::Invoice {
            name,
            subscription,
            owned,
            period,
            state,
            amount,
        } => {
            let owner = pick(&w.subscriptions, subscription, SubscriptionId(NOBODY));
            let is_owned = owned == 1 && !w.subscriptions.is_empty();
            let new = NewInvoice {
                public_id: &id(Noun::Invoice, name),
                customer_id: pick(&w.customers, subscription, CustomerId(NOBODY)),
                subscription_id: is_owned.then_some(owner),
                term_no: 1,
                period_index: period,
                kind: InvoiceKind::Renewal,
                state,
                amount: won(amount),
                description: "프로",
                due_at: at(i64::from(period)),
                period_from: day(1),
                period_to: day(2),
                at: base(),
            };
            let made = tx.insert_invoice(&new).await?;
            w.invoices.push(made);
            if w.is_batched {
                return Ok("done".to_owned());
            }
            let owner = tx.subscription_of_invoice(made).await?;
            let owner = owner.map(|id| place(&w.subscriptions, &id));
            Ok(format!("of {owner:?}"))
        }
        Op::SaveInvoice {
            at: which,
            state,
            dunning,
            next,
            failed,
            stale,
        } => {
            let mut row = tx
                .lock_invoice(pick(&w.invoices, which, InvoiceId(NOBODY)))
                .await?;
            row.state = state;
            row.dunning = DunningState::ALL[dunning % 4];
            row.next_attempt_at = next.map(at);
            row.first_failed_at = (failed == 1).then(base);
            row.version -= i64::from(stale);
            tx.save_invoice(&row).await?;
            if w.is_batched {
                return Ok("done".to_owned());
            }
            let row = tx.lock_invoice(row.id).await?;
            Ok(told_invoice(&row, w))
        }
        Op::Unpaid { subscription } => {
            let owner = pick(&w.subscriptions, subscription, SubscriptionId(NOBODY));
            let rows = tx.unpaid_invoices_of(owner).await?;
            Ok(told(&rows, w))
        }
        Op::FailedOf { customer } => {
            let customer = pick(&w.customers, customer, CustomerId(NOBODY));
            let rows = tx.failed_invoices_of_customer(customer).await?;
            let rows: Vec<_> = rows.iter().map(|id| place(&w.invoices, id)).collect();
            Ok(format!("{rows:?}"))
        }
        Op::ClaimDunning { until, limit } => {
            let rows = tx.claim_due_dunning(at(until), limit).await?;
            let n = tx.count_due_dunning(at(until)).await?;
            Ok(format!("{n}: {}", told(&rows, w)))
        }
        _ => Ok(String::new()),
    }
}

fn told_attempt(row: &Attempt, w: &World) -> String {
    format!(
        "att {:?} {:?} {} {:?} epoch {} until {:?} owner {:?} next {:?} sent {}",
        place(&w.attempts, &row.id),
        row.kind,
        row.state,
        row.source,
        row.lease_epoch,
        row.lease_until,
        row.lease_owner,
        row.next_check_at,
        row.send_count
    )
}

fn told_attempts(rows: &[Attempt], w: &World) -> String {
    let rows: Vec<String> = rows.iter().map(|row| told_attempt(row, w)).collect();
    rows.join("; ")
}

async fn attempts<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let nobody = AttemptId(NOBODY);
    match *op {
        Op::Attempt { .. } => insert_attempt(tx, op, w).await,
        Op::SaveAttempt { .. } => save_attempt(tx, op, w).await,
        Op::Evidence { at } => {
            let attempt = pick(&w.attempts, at, nobody);
            tx.lock_attempt(attempt).await?;
            evidence(tx, attempt).await?;
            Ok("done".to_owned())
        }
        Op::Charges { invoice } => {
            let rows = tx
                .charges_of(pick(&w.invoices, invoice, InvoiceId(NOBODY)))
                .await?;
            Ok(told_attempts(&rows, w))
        }
        Op::Refunds { payment } => {
            let rows = tx
                .refunds_of(pick(&w.payments, payment, PaymentId(NOBODY)))
                .await?;
            Ok(told_attempts(&rows, w))
        }
        Op::ClaimOpen { now, limit, lease } => {
            let claim = Claim {
                owner: "host:1:1",
                now: at(now),
                lease_s: lease,
                limit,
            };
            let rows = tx.claim_open_attempts(claim).await?;
            Ok(told_attempts(&rows, w))
        }
        Op::Release { owner, now } => {
            let owner = format!("host:{owner}:1");
            let n = tx.release_leases_of(&owner, at(now)).await?;
            Ok(format!("{n} released"))
        }
        Op::Owners => {
            let owners = tx.lease_owners().await?;
            Ok(format!("{owners:?}"))
        }
        _ => Ok(String::new()),
    }
}

async fn evidence<T: Tx>(tx: &mut T, attempt_id: AttemptId) -> R<()> {
    let new = NewEvidence {
        attempt_id,
        source: EvidenceSource::LookUp,
        outcome: "captured",
        http_status: None,
        code: None,
        reference: None,
        amount: None,
        trace_id: None,
        body_sha256: None,
        elapsed_ms: 1,
        at: base(),
    };
    tx.insert_evidence(&new).await.map(|_| ())
}

async fn insert_attempt<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let Op::Attempt {
        name,
        refund,
        invoice,
        payment,
        number,
        order,
        key,
        amount,
        state,
        source,
        at: when,
        send_after,
        leased,
    } = *op
    else {
        return Ok(String::new());
    };
    if w.invoices.is_empty() || (refund == 1 && w.payments.is_empty()) {
        return Ok("nothing to charge".to_owned());
    }
    let (order, key) = (format!("order-{order}"), format!("idem-{key}"));
    let new = NewAttempt {
        public_id: &id(Noun::Attempt, name),
        kind: if refund == 1 {
            AttemptKind::Refund
        } else {
            AttemptKind::Charge
        },
        invoice_id: pick(&w.invoices, invoice, InvoiceId(NOBODY)),
        payment_id: (refund == 1).then(|| pick(&w.payments, payment, PaymentId(NOBODY))),
        customer_id: pick(&w.customers, 0, CustomerId(NOBODY)),
        subscription_id: None,
        attempt_no: number,
        source: Source::ALL[source % 5],
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        method_id: w.methods.first().copied().map(|id: MethodId| id),
        order_id: &order,
        idem_key: &key,
        provider_ref: None,
        body: b"{}",
        amount: won(amount),
        expected_balance_minor: None,
        also_cancel: AlsoCancel::No,
        state,
        send_after: send_after.map(at),
        lease: (leased == 1).then(|| Lease {
            owner: "host:0:1",
            until: at(when + 120),
        }),
        operator: "kim",
        reason: "",
        at: at(when),
    };
    let made = tx.insert_attempt(&new).await?;
    w.attempts.push(made);
    if w.is_batched {
        return Ok("done".to_owned());
    }
    let target = tx.attempt_target(made).await?;
    Ok(format!("about {:?}", place(&w.invoices, &target)))
}

async fn save_attempt<T: Tx>(tx: &mut T, op: &Op, w: &World) -> R<String> {
    let Op::SaveAttempt {
        at: which,
        state,
        evidence: proof,
        wrong_state,
        wrong_epoch,
        unfenced,
        next,
    } = *op
    else {
        return Ok(String::new());
    };
    let mut row = tx
        .lock_attempt(pick(&w.attempts, which, AttemptId(NOBODY)))
        .await?;
    if proof == 1 {
        evidence(tx, row.id).await?;
    }
    let fence = Fence {
        state: if wrong_state == 1 { state } else { row.state },
        epoch: (unfenced == 0).then_some(row.lease_epoch + i64::from(wrong_epoch)),
    };
    row.state = state;
    row.lease_epoch += 1;
    row.lease_until = Some(base());
    row.next_check_at = next.map(at);
    row.send_count += 1;
    tx.save_attempt(&row, fence).await?;
    if w.is_batched {
        return Ok("done".to_owned());
    }
    let row = tx.lock_attempt(row.id).await?;
    Ok(told_attempt(&row, w))
}

fn told_payment(row: &Payment, w: &World) -> String {
    format!(
        "pay {:?} {} {} {} {:?} v{}",
        place(&w.payments, &row.id),
        row.refunded_minor,
        row.reserved_minor,
        row.is_duplicate,
        row.card_use,
        row.version
    )
}

async fn payments<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let nobody = PaymentId(NOBODY);
    match *op {
        Op::Payment {
            name,
            invoice,
            attempt,
            reference,
            amount,
            duplicate,
        } => {
            if w.invoices.is_empty() || w.attempts.is_empty() {
                return Ok("nothing to pay".to_owned());
            }
            // An attempt of this transaction is written after payments: it is asked for first.
            let about = pick(&w.attempts, attempt, AttemptId(NOBODY));
            tx.lock_attempt(about).await?;
            let new = NewPayment {
                public_id: &id(Noun::Payment, name),
                invoice_id: pick(&w.invoices, invoice, InvoiceId(NOBODY)),
                attempt_id: about,
                customer_id: pick(&w.customers, 0, CustomerId(NOBODY)),
                subscription_id: None,
                plan_id: None,
                method_id: None,
                provider: ProviderName::Toss,
                mode: Mode::Sim,
                provider_ref: &format!("ref-{reference}"),
                order_id: "order",
                captured: won(amount),
                captured_at: base(),
                captured_on: day(10),
                is_duplicate: duplicate == 1,
                card_use: CardUse {
                    installment_months: u32::try_from(amount % 4).ok().filter(|months| *months > 0),
                    three_d_secure: usize::try_from(name % 8)
                        .ok()
                        .and_then(|at| ThreeDSecure::ALL.get(at))
                        .copied(),
                },
            };
            let made = tx.insert_payment(&new).await?;
            w.payments.push(made);
            if w.is_batched {
                return Ok("done".to_owned());
            }
            let target = tx.payment_target(made).await?;
            Ok(format!("for {:?}", place(&w.invoices, &target)))
        }
        Op::SavePayment {
            at,
            refunded,
            reserved,
            stale,
        } => {
            let mut row = tx.lock_payment(pick(&w.payments, at, nobody)).await?;
            row.refunded_minor = refunded;
            row.reserved_minor = reserved;
            row.version -= i64::from(stale);
            tx.save_payment(&row).await?;
            let row = tx.lock_payment(row.id).await?;
            Ok(told_payment(&row, w))
        }
        Op::PaymentsOf { invoice } => {
            let rows = tx
                .payments_of(pick(&w.invoices, invoice, InvoiceId(NOBODY)))
                .await?;
            let rows: Vec<String> = rows.iter().map(|row| told_payment(row, w)).collect();
            Ok(rows.join("; "))
        }
        Op::Refund {
            name,
            payment,
            transaction,
            amount,
        } => {
            let new = NewRefund {
                public_id: &id(Noun::Refund, name),
                payment_id: pick(&w.payments, payment, nobody),
                attempt_id: None,
                amount: won(amount),
                reason: "x",
                transaction_key: &format!("t{transaction}"),
                refunded_at: base(),
                refunded_on: day(10),
                operator: "kim",
            };
            let is_new = tx.insert_refund(&new).await?;
            Ok(format!("new {is_new}"))
        }
        _ => Ok(String::new()),
    }
}

fn audit_entry() -> AuditEntry {
    AuditEntry {
        at: base(),
        person: "kim".to_owned(),
        claims: "{}".to_owned(),
        mode: Mode::Sim,
        verb: "note".to_owned(),
        target: String::new(),
        before: String::new(),
        after: String::new(),
        reason: String::new(),
        result: "done".to_owned(),
        provider_ref: String::new(),
        approver: String::new(),
    }
}

async fn books<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> R<String> {
    let decision = |n: usize| Decision::ALL.get(n).copied();
    match *op {
        Op::Notice { key } => {
            tx.queue_notice("page", &format!("k{key}"), "{}", base())
                .await?;
        }
        Op::Audit => tx.audit(&audit_entry()).await?,
        Op::Post { payment, attempt } => {
            if w.payments.is_empty() || w.attempts.is_empty() {
                return Ok("nothing to post".to_owned());
            }
            tx.post(&Posting {
                payment_id: pick(&w.payments, payment, PaymentId(NOBODY)),
                attempt_id: pick(&w.attempts, attempt, AttemptId(NOBODY)),
                debit: Account::Provider,
                credit: Account::Revenue,
                amount: won(100),
                at: base(),
            })
            .await?;
        }
        Op::Day { day: n } => tx.mark_day(day(n)).await?,
        Op::Run { name } => {
            let run = Run {
                id: RunId(0),
                public_id: id(Noun::Run, name),
                state: RunState::Running,
                operator: "kim".to_owned(),
                host: "h".to_owned(),
                until: base(),
                started_at: base(),
                finished_at: None,
                stop_reason: None,
            };
            let made = tx.insert_run(&run).await?;
            w.runs.push(made);
            let mut run = tx.lock_run(made).await?;
            run.state = RunState::Stopped;
            run.stop_reason = Some("enough".to_owned());
            tx.save_run(&run).await?;
            let run = tx.lock_run(made).await?;
            return Ok(format!("{} {:?}", run.state, run.stop_reason));
        }
        Op::Item {
            run,
            subscription,
            invoice,
            attempt,
            decision: n,
        } => {
            if w.runs.is_empty() || w.subscriptions.is_empty() {
                return Ok("nothing to decide".to_owned());
            }
            let has_invoice = !w.invoices.is_empty();
            let item = RunItem {
                run_id: pick(&w.runs, run, RunId(NOBODY)),
                subscription_id: pick(&w.subscriptions, subscription, SubscriptionId(NOBODY)),
                invoice_id: invoice
                    .filter(|_| has_invoice)
                    .map(|i| pick(&w.invoices, i, InvoiceId(NOBODY))),
                attempt_id: (!w.attempts.is_empty())
                    .then(|| pick(&w.attempts, attempt, AttemptId(NOBODY))),
                decision: decision(n),
                reason: String::new(),
                at: base(),
            };
            tx.save_run_item(&item).await?;
        }
        Op::Decide {
            attempt,
            decision: n,
        } => {
            let attempt = pick(&w.attempts, attempt, AttemptId(NOBODY));
            let decision = decision(n).unwrap_or(Decision::Done);
            tx.decide_run_items(attempt, decision, base()).await?;
        }
        Op::Totals { run } => {
            let mut totals = tx.run_totals(pick(&w.runs, run, RunId(NOBODY))).await?;
            totals.sort_by_key(|(d, _)| d.map(Decision::as_str));
            return Ok(format!("{totals:?}"));
        }
        _ => {}
    }
    Ok("done".to_owned())
}
