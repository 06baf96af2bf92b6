//! O07: what the console can do, the command line can do, and the other way round; and each of both says so.

use std::collections::BTreeSet;

use crate::dry_run::leaves;
use crate::shop::{Shop, paydeck, run, text};

/// Commands that look; the console shows the same on a screen, in help or in its header.
const LOOKS: &[&str] = &[
    "approve list",
    "approve show",
    "audit verify",
    "completions",
    "config print",
    "console",
    "doctor go-live",
    "export",
    "find",
    "keys",
    "list",
    "man",
    "paths",
    "report fees",
    "report mrr",
    "report revenue",
    "show",
    "states",
    "unknown list",
];

/// Commands that change something and have no key, each with its reason.
const WITHOUT_A_KEY: &[(&str, &str)] = &[
    ("approve reject", "the key A decides both ways"),
    ("checkout confirm", "the browser's success page calls it"),
    (
        "checkout open",
        "the browser's payment window needs its answer",
    ),
    ("demo", "makes the installation that the console opens"),
    ("init", "makes the installation that the console opens"),
    (
        "method swap",
        "the key m, which adds a card, is this as well",
    ),
    ("migrate", "a console does not open an older database"),
    ("mirror add", "needs a name that only Stripe shows"),
    ("mirror pull", "an open console does it by itself"),
    ("reconcile", "an open console does it by itself"),
    ("sandbox", "is not ours but the provider's side"),
    ("vault new-key", "keys are made where nobody looks on"),
    ("vault rotate", "keys are changed where nobody looks on"),
];

fn all_leaves(shop: &Shop) -> BTreeSet<String> {
    let mut found = Vec::new();
    leaves(&shop.path(""), &[], &mut found);
    found.into_iter().filter(|leaf| leaf != "help").collect()
}

/// Actions of the console that change something, with the words that do the same.
fn twins(shop: &Shop) -> Vec<(String, String)> {
    let keys = shop.json(&["keys"]).expect(0).lines();
    let changes = keys
        .iter()
        .filter(|key| key["verbs"].as_array().is_some_and(|all| !all.is_empty()));
    changes
        .map(|key| (text(key, "action"), text(key, "twin")))
        .collect()
}

#[test]
fn o07_every_action_that_changes_something_is_a_command_with_its_options() {
    let shop = Shop::open();
    let leaves = all_leaves(&shop);
    let twins = twins(&shop);
    assert!(twins.len() >= 16, "{twins:?}");
    for (action, twin) in &twins {
        let (options, words): (Vec<&str>, Vec<&str>) = twin
            .split_whitespace()
            .partition(|word| word.starts_with('-'));
        assert!(leaves.contains(&words.join(" ")), "{action}: no {twin:?}");
        let help = run(paydeck(&shop.path("")).args(&words).arg("--help")).expect(0);
        for option in options.iter().chain(&["--json", "--dry-run"]) {
            assert!(
                help.out.contains(option),
                "{action}: {twin:?} takes no {option}"
            );
        }
    }
}

#[test]
fn o07_every_command_that_changes_something_has_a_key_or_a_reason() {
    let shop = Shop::open();
    let twins: BTreeSet<String> = twins(&shop)
        .into_iter()
        .map(|(_, twin)| twin.split(" -").next().unwrap_or_default().to_owned())
        .collect();
    let mut known: BTreeSet<String> = LOOKS.iter().map(|leaf| (*leaf).to_owned()).collect();
    known.extend(WITHOUT_A_KEY.iter().map(|(leaf, _)| (*leaf).to_owned()));
    known.extend(twins);
    // `list payments` is one of the lists.
    let of = |leaf: &String| match leaf.split_once(' ') {
        Some((first, _)) if LOOKS.contains(&first) && !known.contains(leaf) => first.to_owned(),
        _ => leaf.clone(),
    };
    let found: BTreeSet<String> = all_leaves(&shop).iter().map(of).collect();
    assert_eq!(found, known);
}
