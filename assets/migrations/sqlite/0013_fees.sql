-- What providers keep for themselves: the rows of their balance about charges and refunds, under their own names for them.
-- Provider ref is the payment they are about, which may be taken into the books later. Amounts are in the currency the
-- account is settled in. On day is the local day.
create table provider_fee (
    id integer primary key,
    provider text not null,
    mode text not null,
    entry_key text not null,
    kind text not null,
    provider_ref text not null,
    amount_minor integer not null,
    fee_minor integer not null,
    net_minor integer not null,
    currency text not null,
    at integer not null,
    on_day text not null,
    constraint provider_fee_mode check (mode in ('live', 'test', 'sim')),
    constraint provider_fee_kind check (kind in ('charge', 'refund', 'refund_failure')),
    constraint provider_fee_net check (net_minor = amount_minor - fee_minor)
) strict;

create unique index provider_fee_entry on provider_fee (provider, entry_key);
create index provider_fee_of_payment on provider_fee (provider_ref, provider, kind);
create index provider_fee_by_day on provider_fee (on_day, id);

create trigger provider_fee_update before update on provider_fee begin select raise(abort, 'append_only'); end;
create trigger provider_fee_delete before delete on provider_fee begin select raise(abort, 'append_only'); end;

-- How much of a balance was read: everything from then to then, without a hole.
create table fee_cursor (
    id integer primary key,
    provider text not null,
    read_from integer not null,
    read_to integer not null,
    constraint fee_cursor_stretch check (read_from <= read_to)
) strict;
create unique index fee_cursor_provider on fee_cursor (provider);

-- When the first payment was taken through a provider that tells its fees.
create index payment_with_fee on payment (provider, captured_at) where provider <> 'toss';
