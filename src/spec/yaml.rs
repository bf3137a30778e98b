//! From YAML to the tree.
//!
//! Owns what is refused before the YAML parser sees it, the parser's own complaints, and keys that cannot be taken. It
//! must not know the spec's keys.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::fault::Place;
use super::locate::{Position, locate_second_document};
use super::problem::{Problem, dotted};
use super::tree::{Node, Step};

/// The longest text that is read at all. A spec takes a few KiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// How many brackets may be open. `serde_yaml` refuses more than 128 by itself, but libyaml, below it, first takes a
/// time that grows with the square of the depth. Brackets in quotes and comments count here, hence the room.
const MAX_OPEN_BRACKETS: usize = 1000;

/// A key that cannot be taken into the tree, with the message for it.
pub(super) struct BadKey {
    pub(super) path: Vec<Step>,
    pub(super) place: Place,
    pub(super) message: String,
}

/// Reads a text into a tree, with the keys that had to be left out.
///
/// A text that is not one YAML document has this one problem, as nothing after it can be relied on.
pub(super) fn read(text: &str) -> Result<(Node, Vec<BadKey>), Problem> {
    refuse_unread(text)?;
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(document) = documents.next() else {
        return Err(empty());
    };
    let mut bad_keys = Vec::new();
    let mut path = Vec::new();
    let mut budget = 4 * text.len() + 1000;
    let builder = Builder {
        bad_keys: &mut bad_keys,
        path: &mut path,
        budget: &mut budget,
    };
    // On an error, `path` is left as it was there.
    let tree = builder
        .deserialize(document)
        .map_err(|error| not_yaml(text, &path, &error))?;
    if documents.next().is_some() {
        let message = "there must be one document, and `---` starts another one here";
        return Err(Problem::new(locate_second_document(text), &[], message));
    }
    if tree == Node::Null {
        Err(empty())
    } else {
        Ok((tree, bad_keys))
    }
}

fn empty() -> Problem {
    Problem::new(
        Position::START,
        &[],
        "the spec is empty; `name` is the one key it needs",
    )
    .hinted("`split-pipeline init` writes a commented one")
}

/// Refuses what the parser would choke on, or say no position of.
fn refuse_unread(text: &str) -> Result<(), Problem> {
    if text.len() > MAX_BYTES {
        let message = format!("the spec is larger than {} MiB", MAX_BYTES >> 20);
        return Err(Problem::new(Position::START, &[], message));
    }
    let mut open = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN_BRACKETS {
            return Err(Problem::new(
                Position::at(text, index),
                &[],
                "too many brackets are open",
            ));
        }
        // Next line is a line break to YAML, though a control character to Unicode.
        if c.is_control() && !"\t\n\r\u{85}".contains(c) {
            let message = format!("the control character {c:?} is not allowed");
            return Err(Problem::new(Position::at(text, index), &[], message));
        }
    }
    Ok(())
}

/// Says what the YAML parser says, without its own way of saying where.
fn not_yaml(text: &str, path: &[Step], error: &serde_yaml::Error) -> Problem {
    let at = Position::of(error).unwrap_or(Position::START);
    let said = error
        .to_string()
        .replacen(&format!(" at line {} column {}", at.line, at.column), "", 1);
    // The parser names a path before what is said here, and none before what it says of itself.
    let problem = match said.strip_prefix(&format!("{}: ", dotted(path))) {
        Some(message) => Problem::new(at, path, message),
        None => Problem::new(at, &[], said.as_str()),
    };
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let value = line.split_once(':').map(|(_, value)| value.trim_start());
    if value.is_some_and(|value| value.starts_with("!{")) {
        problem.hinted("put a value that starts with `!{` in quotes")
    } else if line.trim_start_matches(' ').starts_with('\t') {
        problem.hinted("indent with spaces, not tabs")
    } else if said.starts_with("mapping values are not allowed") {
        problem.hinted("check the indentation, and put text that contains `: ` in quotes")
    } else {
        problem
    }
}

/// Builds the tree, noting keys that cannot be taken.
struct Builder<'a> {
    bad_keys: &'a mut Vec<BadKey>,
    path: &'a mut Vec<Step>,
    /// How much may still be built. A text cannot be worth more than its own length but through aliases, and aliases
    /// of aliases grow without end.
    budget: &'a mut usize,
}

impl Builder<'_> {
    fn child(&mut self) -> Builder<'_> {
        Builder {
            bad_keys: self.bad_keys,
            path: self.path,
            budget: self.budget,
        }
    }

    fn spend<E: de::Error>(&mut self, cost: usize) -> Result<(), E> {
        *self.budget = self
            .budget
            .checked_sub(cost)
            .ok_or_else(|| E::custom("the aliases (`*`) add up to far too much"))?;
        Ok(())
    }

    fn scalar<E: de::Error>(mut self, node: Node) -> Result<Node, E> {
        self.spend(1).map(|()| node)
    }
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.scalar(Node::Null)
    }

    // What `serde_yaml` gives for a text without any value.
    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.scalar(Node::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.scalar(Node::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Node, E> {
        self.scalar(Node::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node, E> {
        self.scalar(u64::try_from(number).map_or(Node::Signed(number), Node::Unsigned))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "no key takes a number so large: it is kept for the message alone"
    )]
    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Node, E> {
        self.scalar(Node::Float(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "no key takes a number so large: it is kept for the message alone"
    )]
    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Node, E> {
        self.scalar(Node::Float(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Node, E> {
        self.scalar(Node::Float(number))
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<Node, E> {
        self.spend(1 + text.len())?;
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Node, A::Error> {
        self.spend(1)?;
        let mut nodes = Vec::new();
        loop {
            self.path.push(Step::Index(nodes.len()));
            let next = list.next_element_seed(self.child())?;
            self.path.pop();
            match next {
                Some(node) => nodes.push(node),
                None => return Ok(Node::List(nodes)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Node, A::Error> {
        self.spend(1)?;
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut seen = HashMap::<String, usize>::new();
        while let Some(key) = map.next_key_seed(AnyKey { stop_at: None })? {
            self.spend(1 + key.text.len())?;
            let earlier = seen.entry(key.text.clone()).or_default();
            let place = Place::Key(*earlier);
            *earlier += 1;
            self.path.push(Step::Key(key.text.clone()));
            let node = map.next_value_seed(self.child())?;
            let bad = match place {
                _ if !key.is_text => Some("a key must be text; put it in quotes"),
                Place::Key(1..) => Some("the key is there twice"),
                _ => None,
            };
            match bad {
                Some(message) => {
                    self.bad_keys.push(BadKey {
                        path: self.path.clone(),
                        place,
                        message: message.to_owned(),
                    });
                }
                None => entries.push((key.text, node)),
            }
            self.path.pop();
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(de::Error::custom(
            "a YAML tag (`!name`) has no meaning here; put text that starts with `!` in quotes",
        ))
    }
}

/// Reads any scalar as a key.
pub(super) struct AnyKey<'a> {
    /// The key to raise an error at, for the walk that looks for its position.
    pub(super) stop_at: Option<&'a str>,
}

/// A key as it can be compared and shown.
pub(super) struct KeyText {
    pub(super) text: String,
    /// False for a number and the like, which YAML takes as a key and the spec does not.
    pub(super) is_text: bool,
}

impl AnyKey<'_> {
    fn read<E: de::Error>(&self, text: String, is_text: bool) -> Result<KeyText, E> {
        if self.stop_at == Some(text.as_str()) {
            Err(E::custom("arrived"))
        } else {
            Ok(KeyText { text, is_text })
        }
    }
}

impl<'de> DeserializeSeed<'de> for AnyKey<'_> {
    type Value = KeyText;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<KeyText, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for AnyKey<'_> {
    type Value = KeyText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text as a key")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyText, E> {
        self.read(text.to_owned(), true)
    }

    fn visit_unit<E: de::Error>(self) -> Result<KeyText, E> {
        self.read("null".to_owned(), false)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<KeyText, E> {
        self.read(value.to_string(), false)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<KeyText, E> {
        self.read(number.to_string(), false)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<KeyText, E> {
        self.read(number.to_string(), false)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<KeyText, E> {
        self.read(number.to_string(), false)
    }
}
