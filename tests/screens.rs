//! The console without a terminal: whole screens, keys, dialogs, bytes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

#[path = "screens/advice.rs"]
mod advice;
#[path = "screens/approving.rs"]
mod approving;
#[path = "screens/bytes.rs"]
mod bytes;
#[path = "screens/hostile.rs"]
mod hostile;
#[path = "screens/looks.rs"]
mod looks;
#[path = "screens/mends.rs"]
mod mends;
#[path = "screens/mirrored.rs"]
mod mirrored;
#[path = "screens/plans.rs"]
mod plans;
#[path = "support/roles.rs"]
mod roles;
#[path = "screens/roles.rs"]
mod roles_of_actions;
#[path = "screens/rows.rs"]
mod rows;
#[path = "screens/safety.rs"]
mod safety;
#[path = "screens/stage.rs"]
mod stage;
#[path = "screens/ways.rs"]
mod ways;
