//! The most a billing run could reach: the same calls, the same client settings, no database.

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use color_eyre::Result;
use color_eyre::eyre::{Report, bail, eyre};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::simulator::{plain, send};

/// What to charge, and how.
#[derive(Debug, Clone)]
pub struct Job {
    pub base_url: String,
    /// Lines of a customer key, a blank and a billing key.
    pub keys: PathBuf,
    pub calls: usize,
    pub concurrency: usize,
    /// Makes the order ids of this loop its own.
    pub word: String,
}

impl FromStr for Job {
    type Err = Report;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('|').collect();
        let [base_url, keys, calls, concurrency, word] = parts[..] else {
            bail!("not a job: {text}");
        };
        Ok(Self {
            base_url: base_url.to_owned(),
            keys: keys.into(),
            calls: calls.parse()?,
            concurrency: concurrency.parse()?,
            word: word.to_owned(),
        })
    }
}

impl Job {
    pub fn text(&self) -> String {
        let Self {
            base_url,
            keys,
            calls,
            concurrency,
            word,
        } = self;
        format!("{base_url}|{}|{calls}|{concurrency}|{word}", keys.display())
    }
}

/// Charges so many times, so many at once.
pub fn run(job: &Job) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(charge_all(job))
}

async fn charge_all(job: &Job) -> Result<()> {
    let client = plain().pool_max_idle_per_host(0).build()?;
    let text = fs::read_to_string(&job.keys)?;
    let keys: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    if keys.is_empty() {
        return Err(eyre!("no billing keys"));
    }
    let authorization = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:", paydeck::sandbox::SECRET_KEY))
    );
    let calls = (0..job.calls).map(|at| {
        let (customer_key, billing_key) = keys[at % keys.len()];
        let order = format!("bare-{}-{at:08}", job.word);
        let body = json!({
            "amount": 9_900,
            "customerKey": customer_key,
            "orderId": order,
            "orderName": "베이직 월",
        });
        client
            .post(format!("{}/v1/billing/{billing_key}", job.base_url))
            .header("authorization", &authorization)
            .header("idempotency-key", order)
            .body(body.to_string())
    });
    let mut answers = stream::iter(calls)
        .map(send)
        .buffer_unordered(job.concurrency);
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        if answer["status"] != "DONE" {
            bail!("not charged: {answer}");
        }
    }
    Ok(())
}
