//! Tables and indexes. They are apart, so that a seeder can fill the tables first.

pub const FILE_NAME: &str = "sandbox.sqlite";

/// "pdsb" as a number.
pub const APPLICATION_ID: i64 = 0x7064_7362;
pub const VERSION: i64 = 1;

pub const TABLES: &str = "
create table card (
  card_id integer primary key,
  billing_key text,
  customer_key text,
  number text not null,
  issuer_code text not null,
  acquirer_code text not null,
  card_type text not null,
  owner_type text not null,
  expiry text,
  behaviour text not null,
  declined integer not null,
  authenticated_at integer,
  deleted_at integer
) strict;
create table auth_key (
  auth_key text primary key,
  card_id integer not null,
  created_at integer not null,
  used_at integer
) strict, without rowid;
create table payment (
  payment_id integer primary key,
  payment_key text not null,
  order_id text not null,
  order_name text not null,
  kind text not null,
  status text not null,
  card_id integer not null,
  amount integer not null,
  balance integer not null,
  tax_free integer not null,
  tax_exemption integer not null,
  installment_months integer not null,
  requested_at integer not null,
  approved_at integer,
  transaction_key text,
  failure text
) strict;
create table cancel (
  payment_id integer not null,
  position integer not null,
  transaction_key text not null,
  amount integer not null,
  reason text not null,
  tax_free integer not null,
  tax_exemption integer not null,
  refundable_after integer not null,
  canceled_at integer not null,
  primary key (payment_id, position)
) strict, without rowid;
create table idempotent_answer (
  scope blob primary key,
  first_at integer not null,
  status integer not null,
  body blob not null,
  trace text not null
) strict;
create table setting (
  name text primary key,
  value text not null
) strict, without rowid;
";

pub const INDEXES: &str = "
create unique index if not exists card_by_billing_key on card (billing_key) where billing_key is not null;
create index if not exists card_by_customer on card (customer_key);
create unique index if not exists payment_by_key on payment (payment_key);
create index if not exists payment_by_order on payment (order_id);
create index if not exists payment_by_time on payment (approved_at, transaction_key) where approved_at is not null;
create index if not exists payment_by_transaction on payment (transaction_key) where transaction_key is not null;
create index if not exists cancel_by_time on cancel (canceled_at, transaction_key);
create index if not exists cancel_by_transaction on cancel (transaction_key);
";
