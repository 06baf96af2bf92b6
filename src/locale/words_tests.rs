//! Every stored name of the domain has a word in both languages.

use super::{Lang, Locale};
use crate::domain::attempt::Source;
use crate::domain::dunning::DunningState;
use crate::domain::failure::FailureClass;
use crate::domain::mirror::{Collection, WishState, WishVerb};
use crate::domain::operator::{Role, Verb};
use crate::domain::period::Unit;
use crate::domain::run::Decision;
use crate::domain::states::{
    ApprovalState, AttemptState, InboxState, InvoiceState, MethodState, OutboxState, RunState,
    SubscriptionState,
};
use crate::domain::subscription::ChangeCause;
use crate::engine::queries::WishCan;

macro_rules! names {
    ($list:expr) => {
        $list
            .iter()
            .map(|item| item.as_str())
            .collect::<Vec<&str>>()
    };
}

#[test]
fn every_stored_name_has_a_word_in_both_languages() {
    let groups = [
        ("state.attempt", names!(AttemptState::ALL)),
        ("state.approval", names!(ApprovalState::ALL)),
        ("state.invoice", names!(InvoiceState::ALL)),
        ("state.subscription", names!(SubscriptionState::ALL)),
        ("state.run", names!(RunState::ALL)),
        ("state.event", names!(InboxState::ALL)),
        ("state.message", names!(OutboxState::ALL)),
        ("state.method", names!(MethodState::ALL)),
        ("state.dunning", names!(DunningState::ALL)),
        ("source", names!(Source::ALL)),
        ("class", names!(FailureClass::ALL)),
        ("class_advice", names!(FailureClass::ALL)),
        ("role", names!(Role::ALL)),
        ("verb", names!(Verb::ALL)),
        ("verb", names!(WishVerb::ALL)),
        ("state.wish", names!(WishState::ALL)),
        ("collection", names!(Collection::ALL)),
        ("wish_can", names!(WishCan::ALL)),
        ("decision", names!(Decision::ALL)),
        ("cause", names!(ChangeCause::ALL)),
    ];
    for (group, codes) in groups {
        for code in codes {
            for lang in Lang::ALL {
                let key = format!("common.{group}.{}", code.replace('-', "_"));
                let locale = Locale::get(lang);
                assert!(locale.find(&key).is_some(), "no {key} in {}", lang.code());
                assert_eq!(Some(locale.label(group, code)), locale.find(&key));
            }
        }
    }
}

#[test]
fn every_interval_and_every_class_of_failure_has_its_texts() {
    for lang in Lang::ALL {
        let locale = Locale::get(lang);
        for unit in Unit::ALL {
            let text = locale.interval(unit.as_str(), 2);
            assert!(text.contains('2'), "{text}");
        }
        for class in FailureClass::ALL {
            let key = format!("failure.{}.meaning", class.as_str());
            let said = locale.failure("NEVER_SEEN", class.as_str());
            assert_eq!(locale.find(&key), Some(said.meaning));
        }
    }
}
