//! What needs a second person: asking for it, and deciding it.

use paydeck::domain::ids::{ApprovalId, AttemptId};
use paydeck::engine::Request;
use paydeck::locale::Lang;

use super::stage::Stage;

#[test]
fn what_waits_is_listed_and_the_chosen_one_is_confirmed_like_any_plan() {
    for lang in [Lang::Ko, Lang::En] {
        let mut stage = Stage::new(80, 24, lang);
        stage.press("A");
        let text = stage.text();
        assert!(text.contains("600,000") && text.contains("lee"), "{text}");
        stage.press("j j enter");
        assert!(stage.applied().is_empty(), "choosing is not approving");
        stage.press("y");
        assert!(matches!(
            stage.applied()[0],
            Request::ApproveReturn {
                attempt: AttemptId(3)
            }
        ));
        let mut stage = Stage::new(80, 24, lang);
        stage.press("A enter y");
        assert!(matches!(
            stage.applied()[0],
            Request::Grant {
                approval: ApprovalId(1)
            }
        ));
    }
}

#[test]
fn what_waits_is_turned_down_with_a_reason() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("A j x");
    stage.press("enter");
    assert!(stage.applied().is_empty());
    stage.type_text("no letter");
    stage.press("enter y");
    let applied = stage.applied();
    assert!(
        matches!(&applied[0], Request::Reject { approval: ApprovalId(2), reason } if reason == "no letter"),
        "{applied:?}"
    );
}

#[test]
fn an_unknown_charge_is_called_not_executed_with_reason_and_evidence() {
    let mut stage = Stage::new(100, 30, Lang::En);
    stage.press("9 X");
    stage.type_text("nobody finds it");
    stage.press("enter enter");
    assert!(stage.applied().is_empty(), "evidence is missing");
    stage.type_text("letter");
    stage.press("enter y");
    let applied = stage.applied();
    assert!(
        matches!(&applied[0], Request::AskNotExecuted { evidence, .. } if evidence == "letter"),
        "{applied:?}"
    );
}

#[test]
fn a_refund_above_the_limit_is_asked_for_in_the_same_dialog() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.is_limited = true;
    stage.press("6 f enter enter enter enter");
    assert!(stage.applied().is_empty());
    stage.press("y");
    let applied = stage.applied();
    assert!(
        matches!(applied[0], Request::AskRefund { .. }),
        "{applied:?}"
    );
}
