//! A provider made of a bare socket: it reads one request and does exactly what the test says.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// What it does after a whole request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Writes these bytes and closes.
    Write(Vec<u8>),
    /// Closes without a byte.
    Close,
    /// Resets the connection without a byte.
    Reset,
    /// Writes these bytes and then nothing, with the connection open.
    Hang(Vec<u8>),
    /// Resets before it has read anything.
    ResetUnread,
}

/// An address that is taken by a socket on which nobody listens, for as long as the socket is kept.
pub fn nobody_listens() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let at = socket.local_addr().expect("an address");
    (socket, format!("http://{at}"))
}

/// A listening responder; it ends with the test.
pub struct Responder {
    pub base_url: String,
    seen: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Responder {
    /// Does `act` for every connection.
    pub async fn start(act: Act) -> Self {
        Self::choosing(move |_| act.clone()).await
    }

    /// Does what `choose` says about the head of each request; a reset without reading is asked for with
    /// an empty one.
    pub async fn choosing(choose: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                open.extend(serve(stream, &choose, &log).await);
            }
        });
        Self {
            base_url: format!("http://{address}"),
            seen,
            serving,
        }
    }

    /// The requests so far, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic in the log").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    choose: &(impl Fn(&str) -> Act + Send + Sync),
    log: &Mutex<Vec<String>>,
) -> Option<TcpStream> {
    if matches!(choose(""), Act::ResetUnread) {
        log.lock().expect("no panic in the log").push(String::new());
        stream.set_zero_linger().expect("a socket option");
        return None;
    }
    let request = read_request(&mut stream).await;
    let act = choose(&request);
    log.lock().expect("no panic in the log").push(request);
    match act {
        // The client may have gone away already.
        Act::Write(bytes) => drop(stream.write_all(&bytes).await),
        Act::Hang(bytes) => {
            stream.write_all(&bytes).await.expect("written");
            return Some(stream);
        }
        Act::Reset => stream.set_zero_linger().expect("a socket option"),
        Act::Close | Act::ResetUnread => {}
    }
    None
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    let line = line.to_ascii_lowercase();
                    line.strip_prefix("content-length: ")?.parse::<usize>().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        let mut chunk = [0; 4_096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return text,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    }
}

/// An answer with its head.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-tosspayments-trace-id: afbc9b43d8f9c55f1201d777b6e68418\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}
