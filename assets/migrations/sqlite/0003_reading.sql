-- Indexes that lists, searches and figures read along; each serves one statement of the read side.

-- Payments by amount as a list: the key ends in the id.
create index payment_by_amount_and_id on payment (captured_minor, id);
-- A customer by the last four digits of the phone number.
create index customer_by_phone_ending on customer (substr(phone_digits, -4), id);
-- Rows of a run in the order they were taken up, and how many have each decision.
create index run_item_of_run on run_item (run_id, id);
create index run_item_by_decision on run_item (run_id, decision);
-- Calls of the last hour.
create index evidence_newest on evidence (at);
-- Charges that succeeded on a day.
create index attempt_succeeded_day on attempt (settled_on) where state = 'succeeded' and kind = 'charge';
-- Subscriptions with a lasting discount: few.
create index subscription_change_discounted on subscription_change (subscription_id) where discount_minor <> 0;
-- What a person did; schedules, which do most, are found by walking instead.
create index attempt_by_person on attempt (operator, id) where operator not in ('run', 'cron', 'reconciler', 'worker');
create index audit_of_person on audit (person, at, id);
