//! Subscriptions: not yet.
use super::form::Form;
use super::problem::Problem;
use super::room::Room;
use serde_json::Value;
pub fn create(_: &mut Room<'_>, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn update(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn cancel(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn resume(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn end(_: &mut Room<'_>, _: Value, _: &str) {}
pub fn fall_due(_: &mut Room<'_>, _: Value) {}
fn none() -> Problem {
    Problem::unknown_url("POST", "/v1/subscriptions")
}
