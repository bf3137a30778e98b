//! From YAML to the tree, in one pass.
//!
//! Owns what is refused before the YAML parser sees it, the parser's own complaints, keys that cannot be taken, and how to
//! learn where a node starts. It must not know the spec's keys.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::problem::SpecProblem;
use super::tree::{Content, Entry, Node, PathStep, Position};

/// The longest text that is read at all. A spec takes a few KiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// How many brackets may be open. `serde_yaml` refuses more than 128 by itself, but libyaml, below it, first takes a
/// time that grows with the square of the depth. Brackets in quotes and comments count here, hence the room.
const MAX_OPEN_BRACKETS: usize = 1000;

/// Reads a text into a tree, with a problem for each key that had to be left out; `start` finds where the root is.
///
/// A text that is not one YAML document has this one problem, as nothing after it can be relied on.
pub(super) fn read(text: &str) -> Result<(Node, Vec<SpecProblem>), SpecProblem> {
    refuse_unread(text)?;
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let empty = || {
        let message = "the spec is empty; `name` is the one key it needs";
        let problem = SpecProblem::new(Position::START, &[], message);
        problem.hinted("`split-pipeline init` writes a commented one")
    };
    let document = documents.next().ok_or_else(empty)?;
    let mut bad_keys = Vec::new();
    let mut path = Vec::new();
    let mut budget = 4 * text.len() + 1000;
    let builder = Builder { bad_keys: &mut bad_keys, path: &mut path, budget: &mut budget };
    // On an error, `path` is left as it was there.
    let content = builder.deserialize(document).map_err(|error| not_yaml(text, &path, &error))?;
    if let Some(second) = documents.next() {
        let message = "there must be one document, and `---` starts another one here";
        return Err(SpecProblem::new(start_of(second), &[], message));
    }
    if content == Content::Null {
        return Err(empty());
    }
    let at = Position::START;
    Ok((Node { at, content }, bad_keys))
}

/// Finds where the text's one document starts. `read` cannot tell: a document is either asked that, or read.
pub(super) fn start(text: &str) -> Position {
    serde_yaml::Deserializer::from_str(text).next().map_or(Position::START, start_of)
}

/// Refuses what the parser would choke on, or say no position of.
fn refuse_unread(text: &str) -> Result<(), SpecProblem> {
    if text.len() > MAX_BYTES {
        let message = format!("the spec is larger than {} MiB", MAX_BYTES >> 20);
        return Err(SpecProblem::new(Position::START, &[], message));
    }
    let mut open = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN_BRACKETS {
            return Err(SpecProblem::new(Position::at(text, index), &[], "too many brackets are open"));
        }
        // Next line is a line break to YAML, though a control character to Unicode.
        if c.is_control() && !"\t\n\r\u{85}".contains(c) {
            let message = format!("the control character {c:?} is not allowed");
            return Err(SpecProblem::new(Position::at(text, index), &[], message));
        }
    }
    Ok(())
}

/// Says what the YAML parser says, without its own way of saying where.
fn not_yaml(text: &str, path: &[PathStep], error: &serde_yaml::Error) -> SpecProblem {
    let at = Position::of(error).unwrap_or(Position::START);
    let said = error.to_string().replacen(&format!(" at line {} column {}", at.line, at.column), "", 1);
    // The parser names a path before what is said here, and none before what it says of itself.
    let problem = match said.strip_prefix(&parsers_path(path)) {
        Some(message) => SpecProblem::new(at, path, message),
        None => SpecProblem::new(at, &[], said.as_str()),
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

/// Shows a path as the parser does before a message. It counts each element of a list twice, as each is first asked where it
/// starts.
fn parsers_path(path: &[PathStep]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            PathStep::Key(key) if shown.is_empty() => shown.push_str(key),
            PathStep::Key(key) => shown.extend([".", key]),
            PathStep::Index(index) => shown.extend(["[", &(2 * index + 1).to_string(), "]"]),
        }
    }
    shown + ": "
}

/// Builds the tree, noting keys that cannot be taken.
struct Builder<'a> {
    bad_keys: &'a mut Vec<SpecProblem>,
    path: &'a mut Vec<PathStep>,
    /// How much may still be built. A text cannot be worth more than its own length but through aliases, and aliases
    /// of aliases grow without end.
    budget: &'a mut usize,
}

impl Builder<'_> {
    fn child(&mut self) -> Builder<'_> {
        Builder { bad_keys: self.bad_keys, path: self.path, budget: self.budget }
    }

    fn spend<E: de::Error>(&mut self, cost: usize) -> Result<(), E> {
        *self.budget = self
            .budget
            .checked_sub(cost)
            .ok_or_else(|| E::custom("the aliases (`*`) add up to far too much"))?;
        Ok(())
    }

    fn scalar<E: de::Error>(mut self, content: Content) -> Result<Content, E> {
        self.spend(1).map(|()| content)
    }
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Content;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        self.scalar(Content::Null)
    }

    // What `serde_yaml` gives for a text without any value.
    fn visit_none<E: de::Error>(self) -> Result<Content, E> {
        self.scalar(Content::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Content, E> {
        self.scalar(Content::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Content, E> {
        self.scalar(Content::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Content, E> {
        self.scalar(u64::try_from(number).map_or(Content::Signed(number), Content::Unsigned))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "no key takes a number so large: it is kept for the message alone"
    )]
    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Content, E> {
        self.scalar(Content::Float(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "no key takes a number so large: it is kept for the message alone"
    )]
    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Content, E> {
        self.scalar(Content::Float(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Content, E> {
        self.scalar(Content::Float(number))
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<Content, E> {
        self.spend(1 + text.len())?;
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Content, A::Error> {
        self.spend(1)?;
        let mut nodes = Vec::new();
        while let Some(at) = found(list.next_element_seed(StartSeed)) {
            self.path.push(PathStep::Index(nodes.len()));
            let content = list.next_element_seed(self.child())?;
            self.path.pop();
            nodes.extend(content.map(|content| Node { at, content }));
        }
        Ok(Content::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Content, A::Error> {
        self.spend(1)?;
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        while let Some(key_at) = found(map.next_key_seed(StartSeed))
            && let Some(KeyText { text, is_text }) = map.next_key_seed(AnyKey)?
        {
            self.spend(1 + text.len())?;
            self.path.push(PathStep::Key(text.clone()));
            let at = found(map.next_value_seed(StartSeed).map(Some)).unwrap_or(key_at);
            let content = map.next_value_seed(self.child())?;
            let is_new = seen.insert(text.clone());
            if is_text && is_new {
                entries.push(Entry { key: text, key_at, node: Node { at, content } });
            } else {
                let message =
                    if is_text { "the key is there twice" } else { "a key must be text; put it in quotes" };
                self.bad_keys.push(SpecProblem::new(key_at, self.path, message));
            }
            self.path.pop();
        }
        Ok(Content::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Content, A::Error> {
        Err(de::Error::custom(
            "a YAML tag (`!name`) has no meaning here; put text that starts with `!` in quotes",
        ))
    }
}

/// Asks for a node below itself until the parser refuses to go deeper, which takes nothing from the text: the refusal says
/// where the node starts. serde has no way to ask that.
struct StartSeed;

impl<'de> DeserializeSeed<'de> for StartSeed {
    type Value = Infallible;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Infallible, D::Error> {
        deserializer.deserialize_newtype_struct("", self)
    }
}

impl<'de> Visitor<'de> for StartSeed {
    type Value = Infallible;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Infallible, D::Error> {
        self.deserialize(deserializer)
    }
}

/// Reads where a node starts from the refusal; none where there is no node.
fn found<E: de::Error>(refused: Result<Option<Infallible>, E>) -> Option<Position> {
    let said = refused.map(|none| none.map_or((), |never| match never {})).err()?.to_string();
    let at = said.rsplit_once(" at line ").and_then(|(_, at)| at.split_once(" column "));
    let numbers = at.and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?)));
    // Of the text's start, the parser says nothing.
    Some(numbers.map_or(Position::START, |(line, column)| Position { line, column }))
}

fn start_of(document: serde_yaml::Deserializer<'_>) -> Position {
    found(StartSeed.deserialize(document).map(Some)).unwrap_or(Position::START)
}

/// Reads any scalar as a key.
struct AnyKey;

/// A key as it can be compared and shown.
struct KeyText {
    text: String,
    /// False for a number and the like, which YAML takes as a key and the spec does not.
    is_text: bool,
}

impl<'de> DeserializeSeed<'de> for AnyKey {
    type Value = KeyText;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<KeyText, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for AnyKey {
    type Value = KeyText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text as a key")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyText, E> {
        Ok(KeyText::of(&text, true))
    }

    fn visit_unit<E: de::Error>(self) -> Result<KeyText, E> {
        Ok(KeyText::of(&"null", false))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<KeyText, E> {
        Ok(KeyText::of(&value, false))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<KeyText, E> {
        Ok(KeyText::of(&number, false))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<KeyText, E> {
        Ok(KeyText::of(&number, false))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<KeyText, E> {
        Ok(KeyText::of(&number, false))
    }
}

impl KeyText {
    fn of(text: &impl ToString, is_text: bool) -> Self {
        let text = text.to_string();
        Self { text, is_text }
    }
}
