//! One way to speak HTTP to a provider: bounded in time and size, sent once.
//!
//! It does not know what an answer means. Invariants: [`Trouble::NotSent`] is said only when the
//! connection was never made, so that not one byte of the request left; errors of the HTTP crate
//! never leave this file, because they name URLs, and a URL may hold a billing key.
//!
//! Calls that move money go out on a fresh connection each (F6, F7): a kept connection that the
//! other side closes in that very moment fails after bytes were written, and a certain "not sent"
//! becomes an "unknown". A handshake per charge is the price; benchmarks that compare with a bare
//! loop open its connections the same way. Look-ups and lists reuse connections.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, Request, Response, Url};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Most bytes of an ordinary answer.
pub(super) const ANSWER_LIMIT: usize = 256 * 1024;
/// Most bytes of a list: 5,000 rows of well under a kilobyte.
pub(super) const LIST_LIMIT: usize = 8 * 1024 * 1024;
/// Kept connections are given up before a provider's gateway does it.
const IDLE_S: u64 = 20;
/// Where providers put the name of an exchange, for their support.
const TRACE_IDS: [&str; 2] = ["x-tosspayments-trace-id", "request-id"];

/// Why there is no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection was never made: nothing left.
    NotSent,
    /// No whole answer in time.
    TimedOut,
    /// The connection ended before a whole answer.
    Broken,
    /// More bytes than we read.
    TooLarge,
}

/// One request and what came of it.
pub(super) struct Exchange {
    /// Status, where headers arrived.
    pub status: Option<u16>,
    /// What the provider asks us to wait.
    pub retry_after_s: Option<u64>,
    /// The provider's trace id.
    pub trace_id: Option<String>,
    /// The provider says that it repeats a stored answer.
    pub is_replay: bool,
    /// Whether the provider says that the same request may be sent again.
    pub may_repeat: Option<bool>,
    /// The whole body, or why there is none.
    pub body: Result<Zeroizing<Vec<u8>>, Trouble>,
    /// From the first attempt to connect to the last byte.
    pub elapsed_ms: u64,
}

impl Exchange {
    /// What came of a request that had no whole answer.
    pub const fn without_answer(trouble: Trouble, elapsed_ms: u64) -> Self {
        Self {
            status: None,
            retry_after_s: None,
            trace_id: None,
            is_replay: false,
            may_repeat: None,
            body: Err(trouble),
            elapsed_ms,
        }
    }

    /// SHA-256 of the body, in hex.
    pub fn body_sha256(&self) -> Option<String> {
        let body = self.body.as_ref().ok()?;
        Some(hex(&Sha256::digest(body.as_slice())))
    }

    /// Status and body of a whole answer.
    pub fn answer(&self) -> Result<(u16, &[u8]), Trouble> {
        match (&self.body, self.status) {
            (Ok(body), Some(status)) => Ok((status, body.as_slice())),
            (Err(trouble), _) => Err(*trouble),
            (Ok(_), None) => Err(Trouble::Broken),
        }
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where a provider is, checked once.
#[derive(Clone)]
pub(super) struct Origin {
    url: Url,
    /// On this machine: plain HTTP is allowed, and no CA roots are needed.
    pub is_loopback: bool,
}

impl Origin {
    /// Reads a base URL, with or without a version path such as `/v1`, which is dropped.
    pub fn parse(text: &str, version_path: &str) -> Result<Self, &'static str> {
        let mut url = Url::parse(text.trim()).map_err(|_| "is not a URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not hold a query or fragment");
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.is_empty() && path != version_path {
            return Err("must be a bare origin");
        }
        url.set_path("");
        let is_loopback = url.host_str().is_some_and(is_loopback);
        match (url.scheme(), is_loopback) {
            ("https", _) | ("http", true) => Ok(Self { url, is_loopback }),
            ("http", false) => Err("must be https unless the host is this machine"),
            _ => Err("must be https"),
        }
    }

    /// Whether it is exactly `https://host`, on the usual port.
    pub fn is_public_host(&self, host: &str) -> bool {
        self.url.scheme() == "https"
            && self.url.host_str() == Some(host)
            && self.url.port_or_known_default() == Some(443)
    }

    /// The URL of a path. Each segment is percent-encoded; a segment that would not survive as one
    /// (empty, `.` or `..`) gives `None`.
    pub fn at(&self, segments: &[&str]) -> Option<Url> {
        if segments.iter().any(|s| matches!(*s, "" | "." | "..")) {
            return None;
        }
        let mut url = self.url.clone();
        url.path_segments_mut().ok()?.clear().extend(segments);
        Some(url)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// Until the last byte of the answer.
    pub total: Duration,
}

/// A client could not be built: TLS roots are missing, usually.
#[derive(Debug, thiserror::Error)]
#[error("the http client cannot be built")]
pub struct ClientError(#[source] reqwest::Error);

/// The two ways to send: each on a fresh connection, or on kept ones.
#[derive(Clone)]
pub(super) struct Http {
    fresh: Client,
    kept: Client,
}

impl Http {
    /// Clients for `origin` that send `headers` with every request.
    pub fn build(
        origin: &Origin,
        patience: Patience,
        headers: &HeaderMap,
    ) -> Result<Self, ClientError> {
        let build = |builder: ClientBuilder| {
            builder
                .build()
                .map_err(|error| ClientError(error.without_url()))
        };
        let fresh = build(plain(origin, patience, headers.clone()).pool_max_idle_per_host(0))?;
        let kept = build(
            plain(origin, patience, headers.clone())
                .pool_idle_timeout(Duration::from_secs(IDLE_S))
                .pool_max_idle_per_host(4),
        )?;
        Ok(Self { fresh, kept })
    }

    /// Sends a JSON body once, on a fresh connection.
    pub async fn post(
        &self,
        url: Url,
        body: Vec<u8>,
        extra: &[(HeaderName, HeaderValue)],
    ) -> Exchange {
        self.post_as("application/json", url, body, extra).await
    }

    /// Sends a form once, on a fresh connection.
    pub async fn post_form(
        &self,
        url: Url,
        body: Vec<u8>,
        extra: &[(HeaderName, HeaderValue)],
    ) -> Exchange {
        self.post_as("application/x-www-form-urlencoded", url, body, extra)
            .await
    }

    async fn post_as(
        &self,
        media: &'static str,
        url: Url,
        body: Vec<u8>,
        extra: &[(HeaderName, HeaderValue)],
    ) -> Exchange {
        let mut request = Request::new(Method::POST, url);
        let media = HeaderValue::from_static(media);
        request.headers_mut().insert(CONTENT_TYPE, media);
        for (name, value) in extra {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        *request.body_mut() = Some(body.into());
        exchange(&self.fresh, request, ANSWER_LIMIT).await
    }

    /// Asks once, on a kept connection.
    pub async fn get(&self, url: Url, limit: usize) -> Exchange {
        exchange(&self.kept, Request::new(Method::GET, url), limit).await
    }

    /// Deletes once, on a fresh connection.
    pub async fn delete(&self, url: Url) -> Exchange {
        exchange(&self.fresh, Request::new(Method::DELETE, url), ANSWER_LIMIT).await
    }
}

fn plain(origin: &Origin, patience: Patience, headers: HeaderMap) -> ClientBuilder {
    // Another part of the process may have installed the same provider already; that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("paydeck/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(patience.connect)
        .timeout(patience.total)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only();
    if !origin.is_loopback {
        return builder
            .https_only(true)
            .tls_version_min(reqwest::tls::Version::TLS_1_2);
    }
    // The simulator speaks plain HTTP, and a machine without CA roots must be able to run it: the
    // usual TLS set-up would refuse to be built there. Nothing is trusted, so https to loopback fails.
    let no_roots = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    builder.tls_backend_preconfigured(no_roots)
}

async fn exchange(client: &Client, request: Request, limit: usize) -> Exchange {
    #[expect(
        clippy::disallowed_methods,
        reason = "real elapsed time of a call, for the evidence row"
    )]
    let started = std::time::Instant::now();
    let mut done = Exchange::without_answer(Trouble::Broken, 0);
    match client.execute(request).await {
        Ok(response) => {
            done.status = Some(response.status().as_u16());
            done.retry_after_s = header(&response, RETRY_AFTER.as_str()).and_then(whole_seconds);
            done.trace_id = TRACE_IDS
                .iter()
                .find_map(|name| header(&response, name))
                .and_then(trace_id);
            done.is_replay = header(&response, "idempotent-replayed") == Some("true");
            done.may_repeat =
                header(&response, "stripe-should-retry").and_then(|word| word.parse().ok());
            done.body = read(response, limit).await;
        }
        Err(error) => done.body = Err(trouble_before_answer(&error)),
    }
    done.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    done
}

/// `is_connect` is asked first: a connect timeout is both, and nothing left. The HTTP crate marks
/// only what its connector returns (name, TCP, TLS) that way; it has written no request by then. A
/// request that could not be built has not left either.
fn trouble_before_answer(error: &reqwest::Error) -> Trouble {
    if error.is_connect() || error.is_builder() {
        Trouble::NotSent
    } else {
        trouble_while_reading(error)
    }
}

fn trouble_while_reading(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        Trouble::TimedOut
    } else {
        Trouble::Broken
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let mut body = Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => return Err(Trouble::TooLarge),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(trouble_while_reading(&error)),
        }
    }
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

fn whole_seconds(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Trace ids are shown and logged: only what looks like one is kept.
fn trace_id(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_, ".contains(c);
    let is_one = !text.is_empty() && text.len() <= 128 && text.chars().all(is_plain);
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_only_for_this_machine() {
        for good in [
            "https://api.tosspayments.com",
            "https://api.tosspayments.com/v1/",
            "http://127.0.0.1:4100",
            "http://[::1]:4100/v1",
            "http://localhost:4100",
        ] {
            assert!(Origin::parse(good, "/v1").is_ok(), "{good}");
        }
        for bad in [
            "http://api.tosspayments.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://user:pass@api.tosspayments.com",
            "https://api.tosspayments.com/v2",
            "https://api.tosspayments.com/v1?x=1",
            "api.tosspayments.com",
        ] {
            assert!(Origin::parse(bad, "/v1").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_segment_stays_one_segment() {
        let origin = Origin::parse("http://127.0.0.1:1/v1", "/v1").expect("an origin");
        let url = origin
            .at(&["v1", "billing", "a/b?c#d%2F =é"])
            .expect("a url");
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/v1/billing/a%2Fb%3Fc%23d%252F%20=%C3%A9"
        );
        for lost in ["", ".", ".."] {
            assert!(origin.at(&["v1", "billing", lost]).is_none(), "{lost:?}");
        }
    }

    #[test]
    fn a_trace_id_that_is_none_is_dropped() {
        assert!(trace_id("afbc9b43d8f9c55f1201d777b6e68418, 00ff").is_some());
        assert!(trace_id("\u{1b}[31mred").is_none());
        assert!(trace_id("").is_none());
    }
}
