//! The tree shows the design: this fails on an arrow that the table does not have.
//!
//! `architecture/source.rs` reads a file, `paths.rs` finds what it names, `rules.rs` holds the table.
//! Each rule is seen to fail on a planted source below.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn no_file_of_the_product_breaks_a_rule_of_the_house() {
    let dependencies = dependencies();
    let mut files = Vec::new();
    collect(&Path::new(ROOT).join("src"), &mut files);
    assert!(files.len() >= 15, "the sources were not found");

    let findings: Vec<String> = files
        .iter()
        .map(|path| {
            let file = path
                .strip_prefix(ROOT)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            (file, fs::read_to_string(path).expect("read a source"))
        })
        .filter(|(file, _)| !source::is_test_file(file))
        .flat_map(|(file, text)| rules::check(&Source::parse(&file, &text), &dependencies))
        .map(|finding| finding.to_string())
        .collect();

    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("list sources") {
        let path = entry.expect("list sources").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn dependencies() -> BTreeSet<String> {
    let manifest =
        fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("read the manifest");
    let manifest: toml::Table = manifest.parse().expect("parse the manifest");
    manifest["dependencies"]
        .as_table()
        .expect("a table of dependencies")
        .keys()
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// What the rules say about one source, without the file's name and the line.
fn problems(file: &str, text: &str) -> Vec<String> {
    rules::check(&Source::parse(file, text), &dependencies())
        .iter()
        .map(|finding| {
            let finding = finding.to_string();
            finding
                .splitn(3, ':')
                .last()
                .expect("file:line: problem")
                .trim()
                .to_owned()
        })
        .collect()
}

#[test]
fn an_arrow_that_the_table_lacks_is_found_however_it_is_written() {
    for text in [
        "use crate::store::Invoices;",
        "use crate::{domain::Money, store::Invoices};",
        "use crate::{domain::{Money, self}, store as shelf};",
        "fn f() { crate::store::open(); }",
        "use super::super::store::Invoices;",
        "fn f(x: &super::super::store::Invoices) {}",
        "pub(crate) use crate::store::*;",
        "mod inner { use super::super::super::store::Invoices; }",
    ] {
        let found = problems("src/console/view.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(
            found[0].starts_with("`console` must not use `crate::store"),
            "{found:?}"
        );
    }
}

#[test]
fn a_crate_that_a_room_must_not_know_is_found_however_it_is_written() {
    for (file, text) in [
        ("src/console/runner.rs", "use sqlx::Row;"),
        ("src/console/runner.rs", "fn f(pool: ::sqlx::PgPool) {}"),
        ("src/console/runner.rs", "extern crate reqwest;"),
        (
            "src/engine/charge.rs",
            "async fn f() { tokio::time::sleep(D).await }",
        ),
        ("src/engine/charge.rs", "use {std::fmt, rand as chance};"),
        (
            "src/domain/money.rs",
            "#[derive(zeroize::Zeroize)] struct A;",
        ),
        ("src/provider/toss/client.rs", "use sqlx as q;"),
        ("src/text/mod.rs", "use serde::Serialize;"),
        ("src/engine/charge.rs", "use std::fs;"),
        (
            "src/domain/money.rs",
            "fn f() { std::thread::yield_now(); }",
        ),
    ] {
        assert_eq!(problems(file, text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn allowed_arrows_tests_comments_and_texts_are_left_alone() {
    for (file, text) in [
        (
            "src/console/update.rs",
            "use crate::engine::charge; use super::model::Model; use std::fmt;",
        ),
        (
            "src/store/invoice.rs",
            "use crate::engine::ports::Store; use super::rows;",
        ),
        (
            "src/config/load.rs",
            "use crate::vault::private_file; use crate::secret::Secret;",
        ),
        (
            "src/cli/mod.rs",
            "use crate::config; fn f() { config::load(); crate::store::open(); }",
        ),
        (
            "src/engine/charge.rs",
            "// crate::store, f64, Utc::now()\n/* sqlx::query /* nested */ f32 */ fn f() {}",
        ),
        (
            "src/engine/charge.rs",
            "const A: &str = \"crate::store::x f64 \\\" sqlx::q\"; const B: &str = r#\"\" f64 \"#;",
        ),
        (
            "src/engine/charge.rs",
            "fn f<'a>(x: &'a str) -> char { '\"' } const Q: char = '\\''; // f64",
        ),
        (
            "src/engine/charge.rs",
            "#[cfg(test)] mod tests { use crate::store::Memory; fn f() -> f64 { Utc::now() } }",
        ),
        (
            "src/engine/charge.rs",
            "#[cfg(test)]\nuse crate::store::Memory;\nfn f() {}",
        ),
    ] {
        assert_eq!(problems(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn only_the_named_part_of_a_room_is_open() {
    assert_eq!(
        problems("src/store/invoice.rs", "use crate::engine::charge::plan;").len(),
        1
    );
    assert_eq!(
        problems("src/config/load.rs", "use crate::vault::Vault;").len(),
        1
    );
    assert_eq!(
        problems("src/provider/toss/client.rs", "use crate::sandbox::Ledger;").len(),
        1
    );
}

#[test]
fn a_new_room_needs_a_row() {
    assert_eq!(
        problems("src/utils/mod.rs", "fn f() {}"),
        ["`utils` has no row in the table of arrows"]
    );
}

#[test]
fn floats_near_money_are_found() {
    let found = problems(
        "src/domain/money.rs",
        "fn f(x: f64) -> i64 { x as f32 as i64 }",
    );
    assert_eq!(
        found,
        [
            "floating point where money is",
            "floating point where money is"
        ]
    );
    assert!(problems("src/console/chart.rs", "fn f(x: f64) {}").is_empty());
}

#[test]
fn the_wall_clock_is_read_only_at_home() {
    for text in [
        "fn f() { chrono::Utc::now(); }",
        "fn f() { SystemTime::now(); }",
        "fn f() { Local::now(); }",
    ] {
        assert_eq!(problems("src/cli/run.rs", text).len(), 1, "{text}");
        assert!(problems("src/cli/clock.rs", text).is_empty(), "{text}");
    }
    assert_eq!(
        problems("src/engine/clock.rs", "fn f() { Instant::now(); }").len(),
        1
    );
    assert!(problems("src/console/term.rs", "fn f() { Instant::now(); }").is_empty());
}

#[test]
fn a_composed_query_is_found() {
    for text in [
        "fn f() { sqlx::query(&format!(\"select {x}\")); }",
        "fn f() { query_as::<_, (i64,)>(AssertSqlSafe(format!(\"{x}\"))); }",
        "fn f() { sqlx::raw_sql(A(format!(\"{x}\"))); }",
    ] {
        assert!(!problems("src/store/invoice.rs", text).is_empty(), "{text}");
    }
    let bound = "fn f() { sqlx::query(SELECT).bind(format!(\"{x}%\")); }";
    assert!(problems("src/store/invoice.rs", bound).is_empty());
}

#[test]
fn a_file_too_long_is_found_and_its_tests_do_not_count() {
    let line = "const A: u8 = 1;\n";
    let product = line.repeat(rules::LONGEST_FILE);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(100));
    assert!(problems("src/store/rows.rs", &format!("{product}{tests}")).is_empty());
    assert_eq!(
        problems("src/store/rows.rs", &format!("{product}{line}{tests}")).len(),
        1
    );
}
