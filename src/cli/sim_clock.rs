//! The simulator's clock, asked over its control interface on loopback.
//!
//! One small request by hand: it never leaves this machine and needs none of a client's set-up.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::error::CliError;

const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST_ANSWER: u64 = 64 * 1024;

#[derive(Deserialize)]
struct ClockAnswer {
    offset_us: i64,
}

/// How far the simulator's time is ahead of the machine's, in microseconds.
pub async fn offset_us(base_url: &str) -> Result<i64, CliError> {
    let body = get(base_url, "/_sandbox/clock").await?;
    serde_json::from_slice::<ClockAnswer>(&body)
        .map(|answer| answer.offset_us)
        .map_err(|_| CliError::SimClock("an answer that is not the simulator's".to_owned()))
}

async fn get(base_url: &str, path: &str) -> Result<Vec<u8>, CliError> {
    let failed = |reason: String| CliError::SimClock(reason);
    let address = base_url
        .strip_prefix("http://")
        .ok_or_else(|| failed("not an address of this machine".to_owned()))?
        .trim_end_matches('/');
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(|_| failed("no answer in time".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    let head_end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(|| failed("a broken answer".to_owned()))?;
    let (head, body) = answer.split_at(head_end);
    if head.split(|byte| *byte == b' ').nth(1) != Some(b"200") {
        return Err(failed("it refused".to_owned()));
    }
    Ok(body.get(4..).unwrap_or_default().to_vec())
}
