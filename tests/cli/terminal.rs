//! A person at a terminal is asked exactly what the plan demands, and anything else leaves things as they are.

use std::io::{Read as _, Write as _};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::json;

use crate::shop::Shop;

/// Runs a command in a terminal, types `answer` when the question stands there, and gives the exit code
/// with everything that was on the screen.
fn typed(shop: &Shop, words: &[&str], question: &str, answer: &str) -> (u32, String) {
    let size = PtySize {
        rows: 24,
        cols: 80,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pty = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_paydeck"));
    command.env_clear();
    command.env("LANG", "C.UTF-8");
    command.env("TERM", "xterm-256color");
    command.arg("--config");
    command.arg(shop.config());
    command.args(words);
    let mut child = pty.slave.spawn_command(command).expect("start");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let mut writer = pty.master.take_writer().expect("a writer");
    let mut screen = String::new();
    let mut has_answered = false;
    let mut bytes = [0; 4_096];
    // The terminal answers with an error once its last process is gone.
    while let Ok(count @ 1..) = reader.read(&mut bytes) {
        screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        if !has_answered && screen.contains(question) {
            has_answered = true;
            writeln!(writer, "{answer}\r").expect("type");
        }
    }
    assert!(has_answered, "never asked: {screen}");
    (child.wait().expect("wait").exit_code(), screen)
}

#[test]
fn a_refund_is_confirmed_by_its_amount_and_nothing_else() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let refund = [
        "refund",
        &subscriber.payment,
        "--amount",
        "3000",
        "--reason",
        "asked",
    ];
    for wrong in ["y", "300", "3001", ""] {
        let (code, screen) = typed(&shop, &refund, "Type the amount", wrong);
        assert_eq!(code, 6, "{wrong:?}: {screen}");
        assert!(screen.contains("Nothing was sent"), "{screen}");
    }
    assert_eq!(shop.simulator.executed("cancel"), 0);
    let (code, screen) = typed(&shop, &refund, "Type the amount", "3,000");
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("[SIM]") && screen.contains("fingerprint"),
        "{screen}"
    );
    assert_eq!(shop.simulator.executed("cancel"), 1);
}

#[test]
fn ending_a_subscription_at_once_takes_the_end_of_its_id() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let cancel = ["cancel", &subscriber.subscription, "--now"];
    let (code, _) = typed(&shop, &cancel, "last four", "y");
    assert_eq!(code, 6);
    let ending = subscriber.subscription[subscriber.subscription.len() - 4..].to_lowercase();
    let (code, screen) = typed(&shop, &cancel, "last four", &ending);
    assert_eq!(code, 0, "{screen}");
    let card = shop
        .json(&["show", &subscriber.subscription])
        .expect(0)
        .object();
    assert_eq!(card["state"], json!("canceled"));
}
