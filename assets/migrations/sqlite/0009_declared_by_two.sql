-- A request may also be about a return that the system prepared: a refund attempt that waits. The table is written
-- anew, because a check of a table cannot be changed here; nothing refers to it.
create table approval_anew (
    id integer primary key,
    public_id text not null,
    tail text not null,
    verb text not null,
    target text not null,
    attempt_id integer references attempt (id),
    payment_id integer references payment (id),
    customer_id integer not null references customer (id),
    amount_minor integer not null,
    currency text not null,
    also_cancel text not null,
    reason text not null,
    evidence text not null,
    fingerprint text not null,
    mode text not null,
    requester text not null,
    claims text not null,
    requested_at integer not null,
    expires_at integer not null,
    state text not null default 'waiting',
    decided_by text,
    decided_at integer,
    note text not null default '',
    constraint approval_about check (
        (verb = 'refund' and (payment_id is null) <> (attempt_id is null))
        or (verb = 'force-state' and attempt_id is not null and payment_id is null)),
    constraint approval_amount check (amount_minor > 0),
    constraint approval_also_cancel check (also_cancel in ('no', 'now', 'at_period_end')),
    constraint approval_mode check (mode in ('live', 'test', 'sim')),
    constraint approval_said check (trim(reason) <> '' and (verb <> 'force-state' or trim(evidence) <> '')),
    constraint approval_expiry check (expires_at > requested_at and expires_at - requested_at <= 1800000000),
    constraint approval_state check (state in ('waiting', 'granted', 'rejected', 'expired', 'void')),
    constraint approval_decided check ((state = 'waiting') = (decided_by is null) and (state = 'waiting') = (decided_at is null)),
    constraint approval_four_eyes check (state <> 'granted' or lower(trim(decided_by)) <> lower(trim(requester))),
    constraint approval_in_time check (state <> 'granted' or (decided_at >= requested_at and decided_at < expires_at))
) strict;

insert into approval_anew (id, public_id, tail, verb, target, attempt_id, payment_id, customer_id, amount_minor, currency, also_cancel, reason, evidence, fingerprint, mode, requester, claims, requested_at, expires_at, state, decided_by, decided_at, note)
select id, public_id, tail, verb, target, attempt_id, payment_id, customer_id, amount_minor, currency, also_cancel, reason, evidence, fingerprint, mode, requester, claims, requested_at, expires_at, state, decided_by, decided_at, note
from approval;
drop table approval;
alter table approval_anew rename to approval;

create unique index approval_public_id on approval (public_id);
create index approval_tail on approval (tail);
-- Few rows wait, and one for each target.
create unique index approval_waiting on approval (target) where state = 'waiting';

create trigger approval_born before insert on approval when new.state <> 'waiting'
begin select raise(abort, 'approval_born'); end;
create trigger approval_fixed before update on approval
when old.public_id is not new.public_id or old.verb is not new.verb or old.target is not new.target or old.attempt_id is not new.attempt_id
    or old.payment_id is not new.payment_id or old.customer_id is not new.customer_id or old.amount_minor is not new.amount_minor or old.currency is not new.currency
    or old.also_cancel is not new.also_cancel or old.reason is not new.reason or old.evidence is not new.evidence or old.fingerprint is not new.fingerprint
    or old.mode is not new.mode or old.requester is not new.requester or old.claims is not new.claims or old.requested_at is not new.requested_at
    or old.expires_at is not new.expires_at
begin select raise(abort, 'approval_fixed'); end;
create trigger approval_used before update on approval when old.state <> 'waiting'
begin select raise(abort, 'approval_used'); end;
create trigger approval_kept before delete on approval begin select raise(abort, 'append_only'); end;

-- A charge is declared not executed by two persons; or its provider canceled it before it took anything; or it was only
-- prepared at a provider that charges in two steps, and nobody knows its name, so that nobody can confirm it.
create trigger attempt_declared before update of state on attempt
when old.state <> new.state and new.state = 'not_executed'
    and not exists (select 1 from approval p where p.attempt_id = new.id and p.verb = 'force-state' and p.state = 'granted')
    and not exists (select 1 from evidence e where e.id = new.evidence_id and e.attempt_id = new.id and e.source <> 'person'
        and (e.outcome = 'canceled' or (e.outcome = 'unconfirmed' and new.provider_ref is null)))
begin select raise(abort, 'not_declared'); end;
