//! The resize signal as something `poll` can wait for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::SIGWINCH;
use signal_hook::low_level::{pipe, unregister};

/// Readable after the terminal was resized.
#[derive(Debug)]
pub struct ResizePipe {
    read: UnixStream,
    registration: SigId,
}

impl ResizePipe {
    pub fn open() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let registration = pipe::register(SIGWINCH, write)?;
        Ok(Self { read, registration })
    }

    /// A storm of resizes is one resize: only the last size counts.
    pub fn drain(&mut self) {
        let mut bytes = [0; 64];
        while self.read.read(&mut bytes).is_ok_and(|count| count > 0) {}
    }
}

impl Drop for ResizePipe {
    fn drop(&mut self) {
        unregister(self.registration);
    }
}

impl AsFd for ResizePipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}
