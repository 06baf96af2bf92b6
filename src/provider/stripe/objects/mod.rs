//! What only Stripe has: its own customers, catalogue, subscriptions, invoices, events and balance.
//!
//! Each method of the client here is one request, sent once. Nothing of it settles an attempt of ours:
//! what it tells is mirrored, and what it does is done by Stripe. Whoever changes something brings a key
//! that is his own, stored before the call, and says the same thing again under it or asks.

mod balance;
mod call;
mod catalog;
mod charges;
mod customers;
mod error;
mod events;
mod invoices;
mod methods;
mod subscriptions;

pub use balance::{BalanceEntry, BalanceFilter};
pub use call::Page;
pub use catalog::{NewPrice, NewProduct, Price, Product};
pub use charges::Charge;
pub use customers::{Customer, CustomerChange, NewCustomer};
pub use error::StripeError;
pub use events::{Event, EventFilter, MOST_EVENT_TYPES};
pub use invoices::{Invoice, InvoiceFilter, InvoiceStatus, PayWith};
pub use methods::PaymentMethod;
pub use subscriptions::{
    NewSubscription, Pause, PauseBehavior, Subscription, SubscriptionFilter, SubscriptionItem,
    SubscriptionStatus, Which,
};
