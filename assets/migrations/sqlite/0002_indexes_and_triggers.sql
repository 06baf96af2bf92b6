-- Everything that makes writing slower: uniqueness, indexes, the search index and the triggers.

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

-- Part of a name or of an e-mail, by trigrams. The texts stay in customer.

create virtual table customer_search using fts5 (
    name_jamo, email_lower,
    content = 'customer', content_rowid = 'id', tokenize = 'trigram'
);

insert into customer_search (customer_search) values ('rebuild');

create trigger customer_search_insert after insert on customer begin
    insert into customer_search (rowid, name_jamo, email_lower) values (new.id, new.name_jamo, new.email_lower);
end;

create trigger customer_search_update after update of name_jamo, email_lower on customer begin
    insert into customer_search (customer_search, rowid, name_jamo, email_lower) values ('delete', old.id, old.name_jamo, old.email_lower);
    insert into customer_search (rowid, name_jamo, email_lower) values (new.id, new.name_jamo, new.email_lower);
end;

create trigger customer_search_delete after delete on customer begin
    insert into customer_search (customer_search, rowid, name_jamo, email_lower) values ('delete', old.id, old.name_jamo, old.email_lower);
end;

-- An attempt moves along its table only, and out of a settled state only with new evidence of its own.

create trigger attempt_settled before update of state on attempt
when old.state <> new.state and old.state in ('succeeded', 'declined', 'not_executed', 'abandoned', 'duplicate')
    and (new.evidence_id is null or new.evidence_id <= coalesce(old.evidence_id, 0)
        or not exists (select 1 from evidence e where e.id = new.evidence_id and e.attempt_id = new.id))
begin select raise(abort, 'settled_state'); end;

create trigger attempt_move before update of state on attempt
when old.state <> new.state and old.state || '>' || new.state not in (
    'waiting_approval>ready', 'waiting_approval>abandoned',
    'ready>sent', 'ready>abandoned',
    'sent>succeeded', 'sent>declined', 'sent>unknown', 'sent>ready',
    'unknown>succeeded', 'unknown>declined', 'unknown>not_executed', 'unknown>duplicate',
    'declined>succeeded', 'declined>duplicate',
    'not_executed>succeeded', 'not_executed>duplicate',
    'abandoned>succeeded', 'abandoned>duplicate')
begin select raise(abort, 'state_move'); end;

-- What was promised to the provider under an order id and a key stays as it was.

create trigger attempt_fixed before update on attempt
when old.kind <> new.kind or old.invoice_id <> new.invoice_id or old.payment_id is not new.payment_id
    or old.customer_id <> new.customer_id or old.attempt_no <> new.attempt_no or old.provider <> new.provider
    or old.mode <> new.mode or old.order_id <> new.order_id or old.idem_key <> new.idem_key
    or old.body <> new.body or old.amount_minor <> new.amount_minor or old.currency <> new.currency
begin select raise(abort, 'attempt_fixed'); end;

create trigger attempt_kept before delete on attempt begin select raise(abort, 'append_only'); end;
create trigger payment_kept before delete on payment begin select raise(abort, 'append_only'); end;

create trigger evidence_update before update on evidence begin select raise(abort, 'append_only'); end;
create trigger evidence_delete before delete on evidence begin select raise(abort, 'append_only'); end;
create trigger ledger_update before update on ledger begin select raise(abort, 'append_only'); end;
create trigger ledger_delete before delete on ledger begin select raise(abort, 'append_only'); end;
create trigger audit_update before update on audit begin select raise(abort, 'append_only'); end;
create trigger audit_delete before delete on audit begin select raise(abort, 'append_only'); end;
create trigger subscription_change_update before update on subscription_change begin select raise(abort, 'append_only'); end;
create trigger subscription_change_delete before delete on subscription_change begin select raise(abort, 'append_only'); end;
