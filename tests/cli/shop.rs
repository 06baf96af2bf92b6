//! An installation in a directory of its own, with its simulator, and the binary to talk to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What came of one command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The lines of standard output, each a JSON object.
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line} in {self:?}"))
        };
        self.out.lines().map(parse).collect()
    }

    /// The only object on standard output.
    pub fn object(&self) -> Value {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0].clone()
    }

    /// The object on standard error.
    pub fn error(&self) -> Value {
        let line = self.err.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON error: {self:?}"))
    }

    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

pub fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
        .to_owned()
}

/// The binary with an environment of its own.
pub fn paydeck(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paydeck"));
    command
        .env_clear()
        .env("HOME", home)
        .env("LANG", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
}

pub fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("run the binary");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The simulator as a process of its own.
pub struct Simulator {
    child: Child,
    pub url: String,
}

impl Simulator {
    pub fn start(dir: &Path) -> Self {
        let mut child = paydeck(dir)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the simulator");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("one JSON line");
        Self {
            child,
            url: text(&ready, "base_url"),
        }
    }

    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let address = self.url.strip_prefix("http://").expect("loopback");
        let mut stream = TcpStream::connect(address).expect("connect");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.contains(" 200 "), "{path}: {answer}");
        body.to_owned()
    }

    /// Somebody at Stripe's desk; gives the name of what was made.
    pub fn at_stripe(&self, path: &str, form: &str) -> String {
        let address = self.url.strip_prefix("http://").expect("loopback");
        let mut stream = TcpStream::connect(address).expect("connect");
        let (length, key) = (form.len(), "sk_test_paydeck_sim");
        write!(
            stream,
            "POST /v1/{path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{form}"
        )
        .expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let made: Value = serde_json::from_str(body).expect("JSON");
        text(&made, "id")
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.request("POST", &format!("/_sandbox/{path}"), &body.to_string());
        serde_json::from_str(&answer).expect("JSON")
    }

    pub fn ledger(&self) -> Vec<Value> {
        serde_json::from_str(&self.request("GET", "/_sandbox/ledger", "")).expect("JSON")
    }

    pub fn no_faults(&self) {
        self.request("DELETE", "/_sandbox/faults", "");
    }

    /// How many requests it got that were more than questions.
    pub fn sent(&self) -> usize {
        let asked: Vec<Value> =
            serde_json::from_str(&self.request("GET", "/_sandbox/requests", "")).expect("JSON");
        asked
            .iter()
            .filter(|request| request["method"] != "GET")
            .count()
    }

    /// How many entries of a kind the ledger has: `charge` or `cancel`.
    pub fn executed(&self, kind: &str) -> usize {
        self.ledger()
            .iter()
            .filter(|entry| entry["kind"] == kind)
            .count()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// An installation in mode sim.
pub struct Shop {
    dir: TempDir,
    pub simulator: Simulator,
}

/// A subscriber with a card.
pub struct Subscriber {
    pub customer: String,
    pub subscription: String,
    pub invoice: String,
    pub payment: String,
}

impl Shop {
    pub fn open() -> Self {
        Self::over(None)
    }

    /// Over this database, or a file of SQLite.
    pub fn over(database: Option<&str>) -> Self {
        let dir = TempDir::new().expect("a directory");
        let mut init = paydeck(dir.path());
        init.args(["init", "--dir"]).arg(dir.path());
        if let Some(url) = database {
            init.args(["--database", url]);
        }
        run(&mut init).expect(0);
        let simulator = Simulator::start(&dir.path().join("sandbox"));
        Self { dir, simulator }
    }

    /// The demo's installation, with its simulator as a process of its own.
    pub fn demo(customers: u32, payments: u32) -> Self {
        Self::demo_of(customers, payments, &[])
    }

    /// The same at an instant of its own.
    pub fn demo_at(customers: u32, payments: u32, now: &str) -> Self {
        Self::demo_of(customers, payments, &["--now", now])
    }

    fn demo_of(customers: u32, payments: u32, more: &[&str]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let mut demo = paydeck(dir.path());
        demo.args(["demo", "--prepare-only", "--customers"])
            .arg(customers.to_string())
            .arg("--payments")
            .arg(payments.to_string())
            .arg("--dir")
            .arg(dir.path())
            .args(more);
        run(&mut demo).expect(0);
        let simulator = Simulator::start(dir.path());
        Self { dir, simulator }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// By the shop's own configuration, unless the words begin with another.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = paydeck(self.dir.path());
        if words.first() != Some(&"--config") {
            command.arg("--config").arg(self.config());
        }
        command.args(words);
        command
    }

    /// Runs it with `--json`.
    pub fn json(&self, words: &[&str]) -> Ran {
        run(self.command(words).arg("--json"))
    }

    pub fn human(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// Plans, then applies exactly that plan.
    pub fn apply(&self, words: &[&str]) -> Ran {
        let plan = self
            .json(&[words, &["--dry-run"]].concat())
            .expect(0)
            .object();
        self.apply_plan(words, &text(&plan, "fingerprint"))
    }

    pub fn apply_plan(&self, words: &[&str], fingerprint: &str) -> Ran {
        self.json(&[words, &["--yes", "--plan", fingerprint]].concat())
    }

    pub fn fault(&self, script: &Value) {
        self.simulator.post("faults", script);
    }

    pub fn add_lines(&self, text: &str) {
        let config = fs::read_to_string(self.config()).expect("configuration");
        fs::write(self.config(), format!("{config}\n{text}\n")).expect("configuration");
    }

    pub fn replace_line(&self, from: &str, to: &str) {
        let config = fs::read_to_string(self.config()).expect("configuration");
        assert!(config.contains(from), "no {from}");
        fs::write(self.config(), config.replacen(from, to, 1)).expect("configuration");
    }

    pub fn plan(&self) {
        let words = [
            "plan",
            "create",
            "basic-month",
            "--name",
            "베이직 월",
            "--price",
            "9,900",
        ];
        self.json(&words).expect(0);
    }

    /// A customer with a card: its id and its key at the provider.
    pub fn customer(&self, name: &str) -> (String, String) {
        let id = text(
            &self
                .json(&["customer", "create", "--name", name])
                .expect(0)
                .object(),
            "id",
        );
        let key = text(
            &self.json(&["show", &id]).expect(0).object(),
            "customer_key",
        );
        self.card(&id, &key, &json!({}));
        (id, key)
    }

    pub fn auth_key(&self, key: &str, card: &Value) -> String {
        let body = json!({ "customerKey": key, "card": card });
        text(&self.simulator.post("auth-keys", &body), "authKey")
    }

    fn card(&self, id: &str, key: &str, card: &Value) {
        let auth_key = self.auth_key(key, card);
        self.json(&["method", "add", "--customer", id, "--auth-key", &auth_key])
            .expect(0);
    }

    /// Makes plan, customer, card and subscription; the first charge has succeeded.
    pub fn subscriber(&self) -> Subscriber {
        self.plan();
        let (customer, _) = self.customer("김서현");
        let done = self
            .apply(&["subscribe", &customer, "basic-month"])
            .expect(0)
            .object();
        Subscriber {
            subscription: text(&done, "subscription_id"),
            invoice: text(&done, "invoice_id"),
            payment: text(&done, "payment_id"),
            customer,
        }
    }
}
