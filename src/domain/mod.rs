//! Pure rules: money, ids, periods, plans, subscriptions, invoices, attempts, refunds, dunning.
//!
//! Nothing here waits, reads a clock, draws a random number or knows a database, a provider or a
//! screen: instants come in as parameters, results go out as values. Amounts are integers in minor
//! units; every status moves only along the tables in [`states`].

pub mod approval;
pub mod attempt;
pub mod audit;
pub mod billing;
pub mod customer;
pub mod dunning;
pub mod evidence;
pub mod failure;
pub mod fee;
pub mod ids;
pub mod invoice;
pub mod mirror;
pub mod mode;
pub mod money;
pub mod movements;
pub mod operator;
pub mod payment;
pub mod period;
pub mod plan;
pub mod revenue;
pub mod routing;
pub mod run;
pub mod states;
pub mod subscription;
