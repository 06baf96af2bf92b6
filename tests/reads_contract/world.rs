//! Rows for a test, put in as they stand: a row names what matters to it, the rest is filled in.

use chrono::{DateTime, Duration, NaiveDate, TimeZone, Utc};
use chrono_tz::Asia::Seoul;
use paydeck::domain::mode::Mode;
use paydeck::domain::period::{day_start, local_date};
use paydeck::engine::queries::LocalDay;
use paydeck::store::bulk::{BulkWriter, Table};
use paydeck::store::{DatabaseUrl, NewDatabase, OpenOptions, SqlStore, Value};
use paydeck::text;

use crate::support;

/// A database of a test's own.
pub struct Bed {
    url: DatabaseUrl,
    _kept: Kept,
}

enum Kept {
    File(#[expect(dead_code, reason = "it is removed on drop")] support::sqlite::SqliteFile),
    Database(#[expect(dead_code, reason = "it is removed on drop")] support::postgres::TestDb),
}

impl Bed {
    pub fn sqlite() -> Self {
        let file = support::sqlite::file();
        Self {
            url: DatabaseUrl::Sqlite(file.path().to_owned()),
            _kept: Kept::File(file),
        }
    }

    pub fn postgres() -> Option<Self> {
        let database = support::postgres::database()?;
        Some(Self {
            url: DatabaseUrl::parse(&database.url).expect("the server's address"),
            _kept: Kept::Database(database),
        })
    }

    /// Makes the database of these rows and opens it.
    pub fn is_a_file(&self) -> bool {
        matches!(self.url, DatabaseUrl::Sqlite(_))
    }

    pub async fn with(&self, rows: &Rows) -> SqlStore {
        let new = NewDatabase {
            mode: Mode::Sim,
            zone: Seoul,
            key_id: "k1",
            install_id: "ABCDEFGH",
            install_secret: "not a secret",
            at: noon(1),
        };
        let mut writer = BulkWriter::create(&self.url, &new).await.expect("create");
        for table in Table::ALL {
            let of_table = rows.0.iter().filter(|(t, _)| t == table);
            let values: Vec<Vec<Value>> = of_table.map(|(_, row)| row.clone()).collect();
            writer.insert_many(*table, values).await.expect("insert");
        }
        writer.finish().await.expect("finish");
        self.open().await
    }

    pub async fn open(&self) -> SqlStore {
        let options = OpenOptions::read_write("tester", "test-1");
        SqlStore::open(&self.url, options).await.expect("open")
    }
}

/// Noon in Seoul on a day of March 2026.
pub fn noon(day: u32) -> DateTime<Utc> {
    let local = Seoul.with_ymd_and_hms(2026, 3, day, 12, 0, 0);
    local.single().expect("a noon of March").with_timezone(&Utc)
}

pub fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).expect("a day of March")
}

pub fn local_day(day: u32) -> LocalDay {
    LocalDay {
        date: date(day),
        from: day_start(date(day), Seoul),
        to: day_start(date(day) + Duration::days(1), Seoul),
    }
}

/// A ULID whose last characters tell rows of every table apart.
pub fn ulid(id: i64) -> String {
    format!("01KABCDE{:018}", id * 7_919)
}

/// Rows of all tables, in the order they were made.
#[derive(Default)]
pub struct Rows(pub Vec<(Table, Vec<Value>)>);

const TEXTS_LEFT_EMPTY: [&str; 22] = [
    "note.author",
    "plan.tier",
    "run_item.reason",
    "attempt.operator",
    "attempt.reason",
    "refund.reason",
    "refund.operator",
    "audit.claims",
    "audit.state_before",
    "audit.state_after",
    "audit.reason",
    "audit.provider_ref",
    "audit.approver",
    "inbox.shape",
    "inbox.body_sha256",
    "payment_method.kind",
    "invoice.description",
    "payment_method.issuer",
    "run.host",
    "payment_method.number",
    "payment_method.key_id",
    "payment_method.last4",
];

/// What a column holds when a row does not say.
fn left_out(table: &str, column: &str) -> Value {
    let null_texts = [
        "exclusive_key",
        "last_code",
        "last_class",
        "lease_owner",
        "provider_ref",
        "refusal_code",
        "refusal_class",
        "refusal_proves",
        "trace_id",
        "settled_on",
        "http_status",
        "code",
        "reference",
        "currency",
        "body_sha256",
        "stop_reason",
        "decision",
        "last_error",
        "order_id",
        "key_hash",
        "key_id",
        "from_state",
        "outcome",
        "three_d_secure",
    ];
    let is_empty = TEXTS_LEFT_EMPTY.contains(&format!("{table}.{column}").as_str());
    let zeros = [
        "trial_days",
        "attempts",
        "dunning_used",
        "refunded_minor",
        "reserved_minor",
        "is_duplicate",
        "needs_human",
        "lease_epoch",
        "send_count",
        "checks",
        "not_seen",
        "discount_minor",
        "period_index",
        "next_period",
        "tries",
        "elapsed_ms",
    ];
    let ones = [
        "version",
        "quantity",
        "term_no",
        "active",
        "attempt_no",
        "interval_count",
    ];
    match (table, column) {
        _ if is_empty => "".into(),
        (_, "http_status") => Value::I64(None),
        ("attempt", "body") | ("payment_method", "sealed") => Value::Bytes(Some(vec![])),
        ("inbox", "sealed") => Value::Bytes(None),
        (_, "mode") => "sim".into(),
        (_, "provider") => "toss".into(),
        (_, "scheduler") => "paydeck".into(),
        ("plan", "features") => "[]".into(),
        (_, "interval_unit") => "month".into(),
        (_, "also_cancel") => "no".into(),
        (_, "dunning") => "idle".into(),
        ("invoice", "kind") => "renewal".into(),
        ("payment_method", "state") => "active".into(),
        (_, "zone") => "Asia/Seoul".into(),
        _ if null_texts.contains(&column) => Value::Text(None),
        _ if zeros.contains(&column) => 0_i64.into(),
        _ if ones.contains(&column) => 1_i64.into(),
        _ => Value::I64(None),
    }
}

macro_rules! set {
    ($($column:ident: $value:expr),* $(,)?) => {
        vec![$((stringify!($column), paydeck::store::Value::from($value))),*]
    };
}
pub(crate) use set;

pub type Set = Vec<(&'static str, Value)>;

impl Rows {
    /// Adds a row; what comes later in `set` wins.
    pub fn put(&mut self, table: Table, set: &Set) {
        let row = table
            .columns()
            .iter()
            .map(|column| {
                let said = set.iter().rev().find(|(name, _)| name == column);
                said.map_or_else(
                    || left_out(table.name(), column),
                    |(_, value)| value.clone(),
                )
            })
            .collect();
        self.0.push((table, row));
    }

    fn named(id: i64, prefix: &str, more: Set) -> Set {
        let ulid = ulid(id);
        let tail: String = ulid.chars().rev().collect();
        let mut set = set! { id: id, public_id: format!("{prefix}_{ulid}"), tail: tail };
        set.extend(more);
        set
    }

    pub fn product(&mut self) {
        let more = set! { code: "app", name: "App", created_at: noon(1) };
        self.put(Table::Product, &Self::named(1, "prod", more));
    }

    pub fn plan(&mut self, id: i64, code: &str, minor: i64, unit: &str) {
        let name = format!("Plan {code}");
        let more = set! {
            product_id: 1_i64, code: code, name: name, price_minor: minor, currency: "KRW",
            interval_unit: unit, created_at: noon(1),
        };
        self.put(Table::Plan, &Self::named(id, "plan", more));
    }

    pub fn customer(&mut self, id: i64, name: &str, email: &str, phone: &str) {
        let more = set! {
            customer_key: format!("key-{id:06}"), name: name, email: email, phone: phone,
            name_jamo: text::search_key(name), name_initials: text::initials(name),
            email_lower: email.to_lowercase(), phone_digits: text::phone_key(phone),
            created_at: noon(1) + Duration::minutes(id),
        };
        self.put(Table::Customer, &Self::named(id, "cus", more));
    }

    pub fn card(&mut self, id: i64, customer: i64, last4: &str, expiry: (i64, i64), more: Set) {
        let mut all = set! {
            customer_id: customer, issuer: "61", number: format!("****-****-****-{last4}"),
            last4: last4, kind: "credit", exp_year: expiry.0, exp_month: expiry.1,
            key_id: "k1", key_hash: format!("hash-{id}"), created_at: noon(1),
        };
        all.extend(more);
        self.put(Table::PaymentMethod, &Self::named(id, "pm", all));
    }

    /// A subscription with its first term, at the plan's price.
    pub fn subscription(
        &mut self,
        id: i64,
        customer: i64,
        plan: (i64, i64),
        state: &str,
        more: Set,
    ) {
        let unit = "month";
        let mut all = set! {
            customer_id: customer, product_id: 1_i64, plan_id: plan.0, state: state,
            created_at: noon(1) + Duration::minutes(id),
        };
        all.extend(more);
        self.put(Table::Subscription, &Self::named(id, "sub", all));
        let term = set! {
            id: id, subscription_id: id, plan_id: plan.0, anchor_date: date(1), interval_unit: unit,
            price_minor: plan.1, currency: "KRW", from_at: noon(1) + Duration::minutes(id),
        };
        self.put(Table::SubscriptionTerm, &term);
    }

    pub fn invoice(&mut self, id: i64, customer: i64, minor: i64, state: &str, more: Set) {
        let mut all = set! {
            customer_id: customer, kind: "one_time", state: state, amount_minor: minor,
            currency: "KRW", description: "Set-up", due_at: noon(2) + Duration::minutes(id),
            period_from: date(2), period_to: date(3), period_index: id, created_at: noon(2),
        };
        all.extend(more);
        self.put(Table::Invoice, &Self::named(id, "inv", all));
    }

    pub fn attempt(&mut self, id: i64, invoice: i64, customer: i64, minor: i64, more: Set) {
        let mut all = set! {
            kind: "charge", invoice_id: invoice, customer_id: customer, source: "run",
            order_id: format!("pdabcdefgh-{}-1", ulid(id)), idem_key: format!("idem-{id}"),
            amount_minor: minor, currency: "KRW", state: "succeeded", operator: "run",
            created_at: noon(2) + Duration::minutes(id), settled_at: noon(2) + Duration::minutes(id),
            settled_on: date(2),
        };
        all.extend(more);
        self.put(Table::Attempt, &Self::named(id, "att", all));
    }

    /// A payment with its paid invoice and its attempt, all three under one id.
    pub fn payment(&mut self, id: i64, customer: i64, minor: i64, at: DateTime<Utc>, more: Set) {
        self.invoice(
            id,
            customer,
            minor,
            "paid",
            set! { paid_at: at, created_at: at },
        );
        let settled_on = local_date(at, Seoul);
        self.attempt(
            id,
            id,
            customer,
            minor,
            set! { created_at: at, settled_at: at, settled_on: settled_on },
        );
        let mut all = set! {
            invoice_id: id, attempt_id: id, customer_id: customer,
            plan_id: Option::<i64>::None, method_id: Option::<i64>::None,
            provider_ref: format!("tgen_{id:08}"), order_id: format!("pdabcdefgh-{}-1", ulid(id)),
            captured_minor: minor, currency: "KRW", captured_at: at,
            captured_on: local_date(at, Seoul),
        };
        all.extend(more);
        self.put(Table::Payment, &Self::named(id, "pay", all));
    }

    pub fn refund(&mut self, id: i64, payment: i64, customer: i64, minor: i64, at: DateTime<Utc>) {
        let more = set! {
            payment_id: payment, customer_id: customer, amount_minor: minor, currency: "KRW",
            reason: "asked", transaction_key: format!("tx-{id}"), refunded_at: at,
            refunded_on: local_date(at, Seoul), operator: "kim",
        };
        self.put(Table::Refund, &Self::named(id, "ref", more));
    }

    pub fn audit(&mut self, id: i64, person: &str, verb: &str, target: &str, at: DateTime<Utc>) {
        let row = set! {
            id: id, chain: "c1", seq: id, prev: "p", hash: "h", at: at, person: person,
            verb: verb, target: target, result: "done",
        };
        self.put(Table::Audit, &row);
    }

    /// Products, plans and three customers that tests know by name.
    pub fn basics() -> Self {
        let mut rows = Self::default();
        rows.product();
        rows.plan(1, "basic", 9_900, "month");
        rows.plan(2, "pro", 27_000, "month");
        rows.plan(3, "pro-year", 198_000, "year");
        rows.customer(1, "김서현", "seohyun@example.com", "010-1234-5678");
        rows.customer(2, "이민준", "minjun@example.com", "010-9876-4242");
        rows.customer(3, "Anna Kim", "anna_50%@example.org", "+82 10-5555-0001");
        rows
    }
}
