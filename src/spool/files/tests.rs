use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::domain::customer::{Card, SealedKey};
use crate::domain::evidence::{CancelSeen, Evidence, PaymentSeen, Proves, Refusal, SeenStatus};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{AttemptId, CustomerId, PublicId};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{CardUse, ThreeDSecure};
use crate::engine::ports::{CallReport, KeptAnswer, KeptKey};

fn key() -> Kept {
    Kept::Key(Box::new(KeptKey {
        issue: 7,
        customer: CustomerId(3),
        customer_key: "c-3".to_owned(),
        method: PublicId::from_stored("pm_one".to_owned()),
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        key: SealedKey {
            sealed: vec![0, 255, 7],
            key_id: "k1".to_owned(),
            hash: "abc".to_owned(),
        },
        card: Card {
            number: "43301234****123*".to_owned(),
            expiry: Some((2030, 12)),
            ..Card::default()
        },
        at: "2026-03-01T00:00:00Z".parse().unwrap(),
    }))
}

fn answer() -> Kept {
    let refusal = Refusal {
        code: "REJECT_CARD_PAYMENT".to_owned(),
        class: FailureClass::Soft,
        proves: Proves::NotExecuted,
        http_status: 403,
    };
    Kept::Answer(Box::new(KeptAnswer {
        attempt: AttemptId(12),
        order_id: "order-1".to_owned(),
        epoch: 2,
        report: CallReport {
            evidence: Evidence::Seen(PaymentSeen {
                order_id: "order-1".to_owned(),
                provider_ref: "ref".to_owned(),
                status: SeenStatus::Captured,
                total: Money::new(9_900, Currency::KRW),
                balance_minor: 9_000,
                approved_at: "2026-03-01T00:00:00.123456Z".parse().ok(),
                cancels: vec![CancelSeen {
                    transaction_key: "t".to_owned(),
                    reason: "고객 요청".to_owned(),
                    amount_minor: 900,
                    at: "2026-03-02T00:00:00Z".parse().unwrap(),
                    is_done: true,
                }],
                undone: Vec::new(),
                failure: Some(refusal),
                method: "카드".to_owned(),
                card_use: CardUse {
                    installment_months: Some(3),
                    three_d_secure: Some(ThreeDSecure::Authenticated),
                },
            }),
            http_status: Some(200),
            trace_id: Some("trace".to_owned()),
            body_sha256: None,
            elapsed_ms: 31,
            is_replay: false,
        },
    }))
}

fn spool(dir: &Path) -> FileSpool {
    by(dir, "install1", "here:1:1")
}

fn by(dir: &Path, install: &str, process: &str) -> FileSpool {
    let is_gone = |process: &str| process == "here:1:1";
    FileSpool::new(
        dir.join("spool"),
        install.to_owned(),
        process.to_owned(),
        is_gone,
    )
}

/// As if it had been written so long ago.
fn age(path: &Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    let then = file.metadata().unwrap().modified().unwrap();
    let then = then.checked_sub(Duration::from_secs(seconds)).unwrap();
    file.set_modified(then).unwrap();
}

#[test]
fn what_was_kept_comes_back_as_it_was_until_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let one = spool(dir.path());
    assert!(one.kept().unwrap().is_empty());
    one.keep("key-pm_one", &key()).unwrap();
    one.keep("answer-x-2", &answer()).unwrap();
    // Another process of the same installation.
    let kept = spool(dir.path()).kept().unwrap();
    let text = |(name, kept): &(String, Kept)| format!("{name} {kept:?}");
    let mut texts: Vec<String> = kept.iter().map(text).collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            format!("answer-x-2 {:?}", answer()),
            format!("key-pm_one {:?}", key())
        ]
    );
    let found = kept.iter().find_map(|(_, kept)| match kept {
        Kept::Key(found) => Some(found),
        Kept::Answer(_) => None,
    });
    let found = found.unwrap();
    assert_eq!(found.key.sealed, [0, 255, 7]);
    one.remove("key-pm_one").unwrap();
    one.remove("key-pm_one").unwrap();
    assert_eq!(one.kept().unwrap().len(), 1);
}

#[test]
fn nobody_else_can_read_or_list_it() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    spool.keep("key-pm_one", &key()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("spool")), 0o700);
    assert_eq!(mode(&spool.path("key-pm_one")), 0o600);
}

#[test]
fn a_directory_that_others_can_get_at_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    fs::create_dir(dir.path().join("spool")).unwrap();
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path().join("spool"), open).unwrap();
    assert!(spool.keep("key-pm_one", &key()).is_err());
    assert!(spool.kept().is_err());
}

#[test]
fn entries_of_others_and_broken_ones_are_left_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let other = by(dir.path(), "install2", "here:1:1");
    other.keep("key-pm_two", &key()).unwrap();
    fs::write(dir.path().join("spool/broken.json"), "{").unwrap();
    fs::write(dir.path().join("spool/x.1.half"), "{}").unwrap();
    assert!(spool(dir.path()).kept().unwrap().is_empty());
    assert_eq!(other.kept().unwrap().len(), 1);
}

#[test]
fn an_entry_is_left_to_a_living_writer_until_he_has_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let living = by(dir.path(), "install1", "here:2:2");
    living.keep("key-pm_one", &key()).unwrap();
    let next = spool(dir.path());
    assert!(next.kept().unwrap().is_empty());
    assert!(living.kept().unwrap().is_empty());
    let path = next.path("key-pm_one");
    age(&path, 599);
    assert!(next.kept().unwrap().is_empty());
    age(&path, 2);
    assert_eq!(next.kept().unwrap().len(), 1);
}

#[test]
fn what_a_crash_left_half_written_is_removed_once_nobody_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    spool.keep("key-pm_one", &key()).unwrap();
    let half = dir.path().join("spool/answer-x-1.7.half");
    fs::write(&half, "{").unwrap();
    spool.kept().unwrap();
    assert!(half.exists());
    age(&half, 601);
    assert_eq!(spool.kept().unwrap().len(), 1);
    assert!(!half.exists());
}

#[test]
fn who_looks_after_the_host_is_told_what_lies_there() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    assert_eq!(spool.look().unwrap(), Lying::default());
    spool.keep("key-pm_one", &key()).unwrap();
    fs::write(dir.path().join("spool/broken.json"), "{").unwrap();
    let lying = Lying {
        waiting: 1,
        not_understood: vec!["broken".to_owned()],
    };
    assert_eq!(spool.look().unwrap(), lying);
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path().join("spool"), open).unwrap();
    assert!(spool.look().is_err());
}
