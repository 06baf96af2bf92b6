//! Billing keys: registered in the window, issued once from an authKey or from card data, deleted.

use chrono::TimeDelta;

use super::super::switches::{AuthKeyReuse, SecondDelete};
use super::charge::{check_customer_key, unknown_key};
use super::{AuthKey, Behaviour, Book, Card, CardDraft, Context, Notice, Refusal};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssueRequest {
    pub auth_key: Option<String>,
    pub customer_key: Option<String>,
}

/// What the browser would have done: a card is registered and waits behind an authKey.
pub fn register(
    book: &mut Book,
    customer_key: &str,
    draft: CardDraft,
    context: &mut Context<'_>,
) -> Result<String, Refusal> {
    let customer_key = check_customer_key(Some(customer_key))?;
    let card = Card::from_draft(book.next_card_id(), Some(customer_key.to_owned()), draft);
    let key = context.ids.auth_key();
    book.put_auth_key(AuthKey {
        key: key.clone(),
        card_id: card.id,
        created_at: context.now,
        used_at: None,
    });
    book.put_card(card);
    Ok(key)
}

/// Turns an authKey into a billing key, once, for the customer who opened the window.
pub fn issue(
    book: &mut Book,
    request: &IssueRequest,
    context: &mut Context<'_>,
) -> Result<i64, Refusal> {
    let key = request
        .auth_key
        .as_deref()
        .filter(|key| (1..=300).contains(&key.len()))
        .ok_or_else(|| Refusal::code("INVALID_REQUEST"))?;
    let customer_key = check_customer_key(request.customer_key.as_deref())?;
    let Some(auth_key) = book.auth_key(key).cloned() else {
        return Err(Refusal::code("INVALID_BILLING_AUTH"));
    };
    if auth_key.used_at.is_some() {
        return Err(match context.switches.auth_key_reuse {
            AuthKeyReuse::InvalidBillingAuth => Refusal::code("INVALID_BILLING_AUTH"),
            AuthKeyReuse::NotFoundBilling => Refusal::code("NOT_FOUND_BILLING"),
        });
    }
    let age = context.now - auth_key.created_at;
    let lifetime = context.switches.auth_key_lifetime_seconds;
    if lifetime.is_some_and(|seconds| age > TimeDelta::seconds(i64::from(seconds))) {
        return Err(Refusal::code("INVALID_BILLING_AUTH"));
    }
    let card = book.card(auth_key.card_id).cloned();
    let Some(card) = card.filter(|card| card.customer_key.as_deref() == Some(customer_key)) else {
        return Err(Refusal::code("INVALID_BILLING_AUTH"));
    };
    if let Some(refusal) = context.forced.take() {
        return Err(refusal);
    }
    book.put_auth_key(AuthKey {
        used_at: Some(context.now),
        ..auth_key
    });
    Ok(give_billing_key(book, card, context))
}

/// Issues from card data, without a window.
pub fn issue_directly(
    book: &mut Book,
    customer_key: Option<&str>,
    draft: CardDraft,
    context: &mut Context<'_>,
) -> Result<i64, Refusal> {
    let customer_key = check_customer_key(customer_key)?.to_owned();
    if let Some(refusal) = context.forced.take() {
        return Err(refusal);
    }
    let card = Card::from_draft(book.next_card_id(), Some(customer_key), draft);
    Ok(give_billing_key(book, card, context))
}

/// What the provider's test environment makes of a plain card number (measured).
pub fn card_of_plain_number(number: &str, expiry: String) -> Result<CardDraft, Refusal> {
    let is_number = (14..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        return Err(Refusal::code("INVALID_CARD_NUMBER"));
    }
    let is_odd = number == "4330121234567890" || number == "5520221234567890";
    Ok(CardDraft {
        number: Some(number.to_owned()),
        expiry: Some(expiry),
        issuer_code: Some("21".to_owned()),
        card_type: is_odd.then(|| "미확인".to_owned()),
        behaviour: if is_odd {
            Behaviour::Decline {
                code: "NOT_SUPPORTED_CARD_TYPE".to_owned(),
            }
        } else {
            Behaviour::Approve
        },
        ..CardDraft::default()
    })
}

fn give_billing_key(book: &mut Book, card: Card, context: &mut Context<'_>) -> i64 {
    let id = card.id;
    book.put_card(Card {
        billing_key: Some(context.ids.billing_key()),
        authenticated_at: Some(context.now),
        ..card
    });
    id
}

/// Deletes a key. `reason` goes into the `BILLING_DELETED` event.
pub fn delete_key(
    book: &mut Book,
    billing_key: &str,
    reason: &str,
    context: &mut Context<'_>,
) -> Result<(), Refusal> {
    let Some(card) = book.card_of_billing_key(billing_key).cloned() else {
        return Err(unknown_key(context));
    };
    if card.deleted_at.is_some() {
        return match context.switches.second_delete {
            SecondDelete::AlreadyRemoved => Err(Refusal::code("ALREADY_REMOVED_BILLING_KEY")),
            SecondDelete::Ok => Ok(()),
        };
    }
    if let Some(refusal) = context.forced.take() {
        return Err(refusal);
    }
    book.put_card(Card {
        deleted_at: Some(context.now),
        ..card
    });
    book.notice(Notice::BillingDeleted {
        billing_key: billing_key.to_owned(),
        reason: reason.to_owned(),
    });
    Ok(())
}
