//! A door between paydeck and the simulator. Requests and answers pass through it as they are; it can be told to
//! hold one of them, so that a process is killed at a point that has a name.
//!
//! It belongs to the test: the product knows nothing of it but an address.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What a request asks for, of either provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The first step of a charge in two: it moves no money.
    Prepare,
    Charge,
    Cancel,
    LookUp,
}

impl Call {
    fn of(head: &str) -> Option<Self> {
        let mut words = head.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        let path = path.strip_prefix("/v1/")?;
        let path = path.split('?').next()?;
        let segments: Vec<&str> = path.split('/').collect();
        match (method, segments.as_slice()) {
            ("POST", ["payments", _, "cancel"] | ["refunds"]) => Some(Self::Cancel),
            ("POST", ["billing", key]) if *key != "authorizations" => Some(Self::Charge),
            ("POST", ["payment_intents", _, "confirm"]) => Some(Self::Charge),
            ("POST", ["payment_intents"]) => Some(Self::Prepare),
            ("GET", ["payments", ..] | ["payment_intents", _]) => Some(Self::LookUp),
            _ => None,
        }
    }
}

/// How far a call comes before it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The request has left the program; the simulator has not been asked.
    Request,
    /// The simulator has done it and has answered; not a byte of that is with the program.
    Answer,
    /// Half of the answer is with the program.
    HalfAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    /// A call waits at its point.
    Waits,
    /// It went on, and the program has read all of it.
    Read,
}

struct Trap {
    call: Call,
    hold: Hold,
    /// So many calls pass first.
    spare: u64,
    number: u64,
}

struct State {
    trap: Option<Trap>,
    held: Held,
    /// Traps up to this one are over: what they hold is thrown away.
    thrown_away: u64,
    /// What this trap holds may go on.
    let_through: u64,
    last_trap: u64,
    charges: u64,
}

struct Inner {
    simulator: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

pub struct Door {
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Door {
    /// In front of the simulator at this address.
    pub fn before(simulator: &str) -> Self {
        let address = simulator.strip_prefix("http://").expect("loopback");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let inner = Arc::new(Inner {
            simulator: address.parse().expect("an address"),
            state: Mutex::new(State {
                trap: None,
                held: Held::Nothing,
                thrown_away: 0,
                let_through: 0,
                last_trap: 0,
                charges: 0,
            }),
            changed: Condvar::new(),
        });
        let door = Self {
            address: listener.local_addr().expect("an address"),
            inner: Arc::clone(&inner),
        };
        std::thread::spawn(move || {
            for program in listener.incoming().flatten() {
                let inner = Arc::clone(&inner);
                std::thread::spawn(move || inner.attend(program));
            }
        });
        door
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests to charge have reached the simulator.
    pub fn charges(&self) -> u64 {
        self.inner.state().charges
    }

    /// Holds the next such call but `spare`.
    pub fn hold(&self, call: Call, hold: Hold, spare: u64) {
        let mut state = self.inner.state();
        state.last_trap += 1;
        state.held = Held::Nothing;
        state.trap = Some(Trap {
            call,
            hold,
            spare,
            number: state.last_trap,
        });
    }

    /// Whether a call is at its point, after a moment of waiting for one.
    pub fn holds(&self, moment: Duration) -> bool {
        self.has(Held::Waits, moment)
    }

    /// Lets what is held go on.
    pub fn lets_through(&self) {
        let mut state = self.inner.state();
        state.let_through = state.last_trap;
        self.inner.changed.notify_all();
    }

    /// Whether the program has read all of what was let through.
    pub fn was_read(&self, moment: Duration) -> bool {
        self.has(Held::Read, moment)
    }

    /// Throws away what is held: it never goes on. Nothing further is held.
    pub fn throws_away(&self) {
        let mut state = self.inner.state();
        state.trap = None;
        state.thrown_away = state.last_trap;
        self.inner.changed.notify_all();
    }

    fn has(&self, wanted: Held, moment: Duration) -> bool {
        let state = self.inner.state();
        let (state, _) = self
            .inner
            .changed
            .wait_timeout_while(state, moment, |state| state.held != wanted)
            .expect("a state");
        state.held == wanted
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a state")
    }

    /// One connection of the program: request after request, until either side has gone.
    fn attend(&self, mut program: TcpStream) {
        // Small messages must not wait for company.
        let _delayed_at_worst = program.set_nodelay(true);
        while let Some(request) = message(&mut program) {
            let head = String::from_utf8_lossy(&request);
            let call = Call::of(&head);
            let trapped = call.and_then(|call| self.trapped(call));
            let went_on = self.pass(&mut program, &request, call, trapped).is_some();
            if !went_on || head.to_ascii_lowercase().contains("connection: close") {
                return;
            }
        }
    }

    fn pass(
        &self,
        program: &mut TcpStream,
        request: &[u8],
        call: Option<Call>,
        trapped: Option<(u64, Hold)>,
    ) -> Option<()> {
        if let Some((number, Hold::Request)) = trapped {
            self.wait_at_the_point(number)?;
        }
        let mut simulator = TcpStream::connect(self.simulator).ok()?;
        simulator.set_nodelay(true).ok()?;
        simulator.write_all(request).ok()?;
        if call == Some(Call::Charge) {
            self.state().charges += 1;
            self.changed.notify_all();
        }
        let answer = message(&mut simulator)?;
        let half = answer.len() / 2;
        let mut delivered = 0;
        match trapped {
            Some((number, Hold::Answer)) => self.wait_at_the_point(number)?,
            Some((number, Hold::HalfAnswer)) => {
                program.write_all(&answer[..half]).ok()?;
                delivered = half;
                self.wait_at_the_point(number)?;
            }
            _ => {}
        }
        program.write_all(&answer[delivered..]).ok()?;
        if let Some((number, _)) = trapped {
            // Whoever moves money hangs up once it has read the answer.
            let _gone = program.read(&mut [0]);
            let mut state = self.state();
            if state.last_trap == number {
                state.held = Held::Read;
            }
            self.changed.notify_all();
            return None;
        }
        Some(())
    }

    /// The trap that this call walks into, if any.
    fn trapped(&self, call: Call) -> Option<(u64, Hold)> {
        let mut state = self.state();
        let trap = state.trap.as_mut().filter(|trap| trap.call == call)?;
        if trap.spare > 0 {
            trap.spare -= 1;
            return None;
        }
        let caught = (trap.number, trap.hold);
        state.trap = None;
        Some(caught)
    }

    /// Waits for a word; none when what is held is thrown away.
    fn wait_at_the_point(&self, number: u64) -> Option<()> {
        let mut state = self.state();
        if state.last_trap == number {
            state.held = Held::Waits;
        }
        self.changed.notify_all();
        let state = self
            .changed
            .wait_while(state, |state| {
                state.thrown_away < number && state.let_through < number
            })
            .expect("a state");
        (state.thrown_away < number).then_some(())
    }
}

/// One whole message of HTTP, as it came; none when the other side has gone before its end.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 8_192];
    loop {
        if let Some(length) = whole(&bytes) {
            bytes.truncate(length);
            return Some(bytes);
        }
        match stream.read(&mut part) {
            Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

/// Where the message ends, once all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        return bytes.ends_with(b"0\r\n\r\n").then_some(bytes.len());
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().expect("a length"));
    (bytes.len() >= head + length).then_some(head + length)
}
