-- Tallies: what the first screen counts, kept while it is written, so that reading it costs the same at any
-- size. A view counted_x says what each row counts for; tally_x holds the sums. Triggers take out what a row
-- counted for before it changes and put in what it counts for afterwards, in whatever order rows are written.

-- A list, as dirty_day is: writers only add rows, so that none waits for another. Whoever reads first adds
-- up what has come (is_sum = 0) into sums; a reader sums both.

-- Whoever writes meanwhile would be in neither the count nor the triggers.
lock table subscription, subscription_term, payment_method, invoice, attempt in share row exclusive mode;

-- Subscriptions that run, by what they are worth.
create table tally_standing (
    plan_id bigint not null,
    state text collate "C" not null,
    price_minor bigint not null,
    currency text collate "C" not null,
    quantity bigint not null,
    interval_unit text collate "C" not null,
    interval_count bigint not null,
    subscriptions bigint not null,
    is_sum bigint not null default 0
);

create unique index tally_standing_sum on tally_standing (plan_id, state, price_minor, currency, quantity, interval_unit, interval_count) where is_sum = 1;
create index tally_standing_listed on tally_standing (is_sum) where is_sum = 0;

-- Renewals by quarter of an hour: every local day of every zone begins and ends on one. Card month is
-- year * 12 + month, brought near to the renewal: far before is expired, far after is good, whatever the
-- zone. What ends is counted and has no amount.
create table tally_renewal (
    at bigint not null,
    currency text collate "C" not null,
    state text collate "C" not null,
    method text collate "C" not null,
    card_month bigint not null,
    ends bigint not null,
    renewals bigint not null,
    amount_minor bigint not null,
    is_sum bigint not null default 0
);

create unique index tally_renewal_sum on tally_renewal (at, currency, state, method, card_month, ends) where is_sum = 1;
create index tally_renewal_listed on tally_renewal (is_sum) where is_sum = 0;
create index tally_renewal_by_at on tally_renewal (at);

-- Subscriptions that began and that ended, by quarter of an hour. What never became active did neither.
create table tally_turnover (
    at bigint not null,
    what text collate "C" not null,
    currency text collate "C" not null,
    subscriptions bigint not null,
    is_sum bigint not null default 0
);

create unique index tally_turnover_sum on tally_turnover (at, what, currency) where is_sum = 1;
create index tally_turnover_listed on tally_turnover (is_sum) where is_sum = 0;
create index tally_turnover_by_at on tally_turnover (at);

-- Charges settled as declined, by local day.
create table tally_decline (
    day text collate "C" not null,
    currency text collate "C" not null,
    class text collate "C" not null,
    code text collate "C" not null,
    attempts bigint not null,
    is_sum bigint not null default 0
);

create unique index tally_decline_sum on tally_decline (day, currency, class, code) where is_sum = 1;
create index tally_decline_listed on tally_decline (is_sum) where is_sum = 0;
create index tally_decline_by_day on tally_decline (day);

-- Invoices by the days of their declines: before is the day of the decline before, or empty. An invoice
-- counts once in a stretch of days, on the day whose before lies outside of it.
create table tally_failure (
    day text collate "C" not null,
    before text collate "C" not null,
    is_paid bigint not null,
    invoices bigint not null,
    is_sum bigint not null default 0
);

create unique index tally_failure_sum on tally_failure (day, before, is_paid) where is_sum = 1;
create index tally_failure_listed on tally_failure (is_sum) where is_sum = 0;
create index tally_failure_by_day on tally_failure (day);

-- What each row counts for.

create view counted_standing as
select s.id as subscription_id, t.term_no, s.plan_id, s.state, t.price_minor, t.currency, t.quantity,
    t.interval_unit, t.interval_count
from subscription s
join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no
where s.state in ('active', 'past_due', 'trialing');

create view counted_renewal as
select s.id as subscription_id, t.term_no, s.method_id, s.renews_at - s.renews_at % 900000000 as at, t.currency, s.state,
    case when s.method_id is null then 'none' when m.state = 'deleted' then 'deleted' else 'kept' end as method,
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

create view counted_turnover as
select s.id as subscription_id, t.from_at - t.from_at % 900000000 as at, 'began' as what, t.currency
from subscription s
join subscription_term t on t.subscription_id = s.id and t.term_no = 1
where s.state <> 'incomplete' and (s.state <> 'expired' or s.paid_until is not null or s.trial_until is not null)
union all
select s.id, s.ended_at - s.ended_at % 900000000, 'ended', ''
from subscription s
where s.ended_at is not null and (s.state <> 'expired' or s.paid_until is not null or s.trial_until is not null);

create view counted_decline as
select a.id as attempt_id, a.settled_on as day, a.currency, coalesce(a.refusal_class, '') as class,
    coalesce(a.refusal_code, '') as code
from attempt a
where a.state = 'declined' and a.kind = 'charge' and a.settled_on is not null;

create view counted_failure as
select a.invoice_id, a.settled_on as day,
    coalesce((select max(b.settled_on) from attempt b where b.invoice_id = a.invoice_id and b.state = 'declined'
        and b.kind = 'charge' and b.settled_on < a.settled_on), '') as before,
    case when i.state = 'paid' then 1 else 0 end as is_paid
from attempt a
join invoice i on i.id = a.invoice_id
where a.state = 'declined' and a.kind = 'charge' and a.settled_on is not null
    and not exists (select 1 from attempt c where c.invoice_id = a.invoice_id and c.state = 'declined'
        and c.kind = 'charge' and c.settled_on = a.settled_on and c.id < a.id);

-- Calls of the last hour, with all that is asked of them.

drop index evidence_newest;
create index evidence_calls on evidence (at, source, outcome, elapsed_ms);

-- What is there already.

insert into tally_standing (plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, subscriptions, is_sum)
select plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, count(*), 1 from counted_standing group by plan_id, state, price_minor, currency, quantity, interval_unit, interval_count;

insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor, is_sum)
select at, currency, state, method, card_month, ends, count(*), sum(amount_minor)::bigint, 1 from counted_renewal group by at, currency, state, method, card_month, ends;

insert into tally_turnover (at, what, currency, subscriptions, is_sum)
select at, what, currency, count(*), 1 from counted_turnover group by at, what, currency;

insert into tally_decline (day, currency, class, code, attempts, is_sum)
select day, currency, class, code, count(*), 1 from counted_decline group by day, currency, class, code;

insert into tally_failure (day, before, is_paid, invoices, is_sum)
select day, before, is_paid, count(*), 1 from counted_failure group by day, before, is_paid;

-- A subscription. Its own lock keeps everybody else from changing what it counts for; a card that it takes up
-- is held as it is until the commit.

create function tally_standing_of_subscription() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        insert into tally_standing (plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, subscriptions)
        select plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, -1
        from counted_standing where subscription_id = old.id;
    else
        insert into tally_standing (plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, subscriptions)
        select plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, 1
        from counted_standing where subscription_id = new.id;
    end if;
    return new;
end $$;

create trigger subscription_standing_new after insert on subscription for each row
execute function tally_standing_of_subscription();
create trigger subscription_standing_out before update of plan_id, state, term_no on subscription for each row
when (old.plan_id <> new.plan_id or old.state <> new.state or old.term_no <> new.term_no)
execute function tally_standing_of_subscription();
create trigger subscription_standing_in after update of plan_id, state, term_no on subscription for each row
when (old.plan_id <> new.plan_id or old.state <> new.state or old.term_no <> new.term_no)
execute function tally_standing_of_subscription();

create function tally_renewal_of_subscription() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor)
        select at, currency, state, method, card_month, ends, -1, -amount_minor
        from counted_renewal where subscription_id = old.id;
    else
        if new.method_id is not null and (tg_op = 'INSERT' or new.method_id is distinct from old.method_id) then
            perform 1 from payment_method where id = new.method_id for share;
        end if;
        insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor)
        select at, currency, state, method, card_month, ends, 1, amount_minor
        from counted_renewal where subscription_id = new.id;
    end if;
    return new;
end $$;

create trigger subscription_renewal_new after insert on subscription for each row
execute function tally_renewal_of_subscription();
create trigger subscription_renewal_out before update of next_due_at, state, cancel_at, method_id, term_no on subscription for each row
when (old.next_due_at is distinct from new.next_due_at or old.state <> new.state
    or old.cancel_at is distinct from new.cancel_at or old.method_id is distinct from new.method_id or old.term_no <> new.term_no)
execute function tally_renewal_of_subscription();
create trigger subscription_renewal_in after update of next_due_at, state, cancel_at, method_id, term_no on subscription for each row
when (old.next_due_at is distinct from new.next_due_at or old.state <> new.state
    or old.cancel_at is distinct from new.cancel_at or old.method_id is distinct from new.method_id or old.term_no <> new.term_no)
execute function tally_renewal_of_subscription();

create function tally_turnover_of_subscription() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        insert into tally_turnover (at, what, currency, subscriptions)
        select at, what, currency, -1
        from counted_turnover where subscription_id = old.id;
    else
        insert into tally_turnover (at, what, currency, subscriptions)
        select at, what, currency, 1
        from counted_turnover where subscription_id = new.id;
    end if;
    return new;
end $$;

create trigger subscription_turnover_new after insert on subscription for each row
execute function tally_turnover_of_subscription();
create trigger subscription_turnover_out before update of state, ended_at, paid_until, trial_until on subscription for each row
when (old.state <> new.state or old.ended_at is distinct from new.ended_at
    or (old.paid_until is null) <> (new.paid_until is null) or (old.trial_until is null) <> (new.trial_until is null))
execute function tally_turnover_of_subscription();
create trigger subscription_turnover_in after update of state, ended_at, paid_until, trial_until on subscription for each row
when (old.state <> new.state or old.ended_at is distinct from new.ended_at
    or (old.paid_until is null) <> (new.paid_until is null) or (old.trial_until is null) <> (new.trial_until is null))
execute function tally_turnover_of_subscription();

-- A term of it.

create function tally_term() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        perform 1 from subscription where id = old.subscription_id for no key update;
        insert into tally_standing (plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, subscriptions)
        select plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, -1
        from counted_standing where subscription_id = old.subscription_id and term_no = old.term_no;
        insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor)
        select at, currency, state, method, card_month, ends, -1, -amount_minor
        from counted_renewal where subscription_id = old.subscription_id and term_no = old.term_no;
        insert into tally_turnover (at, what, currency, subscriptions)
        select at, what, currency, -1
        from counted_turnover where subscription_id = old.subscription_id and what = 'began' and old.term_no = 1;
    else
        perform 1 from subscription where id = new.subscription_id for no key update;
        insert into tally_standing (plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, subscriptions)
        select plan_id, state, price_minor, currency, quantity, interval_unit, interval_count, 1
        from counted_standing where subscription_id = new.subscription_id and term_no = new.term_no;
        insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor)
        select at, currency, state, method, card_month, ends, 1, amount_minor
        from counted_renewal where subscription_id = new.subscription_id and term_no = new.term_no;
        insert into tally_turnover (at, what, currency, subscriptions)
        select at, what, currency, 1
        from counted_turnover where subscription_id = new.subscription_id and what = 'began' and new.term_no = 1;
    end if;
    return new;
end $$;

create trigger subscription_term_tally_new after insert on subscription_term for each row
execute function tally_term();
create trigger subscription_term_tally_out before update on subscription_term for each row
when (old.price_minor <> new.price_minor or old.currency <> new.currency or old.quantity <> new.quantity
    or old.interval_unit <> new.interval_unit or old.interval_count <> new.interval_count or old.from_at <> new.from_at
    or old.subscription_id <> new.subscription_id or old.term_no <> new.term_no)
execute function tally_term();
create trigger subscription_term_tally_in after update on subscription_term for each row
when (old.price_minor <> new.price_minor or old.currency <> new.currency or old.quantity <> new.quantity
    or old.interval_unit <> new.interval_unit or old.interval_count <> new.interval_count or old.from_at <> new.from_at
    or old.subscription_id <> new.subscription_id or old.term_no <> new.term_no)
execute function tally_term();

create trigger subscription_term_kept before delete on subscription_term for each row execute function refuse('append_only');

-- A card or its key. Its subscriptions are held first: none of them moves between the two counts.

create function tally_method() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        perform 1 from subscription where method_id = old.id for no key update;
        insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor)
        select at, currency, state, method, card_month, ends, -1, -amount_minor
        from counted_renewal where method_id = old.id;
    else
        insert into tally_renewal (at, currency, state, method, card_month, ends, renewals, amount_minor)
        select at, currency, state, method, card_month, ends, 1, amount_minor
        from counted_renewal where method_id = new.id;
    end if;
    return new;
end $$;

create trigger payment_method_renewal_out before update of state, exp_year, exp_month on payment_method for each row
when ((old.state = 'deleted') <> (new.state = 'deleted')
    or old.exp_year is distinct from new.exp_year or old.exp_month is distinct from new.exp_month)
execute function tally_method();
create trigger payment_method_renewal_in after update of state, exp_year, exp_month on payment_method for each row
when ((old.state = 'deleted') <> (new.state = 'deleted')
    or old.exp_year is distinct from new.exp_year or old.exp_month is distinct from new.exp_month)
execute function tally_method();

-- A charge that was declined, or was not after all.

create function tally_attempt() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        perform 1 from invoice where id = new.invoice_id for no key update;
        insert into tally_failure (day, before, is_paid, invoices)
        select day, before, is_paid, -1
        from counted_failure where invoice_id = new.invoice_id;
        if tg_op = 'UPDATE' then
            insert into tally_decline (day, currency, class, code, attempts)
            select day, currency, class, code, -1
            from counted_decline where attempt_id = old.id;
        end if;
    else
        insert into tally_failure (day, before, is_paid, invoices)
        select day, before, is_paid, 1
        from counted_failure where invoice_id = new.invoice_id;
        insert into tally_decline (day, currency, class, code, attempts)
        select day, currency, class, code, 1
        from counted_decline where attempt_id = new.id;
    end if;
    return new;
end $$;

create trigger attempt_tally_before before insert on attempt for each row
when (new.state = 'declined' and new.kind = 'charge')
execute function tally_attempt();
create trigger attempt_tally_new after insert on attempt for each row
when (new.state = 'declined' and new.kind = 'charge')
execute function tally_attempt();
create trigger attempt_tally_out before update of state, settled_on, refusal_code, refusal_class on attempt for each row
when (old.kind = 'charge' and (old.state = 'declined' or new.state = 'declined')
    and (old.state <> new.state or old.settled_on is distinct from new.settled_on
        or old.refusal_code is distinct from new.refusal_code or old.refusal_class is distinct from new.refusal_class))
execute function tally_attempt();
create trigger attempt_tally_in after update of state, settled_on, refusal_code, refusal_class on attempt for each row
when (old.kind = 'charge' and (old.state = 'declined' or new.state = 'declined')
    and (old.state <> new.state or old.settled_on is distinct from new.settled_on
        or old.refusal_code is distinct from new.refusal_code or old.refusal_class is distinct from new.refusal_class))
execute function tally_attempt();

-- The invoice of declined charges is paid in the end.

create function tally_failure_of_invoice() returns trigger language plpgsql as $$
begin
    if tg_when = 'BEFORE' then
        insert into tally_failure (day, before, is_paid, invoices)
        select day, before, is_paid, -1
        from counted_failure where invoice_id = old.id;
    else
        insert into tally_failure (day, before, is_paid, invoices)
        select day, before, is_paid, 1
        from counted_failure where invoice_id = new.id;
    end if;
    return new;
end $$;

create trigger invoice_failure_out before update of state on invoice for each row
when ((old.state = 'paid') <> (new.state = 'paid'))
execute function tally_failure_of_invoice();
create trigger invoice_failure_in after update of state on invoice for each row
when ((old.state = 'paid') <> (new.state = 'paid'))
execute function tally_failure_of_invoice();
