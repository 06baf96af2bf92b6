//! Invoices: not yet.
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
pub fn pay(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn finalize(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn void(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn mark_uncollectible(_: &mut Room<'_>, _: &str, _: &Form) -> Result<Value, Problem> {
    Err(none())
}
pub fn delete(_: &mut Room<'_>, _: &str) -> Result<Value, Problem> {
    Err(none())
}
pub fn fall_due(_: &mut Room<'_>, _: Value) {}
pub fn paid_by(_: &mut Room<'_>, _: &Value) {}
pub fn waits_for_owner(_: &mut Room<'_>, _: &Value) {}
pub fn owner_refused(_: &mut Room<'_>, _: &Value) {}
fn none() -> Problem {
    Problem::unknown_url("POST", "/v1/invoices")
}
