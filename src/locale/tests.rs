use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use unicode_width::UnicodeWidthStr as _;

use super::*;

fn ko() -> &'static Locale {
    Locale::get(Lang::Ko)
}

fn en() -> &'static Locale {
    Locale::get(Lang::En)
}

fn placeholders(mut text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    while let Some((_, name, after)) = catalogue::next_placeholder(text) {
        names.insert(name);
        text = after;
    }
    names
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// Keys that the source names as literals: in a call of a method `t`, `t_args` or `counted`, and in
/// any call `t("…")` whose text begins like a key.
fn keys_named_in(source: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for call in ["t", "t_args", "counted"] {
        let opening = format!("{call}(");
        for (at, _) in source.match_indices(&opening) {
            let before = source[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' {
                continue;
            }
            let literal = source[at + opening.len()..].trim_start().strip_prefix('"');
            let Some((key, _)) = literal.and_then(|rest| rest.split_once('"')) else {
                continue;
            };
            let is_key = AREAS
                .iter()
                .any(|area| key.starts_with(&format!("{area}.")));
            if before == '.' || is_key {
                keys.insert(if call == "counted" {
                    format!("{key}.other")
                } else {
                    key.to_owned()
                });
            }
        }
    }
    keys
}

#[test]
fn every_embedded_file_can_be_read_and_holds_only_texts() {
    for lang in Lang::ALL {
        for (area, file) in catalogue::files(lang) {
            let parsed = toml::from_str::<toml::Table>(file);
            assert!(
                parsed.is_ok(),
                "{}/{area}.toml: {:?}",
                lang.code(),
                parsed.err()
            );
        }
    }
}

#[test]
fn korean_and_english_have_the_same_keys() {
    let (korean, english): (BTreeSet<_>, BTreeSet<_>) = (
        ko().keys().into_iter().collect(),
        en().keys().into_iter().collect(),
    );
    let only_korean: Vec<_> = korean.difference(&english).collect();
    let only_english: Vec<_> = english.difference(&korean).collect();
    assert!(
        only_korean.is_empty() && only_english.is_empty(),
        "only in ko: {only_korean:?}, only in en: {only_english:?}"
    );
}

#[test]
fn both_languages_fill_the_same_placeholders() {
    // A Korean date shows no plain day and an English one no padded day: both are always given.
    let may_differ = |key: &str| key.starts_with("common.time.");
    for key in ko().keys().into_iter().filter(|key| !may_differ(key)) {
        assert_eq!(
            placeholders(ko().t(key)),
            placeholders(en().t(key)),
            "{key}"
        );
    }
}

#[test]
fn every_key_named_in_the_source_exists() {
    let mut files = Vec::new();
    rust_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut missing = BTreeMap::new();
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        for key in keys_named_in(&source) {
            if en().find(&key).is_none() {
                missing.insert(key, file.clone());
            }
        }
    }
    assert!(missing.is_empty(), "no text for {missing:#?}");
}

#[test]
fn the_scan_sees_keys_in_calls_of_every_form() {
    let source = concat!(
        "x.",
        "t(\"a.b\"); ",
        "l.",
        "t_args(\n  \"c.d\", &[]); ",
        "assert(\"e\")"
    );
    let keys: Vec<String> = keys_named_in(source).into_iter().collect();
    assert_eq!(keys, ["a.b", "c.d"]);
}

#[test]
fn no_text_is_empty_or_as_wide_as_the_terminal_pleases() {
    for lang in Lang::ALL {
        let locale = Locale::get(lang);
        for key in locale.keys() {
            let text = locale.t(key);
            assert!(!text.trim().is_empty(), "{key} is empty in {}", lang.code());
            assert_eq!(
                text.width(),
                text.width_cjk(),
                "{key} has a glyph of ambiguous width: {text}"
            );
        }
    }
}

#[test]
fn a_missing_key_shows_itself() {
    let key = String::from("console.no.such.key");
    assert_eq!(ko().t(&key), key);
    assert_eq!(ko().label("state.invoice", "brand new"), "brand new");
}

#[test]
fn placeholders_are_filled_once_and_values_are_sanitised() {
    let text = ko().t_args(
        "common.interval.week.every",
        &[("n", "{n}\u{1b}[2J\u{202e}")],
    );
    assert_eq!(text, "{n}[2J주마다");
    assert_eq!(ko().t_args("common.interval.week.every", &[]), "{n}주마다");
}

#[test]
fn language_settings_of_every_form_are_understood() {
    for tag in ["ko", "KO", "ko-KR", "ko_KR.UTF-8", " ko_KR@x"] {
        assert_eq!(Lang::parse(tag), Lang::Ko, "{tag}");
    }
    for tag in ["en", "en-US", "C", "", "kok", "fr"] {
        assert_eq!(Lang::parse(tag), Lang::En, "{tag}");
    }
}

#[test]
fn money_follows_its_exponent_and_its_sign() {
    assert_eq!(ko().money(9_900, 0, "KRW"), "₩9,900");
    assert_eq!(en().money(29_000, 2, "USD"), "$290.00");
    assert_eq!(ko().money(-812_000, 0, "KRW"), "-₩812,000");
    assert_eq!(en().money(1_234, 3, "KWD"), "KWD 1.234");
    assert_eq!(en().signed_money(38, 0, "KRW"), "+₩38");
}

#[test]
fn percentages_come_from_basis_points_without_floats() {
    assert_eq!(en().percent(6_240), "62.4%");
    assert_eq!(en().percent(2_225), "22.3%");
    assert_eq!(en().percent(-5), "-0.1%");
    assert_eq!(en().signed_percent(210), "+2.1%");
    assert_eq!(en().percent_exact(2_222), "22.22%");
}

#[test]
fn dates_and_times_follow_the_language() {
    let day = Day::new(2025, 11, 21);
    assert_eq!(ko().date(day), "11-21 금");
    assert_eq!(en().date(day), "Nov 21 Fri");
    assert_eq!(ko().date_time(day, 9, 5), "11-21 금 09:05");
    assert_eq!(
        en().date_time(Day::new(2026, 3, 1), 14, 3),
        "Mar 1 Sun 14:03"
    );
    assert_eq!(ko().full_date(Day::new(2024, 2, 29)), "2024-02-29 목");
    assert_eq!(en().full_date(day), "Nov 21, 2025 Fri");
    assert_eq!(en().month(day), "Nov 2025");
}

#[test]
fn weekdays_agree_with_the_calendar_for_four_hundred_years() {
    use chrono::Datelike as _;
    let start = chrono::NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
    for date in start.iter_days().take(146_097) {
        let day = Day::new(date.year(), date.month(), date.day());
        let expected = date.format("%a").to_string();
        assert_eq!(en().weekday(day), expected, "{date}");
    }
}

#[test]
fn ages_are_said_in_their_largest_unit() {
    let cases = [
        (0, "now", "방금"),
        (185, "3m", "3분"),
        (18_000, "5h", "5시간"),
        (180_000, "2d", "2일"),
    ];
    for (seconds, english, korean) in cases {
        assert_eq!(en().age(seconds), english);
        assert_eq!(ko().age(seconds), korean);
    }
    assert_eq!(ko().ago(120), "2분 전");
    assert_eq!(en().until(40), "in 40s");
    assert_eq!(ko().until(-1), "방금");
}

#[test]
fn intervals_read_as_people_say_them() {
    assert_eq!(ko().interval("month", 1), "월");
    assert_eq!(en().interval("month", 1), "monthly");
    assert_eq!(en().interval("week", 2), "every 2 weeks");
    assert_eq!(ko().interval("month", 3), "3개월마다");
}

#[test]
fn a_failure_always_has_three_texts() {
    let listed = en().failure("REJECT_CARD_PAYMENT", "soft");
    assert!(listed.meaning.contains("limit"));
    assert_eq!(
        en().failure("NEVER_SEEN", "needs-customer").meaning,
        en().t("failure.needs_customer.meaning")
    );
    assert_eq!(
        en().failure("NEVER_SEEN", "never").meaning,
        en().t("failure.unclassified.meaning")
    );
}

#[test]
fn every_failure_entry_is_complete() {
    for lang in Lang::ALL {
        let locale = Locale::get(lang);
        let entries: BTreeSet<&str> = locale
            .keys()
            .into_iter()
            .filter_map(|key| key.strip_prefix("failure.")?.split('.').next())
            .collect();
        assert!(entries.len() > 120, "{} entries", entries.len());
        for entry in entries {
            for part in ["meaning", "say", "next"] {
                assert!(
                    locale.find(&format!("failure.{entry}.{part}")).is_some(),
                    "{entry}.{part}"
                );
            }
        }
    }
}

#[test]
fn the_counted_lists_are_complete() {
    let groups = [
        ("verb", 28),
        ("difference", 8),
        ("screen", 12),
        ("role", 5),
        ("mode", 3),
        ("state.attempt", 9),
        ("state.invoice", 5),
        ("state.subscription", 8),
        ("state.run", 4),
    ];
    for (group, expected) in groups {
        let prefix = format!("common.{group}.");
        let found = en()
            .keys()
            .into_iter()
            .filter(|key| key.starts_with(&prefix))
            .count();
        assert_eq!(found, expected, "{group}");
    }
}

#[test]
fn domain_codes_of_any_spelling_find_their_word() {
    assert_eq!(en().label("verb", "cancel-now"), "cancel now");
    assert_eq!(
        en().label("state.attempt", "WAITING_APPROVAL"),
        "waiting for approval"
    );
    assert_eq!(ko().label("screen", "Failed"), "실패");
}
