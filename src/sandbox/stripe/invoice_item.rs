//! Invoice items: not yet.
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
pub fn delete(_: &mut Room<'_>, _: &str) -> Result<Value, Problem> {
    Err(none())
}
fn none() -> Problem {
    Problem::unknown_url("POST", "/v1/invoiceitems")
}
