-- Charges that two persons declared not executed: few, and asked about once a day for a while.
create index attempt_looked_for on attempt (next_check_at, id) where state = 'not_executed' and next_check_at is not null;
