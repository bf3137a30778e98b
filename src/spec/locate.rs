//! Where in the text something is.
//!
//! Owns the walk down a YAML text to a key or value. serde gives no positions of what it reads, but `serde_yaml` notes
//! on an error where it was raised: so the walk raises one when it arrives. It must not judge what it passes.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fault::Place;
use super::tree::Step;
use super::yaml::AnyKey;

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// Gives the position of the character at this index of the text.
    pub(super) fn at(text: &str, index: usize) -> Self {
        let before = &text[..index];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// Reads the position that an error carries.
    pub(super) fn of(error: &serde_yaml::Error) -> Option<Self> {
        error.location().map(|at| Self {
            line: at.line(),
            column: at.column(),
        })
    }
}

/// Finds a key or value of the text's first document; where there is none, what is nearest above it.
pub(super) fn locate(text: &str, path: &[Step], place: Place) -> Position {
    let longest_first = (0..=path.len()).rev().map(|length| &path[..length]);
    longest_first
        .filter_map(|path| {
            serde_yaml::Deserializer::from_str(text)
                .next()
                .map(|yaml| (yaml, path))
        })
        .find_map(|(yaml, path)| find(yaml, path, place))
        .unwrap_or(Position::START)
}

/// Finds where the text's second document starts.
pub(super) fn locate_second_document(text: &str) -> Position {
    let second = serde_yaml::Deserializer::from_str(text).nth(1);
    second
        .and_then(|yaml| find(yaml, &[], Place::Value))
        .unwrap_or(Position::START)
}

fn find(yaml: serde_yaml::Deserializer<'_>, path: &[Step], place: Place) -> Option<Position> {
    match (Walk { path, place }).deserialize(yaml) {
        Ok(()) => None,
        Err(arrived) => Position::of(&arrived),
    }
}

/// Walks down a path, and raises an error where it ends.
struct Walk<'a> {
    path: &'a [Step],
    place: Place,
}

impl Walk<'_> {
    /// Arrives, if there is no step left to go.
    fn arrive<E: de::Error>(&self) -> Result<(), E> {
        if self.path.is_empty() {
            Err(E::custom("arrived"))
        } else {
            Ok(())
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.arrive()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.arrive()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.arrive()?;
        let Some((Step::Index(index), rest)) = self.path.split_first() else {
            return skip_list(&mut list);
        };
        for _ in 0..*index {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Walk {
            path: rest,
            place: self.place,
        })?;
        skip_list(&mut list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.arrive()?;
        let Some((Step::Key(wanted), rest)) = self.path.split_first() else {
            return skip_map(&mut map);
        };
        // A key may be there several times: the last step can ask for a later one.
        let mut earlier = 0;
        loop {
            let arrives = rest.is_empty() && self.place == Place::Key(earlier);
            let Some(key) = map.next_key_seed(AnyKey {
                stop_at: arrives.then_some(wanted),
            })?
            else {
                return Ok(());
            };
            if key.text != *wanted {
                map.next_value::<IgnoredAny>()?;
            } else if rest.is_empty() && self.place != Place::Value {
                earlier += 1;
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Walk {
                    path: rest,
                    place: self.place,
                })?;
                return skip_map(&mut map);
            }
        }
    }
}

fn skip_list<'de, A: SeqAccess<'de>>(list: &mut A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}
