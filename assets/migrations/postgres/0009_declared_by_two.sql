-- A request may also be about a return that the system prepared: a refund attempt that waits.
alter table approval drop constraint approval_about;
alter table approval add constraint approval_about check (
        (verb = 'refund' and (payment_id is null) <> (attempt_id is null))
        or (verb = 'force-state' and attempt_id is not null and payment_id is null));

-- A charge is declared not executed by two persons; or its provider canceled it before it took anything; or it was only
-- prepared at a provider that charges in two steps, and nobody knows its name, so that nobody can confirm it.
create function not_declared() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from approval p where p.attempt_id = new.id and p.verb = 'force-state' and p.state = 'granted')
        and not exists (select 1 from evidence e where e.id = new.evidence_id and e.attempt_id = new.id and e.source <> 'person'
            and (e.outcome = 'canceled' or (e.outcome = 'unconfirmed' and new.provider_ref is null)))
    then
        raise exception using errcode = '23514', message = 'not_declared', constraint = 'not_declared';
    end if;
    return new;
end $$;
create trigger attempt_d_declared before update of state on attempt for each row
when (old.state <> new.state and new.state = 'not_executed') execute function not_declared();

create view v_approval as
select r.id, r.public_id, r.verb, r.target, a.public_id as attempt, p.public_id as payment, c.public_id as customer, r.mode,
    paydeck_decimal(r.amount_minor, r.currency) as amount, r.currency, r.also_cancel, r.reason, r.evidence,
    r.requester, paydeck_instant(r.requested_at) as requested_at, paydeck_instant(r.expires_at) as expires_at,
    r.state, r.decided_by, paydeck_instant(r.decided_at) as decided_at, r.note
from approval r
join customer c on c.id = r.customer_id
left join attempt a on a.id = r.attempt_id
left join payment p on p.id = r.payment_id;
