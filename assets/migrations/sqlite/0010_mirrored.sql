-- Subscriptions that Stripe schedules: mirrored here, acted on through Stripe. Nobody has two schedulers: what we would
-- charge by ourselves for such a subscription is refused here, whoever writes it. What Stripe's charges did is written as
-- attempts without a request, so that nothing of them could ever be sent. Where one stands is changed only as Stripe says:
-- every change has its row of history, which is refused here in anybody else's name.
alter table subscription add column provider_ref text
    constraint subscription_mirrored check ((scheduler = 'stripe') = (provider_ref is not null));
create unique index subscription_provider_ref on subscription (provider_ref) where provider_ref is not null;
alter table invoice add column provider_ref text;
create unique index invoice_provider_ref on invoice (provider_ref) where provider_ref is not null;

-- What is due here: never what its provider schedules, whichever version of the program asks.
drop index subscription_run_due;
alter table subscription drop column run_at;
alter table subscription add column run_at integer generated always as (case
    when scheduler <> 'paydeck' then null
    when state in ('active', 'trialing') then coalesce(min(next_due_at, cancel_at), next_due_at, cancel_at)
    when state = 'past_due' then cancel_at end) virtual;
create index subscription_run_due on subscription (run_at, id) where run_at is not null;

create trigger subscription_two_schedulers before update of scheduler, provider_ref on subscription
when old.scheduler <> new.scheduler or old.provider_ref is not new.provider_ref
begin select raise(abort, 'two_schedulers'); end;
create trigger subscription_change_mirrored before insert on subscription_change
when new.requested_by <> 'stripe'
    and exists (select 1 from subscription s where s.id = new.subscription_id and s.scheduler = 'stripe')
begin select raise(abort, 'two_schedulers'); end;
create trigger invoice_two_schedulers before insert on invoice
when (new.provider_ref is not null)
    <> coalesce((select s.scheduler = 'stripe' from subscription s where s.id = new.subscription_id), 0)
    or (new.provider_ref is not null and new.dunning <> 'idle')
begin select raise(abort, 'two_schedulers'); end;
create trigger invoice_mirrored before update on invoice
when old.provider_ref is not new.provider_ref or old.subscription_id is not new.subscription_id
    or (new.provider_ref is not null and new.dunning <> 'idle')
begin select raise(abort, 'two_schedulers'); end;
create trigger attempt_two_schedulers before insert on attempt
when ((new.kind = 'charge' and length(new.body) > 0) or (new.kind = 'refund' and new.also_cancel <> 'no'))
    and exists (select 1 from invoice i where i.id = new.invoice_id and i.provider_ref is not null)
begin select raise(abort, 'two_schedulers'); end;

-- How far a mirrored subscription was read. Read at is when the last reading that was written began, in database time: one
-- that began before is not written over it. Collection says what becomes of invoices while it is paused. Read again at is
-- when it is read next: at once after a hint, later after trouble of its own, which tries counts, and when its period is over.
create table mirror (
    id integer primary key,
    subscription_id integer not null references subscription (id),
    provider_customer text not null,
    collection text not null default 'on',
    resumes_at integer,
    read_at integer not null,
    read_again_at integer,
    tries integer not null default 0,
    version integer not null default 1,
    constraint mirror_collection check (collection in ('on', 'void', 'keep_as_draft', 'mark_uncollectible', 'other'))
) strict;
create unique index mirror_subscription on mirror (subscription_id);
create index mirror_by_customer on mirror (provider_customer, id);
create index mirror_to_read on mirror (read_again_at, subscription_id) where read_again_at is not null;
create trigger mirror_scheduler before insert on mirror
when not exists (select 1 from subscription s where s.id = new.subscription_id and s.scheduler = 'stripe')
begin select raise(abort, 'two_schedulers'); end;
create trigger mirror_kept before delete on mirror begin select raise(abort, 'append_only'); end;

-- What was asked of Stripe about a mirrored subscription: written before it is sent, with its key, and settled by what is
-- read afterwards. One at a time for a subscription.
create table mirror_act (
    id integer primary key,
    subscription_id integer not null references subscription (id),
    invoice_id integer references invoice (id),
    verb text not null,
    provider_ref text not null,
    idem_key text not null,
    state text not null default 'sent',
    lease_owner text not null,
    lease_epoch integer not null default 1,
    lease_until integer not null,
    first_sent_at integer not null,
    send_count integer not null default 1,
    next_check_at integer,
    refusal_code text,
    refusal_class text,
    refusal_proves text,
    refusal_http_status integer,
    operator text not null,
    reason text not null,
    settled_at integer,
    constraint mirror_act_verb check (verb in ('cancel_now', 'cancel_at_end', 'undo_cancel', 'pause', 'resume', 'pay', 'void', 'give_up')),
    constraint mirror_act_about check ((verb in ('pay', 'void', 'give_up')) = (invoice_id is not null)),
    constraint mirror_act_state check (state in ('sent', 'unknown', 'done', 'declined', 'refused', 'not_sent', 'not_done')),
    constraint mirror_act_settled check ((state in ('sent', 'unknown')) = (settled_at is null))
) strict;
create unique index mirror_act_key on mirror_act (idem_key);
create unique index mirror_act_open on mirror_act (subscription_id) where state in ('sent', 'unknown');
create index mirror_act_due on mirror_act (next_check_at, id) where state in ('sent', 'unknown');
create trigger mirror_act_fixed before update on mirror_act
when old.subscription_id <> new.subscription_id or old.invoice_id is not new.invoice_id or old.verb <> new.verb
    or old.provider_ref <> new.provider_ref or old.idem_key <> new.idem_key
begin select raise(abort, 'attempt_fixed'); end;
create trigger mirror_act_final before update of state on mirror_act when old.state <> new.state and old.state not in ('sent', 'unknown')
begin select raise(abort, 'settled_state'); end;
create trigger mirror_act_kept before delete on mirror_act begin select raise(abort, 'append_only'); end;

-- Events name what to ask about. What was pulled is not kept: names, kind and times are.
alter table inbox add column happened_at integer;
alter table inbox add column about_subscription text;
alter table inbox add column about_payment text;
alter table inbox add column about_customer text;
create trigger inbox_move before update of state on inbox
when old.state <> new.state and old.state || '>' || new.state not in (
    'received>processed', 'received>ignored', 'received>failed', 'received>quarantined', 'failed>received')
begin select raise(abort, 'state_move'); end;

-- How far the provider's list of events was read.
create table event_cursor (
    id integer primary key,
    provider text not null,
    event_key text not null,
    happened_at integer not null,
    pulled_at integer not null
) strict;
create unique index event_cursor_provider on event_cursor (provider);

-- What Stripe schedules is paid with a card that Stripe keeps: nobody has to ask for one.
drop view counted_renewal;
create view counted_renewal as
select s.id as subscription_id, t.term_no, s.method_id, s.renews_at - s.renews_at % 900000000 as at, t.currency, s.state,
    case when s.scheduler = 'stripe' then 'kept' when s.method_id is null then 'none' when m.state = 'deleted' then 'deleted' else 'kept' end as method,
    case
        when m.exp_year * 12 + m.exp_month <= s.renews_at / 2629746000000 + 23638 then s.renews_at / 2629746000000 + 23638
        when m.exp_year * 12 + m.exp_month <= s.renews_at / 2629746000000 + 23643 then m.exp_year * 12 + m.exp_month
        else s.renews_at / 2629746000000 + 23644
    end as card_month,
    case when s.cancel_at <= s.renews_at then 1 else 0 end as ends,
    case when s.cancel_at <= s.renews_at then 0 else t.price_minor * t.quantity end as amount_minor
from subscription s
join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no
left join payment_method m on m.id = s.method_id
where s.renews_at is not null;
