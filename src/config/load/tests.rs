use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::super::schema::KEYS;
use super::*;
use crate::config::{Database, KeyKind, Problem, ProviderAddress, Warning};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::{Currency, Money};
use crate::domain::operator::Role;
use crate::vault::PrivateFileError;

const EXAMPLE: &str = include_str!("../../../config.toml.example");
const SIM: &str = "mode = \"sim\"\ndatabase.url = \"sqlite:paydeck.db\"\nprovider.toss.base_url = \"sandbox:sim\"\n";

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn loaded(text: &str) -> Result<Settings, ConfigError> {
    loaded_with(text, &[])
}

fn loaded_with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let place = Place::new();
    load(
        Some(&place.write("config.toml", text)),
        &environment(variables),
    )
}

/// The message without the temporary directory's name.
fn message(text: &str) -> String {
    let message = loaded(text).unwrap_err().to_string();
    match message.split_once("config.toml") {
        Some((_, rest)) => format!("config.toml{rest}"),
        None => message,
    }
}

#[test]
fn the_example_is_accepted_as_it_stands() {
    let place = Place::new();
    place.write("toss.key", "test_sk_abc\n");
    let settings = load(
        Some(&place.write("config.toml", EXAMPLE)),
        &Environment::new(),
    )
    .unwrap();
    assert_eq!(settings.mode, Mode::Sim);
    let dir = place.directory.path().join("sandbox");
    assert_eq!(settings.toss.address, ProviderAddress::Sandbox { dir });
    assert_eq!(settings.toss_secret_key().unwrap().expose(), "test_sk_abc");
}

#[test]
fn the_example_shows_every_key_and_its_default() {
    let is_default = |line: &str| {
        line.strip_prefix('#').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_lowercase()) && rest.contains(" = ")
        })
    };
    let lines: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| if is_default(line) { &line[1..] } else { line })
        .collect();
    let spelled_out = lines.join("\n");
    assert_eq!(
        layer(Some(&spelled_out), &[]).unwrap(),
        layer(Some(EXAMPLE), &[]).unwrap()
    );

    let document = Document::parse(Path::new("config.toml.example"), &spelled_out).unwrap();
    let elsewhere = |key: &str| {
        ["people.", "provider.stripe."]
            .iter()
            .any(|section| key.starts_with(section))
            || key == "provider.toss.secret_key"
    };
    for (key, _) in KEYS.iter().filter(|(key, _)| !elsewhere(key)) {
        assert!(
            document.place_of(key).is_some(),
            "config.toml.example does not show {key}"
        );
    }
}

#[test]
fn without_a_file_the_environment_can_say_everything() {
    let settings = load(
        None,
        &environment(&[
            ("PAYDECK__MODE", "test"),
            (
                "PAYDECK__DATABASE__URL",
                "postgres://paydeck:canary@db/paydeck",
            ),
            ("PAYDECK__PROVIDER__SECRET_KEY", "test_sk_canary"),
            ("PAYDECK_TEST_POSTGRES_URL", "not a setting"),
        ]),
    )
    .unwrap();
    assert_eq!(settings.toss.address, ProviderAddress::Official);
    assert_eq!(settings.warnings, [Warning::SecretInEnvironment]);
    assert!(
        matches!(&settings.database, Database::Postgres { url } if url.expose().contains("canary"))
    );
    assert!(!format!("{settings:#?}").contains("canary"));
}

#[test]
fn the_environment_names_the_file_and_overrides_its_keys() {
    let place = Place::new();
    let text = format!("{SIM}dunning.days = [2, 4]\nbilling.hour = 7\n");
    let path = place.write("config.toml", &text);
    let settings = load(
        None,
        &environment(&[
            ("PAYDECK_CONFIG", path.to_str().unwrap()),
            ("PAYDECK__DUNNING__DAYS", "1,2,3"),
            ("PAYDECK__TIMEOUTS__TOTAL_S", "3"),
            ("PAYDECK__PEOPLE__KIM__UID", "1001"),
            ("PAYDECK__PEOPLE__KIM__ROLES", "support,oncall"),
        ]),
    )
    .unwrap();
    assert_eq!(settings.dunning.days, [1, 2, 3]);
    assert_eq!(settings.billing.hour, 7);
    assert_eq!(settings.timeouts.total, Duration::from_secs(3));
    assert_eq!(settings.people[0].roles, [Role::Support, Role::Oncall]);
    assert!(
        matches!(settings.database, Database::Sqlite { path } if path == place.directory.path().join("paydeck.db"))
    );
}

/// A value that is allowed and not the default.
fn another_value(key: &str) -> &'static str {
    match key {
        "provider.toss.base_url" | "provider.stripe.base_url" => "http://127.0.0.1:9",
        "provider.toss.secret_key" => "test_sk_a",
        "provider.toss.secret_key_file" => "toss.key",
        "provider.stripe.secret_key" => "sk_test_a",
        "provider.stripe.secret_key_file" => "stripe.key",
        "provider.stripe.return_url" => "https://shop.example/paid",
        "routing.rules" => "KRW stripe",
        "database.url" => "sqlite:other.db",
        "dunning.end_action" => "pause",
        "people.*.keys" => "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDwBYHFUgXj7DlRO3M",
        "people.*.roles" => "admin",
        "billing.zone" => "UTC",
        "billing.send_contact" | "ui.mouse" | "ui.title" => "true",
        "ui.mask_personal" => "false",
        "ui.lang" => "en",
        "ui.color" => "16",
        "ui.clipboard" => "osc52",
        "log.level" => "debug",
        key if key.starts_with("limits.refund.") => "1 KRW",
        _ => "2",
    }
}

#[test]
fn every_key_can_be_overridden() {
    let place = Place::new();
    place.write("toss.key", "test_sk_a");
    place.write("stripe.key", "sk_test_a");
    let person = "people.kim = {uid = 7, roles = [\"viewer\"]}\n";
    let path = place.write("config.toml", &format!("{SIM}{person}"));
    let shown = |variables: &[(&str, &str)]| {
        format!("{:?}", load(Some(&path), &environment(variables)).unwrap())
    };
    let without = shown(&[]);
    for (key, _) in KEYS.iter().filter(|(key, _)| *key != "mode") {
        let path = key.replace('*', "kim").replace('.', "__");
        let variable = format!("PAYDECK__{}", path.to_uppercase());
        assert_ne!(shown(&[(&variable, another_value(key))]), without, "{key}");
    }
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_key() {
    for (line, expected) in [
        (
            "dunning.hour = 24",
            "config.toml:4: dunning.hour is 24, which is not between 0 and 23",
        ),
        (
            "dunning.hour = \"ten\"",
            "config.toml:4: dunning.hour must be a whole number",
        ),
        (
            "dunning.hour = 99999999999999999999",
            "config.toml:4: dunning.hour must be a whole number",
        ),
        (
            "dunning.days = [3, 3]",
            "config.toml:4: dunning.days must grow from day to day",
        ),
        ("dunning = 3", "config.toml:4: dunning must be a section"),
        (
            "\n\n[dunning]\nhuor = 3",
            "config.toml:7: unknown key dunning.huor; did you mean dunning.hour?",
        ),
        (
            "\"dunning.hour\" = 3",
            "config.toml:4: unknown key \"dunning.hour\"; did you mean dunning.hour?",
        ),
        ("colours = 3", "config.toml:4: unknown key colours"),
        (
            "billing.zone = \"Seoul\"",
            "config.toml:4: billing.zone is \"Seoul\", which is no time zone's name such as Asia/Seoul",
        ),
        (
            "ui.lang = \"jp\"",
            "config.toml:4: ui.lang is \"jp\", which is none of auto, ko, en",
        ),
        (
            "limits.refund.support = [\"5\"]",
            "config.toml:4: limits.refund.support holds \"5\", which is no amount with its currency such as \"500000 KRW\"",
        ),
        (
            "limits.refund.support = [\"0.5 KRW\"]",
            "config.toml:4: limits.refund.support holds \"0.5 KRW\", which is no amount with its currency such as \"500000 KRW\"",
        ),
        (
            "limits.refund.admin = [\"1 KRW\", \"2 KRW\"]",
            "config.toml:4: limits.refund.admin names KRW twice",
        ),
        (
            "[people.kim]\nroles = [\"support\"]",
            "config.toml:4: people.kim names nobody who could be recognised: set uid, uids or keys",
        ),
        (
            "[people.kim]\nuid = 1\nroles = [\"boss\"]",
            "config.toml:6: people.kim.roles is \"boss\", which is none of viewer, support, oncall, finance, admin",
        ),
        (
            "people.a = {uid = 1, roles = [\"admin\"]}\npeople.b = {uid = 1, roles = [\"viewer\"]}",
            "config.toml:5: people.b.uid belongs to a as well",
        ),
        (
            "vault.key_file = \"\"",
            "config.toml:4: vault.key_file is empty",
        ),
        (
            "leases.look_ups_s = []",
            "config.toml:4: leases.look_ups_s is empty",
        ),
    ] {
        assert_eq!(message(&format!("{SIM}{line}\n")), expected, "{line}");
    }
}

#[test]
fn what_has_no_default_is_asked_for() {
    assert_eq!(message(""), "config.toml: mode is not set");
    assert_eq!(
        message("mode = \"sim\"\nprovider.toss.base_url = \"sandbox:x\""),
        "config.toml: database.url is not set"
    );
    let settings = loaded(SIM).unwrap();
    assert!(
        settings
            .toss_secret_key()
            .unwrap_err()
            .to_string()
            .ends_with("provider.toss.secret_key_file is not set")
    );
}

#[test]
fn broken_toml_is_placed_and_its_line_not_repeated() {
    let error = message(&format!(
        "{SIM}provider.toss.secret_key = \"test_sk_canary\nmode = 3\n"
    ));
    assert!(error.starts_with("config.toml:4: not TOML: "), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn s18_a_configuration_that_others_may_read_is_refused() {
    let place = Place::new();
    let path = place.write("config.toml", SIM);
    for mode in [0o644, 0o660] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refusal = load(Some(&path), &Environment::new()).unwrap_err();
        assert!(
            matches!(
                refusal,
                ConfigError::File(PrivateFileError::OpenToOthers { .. })
            ),
            "{refusal}"
        );
        assert!(refusal.to_string().contains("run: chmod 600 "), "{refusal}");
    }
}

#[test]
fn s18_a_secret_keys_file_is_as_private_as_the_configuration() {
    let place = Place::new();
    let key = place.write("toss.key", "test_sk_abc");
    let path = place.write(
        "config.toml",
        &format!("{SIM}provider.toss.secret_key_file = \"toss.key\"\n"),
    );
    load(Some(&path), &Environment::new()).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let refusal = load(Some(&path), &Environment::new()).unwrap_err();
    assert!(
        matches!(
            refusal,
            ConfigError::File(PrivateFileError::OpenToOthers { .. })
        ),
        "{refusal}"
    );
}

#[test]
fn s17_a_key_that_does_not_fit_is_described_and_not_shown() {
    let place = Place::new();
    place.write("toss.key", "live_gsk_canary");
    let path = place.write(
        "config.toml",
        &format!("{SIM}provider.toss.secret_key_file = \"toss.key\"\n"),
    );
    let error = load(Some(&path), &Environment::new()).unwrap_err();
    let ConfigError::Invalid { problem, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        *problem,
        Problem::KeyOfOtherKind {
            found: KeyKind::WidgetSecret
        }
    );
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[test]
fn s08_live_takes_only_the_live_key_and_the_providers_address() {
    let live = "mode = \"live\"\ndatabase.url = \"sqlite:paydeck.db\"\n";
    loaded(&format!(
        "{live}provider.toss.secret_key = \"live_sk_abc\"\n"
    ))
    .unwrap();
    assert_eq!(
        message(&format!(
            "{live}provider.toss.secret_key = \"test_sk_abc\"\n"
        )),
        "config.toml:3: provider.toss.secret_key is a secret key of mode test, and the configuration's mode is live"
    );
    assert_eq!(
        message(&format!(
            "{live}provider.toss.base_url = \"http://127.0.0.1:1\"\n"
        )),
        "config.toml:3: provider.toss.base_url is not https://api.tosspayments.com, the only address that mode live speaks to"
    );
}

#[test]
fn a_secret_key_in_two_places_is_refused_unless_the_environment_decides() {
    let both = format!(
        "{SIM}provider.toss.secret_key = \"test_sk_a\"\nprovider.toss.secret_key_file = \"toss.key\"\n"
    );
    assert_eq!(
        message(&both),
        "config.toml:5: provider.toss.secret_key_file is set, and so is provider.toss.secret_key; keep one"
    );
    let settings = loaded_with(&both, &[("PAYDECK__PROVIDER__SECRET_KEY", "test_sk_b")]).unwrap();
    assert_eq!(settings.toss_secret_key().unwrap().expose(), "test_sk_b");
}

#[test]
fn limits_given_for_a_role_take_the_place_of_all_its_standard_ones() {
    let settings = loaded(&format!(
        "{SIM}limits.refund.admin = [\"900000 KRW\"]\nlimits.refund.support = []\n"
    ))
    .unwrap();
    let (won, dollar) = (
        Currency::parse("KRW").unwrap(),
        Currency::parse("USD").unwrap(),
    );
    let once = &settings.limits.refund;
    assert_eq!(once[&Role::Admin], [Money::new(900_000, won)]);
    assert!(once[&Role::Support].is_empty());
    assert!(once[&Role::Oncall].contains(&Money::new(40_000, dollar)));
}

#[test]
fn people_keep_their_names_as_written() {
    let people = "[people.Kim]\nuid = 1\nroles = [\"admin\"]\n[people.\"박 서현\"]\nuid = 2\nroles = [\"viewer\"]\n";
    let settings = loaded(&format!("{SIM}{people}")).unwrap();
    let names: Vec<&str> = settings
        .people
        .iter()
        .map(|person| person.name.as_str())
        .collect();
    assert_eq!(names, ["Kim", "박 서현"]);
}

#[test]
fn one_person_with_several_accounts_has_one_entry() {
    let two = "[people.kim]\nuids = [1001, 2002]\nuid = 7\nroles = [\"support\", \"finance\"]\n";
    let settings = loaded(&format!("{SIM}{two}")).unwrap();
    assert_eq!(settings.people[0].uids, [7, 1001, 2002]);
    let shared = format!("{two}[people.lee]\nuid = 2002\nroles = [\"finance\"]\n");
    assert!(message(&format!("{SIM}{shared}")).contains("people.lee.uid belongs to kim as well"));
    let parts = "\u{1109}\u{1165}\u{1112}\u{1167}\u{11ab}";
    for (one, other) in [("kim", "KIM"), ("서현", parts), ("kim", " kim ")] {
        let twice = format!(
            "[people.\"{one}\"]\nuid = 1\nroles = [\"support\"]\n[people.\"{other}\"]\nuid = 2\nroles = [\"finance\"]\n"
        );
        let said = message(&format!("{SIM}{twice}"));
        assert!(said.contains("is the same person as"), "{said}");
    }
}

#[test]
fn s17_nothing_read_shows_a_password_or_a_key_while_it_is_checked() {
    let raw = layer(
        Some(
            "database.url = \"postgres://u:canary@h/d\"\nprovider.toss.secret_key = \"live_sk_canary\"",
        ),
        &[],
    );
    assert!(!format!("{raw:?}").contains("canary"));
    let error =
        loaded("mode = \"test\"\nbilling.hour = 9\ndatabase.url = \"mysql://u:canary@h/d\"")
            .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(":3: database.url is neither sqlite:PATH nor postgres://…"),
        "{error}"
    );
}

#[test]
fn n03_stripe_stands_beside_toss_and_rules_say_who_is_asked() {
    let both =
        "provider.stripe.secret_key = \"rk_test_abc\"\nrouting.rules = [\"KRW toss stripe\"]\n";
    let settings = loaded(&format!("{SIM}{both}")).unwrap();
    let (account, key) = settings.stripe_with_key().unwrap();
    assert_eq!(key.expose(), "rk_test_abc");
    // One simulator stands in for both.
    assert_eq!(account.address, settings.toss.address);
    let won = Currency::parse("KRW").unwrap();
    assert_eq!(settings.routing.order(won).count(), 2);
    assert!(loaded(SIM).unwrap().stripe.is_none());
    for (line, expected) in [
        (
            "provider.stripe.secret_key = \"sk_live_abc\"",
            "config.toml:4: provider.stripe.secret_key is a key of Stripe of mode live, and the configuration's mode is sim",
        ),
        (
            "provider.stripe.base_url = \"https://api.stripe.com\"",
            "config.toml:4: provider.stripe.base_url leads out of this machine, which mode sim never does; set sandbox:DIR or http://127.0.0.1:PORT",
        ),
        (
            "provider.stripe.base_url = \"sandbox:other\"",
            "config.toml:4: provider.stripe.base_url is another simulator than provider.toss.base_url: one of them stands in for both",
        ),
        (
            "routing.rules = [\"KRW paypal\"]",
            "config.toml:4: routing.rules holds \"KRW paypal\": after the currency come providers, in the order they are asked",
        ),
    ] {
        assert_eq!(message(&format!("{SIM}{line}\n")), expected, "{line}");
    }
}

#[test]
fn n03_a_written_rule_that_names_a_provider_without_a_key_is_said() {
    let toss = "provider.toss.secret_key = \"test_sk_abc\"\n";
    let warnings = |text: &str| loaded(&format!("{SIM}{toss}{text}")).unwrap().warnings;
    assert_eq!(warnings(""), []);
    assert_eq!(
        warnings("routing.rules = [\"KRW toss stripe\"]\n"),
        [Warning::RuleWithoutKey(ProviderName::Stripe)]
    );
    let key = "provider.stripe.secret_key = \"rk_test_abc\"\n";
    assert_eq!(
        warnings(&format!("{key}routing.rules = [\"KRW toss stripe\"]\n")),
        []
    );
}

#[test]
fn nobody_is_charged_at_stripe_in_mode_live_yet() {
    let live = "mode = \"live\"\ndatabase.url = \"sqlite:paydeck.db\"\nprovider.toss.secret_key = \"live_sk_abc\"\n";
    for line in [
        "provider.stripe.secret_key = \"sk_live_abc\"",
        "provider.stripe.base_url = \"https://api.stripe.com\"",
    ] {
        let said = message(&format!("{live}{line}\n"));
        assert!(
            said.contains("provider.stripe is for modes test and sim"),
            "{said}"
        );
    }
}
