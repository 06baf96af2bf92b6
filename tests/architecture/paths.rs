//! Every path that a source file names, with `use` trees spelled out and `super` resolved.

use std::collections::BTreeSet;

use crate::source::{Source, Token};

/// One path, absolute: either from the crate's root or from another crate's name.
#[derive(Debug, PartialEq, Eq)]
pub enum Reach {
    Inside { segments: Vec<String>, line: usize },
    Outside { segments: Vec<String>, line: usize },
}

pub fn reaches(source: &Source, dependencies: &BTreeSet<String>) -> Vec<Reach> {
    let mut walk = Walk {
        tokens: &source.tokens,
        inline: Vec::new(),
        depth: 0,
        paths: Vec::new(),
        bound: BTreeSet::new(),
    };
    walk.run();
    let Walk { paths, bound, .. } = walk;
    paths
        .into_iter()
        .filter_map(|path| resolve(path, &source.module, &bound, dependencies))
        .collect()
}

struct Found {
    segments: Vec<String>,
    line: usize,
    /// The inline modules around it.
    within: Vec<String>,
}

fn resolve(
    path: Found,
    module: &[String],
    bound: &BTreeSet<String>,
    dependencies: &BTreeSet<String>,
) -> Option<Reach> {
    let Found {
        segments,
        line,
        within,
    } = path;
    let first = segments.first()?.as_str();
    let mut here: Vec<String> = module.iter().cloned().chain(within).collect();
    match first {
        "crate" | "paydeck" => Some(Reach::Inside {
            segments: segments[1..].to_vec(),
            line,
        }),
        "self" | "super" => {
            let steps = segments
                .iter()
                .take_while(|s| *s == "self" || *s == "super")
                .count();
            let up = segments
                .iter()
                .take(steps)
                .filter(|s| *s == "super")
                .count();
            here.truncate(here.len().saturating_sub(up));
            here.extend_from_slice(&segments[steps..]);
            Some(Reach::Inside {
                segments: here,
                line,
            })
        }
        _ if bound.contains(first) => None,
        _ if dependencies.contains(first) || ["std", "core", "alloc"].contains(&first) => {
            Some(Reach::Outside { segments, line })
        }
        _ => None,
    }
}

struct Walk<'a> {
    tokens: &'a [Token],
    inline: Vec<(String, usize)>,
    depth: usize,
    paths: Vec<Found>,
    /// Names that this file gives to something of paydeck's own, so that `config::load` behind
    /// `use crate::config` is not taken for the crate of that name.
    bound: BTreeSet<String>,
}

impl Walk<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            at = self.step(at);
        }
    }

    fn step(&mut self, at: usize) -> usize {
        let token = &self.tokens[at];
        let next = self.tokens.get(at + 1);
        if token.is_mark('{') {
            self.depth += 1;
        } else if token.is_mark('}') {
            self.depth = self.depth.saturating_sub(1);
            self.inline.retain(|(_, depth)| *depth <= self.depth);
        } else if token.is_word("mod") {
            self.enter_module(at);
        } else if token.is_word("use") && next.is_some_and(|next| !next.is_mark('<')) {
            return self.tree(at + 1, &[]);
        } else if token.is_word("extern") && next.is_some_and(|next| next.is_word("crate")) {
            self.keep(
                self.tokens
                    .get(at + 2)
                    .and_then(Token::word)
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                at,
            );
        } else if token.word().is_some()
            && next.is_some_and(Token::is_separator)
            && !self.continues(at)
        {
            return self.plain(at);
        }
        at + 1
    }

    fn enter_module(&mut self, at: usize) {
        let Some(name) = self.tokens.get(at + 1).and_then(Token::word) else {
            return;
        };
        self.bound.insert(name.to_owned());
        if self
            .tokens
            .get(at + 2)
            .is_some_and(|mark| mark.is_mark('{'))
        {
            self.inline.push((name.to_owned(), self.depth + 1));
        }
    }

    /// Whether the word at `at` is not the beginning of a path.
    fn continues(&self, at: usize) -> bool {
        at > 0 && {
            let before = &self.tokens[at - 1];
            before.is_mark('.')
                || (before.is_separator() && at > 1 && self.tokens[at - 2].word().is_some())
        }
    }

    fn plain(&mut self, from: usize) -> usize {
        let mut segments = Vec::new();
        let mut at = from;
        while let Some(word) = self.tokens.get(at).and_then(Token::word) {
            segments.push(word.to_owned());
            at += 1;
            if !self.tokens.get(at).is_some_and(Token::is_separator) {
                break;
            }
            at += 1;
        }
        self.keep(segments, from);
        at
    }

    /// One tree of a `use`, up to the `,`, `}` or `;` behind it.
    fn tree(&mut self, from: usize, prefix: &[String]) -> usize {
        let mut segments = prefix.to_vec();
        let mut at = from;
        while let Some(token) = self.tokens.get(at) {
            if token.is_mark('{') {
                at += 1;
                while self.tokens.get(at).is_some_and(|token| !token.is_mark('}')) {
                    at = self.tree(at, &segments);
                    if self.tokens.get(at).is_some_and(|token| token.is_mark(',')) {
                        at += 1;
                    }
                }
                return at + 1;
            }
            if token.is_mark(',') || token.is_mark('}') || token.is_mark(';') {
                break;
            }
            if token.is_word("as") {
                let name = self
                    .tokens
                    .get(at + 1)
                    .and_then(Token::word)
                    .unwrap_or("_")
                    .to_owned();
                self.bind(&segments, &name);
                self.keep(segments, at);
                return at + 2;
            }
            match token.word() {
                Some(word) => segments.push(word.to_owned()),
                None if token.is_mark('*') => segments.push("*".to_owned()),
                None => {}
            }
            at += 1;
        }
        if let Some(name) = segments.last().cloned() {
            self.bind(&segments, &name);
            self.keep(segments, at.saturating_sub(1));
        }
        at
    }

    fn bind(&mut self, segments: &[String], name: &str) {
        if segments
            .first()
            .is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str()))
        {
            self.bound.insert(name.to_owned());
        }
    }

    fn keep(&mut self, segments: Vec<String>, at: usize) {
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        let within = self.inline.iter().map(|(name, _)| name.clone()).collect();
        self.paths.push(Found {
            segments,
            line,
            within,
        });
    }
}
