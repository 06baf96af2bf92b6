//! I02 in the engine: five roles by all twenty-five verbs, held to the table written by hand. That each request asks
//! for its verb is in `concurrency`.

use std::collections::BTreeSet;

use paydeck::domain::operator::{Access, Denied, Operator, Role, Verb};

use crate::concurrency::one_of_each;
use crate::roles::{TABLE, is_built, may};

fn person(role: Role, access: Access) -> Operator {
    Operator {
        person: role.as_str().into(),
        roles: vec![role],
        access,
        evidence: vec![],
    }
}

#[test]
fn i02_a_hundred_and_twenty_five_cases_and_as_many_read_only() {
    let verbs: BTreeSet<&str> = TABLE.iter().map(|(verb, ..)| verb.as_str()).collect();
    let all: BTreeSet<&str> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
    assert_eq!(verbs, all);
    for role in Role::ALL {
        for verb in Verb::ALL {
            let checked = person(role, Access::ReadWrite).check(verb);
            assert_eq!(checked.is_ok(), may(role, verb), "{role:?} {verb}");
            let read_only = person(role, Access::ReadOnly).check(verb);
            assert_eq!(read_only, Err(Denied::ReadOnly { verb }), "{role:?}");
        }
    }
}

#[test]
fn i02_every_verb_that_is_built_is_tried_by_every_role() {
    let mut tried: BTreeSet<String> = one_of_each()
        .iter()
        .map(|request| request.verb().to_string())
        .collect();
    tried.insert(Verb::BillRun.to_string());
    let built = TABLE.iter().filter(|(verb, ..)| is_built(*verb));
    let built: BTreeSet<String> = built.map(|(verb, ..)| verb.to_string()).collect();
    assert_eq!(tried, built);
}
