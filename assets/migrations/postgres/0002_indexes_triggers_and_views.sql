-- Everything that makes writing slower: references, uniqueness, indexes, the search index and the triggers.

-- What must exist.

alter table plan add constraint plan_product_id_fkey foreign key (product_id) references product (id);
alter table payment_method add constraint payment_method_customer_id_fkey foreign key (customer_id) references customer (id);
alter table method_issue add constraint method_issue_customer_id_fkey foreign key (customer_id) references customer (id);
alter table method_issue add constraint method_issue_method_id_fkey foreign key (method_id) references payment_method (id);
alter table subscription add constraint subscription_customer_id_fkey foreign key (customer_id) references customer (id);
alter table subscription add constraint subscription_product_id_fkey foreign key (product_id) references product (id);
alter table subscription add constraint subscription_plan_id_fkey foreign key (plan_id) references plan (id);
alter table subscription add constraint subscription_method_id_fkey foreign key (method_id) references payment_method (id);
alter table subscription_term add constraint subscription_term_subscription_id_fkey foreign key (subscription_id) references subscription (id);
alter table subscription_term add constraint subscription_term_plan_id_fkey foreign key (plan_id) references plan (id);
alter table subscription_change add constraint subscription_change_subscription_id_fkey foreign key (subscription_id) references subscription (id);
alter table subscription_change add constraint subscription_change_plan_id_fkey foreign key (plan_id) references plan (id);
alter table invoice add constraint invoice_customer_id_fkey foreign key (customer_id) references customer (id);
alter table invoice add constraint invoice_subscription_id_fkey foreign key (subscription_id) references subscription (id);
alter table invoice_line add constraint invoice_line_invoice_id_fkey foreign key (invoice_id) references invoice (id);
alter table attempt add constraint attempt_invoice_id_fkey foreign key (invoice_id) references invoice (id);
alter table attempt add constraint attempt_payment_id_fkey foreign key (payment_id) references payment (id);
alter table attempt add constraint attempt_customer_id_fkey foreign key (customer_id) references customer (id);
alter table attempt add constraint attempt_subscription_id_fkey foreign key (subscription_id) references subscription (id);
alter table attempt add constraint attempt_method_id_fkey foreign key (method_id) references payment_method (id);
alter table evidence add constraint evidence_attempt_id_fkey foreign key (attempt_id) references attempt (id);
alter table payment add constraint payment_invoice_id_fkey foreign key (invoice_id) references invoice (id);
alter table payment add constraint payment_attempt_id_fkey foreign key (attempt_id) references attempt (id);
alter table payment add constraint payment_customer_id_fkey foreign key (customer_id) references customer (id);
alter table payment add constraint payment_subscription_id_fkey foreign key (subscription_id) references subscription (id);
alter table payment add constraint payment_plan_id_fkey foreign key (plan_id) references plan (id);
alter table payment add constraint payment_method_id_fkey foreign key (method_id) references payment_method (id);
alter table refund add constraint refund_payment_id_fkey foreign key (payment_id) references payment (id);
alter table refund add constraint refund_attempt_id_fkey foreign key (attempt_id) references attempt (id);
alter table refund add constraint refund_customer_id_fkey foreign key (customer_id) references customer (id);
alter table refund add constraint refund_plan_id_fkey foreign key (plan_id) references plan (id);
alter table ledger add constraint ledger_payment_id_fkey foreign key (payment_id) references payment (id);
alter table ledger add constraint ledger_attempt_id_fkey foreign key (attempt_id) references attempt (id);
alter table run_item add constraint run_item_run_id_fkey foreign key (run_id) references run (id);
alter table run_item add constraint run_item_subscription_id_fkey foreign key (subscription_id) references subscription (id);
alter table run_item add constraint run_item_invoice_id_fkey foreign key (invoice_id) references invoice (id);
alter table run_item add constraint run_item_attempt_id_fkey foreign key (attempt_id) references attempt (id);

-- What must be unique.

create unique index customer_public_id on customer (public_id);
create unique index customer_customer_key on customer (customer_key);
create unique index product_public_id on product (public_id);
create unique index product_code on product (code);
create unique index plan_public_id on plan (public_id);
create unique index plan_code on plan (code);
create unique index payment_method_public_id on payment_method (public_id);
create unique index payment_method_key_hash on payment_method (key_hash);
create unique index subscription_public_id on subscription (public_id);
create unique index subscription_exclusive on subscription (exclusive_key) where exclusive_key is not null and state not in ('canceled', 'expired');
create unique index subscription_term_number on subscription_term (subscription_id, term_no);
create unique index invoice_public_id on invoice (public_id);
create unique index invoice_period on invoice (subscription_id, term_no, period_index, kind);
create unique index invoice_line_number on invoice_line (invoice_id, line_no);
create unique index attempt_public_id on attempt (public_id);
create unique index attempt_order_id on attempt (order_id, provider, mode);
create unique index attempt_idem_key on attempt (idem_key);
create unique index attempt_number on attempt (target_id, kind, attempt_no);
create unique index attempt_open_charge on attempt (invoice_id) where kind = 'charge' and state in ('ready', 'sent', 'unknown', 'succeeded');
create unique index attempt_open_refund on attempt (payment_id) where kind = 'refund' and state in ('waiting_approval', 'ready', 'sent', 'unknown');
create unique index payment_public_id on payment (public_id);
create unique index payment_attempt on payment (attempt_id);
create unique index payment_provider_ref on payment (provider_ref, provider, mode);
create unique index refund_public_id on refund (public_id);
create unique index refund_transaction on refund (payment_id, transaction_key);
create unique index audit_place on audit (chain, seq);
create unique index outbox_key on outbox (kind, key);
create unique index inbox_event on inbox (provider, event_key);
create unique index run_public_id on run (public_id);
create unique index run_item_row on run_item (run_id, subscription_id, coalesce(invoice_id, 0));
create unique index saved_view_name on saved_view (person, screen, name);

-- Look-up of an id by its ending: the reversed id is searched by prefix.

create index customer_tail on customer (tail);
create index product_tail on product (tail);
create index plan_tail on plan (tail);
create index payment_method_tail on payment_method (tail);
create index subscription_tail on subscription (tail);
create index invoice_tail on invoice (tail);
create index attempt_tail on attempt (tail);
create index payment_tail on payment (tail);
create index refund_tail on refund (tail);
create index run_tail on run (tail);

-- Customers and cards.

create index customer_newest on customer (created_at, id);
create index customer_by_jamo on customer (name_jamo, id);
create index customer_by_initials on customer (name_initials, id);
create index customer_by_email on customer (email_lower, id);
create index customer_by_phone on customer (phone_digits, id);
create index payment_method_of_customer on payment_method (customer_id, created_at, id);
create index payment_method_by_last4 on payment_method (last4, id);
create index payment_method_by_expiry on payment_method (exp_year, exp_month) where state = 'active' and exp_year is not null;
create index method_issue_of_customer on method_issue (customer_id, id);
create index method_issue_by_hash on method_issue (auth_key_hash);
create index note_of_target on note (target, at, id);

-- Subscriptions.

create index subscription_newest on subscription (created_at, id);
create index subscription_of_customer on subscription (customer_id, created_at, id);
create index subscription_by_state on subscription (state, created_at, id);
create index subscription_by_plan on subscription (plan_id, state, created_at, id);
create index subscription_of_method on subscription (method_id) where method_id is not null;
create index subscription_run_due on subscription (run_at, id) where run_at is not null;
create index subscription_renewal on subscription (renews_at, id) where renews_at is not null;
create index subscription_ended on subscription (ended_at, id) where ended_at is not null;
create index subscription_term_from on subscription_term (from_at, subscription_id, term_no);
create index subscription_change_of on subscription_change (subscription_id, at, id);
create index subscription_change_at on subscription_change (at, id);

-- Invoices.

create index invoice_newest on invoice (due_at, id);
create index invoice_of_customer on invoice (customer_id, due_at, id);
create index invoice_of_subscription on invoice (subscription_id, due_at, id) where subscription_id is not null;
create index invoice_owed on invoice (due_at, id) where state in ('open', 'uncollectible');
create index invoice_failed on invoice (first_failed_at, id) where state in ('open', 'uncollectible') and first_failed_at is not null;
create index invoice_dunning_due on invoice (next_attempt_at, id) where state = 'open' and dunning = 'scheduled';

-- Attempts.

create index attempt_newest on attempt (created_at, id);
create index attempt_of_customer on attempt (customer_id, created_at, id);
create index attempt_of_subscription on attempt (subscription_id, created_at, id) where subscription_id is not null;
create index attempt_of_invoice on attempt (invoice_id, id);
create index attempt_by_provider_ref on attempt (provider_ref) where provider_ref is not null;
create index attempt_open on attempt (next_check_at, id) where state in ('ready', 'sent', 'unknown');
create index attempt_unknown on attempt (created_at, id) where state in ('sent', 'unknown');
create index attempt_lease on attempt (lease_owner) where state in ('ready', 'sent', 'unknown') and lease_owner is not null;
create index attempt_approval on attempt (created_at, id) where state = 'waiting_approval';
create index attempt_human on attempt (created_at, id) where needs_human = 1;
create index attempt_declined on attempt (settled_at, id) where state = 'declined';
create index attempt_declined_day on attempt (settled_on, refusal_class, refusal_code, invoice_id) where state = 'declined' and kind = 'charge';
create index evidence_of_attempt on evidence (attempt_id, id);

-- Payments and books.

create index payment_newest on payment (captured_at, id);
create index payment_of_customer on payment (customer_id, captured_at, id);
create index payment_of_subscription on payment (subscription_id, captured_at, id) where subscription_id is not null;
create index payment_of_invoice on payment (invoice_id, is_duplicate, id);
create index payment_of_method on payment (method_id, captured_at, id) where method_id is not null;
create index payment_by_plan on payment (plan_id, captured_at, id) where plan_id is not null;
create index payment_by_order on payment (order_id);
create index payment_by_amount on payment (captured_minor, captured_at, id);
create index payment_by_day on payment (captured_on, plan_id, currency, captured_minor);
create index payment_refunded on payment (captured_at, id) where refunded_minor > 0;
create index payment_reserved on payment (captured_at, id) where reserved_minor > 0;
create index payment_duplicate on payment (captured_at, id) where is_duplicate = 1;
create index refund_newest on refund (refunded_at, id);
create index refund_of_customer on refund (customer_id, refunded_at, id);
create index refund_by_attempt on refund (attempt_id) where attempt_id is not null;
create index refund_by_day on refund (refunded_on, plan_id, currency, amount_minor);
create index ledger_of_payment on ledger (payment_id, id);
create index ledger_of_attempt on ledger (attempt_id);
create index audit_newest on audit (at, id);
create index audit_of_target on audit (target, id);

-- Runs, events and figures.

create index run_newest on run (started_at, id);
create index run_item_of_attempt on run_item (attempt_id) where attempt_id is not null;
create index outbox_waiting on outbox (next_at, id) where state in ('queued', 'failed');
create index inbox_newest on inbox (received_at, id);
create index inbox_by_state on inbox (state, received_at, id);
create index dirty_day_day on dirty_day (day);

-- Part of a name or of an e-mail, by trigrams.

create extension if not exists pg_trgm;

create index customer_search_name on customer using gin (name_jamo gin_trgm_ops);
create index customer_search_email on customer using gin (email_lower gin_trgm_ops);

-- An attempt moves along its table only, and out of a settled state only with new evidence of its own.

create function refuse() returns trigger language plpgsql as $$
begin
    raise exception using errcode = 'check_violation', constraint = tg_argv[0], message = tg_argv[0];
end $$;

create function attempt_settled() returns trigger language plpgsql as $$
begin
    if new.evidence_id is null or new.evidence_id <= coalesce(old.evidence_id, 0)
        or not exists (select 1 from evidence e where e.id = new.evidence_id and e.attempt_id = new.id)
    then
        raise exception using errcode = 'check_violation', constraint = 'settled_state', message = 'settled_state';
    end if;
    return new;
end $$;

create trigger attempt_a_settled before update of state on attempt for each row
when (old.state <> new.state and old.state in ('succeeded', 'declined', 'not_executed', 'abandoned', 'duplicate'))
execute function attempt_settled();

create trigger attempt_b_move before update of state on attempt for each row
when (old.state <> new.state and old.state || '>' || new.state not in (
    'waiting_approval>ready', 'waiting_approval>abandoned',
    'ready>sent', 'ready>abandoned',
    'sent>succeeded', 'sent>declined', 'sent>unknown', 'sent>ready',
    'unknown>succeeded', 'unknown>declined', 'unknown>not_executed', 'unknown>duplicate',
    'declined>succeeded', 'declined>duplicate',
    'not_executed>succeeded', 'not_executed>duplicate',
    'abandoned>succeeded', 'abandoned>duplicate'))
execute function refuse('state_move');

-- What was promised to the provider under an order id and a key stays as it was.

create trigger attempt_c_fixed before update on attempt for each row
when ((old.kind, old.invoice_id, old.payment_id, old.customer_id, old.attempt_no, old.provider, old.mode,
        old.order_id, old.idem_key, old.body, old.amount_minor, old.currency)
    is distinct from
        (new.kind, new.invoice_id, new.payment_id, new.customer_id, new.attempt_no, new.provider, new.mode,
        new.order_id, new.idem_key, new.body, new.amount_minor, new.currency))
execute function refuse('attempt_fixed');

create trigger attempt_kept before delete on attempt for each row execute function refuse('append_only');
create trigger payment_kept before delete on payment for each row execute function refuse('append_only');

create trigger evidence_kept before update or delete on evidence for each row execute function refuse('append_only');
create trigger evidence_whole before truncate on evidence for each statement execute function refuse('append_only');
create trigger ledger_kept before update or delete on ledger for each row execute function refuse('append_only');
create trigger ledger_whole before truncate on ledger for each statement execute function refuse('append_only');
create trigger audit_kept before update or delete on audit for each row execute function refuse('append_only');
create trigger audit_whole before truncate on audit for each statement execute function refuse('append_only');
create trigger subscription_change_kept before update or delete on subscription_change for each row execute function refuse('append_only');
create trigger subscription_change_whole before truncate on subscription_change for each statement execute function refuse('append_only');

-- For people with psql: instants as timestamptz, amounts as decimals.

create function paydeck_instant(micros bigint) returns timestamptz language sql immutable strict parallel safe as
$$ select timestamptz 'epoch' + micros * interval '1 microsecond' $$;

create function paydeck_decimal(minor bigint, currency text) returns numeric language sql immutable strict parallel safe as
$$ select case
    when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then minor::numeric
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then round(minor / 1000.0, 3)
    else round(minor / 100.0, 2)
end $$;

create view v_payment as
select p.id, p.public_id, c.public_id as customer, s.public_id as subscription, i.public_id as invoice,
    a.public_id as attempt, l.code as plan, p.provider, p.mode, p.provider_ref, p.order_id,
    paydeck_decimal(p.captured_minor, p.currency) as captured,
    paydeck_decimal(p.refunded_minor, p.currency) as refunded,
    paydeck_decimal(p.reserved_minor, p.currency) as reserved,
    p.currency, paydeck_instant(p.captured_at) as captured_at, p.captured_on::date as captured_on,
    p.is_duplicate = 1 as is_duplicate
from payment p
join customer c on c.id = p.customer_id
join invoice i on i.id = p.invoice_id
join attempt a on a.id = p.attempt_id
left join subscription s on s.id = p.subscription_id
left join plan l on l.id = p.plan_id;

create view v_subscription as
select s.id, s.public_id, c.public_id as customer, p.code as product, l.code as plan, s.state, s.quantity,
    m.public_id as method, s.mode, s.term_no, s.next_period, t.interval_unit, t.interval_count,
    paydeck_decimal(t.price_minor, t.currency) as price, t.currency,
    paydeck_instant(s.next_due_at) as next_due_at, paydeck_instant(s.paid_until) as paid_until,
    paydeck_instant(s.trial_until) as trial_until, paydeck_instant(s.cancel_at) as cancel_at,
    paydeck_instant(s.cancel_requested_at) as cancel_requested_at, paydeck_instant(s.ended_at) as ended_at,
    paydeck_instant(s.first_failed_at) as first_failed_at, s.scheduler, paydeck_instant(s.created_at) as created_at
from subscription s
join customer c on c.id = s.customer_id
join product p on p.id = s.product_id
join plan l on l.id = s.plan_id
left join payment_method m on m.id = s.method_id
left join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no;

create view v_invoice as
select i.id, i.public_id, c.public_id as customer, s.public_id as subscription, i.term_no, i.period_index,
    i.kind, i.state, paydeck_decimal(i.amount_minor, i.currency) as amount, i.currency, i.description,
    paydeck_instant(i.due_at) as due_at, i.period_from::date as period_from, i.period_to::date as period_to,
    i.attempts, i.dunning_used, i.dunning, paydeck_instant(i.next_attempt_at) as next_attempt_at,
    paydeck_instant(i.first_failed_at) as first_failed_at, i.last_code, i.last_class,
    paydeck_instant(i.paid_at) as paid_at, paydeck_instant(i.created_at) as created_at
from invoice i
join customer c on c.id = i.customer_id
left join subscription s on s.id = i.subscription_id;

create view v_attempt as
select a.id, a.public_id, a.kind, i.public_id as invoice, p.public_id as payment, c.public_id as customer,
    s.public_id as subscription, a.attempt_no, a.source, a.provider, a.mode, a.order_id, a.provider_ref,
    paydeck_decimal(a.amount_minor, a.currency) as amount, a.currency, a.state, a.needs_human = 1 as needs_human,
    a.lease_owner, paydeck_instant(a.lease_until) as lease_until, paydeck_instant(a.first_sent_at) as first_sent_at,
    paydeck_instant(a.last_sent_at) as last_sent_at, a.send_count, paydeck_instant(a.next_check_at) as next_check_at,
    a.checks, a.not_seen, a.refusal_code, a.refusal_class, a.trace_id, a.operator, a.reason,
    paydeck_instant(a.created_at) as created_at, paydeck_instant(a.settled_at) as settled_at,
    a.settled_on::date as settled_on
from attempt a
join invoice i on i.id = a.invoice_id
join customer c on c.id = a.customer_id
left join payment p on p.id = a.payment_id
left join subscription s on s.id = a.subscription_id;
