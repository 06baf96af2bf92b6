-- A refund that its provider took back: it did not reach the customer, and the money is there again. The refund stays as
-- it was written; this is the entry against it, with the evidence that its provider said so. Reversed on is the local day
-- of reversed at.
create table refund_reversal (
    id integer primary key,
    refund_id integer not null references refund (id),
    evidence_id integer not null references evidence (id),
    reversed_at integer not null,
    reversed_on text not null
) strict;

create unique index refund_reversal_refund on refund_reversal (refund_id);
create index refund_reversal_by_day on refund_reversal (reversed_on);

create trigger refund_reversal_update before update on refund_reversal begin select raise(abort, 'append_only'); end;
create trigger refund_reversal_delete before delete on refund_reversal begin select raise(abort, 'append_only'); end;

-- Only what the provider said of exactly this refund makes one.
create trigger refund_reversal_proved before insert on refund_reversal
when not exists (select 1 from evidence e join refund r on r.id = new.refund_id join attempt a on a.id = e.attempt_id
    join payment p on p.id = r.payment_id
    where e.id = new.evidence_id and e.source <> 'person' and e.outcome = 'refund_undone' and e.reference = r.transaction_key
        and e.amount_minor = r.amount_minor and e.currency = r.currency and (a.payment_id = p.id or p.attempt_id = a.id))
begin select raise(abort, 'not_undone'); end;

-- What has gone back of a payment grows less only by such entries.
create trigger payment_given_back before update of refunded_minor on payment
when new.refunded_minor < old.refunded_minor and new.refunded_minor <> (select coalesce(sum(r.amount_minor), 0) from refund r
    where r.payment_id = new.id and not exists (select 1 from refund_reversal v where v.refund_id = r.id))
begin select raise(abort, 'not_undone'); end;

-- Attempts that are settled and asked about from time to time all the same: those that two persons declared not executed,
-- and refunds that may still come back.
drop index attempt_looked_for;
create index attempt_looked_for on attempt (next_check_at, id) where state in ('not_executed', 'succeeded') and next_check_at is not null;
