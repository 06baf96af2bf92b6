//! Form encoding as the provider reads it: nested maps, lists with and without indexes, keys percent-encoded or not.
//!
//! A name given empty means "unset". Nothing is typed here until somebody asks for a type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::Problem;

/// A value, or what is nested below a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Text(String),
    Map(BTreeMap<String, Node>),
}

/// What was given for a parameter that can be unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    Absent,
    Unset,
    Set(&'a str),
}

/// Parameters, or those below a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// How its own name is written: `items[0]`.
    at: String,
    nodes: BTreeMap<String, Node>,
}

impl Form {
    pub fn parse(encoded: &str) -> Result<Self, Problem> {
        let mut form = Self::default();
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err(Problem::invalid(
                    "Invalid request: the parameters cannot be decoded.",
                ));
            };
            let path = path_of(&name)
                .ok_or_else(|| Problem::invalid(format!("Invalid parameter name: {name}")))?;
            put(&mut form.nodes, &path, value);
        }
        Ok(form)
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How a name below this one is written.
    pub fn full(&self, name: &str) -> String {
        if self.at.is_empty() {
            name.to_owned()
        } else {
            format!("{}[{name}]", self.at)
        }
    }

    /// Refuses every name that is not one of these.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .nodes
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some(name) => {
                let full = self.full(name);
                Err(
                    Problem::invalid(format!("Received unknown parameter: {full}"))
                        .code("parameter_unknown")
                        .param(&full),
                )
            }
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.nodes.contains_key(name)
    }

    pub fn given(&self, name: &str) -> Given<'_> {
        match self.nodes.get(name) {
            None | Some(Node::Map(_)) => Given::Absent,
            Some(Node::Text(text)) if text.is_empty() => Given::Unset,
            Some(Node::Text(text)) => Given::Set(text),
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.given(name) {
            Given::Set(text) => Some(text),
            Given::Absent | Given::Unset => None,
        }
    }

    pub fn required(&self, name: &str) -> Result<&str, Problem> {
        match self.given(name) {
            Given::Set(text) => Ok(text),
            Given::Absent => Err(Problem::required(&self.full(name))),
            Given::Unset => Err(self.empty(name)),
        }
    }

    fn empty(&self, name: &str) -> Problem {
        let full = self.full(name);
        Problem::invalid(format!("You passed an empty string for '{full}'. We assume empty values are an attempt to unset a parameter; however '{full}' cannot be unset. You should remove '{full}' from your request or supply a non-empty value."))
            .code("parameter_invalid_empty")
            .param(&full)
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.given(name) {
            Given::Absent => Ok(None),
            Given::Unset => Err(self.empty(name)),
            Given::Set(text) => text.parse().map(Some).map_err(|_| {
                Problem::invalid(format!("Invalid integer: {text}"))
                    .code("parameter_invalid_integer")
                    .param(&self.full(name))
            }),
        }
    }

    /// An integer that is at least one.
    pub fn positive(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.int(name)? {
            Some(value) if value < 1 => Err(Problem::invalid(
                "This value must be greater than or equal to 1.",
            )
            .code("parameter_invalid_integer")
            .param(&self.full(name))),
            value => Ok(value),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.given(name) {
            Given::Absent | Given::Unset => Ok(None),
            Given::Set("true") => Ok(Some(true)),
            Given::Set("false") => Ok(Some(false)),
            Given::Set(other) => {
                Err(Problem::invalid(format!("Invalid boolean: {other}")).param(&self.full(name)))
            }
        }
    }

    /// One of the words, or none given.
    pub fn one_of(&self, name: &str, words: &[&str]) -> Result<Option<&str>, Problem> {
        match self.text(name) {
            Some(word) if !words.contains(&word) => {
                let full = self.full(name);
                let list = match words {
                    [rest @ .., last] if !rest.is_empty() => {
                        format!("one of {}, or {last}", rest.join(", "))
                    }
                    _ => words.join(", "),
                };
                Err(Problem::invalid(format!("Invalid {full}: must be {list}")).param(&full))
            }
            word => Ok(word),
        }
    }

    /// What is nested below a name; empty when nothing is.
    pub fn below(&self, name: &str) -> Self {
        let nodes = match self.nodes.get(name) {
            Some(Node::Map(nodes)) => nodes.clone(),
            None | Some(Node::Text(_)) => BTreeMap::new(),
        };
        Self {
            at: self.full(name),
            nodes,
        }
    }

    /// The maps of a list, in the order of their indexes.
    pub fn maps(&self, name: &str) -> Vec<Self> {
        let list = self.below(name);
        list.in_order()
            .into_iter()
            .map(|index| list.below(&index))
            .collect()
    }

    /// The texts of a list, in the order of their indexes.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let list = self.below(name);
        list.in_order()
            .iter()
            .filter_map(|index| list.text(index).map(str::to_owned))
            .collect()
    }

    fn in_order(&self) -> Vec<String> {
        let mut indexes: Vec<(u64, String)> = self
            .nodes
            .keys()
            .map(|key| (key.parse().unwrap_or(u64::MAX), key.clone()))
            .collect();
        indexes.sort();
        indexes.into_iter().map(|(_, key)| key).collect()
    }

    /// Applies `metadata[k]=v`, `metadata[k]=` and `metadata=` to what there was.
    pub fn metadata(&self, before: Option<&Value>) -> Result<Value, Problem> {
        let mut all = match before {
            Some(Value::Object(fields)) => fields.clone(),
            _ => Map::new(),
        };
        if self.given("metadata") == Given::Unset {
            all.clear();
        }
        for (key, value) in self.below("metadata").nodes {
            match value {
                Node::Text(text) if text.is_empty() => {
                    all.remove(&key);
                }
                Node::Text(text) => {
                    self.check_metadata(&key, &text)?;
                    all.insert(key, Value::String(text));
                }
                Node::Map(_) => {
                    return Err(Problem::invalid("Invalid metadata: values must be strings")
                        .param(&format!("metadata[{key}]")));
                }
            }
        }
        if all.len() > 50 {
            return Err(
                Problem::invalid("You may specify up to 50 metadata keys.").param("metadata")
            );
        }
        Ok(Value::Object(all))
    }

    fn check_metadata(&self, key: &str, value: &str) -> Result<(), Problem> {
        if key.chars().count() > 40 {
            return Err(Problem::invalid(format!(
                "Metadata keys must be under 40 characters in length (\"{key}\" is {} characters).",
                key.chars().count()
            ))
            .param(&self.full("metadata")));
        }
        if value.chars().count() > 500 {
            return Err(Problem::invalid(format!("Metadata values can have up to 500 characters, but you passed in a value that is {} characters.", value.chars().count())).param(&format!("metadata[{key}]")));
        }
        Ok(())
    }

    /// The same parameters give the same bytes, in whatever order and encoding they came.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&self.nodes, &mut bytes);
        bytes
    }
}

fn write(nodes: &BTreeMap<String, Node>, bytes: &mut Vec<u8>) {
    for (name, node) in nodes {
        bytes.extend_from_slice(name.as_bytes());
        match node {
            Node::Text(text) => {
                bytes.push(1);
                bytes.extend_from_slice(text.as_bytes());
            }
            Node::Map(below) => {
                bytes.push(2);
                write(below, bytes);
                bytes.push(3);
            }
        }
        bytes.push(0);
    }
}

/// Puts a value where its path says. An empty step appends: to the last element while it lacks the rest of the path.
fn put(nodes: &mut BTreeMap<String, Node>, path: &[&str], value: String) {
    let Some((&step, rest)) = path.split_first() else {
        return;
    };
    let step = if step.is_empty() {
        appended(nodes, rest)
    } else {
        step.to_owned()
    };
    if rest.is_empty() {
        nodes.insert(step, Node::Text(value));
        return;
    }
    let below = nodes
        .entry(step)
        .or_insert_with(|| Node::Map(BTreeMap::new()));
    if let Node::Text(_) = below {
        *below = Node::Map(BTreeMap::new());
    }
    if let Node::Map(below) = below {
        put(below, rest, value);
    }
}

fn appended(nodes: &BTreeMap<String, Node>, rest: &[&str]) -> String {
    let last = nodes.keys().filter_map(|key| key.parse::<u64>().ok()).max();
    let Some(last) = last else {
        return "0".to_owned();
    };
    let has_room = match (nodes.get(&last.to_string()), rest.first()) {
        (Some(Node::Map(below)), Some(name)) => !name.is_empty() && !below.contains_key(*name),
        _ => false,
    };
    if has_room { last } else { last + 1 }.to_string()
}

/// `a[b][0]` as its steps.
fn path_of(name: &str) -> Option<Vec<&str>> {
    let Some((first, mut rest)) = name.split_once('[') else {
        return (!name.is_empty()).then(|| vec![name]);
    };
    let mut path = vec![first];
    loop {
        let (step, more) = rest.split_once(']')?;
        path.push(step);
        if more.is_empty() {
            return (!first.is_empty()).then_some(path);
        }
        rest = more.strip_prefix('[')?;
    }
}

fn decoded(text: &str) -> Option<String> {
    super::super::routes::percent_decoded(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text).expect("a form")
    }

    #[test]
    fn lists_are_read_with_and_without_indexes() {
        let with = form("items[0][price]=a&items[0][quantity]=2&items[1][price]=b&expand[0]=x");
        let without = form("items[][price]=a&items[][quantity]=2&items[][price]=b&expand[]=x");
        assert_eq!(with, without);
        let items = with.maps("items");
        assert_eq!(items[1].text("price"), Some("b"));
        assert_eq!(items[0].full("price"), "items[0][price]");
        assert_eq!(with.texts("expand"), ["x"]);
    }

    #[test]
    fn keys_may_be_percent_encoded_and_hold_hangul_and_spaces() {
        let form = form("metadata%5B%EC%A3%BC%EB%AC%B8+no%5D=%EA%B0%80+1");
        let metadata = form.metadata(None).expect("metadata");
        assert_eq!(metadata["주문 no"], "가 1");
    }

    #[test]
    fn empty_unsets_and_the_order_of_parameters_does_not_matter() {
        let before = serde_json::json!({ "a": "1", "b": "2" });
        let one = form("metadata[a]=").metadata(Some(&before)).expect("ok");
        assert_eq!(one, serde_json::json!({ "b": "2" }));
        let none = form("metadata=").metadata(Some(&before)).expect("ok");
        assert_eq!(none, serde_json::json!({}));
        assert_eq!(form("email=").given("email"), Given::Unset);
        assert_eq!(form("a=1&b=2").canonical(), form("b=2&a=1").canonical());
        assert_ne!(form("a=1&b=2").canonical(), form("a=12&b=").canonical());
    }

    #[test]
    fn more_than_a_hundred_elements_keep_their_order() {
        let text: Vec<String> = (0..120).map(|n| format!("ids[{n}]=v{n}")).collect();
        assert_eq!(form(&text.join("&")).texts("ids")[110], "v110");
    }
}
