use std::collections::HashSet;

use super::*;

const PLAIN: &[u8] = b"Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0=";

const ROW: SealContext<'static> = SealContext {
    table: "payment_method",
    row_id: "pm_01",
    provider: ProviderName::Toss,
    mode: Mode::Live,
};

fn vault(byte: u8) -> Vault {
    Vault {
        current: key(byte),
        previous: Vec::new(),
    }
}

fn key(byte: u8) -> Key {
    Key::new(Zeroizing::new([byte; KEY_LENGTH]))
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<char> = hexadecimal.chars().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn s13_what_was_sealed_opens_in_its_row() {
    let vault = vault(1);
    let sealed = vault.seal_text(&ROW, PLAIN).unwrap();
    assert_eq!(
        vault.open_text(&ROW, &sealed).unwrap().expose().as_bytes(),
        PLAIN
    );
    let stored = Sealed::from_stored(sealed.into_bytes());
    assert_eq!(
        vault.open_text(&ROW, &stored).unwrap().expose().as_bytes(),
        PLAIN
    );
}

#[test]
fn s13_the_cipher_answers_the_published_vector() {
    // draft-irtf-cfrg-xchacha, A.3.1.
    let key: [u8; KEY_LENGTH] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let public: [u8; NONCE] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let payload = Payload {
        msg: text.as_bytes(),
        aad: &bytes("50515253c0c1c2c3c4c5c6c7"),
    };
    let sealed = cipher(&key).encrypt(&nonce(&public), payload).unwrap();
    let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
                    731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
                    2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                    21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    assert_eq!(hexadecimal(&sealed), expected);
}

#[test]
fn s13_the_stored_form_never_changes() {
    let chance = Chance {
        row_key: Zeroizing::new([2; KEY_LENGTH]),
        wrap_nonce: [3; NONCE],
        nonce: [4; NONCE],
    };
    let sealed = vault(1).seal_with(&ROW, b"billing key", &chance).unwrap();
    let stored = "0172cd6e840303030303030303030303030303030303030303030303034c020d73f23dd0c3e9dfa73e4f35df01\
                    15d526a098b9ef1bfb14f56179163dfd089290df6f1d45578a7aab3f8ec1292304040404040404040404040404\
                    0404040404040404040404feaaa17335bfe0a4f790f4c10c08ae11e0d497daf6b0a73b3e8973";
    assert_eq!(hexadecimal(sealed.as_bytes()), stored);
    assert_eq!(
        vault(1).open_text(&ROW, &sealed).unwrap().expose(),
        "billing key"
    );
}

#[test]
fn s13_swapped_between_rows_nothing_opens() {
    let vault = vault(1);
    let other = SealContext {
        row_id: "pm_02",
        ..ROW
    };
    let here = vault.seal_text(&ROW, PLAIN).unwrap();
    let there = vault.seal_text(&other, b"another key").unwrap();
    assert!(matches!(
        vault.open_text(&ROW, &there),
        Err(VaultError::Altered { .. })
    ));
    assert!(matches!(
        vault.open_text(&other, &here),
        Err(VaultError::Altered { .. })
    ));
    assert!(matches!(
        vault.rewrap(&other, &here),
        Err(VaultError::Altered { .. })
    ));

    // Not even the sealed text under another row's wrapped key.
    let mut mixed = here.as_bytes()[..NONCE_AT].to_vec();
    mixed.extend_from_slice(&there.as_bytes()[NONCE_AT..]);
    assert!(vault.open_text(&ROW, &Sealed::from_stored(mixed)).is_err());
}

#[test]
fn s13_another_mode_or_table_does_not_open() {
    let vault = vault(1);
    let sealed = vault.seal_text(&ROW, PLAIN).unwrap();
    for elsewhere in [
        SealContext {
            mode: Mode::Test,
            ..ROW
        },
        SealContext {
            mode: Mode::Sim,
            ..ROW
        },
        SealContext {
            table: "inbox",
            ..ROW
        },
        // The same letters, divided otherwise.
        SealContext {
            table: "payment_methodp",
            row_id: "m_01",
            ..ROW
        },
    ] {
        assert!(
            matches!(
                vault.open_text(&elsewhere, &sealed),
                Err(VaultError::Altered { .. })
            ),
            "{elsewhere:?}"
        );
    }
}

#[test]
fn s13_no_changed_byte_and_no_shortening_opens() {
    let vault = vault(1);
    let sealed = vault.seal_text(&ROW, PLAIN).unwrap();
    for at in 0..sealed.as_bytes().len() {
        let mut changed = sealed.as_bytes().to_vec();
        changed[at] ^= 1;
        assert!(
            vault
                .open_text(&ROW, &Sealed::from_stored(changed))
                .is_err(),
            "byte {at}"
        );
        let shorter = sealed.as_bytes()[..at].to_vec();
        assert!(
            vault
                .open_text(&ROW, &Sealed::from_stored(shorter))
                .is_err(),
            "length {at}"
        );
    }
}

#[test]
fn s13_keys_and_nonces_do_not_repeat() {
    let vault = vault(1);
    let mut seen = HashSet::new();
    for _ in 0..2_000 {
        let sealed = vault.seal_text(&ROW, PLAIN).unwrap();
        assert!(seen.insert(sealed.as_bytes()[WRAP_AT..WRAPPED_AT].to_vec()));
        assert!(seen.insert(sealed.as_bytes()[WRAPPED_AT..NONCE_AT].to_vec()));
        assert!(seen.insert(sealed.as_bytes()[NONCE_AT..TEXT_AT].to_vec()));
    }
}

#[test]
fn s14_the_wrong_key_is_named_and_opens_nothing() {
    let sealed = vault(1).seal_text(&ROW, PLAIN).unwrap();
    let error = vault(2).open_text(&ROW, &sealed).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("sealed under key {}, which is not loaded", key(1).id)
    );
}

#[test]
fn s14_rotation_rewraps_and_then_the_old_key_is_not_needed() {
    let old = vault(1);
    let sealed = old.seal_text(&ROW, PLAIN).unwrap();
    let rotating = Vault {
        current: key(2),
        previous: vec![key(1)],
    };
    assert_eq!(
        rotating
            .open_text(&ROW, &sealed)
            .unwrap()
            .expose()
            .as_bytes(),
        PLAIN
    );
    assert!(!rotating.is_current(&sealed));

    let rewrapped = rotating.rewrap(&ROW, &sealed).unwrap();

    assert!(rotating.is_current(&rewrapped));
    assert_eq!(
        vault(2)
            .open_text(&ROW, &rewrapped)
            .unwrap()
            .expose()
            .as_bytes(),
        PLAIN
    );
    assert!(matches!(
        old.open_text(&ROW, &rewrapped),
        Err(VaultError::UnknownKey { .. })
    ));
}

#[test]
fn a_text_is_found_by_its_hash_also_during_a_rotation() {
    let old = vault(1);
    assert_eq!(old.lookup_hash(PLAIN), old.lookup_hash(PLAIN));
    assert_ne!(old.lookup_hash(PLAIN), old.lookup_hash(b"another key"));
    assert_ne!(old.lookup_hash(PLAIN), vault(2).lookup_hash(PLAIN));
    let rotating = Vault {
        current: key(2),
        previous: vec![key(1)],
    };
    assert_eq!(
        rotating.lookup_hashes(PLAIN),
        [vault(2).lookup_hash(PLAIN), old.lookup_hash(PLAIN)]
    );
}

#[test]
fn s17_no_debug_text_and_no_error_shows_a_key_or_a_plain_text() {
    let vault = vault(b'K');
    let sealed = vault.seal_text(&ROW, b"canary").unwrap();
    let elsewhere = SealContext {
        mode: Mode::Sim,
        ..ROW
    };
    let opened = vault.open_text(&ROW, &sealed).unwrap();
    let error = vault.open_text(&elsewhere, &sealed).unwrap_err();
    let shown = format!(
        "{vault:?} {sealed:?} {opened:?} {:?} {error:?} {error}",
        vault.lookup_hash(b"canary")
    );
    assert!(
        !shown.contains("canary") && !shown.contains("KKKK") && !shown.contains("75, 75"),
        "{shown}"
    );
}
