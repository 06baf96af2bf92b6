"""Drives the simulator with the provider's official SDK, and fails at the first surprise.

usage: drive.py BASE_URL SECRET_KEY

It knows nothing of the simulator but its control interface (the clock, faults, challenges): everything else is what a
program written for the provider does.
"""

import http.server
import json
import sys
import threading
import time
import urllib.request

import stripe

BASE, KEY = sys.argv[1], sys.argv[2]
DAY = 86_400


def client(**options):
    options.setdefault("max_network_retries", 0)
    return stripe.StripeClient(KEY, base_addresses={"api": BASE}, **options)


sdk = client()
v1 = sdk.v1


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/_sandbox/{path}", data=data)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def same(actual, expected, what=""):
    assert actual == expected, f"{what}: {actual!r} instead of {expected!r}"


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def customer_with(card="pm_card_visa", **more):
    made = v1.customers.create({"email": "kim@example.com", "name": "김 서현", **more})
    method = v1.payment_methods.attach(card, {"customer": made.id})
    v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})
    return made, method


def off_session(customer, method, amount=1_500, order="order-1", **more):
    return {
        "amount": amount,
        "currency": "usd",
        "customer": customer.id,
        "payment_method": method.id,
        "payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
        "metadata": {"order_id": order},
        **more,
    }


def customers_and_cards():
    made = v1.customers.create({"email": "a@example.com", "metadata": {"주문 no": "가 1", "b": "2"}})
    same(made.metadata["주문 no"], "가 1")
    same(made.livemode, False)
    changed = v1.customers.update(made.id, {"metadata": {"b": ""}, "name": "Lee"})
    same((changed.metadata.to_dict(), changed.name), ({"주문 no": "가 1"}, "Lee"))
    same(v1.customers.update(made.id, {"name": ""}).name, None, "empty unsets")
    method = v1.payment_methods.attach("pm_card_mastercard", {"customer": made.id})
    same((method.card.brand, method.card.last4, method.customer), ("mastercard", "4444", made.id))
    listed = v1.payment_methods.list({"customer": made.id, "type": "card"})
    same([one.id for one in listed.data], [method.id])
    same([one.id for one in v1.customers.payment_methods.list(made.id).data], [method.id])
    token = v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    same(token.card.last4, "4242")
    same(v1.payment_methods.detach(method.id).customer, None)
    error = refused(stripe.CardError, lambda: v1.payment_methods.attach("pm_card_visa_chargeDeclined", {"customer": made.id}))
    same((error.http_status, error.code, error.param, error.error.decline_code), (402, "card_declined", "", "generic_decline"))
    error = refused(stripe.InvalidRequestError, lambda: v1.customers.retrieve("cus_nobody"))
    same((error.http_status, error.code, error.param), (404, "resource_missing", "id"))
    same(v1.customers.delete(made.id).deleted, True)
    same(v1.customers.retrieve(made.id).deleted, True)
    error = refused(stripe.AuthenticationError, lambda: stripe.StripeClient("sk_test_wrong", base_addresses={"api": BASE}).v1.customers.list())
    same(error.http_status, 401)


def payment_intents():
    customer, method = customer_with()
    paid = v1.payment_intents.create(off_session(customer, method, expand=["latest_charge"]))
    same((paid.status, paid.amount_received, paid.latest_charge.paid), ("succeeded", 1_500, True))
    same(paid.latest_charge.outcome.type, "authorized")
    two_steps = {key: value for key, value in off_session(customer, method).items() if key not in ("confirm", "off_session")}
    waiting = v1.payment_intents.create(two_steps)
    same(waiting.status, "requires_confirmation")
    same(v1.payment_intents.confirm(waiting.id, {"off_session": True}).status, "succeeded")
    error = refused(stripe.InvalidRequestError, lambda: v1.payment_intents.confirm(waiting.id))
    same(error.code, "payment_intent_unexpected_state")
    same(error.error.payment_intent.status, "succeeded")
    canceled = v1.payment_intents.cancel(v1.payment_intents.create(two_steps).id, {"cancellation_reason": "abandoned"})
    same((canceled.status, canceled.cancellation_reason), ("canceled", "abandoned"))
    held = v1.payment_intents.create(off_session(customer, method, capture_method="manual"))
    same((held.status, held.amount_capturable), ("requires_capture", 1_500))
    same(v1.payment_intents.capture(held.id, {"amount_to_capture": 1_000}).amount_received, 1_000)
    won = v1.payment_intents.create(off_session(customer, method, amount=9_900, currency="krw"))
    same((won.amount, won.currency), (9_900, "krw"))
    error = refused(stripe.InvalidRequestError, lambda: v1.payment_intents.create({"amount": 10, "currency": "eur"}))
    same((error.code, error.param), ("amount_too_small", "amount"))
    error = refused(stripe.InvalidRequestError, lambda: v1.payment_intents.create({"amount": 500, "currency": "usd", "colour": "red"}))
    same((error.code, error.param), ("parameter_unknown", "colour"))


def declines():
    for card, code, decline in [
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ]:
        wish = {"amount": 500, "currency": "usd", "payment_method": card, "payment_method_types": ["card"], "confirm": True}
        error = refused(stripe.CardError, lambda: v1.payment_intents.create(wish))
        same((error.http_status, error.code, error.error.decline_code), (402, code, decline), card)
        intent = error.error.payment_intent
        same((intent.status, intent.payment_method, intent.latest_charge), ("requires_payment_method", None, error.error.charge))
        same(v1.charges.retrieve(error.error.charge).status, "failed")
    customer, method = customer_with("pm_card_chargeCustomerFail")
    error = refused(stripe.CardError, lambda: v1.payment_intents.create(off_session(customer, method)))
    other = v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    mended = v1.payment_intents.confirm(error.error.payment_intent.id, {"payment_method": other.id, "off_session": True})
    same(mended.status, "succeeded")


def three_d_secure():
    customer, method = customer_with("pm_card_authenticationRequired")
    error = refused(stripe.CardError, lambda: v1.payment_intents.create(off_session(customer, method)))
    same((error.code, error.error.decline_code), ("authentication_required", "authentication_required"))
    here = {key: value for key, value in off_session(customer, method).items() if key != "off_session"}
    asked = v1.payment_intents.create({**here, "return_url": "https://example.com/back"})
    same((asked.status, asked.next_action.type), ("requires_action", "redirect_to_url"))
    control("stripe/challenges", {"payment_intent": asked.id, "outcome": "succeed"})
    same(v1.payment_intents.retrieve(asked.id).status, "succeeded")


def refunds():
    customer, method = customer_with()
    paid = v1.payment_intents.create(off_session(customer, method, amount=2_000))
    part = v1.refunds.create({"payment_intent": paid.id, "amount": 1_300, "reason": "requested_by_customer", "metadata": {"tag": "rf:1"}})
    same((part.status, part.amount, part.metadata["tag"]), ("succeeded", 1_300, "rf:1"))
    error = refused(stripe.InvalidRequestError, lambda: v1.refunds.create({"payment_intent": paid.id, "amount": 2_000}))
    same((error.http_status, error.param, error.code), (400, "amount", None))
    same(error.user_message, "Refund amount ($20.00) is greater than unrefunded amount on charge ($7.00)")
    v1.refunds.create({"charge": paid.latest_charge})
    error = refused(stripe.InvalidRequestError, lambda: v1.refunds.create({"payment_intent": paid.id}))
    same(error.code, "charge_already_refunded")
    seen = v1.payment_intents.retrieve(paid.id, {"expand": ["latest_charge.refunds"]})
    same((seen.latest_charge.refunded, len(seen.latest_charge.refunds.data)), (True, 2))
    customer, method = customer_with("pm_card_pendingRefund")
    paid = v1.payment_intents.create(off_session(customer, method))
    late = v1.refunds.create({"payment_intent": paid.id})
    same(late.status, "pending")
    control("clock", {"advance_seconds": 4_000})
    same(v1.refunds.retrieve(late.id).status, "succeeded")


def idempotency():
    customer, method = customer_with("pm_card_chargeCustomerFail")
    wish = off_session(customer, method)
    with_key = {"idempotency_key": f"key-{time.time_ns()}"}
    first = refused(stripe.CardError, lambda: v1.payment_intents.create(wish, with_key))
    again = refused(stripe.CardError, lambda: v1.payment_intents.create(wish, with_key))
    same(again.http_body, first.http_body, "byte for byte")
    same(again.headers["idempotent-replayed"], "true")
    same(again.headers["original-request"], first.headers["request-id"])
    same(len(v1.charges.list({"customer": customer.id}).data), 1)
    refused(stripe.IdempotencyError, lambda: v1.payment_intents.create({**wish, "amount": 7_000}, with_key))
    refused(stripe.IdempotencyError, lambda: v1.customers.create({}, with_key))

    customer, method = customer_with()
    wish = off_session(customer, method)
    with_key = {"idempotency_key": f"key-{time.time_ns()}"}
    control("faults", {"match": {"endpoint": "stripe_intent_create"}, "fault": {"kind": "slow_before_commit", "ms": 900}})
    slow = threading.Thread(target=lambda: v1.payment_intents.create(wish, with_key))
    slow.start()
    time.sleep(0.3)
    error = refused(stripe.APIError, lambda: v1.payment_intents.create(wish, with_key))
    same((error.http_status, error.error.code), (409, "idempotency_key_in_use"))
    patient = client(max_network_retries=4)
    same(patient.v1.payment_intents.create(wish, with_key).status, "succeeded", "retries after 409")
    slow.join()
    same(len(v1.charges.list({"customer": customer.id}).data), 1)

    for fault in ["lost_after_commit", "lost_before_commit", {"kind": "http_error", "status": 409}]:
        customer, method = customer_with()
        control("faults", {"match": {"endpoint": "stripe_intent_create"}, "fault": fault})
        paid = patient.v1.payment_intents.create(off_session(customer, method))
        same(paid.status, "succeeded", fault)
        same(len(v1.charges.list({"customer": customer.id}).data), 1, fault)
    customer, method = customer_with()
    wish = off_session(customer, method)
    with_key = {"idempotency_key": f"key-{time.time_ns()}"}
    control("faults", {"match": {"endpoint": "stripe_intent_create"}, "fault": "reset_mid_body"})
    # An answer that breaks off in its body is one that the SDK leaves to its caller.
    refused(stripe.APIConnectionError, lambda: patient.v1.payment_intents.create(wish, with_key))
    same(v1.payment_intents.create(wish, with_key).status, "succeeded")
    same(len(v1.charges.list({"customer": customer.id}).data), 1)
    control("faults", {"match": {"endpoint": "stripe_intent_create"}, "fault": "rate_limited"})
    refused(stripe.RateLimitError, lambda: v1.payment_intents.create(off_session(customer, method)))


def lists_and_search():
    made = [v1.products.create({"name": f"p{n}", "metadata": {"batch": "b1"}}) for n in range(23)]
    pages = v1.products.list({"limit": 5})
    same((pages.has_more, len(pages.data)), (True, 5))
    found = [one.id for one in pages.auto_paging_iter() if one.metadata.to_dict().get("batch") == "b1"]
    same(found, [one.id for one in reversed(made)], "newest first, each once")
    before = v1.products.list({"limit": 3, "ending_before": made[10].id})
    same([one.id for one in before.data], [one.id for one in reversed(made[11:14])])
    same(len(v1.products.list({"limit": 100, "created": {"gte": made[0].created}, "active": True}).data), 23)
    same(v1.products.list({"ids": [made[3].id]}).data[0].id, made[3].id)
    refused(stripe.InvalidRequestError, lambda: v1.products.list({"limit": 101}))
    result = v1.products.search({"query": "metadata['batch']:'b1' AND active:'true'", "limit": 10})
    same(result.object, "search_result")
    same(len(list(result.auto_paging_iter())), 23)
    customer, method = customer_with()
    paid = v1.payment_intents.create(off_session(customer, method, amount=4_321, order="order-needle"))
    hits = v1.payment_intents.search({"query": "metadata['order_id']:'order-needle' AND amount>4000"})
    same([one.id for one in hits.data], [paid.id])
    rows = v1.balance_transactions.list({"type": "charge", "limit": 100, "expand": ["data.source"]})
    control("clock", {"advance_seconds": 3})
    rows = v1.balance_transactions.list({"type": "charge", "limit": 100, "expand": ["data.source"]})
    mine = next(row for row in rows.data if row.source.payment_intent == paid.id)
    same((mine.amount, mine.net, mine.fee_details[0].type), (4_321, 4_321 - mine.fee, "stripe_fee"))
    assert v1.balance.retrieve().pending


def monthly(amount=1_900, currency="usd"):
    product = v1.products.create({"name": "Pro"})
    return v1.prices.create({"product": product.id, "currency": currency, "unit_amount": amount, "recurring": {"interval": "month"}})


def on_clock(card="pm_card_visa"):
    clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000})
    customer, method = customer_with(card, test_clock=clock.id)
    return clock, customer, method


def advance(clock, to):
    same(v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": to}).status, "advancing")
    same(v1.test_helpers.test_clocks.retrieve(clock.id).status, "ready")


def subscriptions():
    price = monthly()
    clock, customer, method = on_clock()
    subscription = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], "expand": ["latest_invoice.payments"]})
    same((subscription.status, subscription.latest_invoice.status), ("active", "paid"))
    item = subscription["items"].data[0]
    same(item.current_period_start, 1_800_000_000)
    same(subscription.latest_invoice.payments.data[0].status, "paid")
    same(subscription.latest_invoice.billing_reason, "subscription_create")
    advance(clock, item.current_period_end + 2 * 3_600)
    renewed = v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    same((renewed.latest_invoice.billing_reason, renewed.latest_invoice.status, renewed.latest_invoice.attempt_count), ("subscription_cycle", "paid", 1))
    same(renewed["items"].data[0].current_period_start, item.current_period_end)
    scheduled = v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    same((scheduled.status, scheduled.cancel_at), ("active", renewed["items"].data[0].current_period_end))
    same((scheduled.canceled_at is not None, scheduled.cancellation_details.reason), (True, "cancellation_requested"))
    undone = v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    same((undone.cancel_at, undone.canceled_at, undone.cancellation_details.reason), (None, None, None))
    paused = v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    same((paused.status, paused.pause_collection.behavior), ("active", "void"))
    same(v1.subscriptions.update(subscription.id, {"pause_collection": ""}).pause_collection, None)
    ended = v1.subscriptions.cancel(subscription.id)
    same((ended.status, ended.cancel_at, ended.ended_at is not None), ("canceled", None, True))
    error = refused(stripe.InvalidRequestError, lambda: v1.subscriptions.cancel(subscription.id))
    same((error.http_status, error.code), (404, "resource_missing"))
    same(v1.subscriptions.list({"customer": customer.id}).data, [])
    same(len(v1.subscriptions.list({"customer": customer.id, "status": "all"}).data), 1)

    trial = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], "trial_period_days": 7})
    same(trial.status, "trialing")
    advance(clock, trial.trial_end + 2 * 3_600)
    same(v1.subscriptions.retrieve(trial.id).status, "active")

    bare = v1.customers.create({})
    error = refused(stripe.InvalidRequestError, lambda: v1.subscriptions.create({"customer": bare.id, "items": [{"price": price.id}]}))
    same((error.http_status, error.code, error.param), (400, "resource_missing", None))
    error = refused(stripe.InvalidRequestError, lambda: v1.subscriptions.create({"customer": customer.id, "items": [{"price": "price_x"}]}))
    same((error.code, error.param), ("resource_missing", "items[0][price]"))


def dunning():
    price = monthly()
    clock, customer, method = on_clock("pm_card_chargeCustomerFail")
    refused(stripe.CardError, lambda: v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], "payment_behavior": "error_if_incomplete"}))
    same(v1.subscriptions.list({"customer": customer.id, "status": "all"}).data, [])
    begun = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], "expand": ["latest_invoice"]})
    same((begun.status, begun.latest_invoice.status), ("incomplete", "open"))
    advance(clock, 1_800_000_000 + DAY)
    same(v1.subscriptions.retrieve(begun.id).status, "incomplete_expired")
    same(v1.invoices.retrieve(begun.latest_invoice.id).status, "void")

    good = v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    live = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], "default_payment_method": good.id})
    same(live.status, "active")
    v1.subscriptions.update(live.id, {"default_payment_method": method.id})
    advance(clock, live["items"].data[0].current_period_end + 2 * 3_600)
    late = v1.subscriptions.retrieve(live.id, {"expand": ["latest_invoice"]})
    same((late.status, late.latest_invoice.status, late.latest_invoice.attempt_count), ("past_due", "open", 1))
    assert late.latest_invoice.next_payment_attempt
    error = refused(stripe.CardError, lambda: v1.invoices.pay(late.latest_invoice.id))
    same((error.code, error.error.payment_intent.status), ("card_declined", "requires_payment_method"))
    paid = v1.invoices.pay(late.latest_invoice.id, {"payment_method": good.id})
    same((paid.status, paid.attempt_count), ("paid", 1))
    same(v1.subscriptions.retrieve(live.id).status, "active")
    error = refused(stripe.InvalidRequestError, lambda: v1.invoices.pay(paid.id))
    same((error.user_message, error.code), ("Invoice is already paid", None))
    end = late["items"].data[0].current_period_end
    advance(clock, end + 20 * DAY)
    gone = v1.subscriptions.retrieve(live.id, {"expand": ["latest_invoice"]})
    same((gone.status, gone.latest_invoice.attempt_count, gone.cancellation_details.reason), ("canceled", 8, "payment_failed"))


def invoices():
    customer, method = customer_with()
    v1.invoice_items.create({"customer": customer.id, "amount": 700, "currency": "usd", "description": "a"})
    draft = v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include", "auto_advance": False})
    v1.invoice_items.create({"customer": customer.id, "invoice": draft.id, "amount": 300, "currency": "usd"})
    draft = v1.invoices.retrieve(draft.id)
    same((draft.status, draft.total, len(draft.lines.data)), ("draft", 1_000, 2))
    opened = v1.invoices.finalize_invoice(draft.id, {"expand": ["confirmation_secret", "payments"]})
    same((opened.status, opened.amount_due, opened.confirmation_secret.type), ("open", 1_000, "payment_intent"))
    intent = opened.payments.data[0].payment.payment_intent
    found = v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}})
    same(found.data[0].invoice, opened.id)
    paid = v1.invoices.pay(opened.id)
    same((paid.status, paid.amount_paid, paid.amount_remaining), ("paid", 1_000, 0))
    for make_end, status in [(v1.invoices.void_invoice, "void"), (v1.invoices.mark_uncollectible, "uncollectible")]:
        one = v1.invoices.create({"customer": customer.id})
        v1.invoice_items.create({"customer": customer.id, "invoice": one.id, "amount": 900, "currency": "usd"})
        refused(stripe.InvalidRequestError, lambda: make_end(one.id))
        v1.invoices.finalize_invoice(one.id)
        same(make_end(one.id).status, status)
    same(v1.invoices.pay(one.id, {"paid_out_of_band": True}).status, "paid", "given up, and paid after all")
    gone = v1.invoices.create({"customer": customer.id})
    same(v1.invoices.delete(gone.id).deleted, True)
    same(len(v1.invoices.list({"customer": customer.id, "status": "paid"}).data), 2)


class Hook(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Hook.seen.append((body, self.headers["stripe-signature"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def webhooks_and_events():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Signatures carry the simulator's time, which this script has moved ahead; only the past is refused.
    endpoint = v1.webhook_endpoints.create({"url": f"http://127.0.0.1:{server.server_port}/hook", "enabled_events": ["payment_intent.succeeded", "charge.refunded"]})
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
    customer, method = customer_with()
    paid = v1.payment_intents.create(off_session(customer, method), {"idempotency_key": f"hook-{time.time_ns()}"})
    v1.refunds.create({"payment_intent": paid.id, "amount": 100})
    give_up = time.time() + 20
    while len(Hook.seen) < 2 and time.time() < give_up:
        time.sleep(0.05)
    events = {}
    for body, signature in Hook.seen:
        event = sdk.construct_event(body, signature, endpoint.secret)
        events[event.type] = event
        refused(stripe.SignatureVerificationError, lambda: sdk.construct_event(body + b" ", signature, endpoint.secret))
        refused(stripe.SignatureVerificationError, lambda: sdk.construct_event(body, signature, "whsec_other"))
    same(sorted(events), ["charge.refunded", "payment_intent.succeeded"])
    same(events["payment_intent.succeeded"].data.object.id, paid.id)
    same(events["charge.refunded"].data.previous_attributes["amount_refunded"], 0)
    listed = v1.events.list({"type": "payment_intent.succeeded", "limit": 1}).data[0]
    same(listed.id, events["payment_intent.succeeded"].id)
    assert listed.request.idempotency_key.startswith("hook-")
    same(v1.events.retrieve(listed.id).data.object.amount, 1_500)
    assert len(v1.events.list({"types": ["charge.succeeded", "charge.refunded"]}).data) >= 2
    same(v1.webhook_endpoints.delete(endpoint.id).deleted, True)


for part in [
    customers_and_cards,
    payment_intents,
    declines,
    three_d_secure,
    refunds,
    idempotency,
    lists_and_search,
    webhooks_and_events,
    subscriptions,
    dunning,
    invoices,
]:
    part()
    print(f"{part.__name__}: as expected")
