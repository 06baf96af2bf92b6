//! Tells typing from text that was thrown at the terminal.
//!
//! A paste without brackets arrives as many keys in one read; outside text fields it must not press anything. The
//! console decides what to do with a [`Burst`]; this module only recognises it. Invariant: order is kept, and
//! every key is handed on exactly once, in a `Key` or in a `Burst`.

use std::time::{Duration, Instant};

use super::InputEvent;
use super::key::KeyPress;
use super::parser::Token;

/// A person does not get more printable keys than this into one read.
const TYPED_AT_ONCE: usize = 3;

/// Keys that arrived together, faster than anybody types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    pub keys: Vec<KeyPress>,
}

impl Burst {
    /// The one key all of it consists of: a key held down over a slow link looks like this.
    pub fn repeated_key(&self) -> Option<KeyPress> {
        let first = *self.keys.first()?;
        self.keys.iter().all(|&key| key == first).then_some(first)
    }
}

/// Groups what was read at once into events.
#[derive(Debug)]
pub struct BurstGuard {
    tail: Duration,
    until: Option<Instant>,
}

impl BurstGuard {
    /// `tail`: how long after a burst further keys still belong to it, because the paste was cut into several reads.
    pub const fn new(tail: Duration) -> Self {
        Self { tail, until: None }
    }

    /// `at` is when the tokens were read, by a clock that does not jump.
    pub fn group(&mut self, tokens: Vec<Token>, at: Instant) -> Vec<InputEvent> {
        let mut events = Vec::with_capacity(tokens.len());
        let mut keys = Vec::new();
        for token in tokens {
            let event = match token {
                Token::Key(press) => {
                    keys.push(press);
                    continue;
                }
                Token::Paste(text) => InputEvent::Paste(text),
                Token::FocusGained => InputEvent::FocusGained,
                Token::FocusLost => InputEvent::FocusLost,
            };
            self.hand_on(&mut keys, at, &mut events);
            events.push(event);
        }
        self.hand_on(&mut keys, at, &mut events);
        events
    }

    fn hand_on(&mut self, keys: &mut Vec<KeyPress>, at: Instant, events: &mut Vec<InputEvent>) {
        if keys.is_empty() {
            return;
        }
        let continued = self.until.is_some_and(|until| at < until);
        let printable = keys.iter().filter(|key| key.is_printable()).count();
        if !continued && printable <= TYPED_AT_ONCE {
            events.extend(keys.drain(..).map(InputEvent::Key));
            return;
        }
        let burst = Burst {
            keys: std::mem::take(keys),
        };
        if continued || burst.repeated_key().is_none() {
            self.until = at.checked_add(self.tail);
        }
        events.push(InputEvent::Burst(burst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::input::key::KeyCode;

    const TAIL: Duration = Duration::from_millis(50);

    fn typed(text: &str) -> Vec<Token> {
        text.chars()
            .map(|character| Token::Key(KeyPress::char(character)))
            .collect()
    }

    fn burst(text: &str) -> InputEvent {
        InputEvent::Burst(Burst {
            keys: text.chars().map(KeyPress::char).collect(),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "any instant serves as a start")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn three_keys_at_once_are_typing_and_four_are_not() {
        let mut guard = BurstGuard::new(TAIL);
        let at = start();
        assert_eq!(
            guard.group(typed("abc"), at),
            ['a', 'b', 'c'].map(|c| InputEvent::Key(KeyPress::char(c)))
        );
        assert_eq!(guard.group(typed("abcd"), at), [burst("abcd")]);
    }

    #[test]
    fn a_burst_takes_its_enter_with_it() {
        let mut tokens = typed("retry");
        tokens.push(Token::Key(KeyPress::plain(KeyCode::Enter)));
        let events = BurstGuard::new(TAIL).group(tokens, start());
        assert!(matches!(events.as_slice(), [InputEvent::Burst(burst)] if burst.keys.len() == 6));
    }

    #[test]
    fn what_follows_a_burst_closely_belongs_to_it_and_later_keys_do_not() {
        let mut guard = BurstGuard::new(TAIL);
        let at = start();
        guard.group(typed("refund"), at);
        assert_eq!(guard.group(typed("y"), at + TAIL / 2), [burst("y")]);
        assert_eq!(
            guard.group(typed("y"), at + TAIL * 2),
            [InputEvent::Key(KeyPress::char('y'))]
        );
    }

    #[test]
    fn a_held_key_is_recognised_and_has_no_tail() {
        let mut guard = BurstGuard::new(TAIL);
        let at = start();
        let events = guard.group(typed("jjjjj"), at);
        assert!(
            matches!(events.as_slice(), [InputEvent::Burst(burst)] if burst.repeated_key() == Some(KeyPress::char('j')))
        );
        assert_eq!(
            guard.group(typed("k"), at),
            [InputEvent::Key(KeyPress::char('k'))]
        );
    }

    #[test]
    fn many_arrows_at_once_are_only_arrows() {
        let up = KeyPress::plain(KeyCode::Up);
        let events = BurstGuard::new(TAIL).group(vec![Token::Key(up); 9], start());
        assert_eq!(events, vec![InputEvent::Key(up); 9]);
    }

    #[test]
    fn a_paste_between_keys_keeps_its_place() {
        let mut tokens = typed("a");
        tokens.push(Token::Paste("x".to_owned()));
        tokens.extend(typed("b"));
        assert_eq!(
            BurstGuard::new(TAIL).group(tokens, start()),
            [
                InputEvent::Key(KeyPress::char('a')),
                InputEvent::Paste("x".to_owned()),
                InputEvent::Key(KeyPress::char('b')),
            ]
        );
    }
}
