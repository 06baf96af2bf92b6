//! One product source file as the rules see it: no comments, no literals, no test-only items.
//!
//! It is a lexer, not a parser: enough of Rust to find paths and words, without a dependency.

use std::path::Path;

pub struct Source {
    /// As a person would name it, from the crate's root: `src/store/invoice.rs`.
    pub file: String,
    /// `src/store/invoice.rs` is `["store", "invoice"]`, `src/lib.rs` is empty.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
    pub product_lines: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    Word(String),
    /// `::`
    Separator,
    Mark(char),
}

impl Token {
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(word) => Some(word),
            TokenKind::Separator | TokenKind::Mark(_) => None,
        }
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == TokenKind::Mark(mark)
    }

    pub fn is_separator(&self) -> bool {
        self.kind == TokenKind::Separator
    }
}

impl Source {
    pub fn parse(file: &str, text: &str) -> Self {
        let (tokens, test_lines) = without_tests(&lex(&without_literals(text)));
        Self {
            file: file.to_owned(),
            module: module_of(file),
            tokens,
            product_lines: text.lines().count() - test_lines,
        }
    }

    /// The row of the table that this file belongs to.
    pub fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

/// Files that hold nothing but tests are not product.
pub fn is_test_file(file: &str) -> bool {
    Path::new(file)
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
}

fn module_of(file: &str) -> Vec<String> {
    let inner = file.strip_prefix("src/").unwrap_or(file);
    let mut module: Vec<String> = inner
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        module.pop();
    }
    module
}

/// Replaces what comments, strings and characters contain by spaces; line breaks stay.
fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            kept.push(chars[at]);
            at += 1;
        } else {
            kept.extend(
                chars[at..end]
                    .iter()
                    .map(|c| if *c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    kept
}

/// Where the comment or literal that starts here ends; `at` itself when none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    let inside_a_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next == Some('/') => position(chars, at, |c| c == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        'b' | 'c' if !inside_a_word && next == Some('"') => string_end(chars, at + 2),
        'r' if !inside_a_word => raw_string_end(chars, at + 1).unwrap_or(at),
        'b' | 'c' if !inside_a_word && next == Some('r') => {
            raw_string_end(chars, at + 2).unwrap_or(at)
        }
        '\'' => character_end(chars, at),
        _ => at,
    }
}

fn position(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..chars.len())
        .find(|at| wanted(chars[*at]))
        .unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// `None` when the `r` before `at` does not begin a raw string (an identifier, or `r#type`).
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    let open = at + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| {
        chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    };
    let quote = (open + 1..chars.len()).find(|at| closes(*at));
    Some(quote.map_or(chars.len(), |at| at + 1 + hashes))
}

/// A lifetime is not a literal: `'a` without a closing quote right behind.
fn character_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => position(chars, at + 3, |c| c == '\'') + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

fn lex(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, content) in text.lines().enumerate() {
        let line = line + 1;
        let mut rest = content.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (kind, length) = if length > 0 {
                (TokenKind::Word(rest[..length].to_owned()), length)
            } else if rest.starts_with("::") {
                (TokenKind::Separator, 2)
            } else {
                (TokenKind::Mark(first), first.len_utf8())
            };
            tokens.push(Token { kind, line });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Takes out every item behind `#[cfg(test)]`; answers how many lines those items had.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, usize) {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut lines = 0;
    let mut at = 0;
    while at < tokens.len() {
        let end = if begins_test_attribute(&tokens[at..]) {
            item_end(tokens, at)
        } else {
            at
        };
        if end == at {
            kept.push(tokens[at].clone());
            at += 1;
        } else {
            lines += tokens[end - 1].line - tokens[at].line + 1;
            at = end;
        }
    }
    (kept, lines)
}

fn begins_test_attribute(tokens: &[Token]) -> bool {
    let spelled = ["#", "[", "cfg", "(", "test", ")", "]"];
    tokens.len() >= spelled.len()
        && spelled
            .iter()
            .zip(tokens)
            .all(|(wanted, token)| match &token.kind {
                TokenKind::Word(word) => word == wanted,
                TokenKind::Mark(mark) => wanted.len() == 1 && wanted.starts_with(*mark),
                TokenKind::Separator => false,
            })
}

/// The first `;` or matching `}` outside of brackets.
fn item_end(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.kind {
            TokenKind::Mark('{' | '(' | '[') => depth += 1,
            TokenKind::Mark('}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            TokenKind::Mark(')' | ']') => depth = depth.saturating_sub(1),
            TokenKind::Mark(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}
