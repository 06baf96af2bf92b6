-- Every table. Indexes, uniqueness and triggers are in 0002, so that a bulk load can put rows
-- between the two. Instants are microseconds since 1970 UTC; amounts are minor units with the
-- currency beside them; local dates are ISO text in the billing zone; yes and no are 1 and 0.

create table meta (
    key text primary key,
    value text not null
) strict;

-- Name, e-mail and phone live here alone. The four derived columns are what searches look at.
create table customer (
    id integer primary key,
    public_id text not null,
    tail text not null,
    customer_key text not null,
    name text not null,
    email text not null,
    phone text not null,
    name_jamo text not null,
    name_initials text not null,
    email_lower text not null,
    phone_digits text not null,
    created_at integer not null,
    erased_at integer,
    version integer not null default 1
) strict;

-- Target is the public id of a customer, payment or subscription.
create table note (
    id integer primary key,
    target text not null,
    author text not null,
    body text not null,
    at integer not null
) strict;

create table product (
    id integer primary key,
    public_id text not null,
    tail text not null,
    code text not null,
    name text not null,
    created_at integer not null
) strict;

-- Features are a JSON array of texts.
create table plan (
    id integer primary key,
    public_id text not null,
    tail text not null,
    product_id integer not null references product (id),
    code text not null,
    name text not null,
    price_minor integer not null,
    currency text not null,
    interval_unit text not null,
    interval_count integer not null,
    tier text not null,
    trial_days integer not null default 0,
    features text not null default '[]',
    active integer not null default 1,
    created_at integer not null,
    version integer not null default 1,
    constraint plan_price check (price_minor >= 0),
    constraint plan_interval check (interval_unit in ('day', 'week', 'month', 'quarter', 'year') and interval_count > 0),
    constraint plan_active check (active in (0, 1))
) strict;

create table payment_method (
    id integer primary key,
    public_id text not null,
    tail text not null,
    customer_id integer not null references customer (id),
    provider text not null,
    mode text not null,
    issuer text not null,
    number text not null,
    last4 text not null,
    kind text not null,
    exp_year integer,
    exp_month integer,
    sealed blob not null,
    key_id text not null,
    key_hash text not null,
    state text not null,
    created_at integer not null,
    deleted_at integer,
    version integer not null default 1,
    constraint payment_method_state check (state in ('active', 'replaced', 'deleted')),
    constraint payment_method_mode check (mode in ('live', 'test', 'sim')),
    constraint payment_method_expiry check ((exp_year is null) = (exp_month is null))
) strict;

-- An auth key that was or is about to be exchanged for a billing key.
create table method_issue (
    id integer primary key,
    customer_id integer not null references customer (id),
    auth_key_hash text not null,
    operator text not null,
    created_at integer not null,
    outcome text,
    method_id integer references payment_method (id),
    code text,
    finished_at integer,
    constraint method_issue_outcome check (outcome in ('issued', 'refused', 'not_sent', 'unknown'))
) strict;

-- Exclusive key is "customer:product" where one running subscription is allowed, else null. Run at is
-- when a billing run must look at it, renews at when the next renewal is expected: one index each
-- finds them, whatever the states.
create table subscription (
    id integer primary key,
    public_id text not null,
    tail text not null,
    customer_id integer not null references customer (id),
    product_id integer not null references product (id),
    plan_id integer not null references plan (id),
    state text not null,
    quantity integer not null,
    method_id integer references payment_method (id),
    mode text not null,
    term_no integer not null,
    next_period integer not null,
    next_due_at integer,
    paid_until integer,
    trial_until integer,
    cancel_at integer,
    cancel_requested_at integer,
    ended_at integer,
    first_failed_at integer,
    exclusive_key text,
    scheduler text not null default 'paydeck',
    created_at integer not null,
    version integer not null default 1,
    run_at integer generated always as (case
        when state in ('active', 'trialing') then coalesce(min(next_due_at, cancel_at), next_due_at, cancel_at)
        when state = 'past_due' then cancel_at end) stored,
    renews_at integer generated always as (case when state in ('active', 'trialing', 'past_due') then next_due_at end) stored,
    constraint subscription_state check (state in ('incomplete', 'trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled', 'expired')),
    constraint subscription_mode check (mode in ('live', 'test', 'sim')),
    constraint subscription_quantity check (quantity > 0),
    constraint subscription_scheduler check (scheduler in ('paydeck', 'stripe'))
) strict;

create table subscription_term (
    id integer primary key,
    subscription_id integer not null references subscription (id),
    term_no integer not null,
    plan_id integer not null references plan (id),
    anchor_date text not null,
    zone text not null,
    interval_unit text not null,
    interval_count integer not null,
    quantity integer not null,
    price_minor integer not null,
    currency text not null,
    from_at integer not null,
    to_at integer,
    constraint subscription_term_interval check (interval_unit in ('day', 'week', 'month', 'quarter', 'year') and interval_count > 0)
) strict;

-- Append-only: movements of MRR are computed from it.
create table subscription_change (
    id integer primary key,
    subscription_id integer not null references subscription (id),
    at integer not null,
    from_state text,
    to_state text not null,
    plan_id integer not null references plan (id),
    price_minor integer not null,
    currency text not null,
    quantity integer not null,
    discount_minor integer not null,
    cause text not null,
    requested_by text not null,
    requested_at integer not null
) strict;

create table invoice (
    id integer primary key,
    public_id text not null,
    tail text not null,
    customer_id integer not null references customer (id),
    subscription_id integer references subscription (id),
    term_no integer not null,
    period_index integer not null,
    kind text not null,
    state text not null,
    amount_minor integer not null,
    currency text not null,
    description text not null,
    due_at integer not null,
    period_from text not null,
    period_to text not null,
    attempts integer not null default 0,
    dunning_used integer not null default 0,
    dunning text not null default 'idle',
    next_attempt_at integer,
    first_failed_at integer,
    last_code text,
    last_class text,
    paid_at integer,
    created_at integer not null,
    version integer not null default 1,
    constraint invoice_kind check (kind in ('renewal', 'proration', 'one_time')),
    constraint invoice_state check (state in ('draft', 'open', 'paid', 'void', 'uncollectible')),
    constraint invoice_dunning check (dunning in ('idle', 'scheduled', 'awaiting_card', 'exhausted')),
    constraint invoice_amount check (amount_minor >= 0)
) strict;

create table invoice_line (
    id integer primary key,
    invoice_id integer not null references invoice (id),
    line_no integer not null,
    description text not null,
    quantity integer not null,
    amount_minor integer not null,
    currency text not null
) strict;

-- Target is the invoice of a charge and the payment of a refund. Settled on is the local day of
-- settled at; evidence id is the last evidence that was taken in before the row was written.
create table attempt (
    id integer primary key,
    public_id text not null,
    tail text not null,
    kind text not null,
    invoice_id integer not null references invoice (id),
    payment_id integer references payment (id),
    target_id integer not null generated always as (case kind when 'charge' then invoice_id else payment_id end) stored,
    customer_id integer not null references customer (id),
    subscription_id integer references subscription (id),
    attempt_no integer not null,
    source text not null,
    provider text not null,
    mode text not null,
    method_id integer references payment_method (id),
    order_id text not null,
    idem_key text not null,
    provider_ref text,
    body blob not null,
    amount_minor integer not null,
    currency text not null,
    expected_balance_minor integer,
    also_cancel text not null,
    state text not null,
    needs_human integer not null default 0,
    lease_owner text,
    lease_epoch integer not null default 0,
    lease_until integer,
    send_after integer,
    first_sent_at integer,
    last_sent_at integer,
    send_count integer not null default 0,
    next_check_at integer,
    checks integer not null default 0,
    not_seen integer not null default 0,
    refusal_code text,
    refusal_class text,
    refusal_proves text,
    refusal_http_status integer,
    replayed_at integer,
    trace_id text,
    operator text not null,
    reason text not null,
    created_at integer not null,
    settled_at integer,
    settled_on text,
    evidence_id integer,
    constraint attempt_kind check (kind in ('charge', 'refund')),
    constraint attempt_source check (source in ('run', 'dunning', 'manual', 'card_update', 'first')),
    constraint attempt_mode check (mode in ('live', 'test', 'sim')),
    constraint attempt_state check (state in ('waiting_approval', 'ready', 'sent', 'unknown', 'succeeded', 'declined', 'not_executed', 'abandoned', 'duplicate')),
    constraint attempt_amount check (amount_minor > 0),
    constraint attempt_also_cancel check (also_cancel in ('no', 'now', 'at_period_end')),
    constraint attempt_needs_human check (needs_human in (0, 1))
) strict;

-- Append-only.
create table evidence (
    id integer primary key,
    attempt_id integer not null references attempt (id),
    source text not null,
    outcome text not null,
    http_status integer,
    code text,
    reference text,
    amount_minor integer,
    currency text,
    trace_id text,
    body_sha256 text,
    elapsed_ms integer not null,
    at integer not null,
    constraint evidence_source check (source in ('answer', 'look_up', 'event', 'reconciliation', 'person'))
) strict;

-- Captured on is the local day of captured at.
create table payment (
    id integer primary key,
    public_id text not null,
    tail text not null,
    invoice_id integer not null references invoice (id),
    attempt_id integer not null references attempt (id),
    customer_id integer not null references customer (id),
    subscription_id integer references subscription (id),
    plan_id integer references plan (id),
    method_id integer references payment_method (id),
    provider text not null,
    mode text not null,
    provider_ref text not null,
    order_id text not null,
    captured_minor integer not null,
    currency text not null,
    refunded_minor integer not null default 0,
    reserved_minor integer not null default 0,
    captured_at integer not null,
    captured_on text not null,
    is_duplicate integer not null default 0,
    version integer not null default 1,
    constraint payment_mode check (mode in ('live', 'test', 'sim')),
    constraint payment_captured check (captured_minor > 0),
    constraint payment_balance check (captured_minor >= refunded_minor + reserved_minor and refunded_minor >= 0 and reserved_minor >= 0),
    constraint payment_is_duplicate check (is_duplicate in (0, 1))
) strict;

-- A refund that was executed. Attempt is null when it was made outside.
create table refund (
    id integer primary key,
    public_id text not null,
    tail text not null,
    payment_id integer not null references payment (id),
    attempt_id integer references attempt (id),
    customer_id integer not null references customer (id),
    plan_id integer references plan (id),
    amount_minor integer not null,
    currency text not null,
    reason text not null,
    transaction_key text not null,
    refunded_at integer not null,
    refunded_on text not null,
    operator text not null,
    constraint refund_amount check (amount_minor > 0)
) strict;

-- Append-only. A movement is two rows that sum to zero.
create table ledger (
    id integer primary key,
    payment_id integer not null references payment (id),
    attempt_id integer not null references attempt (id),
    account text not null,
    amount_minor integer not null,
    currency text not null,
    at integer not null,
    constraint ledger_account check (account in ('provider', 'revenue', 'refunds', 'suspense'))
) strict;

-- Append-only, one hash chain per writing process.
create table audit (
    id integer primary key,
    chain text not null,
    seq integer not null,
    prev text not null,
    hash text not null,
    at integer not null,
    person text not null,
    claims text not null,
    mode text not null,
    verb text not null,
    target text not null,
    state_before text not null,
    state_after text not null,
    reason text not null,
    result text not null,
    provider_ref text not null,
    approver text not null
) strict;

create table outbox (
    id integer primary key,
    kind text not null,
    key text not null,
    payload text not null,
    state text not null default 'queued',
    tries integer not null default 0,
    next_at integer,
    last_error text,
    created_at integer not null,
    sent_at integer,
    constraint outbox_state check (state in ('queued', 'sent', 'failed', 'expired'))
) strict;

-- Events as received. Unsigned ones leave shape, ids, digest and a keyed hash; signed ones the
-- body, sealed.
create table inbox (
    id integer primary key,
    provider text not null,
    mode text not null,
    event_key text not null,
    kind text not null,
    state text not null default 'received',
    order_id text,
    provider_ref text,
    key_hash text,
    shape text not null,
    body_sha256 text not null,
    sealed blob,
    key_id text,
    tries integer not null default 0,
    last_error text,
    received_at integer not null,
    processed_at integer,
    constraint inbox_state check (state in ('received', 'processed', 'ignored', 'failed', 'quarantined'))
) strict;

create table run (
    id integer primary key,
    public_id text not null,
    tail text not null,
    state text not null,
    operator text not null,
    host text not null,
    until_at integer not null,
    started_at integer not null,
    finished_at integer,
    stop_reason text,
    constraint run_state check (state in ('planned', 'running', 'finished', 'stopped'))
) strict;

-- Decision is null while the call is out.
create table run_item (
    id integer primary key,
    run_id integer not null references run (id),
    subscription_id integer not null references subscription (id),
    invoice_id integer references invoice (id),
    attempt_id integer references attempt (id),
    decision text,
    reason text not null,
    at integer not null
) strict;

-- One local day's figures, computed again whenever the day is in dirty_day. Plan 0 is "none".
create table daily_figure (
    day text not null,
    plan_id integer not null,
    currency text not null,
    captured_minor integer not null default 0,
    captured_count integer not null default 0,
    refunded_minor integer not null default 0,
    refunded_count integer not null default 0,
    declined_count integer not null default 0,
    declined_invoices integer not null default 0,
    new_count integer not null default 0,
    ended_count integer not null default 0,
    primary key (day, plan_id, currency)
) strict;

-- A list, not a set: two payments of one day that are written at the same time each leave a row,
-- so neither waits for the other and none is lost. Whoever computes a day first deletes the rows
-- that it sees ("delete … returning day"), then computes, and commits both together.
create table dirty_day (
    id integer primary key,
    day text not null
) strict;

create table saved_view (
    id integer primary key,
    person text not null,
    screen text not null,
    name text not null,
    filter text not null,
    updated_at integer not null
) strict;
