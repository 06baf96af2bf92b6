//! The simulator as a process of its own, so that its work is not counted as the program's.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, Utc};
use color_eyre::Result;
use color_eyre::eyre::{OptionExt as _, bail};
use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::process::PAYDECK;

/// A simulator that is stopped when it is dropped.
pub struct Simulator {
    child: Child,
    pub base_url: String,
}

impl Simulator {
    /// Over a directory with its own file.
    pub fn over(directory: &Path) -> Result<Self> {
        Self::start(
            Command::new(PAYDECK)
                .arg("sandbox")
                .arg("--dir")
                .arg(directory),
        )
    }

    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = child.stdout.take().ok_or_eyre("no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line)?;
        let base_url = said["base_url"]
            .as_str()
            .ok_or_eyre("no base URL")?
            .to_owned();
        Ok(Self { child, base_url })
    }

    /// Its control interface.
    pub async fn control(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.base_url);
        send(client.request(method, url).body(body.to_string())).await
    }

    pub async fn set_latency(&self, client: &Client, time: Duration) -> Result<()> {
        let body = json!({ "ms": time.as_millis() });
        self.control(client, Method::POST, "latency", body)
            .await
            .map(drop)
    }

    pub async fn set_time(&self, client: &Client, at: DateTime<Utc>) -> Result<()> {
        let body = json!({ "set": at.to_rfc3339() });
        self.control(client, Method::POST, "clock", body)
            .await
            .map(drop)
    }

    /// What a customer gets for entering a card: a key to exchange for a billing key.
    pub async fn auth_key(&self, client: &Client, customer_key: &str) -> Result<String> {
        let body = json!({ "customerKey": customer_key, "card": {} });
        let made = self
            .control(client, Method::POST, "auth-keys", body)
            .await?;
        Ok(made["authKey"]
            .as_str()
            .ok_or_eyre("no auth key")?
            .to_owned())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that has ended already cannot be ended again.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// A client that keeps its connections: for setting up, never for what is measured.
pub fn client() -> Result<Client> {
    Ok(plain().build()?)
}

/// The settings of the program's own client, which opens its connections fresh for each charge.
pub fn plain() -> reqwest::ClientBuilder {
    // The program's own parts may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let no_roots = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(70))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .tls_backend_preconfigured(no_roots)
}

/// Sends, and expects a whole answer with status 200.
pub async fn send(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request
        .header("content-type", "application/json")
        .send()
        .await?;
    let status = response.status();
    let body = response.bytes().await?;
    if !status.is_success() {
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(serde_json::from_slice(&body)?)
}
