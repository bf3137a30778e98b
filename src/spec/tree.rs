//! A spec's text as a tree that can be read again and again while its faults are taken out one by one.
//!
//! Owns the tree and the way from it into the serde types. It must not know the spec's keys, or YAML.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, FaultPlace};

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A node of the tree, and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something whose fault is known already; it stays, so that its neighbours keep their places.
    Gone,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) node: Node,
}

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathStep {
    Key(String),
    Index(usize),
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// Gives the position of the character at this index of the text.
    pub(super) fn at(text: &str, index: usize) -> Self {
        let before = &text[..index];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// Reads the position that an error carries.
    pub(super) fn of(error: &serde_yaml::Error) -> Option<Self> {
        error.location().map(|at| Self { line: at.line(), column: at.column() })
    }
}

impl Node {
    /// Finds what is one step below, and where its key, or itself in a list, is.
    fn below(&self, step: &PathStep) -> Option<(Position, &Node)> {
        match (&self.content, step) {
            (Content::Map(entries), PathStep::Key(key)) => {
                let entry = entries.iter().find(|entry| entry.key == *key);
                entry.map(|entry| (entry.key_at, &entry.node))
            }
            (Content::List(nodes), PathStep::Index(index)) => nodes.get(*index).map(|node| (node.at, node)),
            _ => None,
        }
    }

    /// Finds the node at the end of a path.
    pub(super) fn get(&self, path: &[PathStep]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| node.below(step).map(|(_, below)| below))
    }

    /// Finds the node at the end of a path, to change it.
    pub(super) fn get_mut(&mut self, path: &[PathStep]) -> Option<&mut Node> {
        path.iter().try_fold(self, |node, step| match (&mut node.content, step) {
            (Content::Map(entries), PathStep::Key(key)) => {
                let entry = entries.iter_mut().find(|entry| entry.key == *key);
                entry.map(|entry| &mut entry.node)
            }
            (Content::List(nodes), PathStep::Index(index)) => nodes.get_mut(*index),
            _ => None,
        })
    }

    /// Finds where a key or value is; where there is none, what is nearest above it.
    pub(super) fn locate(&self, path: &[PathStep], place: FaultPlace) -> Position {
        let (mut node, mut at) = (self, self.at);
        for step in path {
            let Some((key_at, below)) = node.below(step) else {
                break;
            };
            at = if place == FaultPlace::Key { key_at } else { below.at };
            node = below;
        }
        at
    }

    /// Turns a list index that counts only what is left into one that counts what is gone, too.
    pub(super) fn original_index(&self, index: usize) -> usize {
        let Content::List(nodes) = &self.content else {
            return index;
        };
        let left = nodes.iter().enumerate().filter(|(_, node)| !node.is_gone());
        left.map(|(original, _)| original).nth(index).unwrap_or(index)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.content == Content::Gone
    }

    /// Tells whether a fault was taken out directly below this node.
    pub(super) fn has_gaps(&self) -> bool {
        match &self.content {
            Content::List(nodes) => nodes.iter().any(Node::is_gone),
            Content::Map(entries) => entries.iter().any(|entry| entry.node.is_gone()),
            _ => false,
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match &self.content {
            Content::Null | Content::Gone => Unexpected::Unit,
            Content::Bool(value) => Unexpected::Bool(*value),
            Content::Unsigned(number) => Unexpected::Unsigned(*number),
            Content::Signed(number) => Unexpected::Signed(*number),
            Content::Float(number) => Unexpected::Float(*number),
            Content::Text(text) => Unexpected::Str(text),
            Content::List(_) => Unexpected::Seq,
            Content::Map(_) => Unexpected::Map,
        }
    }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Null | Content::Gone => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Unsigned(number) => visitor.visit_u64(*number),
            Content::Signed(number) => visitor.visit_i64(*number),
            Content::Float(number) => visitor.visit_f64(*number),
            Content::Text(text) => visitor.visit_borrowed_str(text),
            Content::List(nodes) => {
                visitor.visit_seq(SeqDeserializer::new(nodes.iter().filter(|node| !node.is_gone())))
            }
            Content::Map(entries) => {
                let left = entries.iter().filter(|entry| !entry.node.is_gone());
                visitor.visit_map(MapDeserializer::new(left.map(|entry| (Key(&entry.key), &entry.node))))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        choices: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Content::Text(choice) = &self.content {
            return visitor.visit_enum(choice.as_str().into_deserializer());
        }
        let want = format!("one of {}", choices.join(", "));
        Err(de::Error::invalid_type(self.unexpected(), &want.as_str()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.content {
            // serde would take a list for the values of the keys, in their order.
            Content::List(_) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// A map's key, whose faults say that they are a key's.
struct Key<'a>(&'a str);

impl<'de> IntoDeserializer<'de, Fault> for Key<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.0).map_err(Fault::at_key)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
