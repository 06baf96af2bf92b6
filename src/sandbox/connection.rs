//! Raw control over a connection: it can be cut without a byte, or in the middle of a body.
//!
//! The handler of a request marks the [`Line`]; the stream obeys when the answer is written.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const UNCUT: usize = usize::MAX;

/// How many more bytes of body this connection may carry.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<AtomicUsize>);

impl Line {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(UNCUT)))
    }

    /// Not one byte of the answer goes out; the peer sees a reset.
    pub(super) fn cut(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// So many bytes of the body go out, then the peer sees a reset.
    pub(super) fn cut_after_body_bytes(&self, bytes: usize) {
        self.0.store(bytes.clamp(1, UNCUT - 1), Ordering::Release);
    }

    fn allowed(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Connected<IncomingStream<'_, Doorway>> for Line {
    fn connect_info(stream: IncomingStream<'_, Doorway>) -> Self {
        stream.remote_addr().clone()
    }
}

/// The listening socket. Its "addresses" are the lines of the connections.
pub(super) struct Doorway {
    pub listener: TcpListener,
}

impl Doorway {
    pub(super) async fn bind(listen: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(listen).await?,
        })
    }
}

impl Listener for Doorway {
    type Io = CuttableStream;
    type Addr = Line;

    async fn accept(&mut self) -> (CuttableStream, Line) {
        loop {
            if let Ok((stream, _)) = self.listener.accept().await {
                // Only latency depends on it.
                drop(stream.set_nodelay(true));
                let line = Line::new();
                let stream = CuttableStream {
                    stream,
                    line: line.clone(),
                    left: None,
                };
                return (stream, line);
            }
            // Out of file descriptors, most likely: others will close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::new())
    }
}

pub(super) struct CuttableStream {
    stream: TcpStream,
    line: Line,
    /// Bytes that may still be written, once a cut in the body was asked for and its head has gone by.
    left: Option<usize>,
}

impl CuttableStream {
    fn reset<T>(&self) -> Poll<io::Result<T>> {
        // Without it the peer would see an orderly end where nothing was left unread.
        drop(self.stream.set_zero_linger());
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let allowed = self.line.allowed();
        match allowed {
            UNCUT => Pin::new(&mut self.stream).poll_write(cx, bytes),
            0 => self.reset(),
            body_bytes => {
                let left = self.left.unwrap_or_else(|| head_length(bytes) + body_bytes);
                if left == 0 {
                    return self.reset();
                }
                let some = &bytes[..bytes.len().min(left)];
                let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, some))?;
                self.left = Some(left - written);
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Length of the head of an answer that begins here.
fn head_length(bytes: &[u8]) -> usize {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(bytes.len(), |at| at + 4)
}
