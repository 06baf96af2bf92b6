-- Subscriptions by what their term costs: a rare price is found without reading every subscription.
create index subscription_term_by_price on subscription_term (price_minor * quantity, subscription_id, term_no);
