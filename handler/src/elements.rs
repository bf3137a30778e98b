//! Owns splitting a batch's JSON text into impressions and elements that are none.
//!
//! Must not reserialize: an element stays the text that it was, to the last digit, duplicate name and lone surrogate.
//! Nesting must not use the stack; `serde_json` skips a raw value without recursion.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::decode::DecodeError;
use crate::fields::{for_each_field, project};
use crate::memory::Memory;
use crate::plain::{self, Plain};
use crate::rejected::{Reason, Rejected};
use crate::settings::Fields;

/// What JSON allows between tokens (RFC 8259, section 2).
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// What an allocation takes beside its size at most: a header, and what its size is rounded up by.
const ALLOCATION: usize = 32;

/// The elements of a batch, each in the order in which it came in.
#[derive(Debug, Default)]
pub struct Elements<'a> {
    /// The elements that are impressions.
    pub impressions: Vec<Impression<'a>>,
    /// The elements that are not.
    pub rejected: Rejected,
}

/// An element that is an impression: an object with a string `key` and a string `split`.
#[derive(Debug)]
pub struct Impression<'a> {
    /// The impression as one line of JSON, without the newline, with the fields that are kept.
    pub line: Cow<'a, str>,
    /// The JSON text of its `key`, quotes included, whether the field is kept or not.
    pub key: &'a str,
}

/// Splits the text of a body into its elements, keeping of each impression what `fields` says.
///
/// An empty text, `[]` and `{}` have no elements; any other object is one.
///
/// # Errors
///
/// When the text is not JSON, or is neither an array nor an object.
pub fn parse<'a>(text: &'a str, fields: &Fields) -> Result<Elements<'a>, DecodeError> {
    parse_within(text, fields, &mut Memory::unlimited(), 0)
}

/// As [`parse`], but takes from `memory` what the elements take, and for each impression `beside_each` bytes more.
///
/// # Errors
///
/// As [`parse`], and when there is not enough memory.
pub fn parse_within<'a>(
    text: &'a str,
    fields: &Fields,
    memory: &mut Memory,
    beside_each: usize,
) -> Result<Elements<'a>, DecodeError> {
    // A byte order mark is no JSON, but some senders write it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut splitter = Splitter {
        elements: Elements::default(),
        fields,
        memory,
        each: size_of::<Impression<'_>>() + beside_each,
    };
    if text.trim_matches(WHITESPACE).is_empty() {
        return Ok(splitter.elements);
    }
    if let Some(inside) = text.trim_start_matches(WHITESPACE).strip_prefix('[') {
        return match splitter.push_all(inside) {
            Ok(()) => Ok(splitter.elements),
            Err(Stop::NotJson) => Err(where_it_ends(text)),
            Err(Stop::Memory) => Err(DecodeError::Memory),
        };
    }
    let raw = serde_json::from_str::<&RawValue>(text)?.get();
    let Some(inside) = raw.strip_prefix('{') else {
        return Err(DecodeError::NotAnArray);
    };
    if inside.trim_start_matches(WHITESPACE) != "}" {
        splitter.push(raw).map_err(|_| DecodeError::Memory)?;
    }
    Ok(splitter.elements)
}

/// Reads impressions that were stored as NDJSON: every line is one, whatever fields were kept of it.
#[must_use]
pub fn stored(ndjson: &str) -> Vec<Impression<'_>> {
    let impression = |line| Impression {
        line: Cow::Borrowed(line),
        key: key_of_any(line).unwrap_or("\"\""),
    };
    ndjson.lines().map(impression).collect()
}

/// Returns JSON text as one line: newlines between tokens become spaces.
///
/// Inside a string JSON allows no literal newline, so nothing but layout changes.
#[must_use]
pub fn single_line(json: Cow<'_, str>) -> Cow<'_, str> {
    if memchr::memchr2(b'\r', b'\n', json.as_bytes()).is_some() {
        return Cow::Owned(json.replace(['\r', '\n'], " "));
    }
    json
}

/// Says where a text ceases to be JSON.
fn where_it_ends(text: &str) -> DecodeError {
    let read = serde_json::from_str::<IgnoredAny>(text);
    read.map_or_else(DecodeError::from, |_| DecodeError::NotAnArray)
}

/// Splits one text, and counts what that takes.
struct Splitter<'a, 's> {
    elements: Elements<'a>,
    fields: &'s Fields,
    memory: &'s mut Memory,
    /// What an impression takes beside its line.
    each: usize,
}

/// Why a text is not split to its end.
enum Stop {
    NotJson,
    Memory,
}

impl<'a> Splitter<'a, '_> {
    /// Takes the elements of an array, from behind its bracket to the end of the text.
    fn push_all(&mut self, text: &'a str) -> Result<(), Stop> {
        self.make_room(text);
        let mut rest = text.trim_start_matches(WHITESPACE);
        let mut is_first = true;
        while !rest.starts_with(']') || !is_first {
            rest = match plain::impression(rest) {
                Some(Plain { raw, key }) => {
                    let line = project(raw, self.fields).map_err(|_| Stop::NotJson)?;
                    self.push_impression(Impression { line, key })?;
                    &rest[raw.len()..]
                }
                None => self.push_any(rest)?,
            };
            rest = rest.trim_start_matches(WHITESPACE);
            let Some(more) = rest.strip_prefix(',') else { break };
            rest = more.trim_start_matches(WHITESPACE);
            is_first = false;
        }
        let end = rest.strip_prefix(']').ok_or(Stop::NotJson)?;
        let is_end = end.trim_start_matches(WHITESPACE).is_empty();
        is_end.then_some(()).ok_or(Stop::NotJson)
    }

    /// Allocates the list of impressions once: one that grows is there twice while it is copied.
    fn make_room(&mut self, text: &str) {
        let objects = memchr::memchr_iter(b'{', text.as_bytes()).count();
        let most = objects.min(self.memory.left() / self.each);
        self.elements.impressions.reserve_exact(most);
    }

    /// Takes the element that a text starts with, whatever it is, and returns what follows.
    fn push_any(&mut self, text: &'a str) -> Result<&'a str, Stop> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let raw = match values.next() {
            Some(Ok(raw)) => raw.get(),
            Some(Err(_)) | None => return Err(Stop::NotJson),
        };
        let end = values.byte_offset();
        self.push(raw)?;
        text.get(end..).ok_or(Stop::NotJson)
    }

    fn push(&mut self, raw: &'a str) -> Result<(), Stop> {
        match impression(raw, self.fields) {
            Ok(impression) => self.push_impression(impression),
            Err(reason) => {
                let before = self.elements.rejected.memory();
                self.elements.rejected.push(reason, raw);
                self.hold(self.elements.rejected.memory() - before)
            }
        }
    }

    fn push_impression(&mut self, impression: Impression<'a>) -> Result<(), Stop> {
        let line = match &impression.line {
            Cow::Borrowed(_) => 0,
            Cow::Owned(line) => line.capacity() + ALLOCATION,
        };
        self.hold(self.each + line)?;
        self.elements.impressions.push(impression);
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Stop> {
        self.memory.hold(bytes).map_err(|_| Stop::Memory)
    }
}

/// Reads an element, already known to be JSON, as an impression.
fn impression<'a>(raw: &'a str, fields: &Fields) -> Result<Impression<'a>, Reason> {
    let key = key_of_any(raw)?;
    let kept = project(raw, fields).map_err(|_| Reason::NotAnObject)?;
    Ok(Impression {
        line: single_line(kept),
        key,
    })
}

/// Reads the `key` of an element by all the rules.
fn key_of_any(raw: &str) -> Result<&str, Reason> {
    if !raw.starts_with('{') {
        return Err(Reason::NotAnObject);
    }
    let mut key = None;
    let mut split = None;
    // Of a name that occurs twice the last counts, as with most readers of JSON.
    for_each_field(raw, |field| {
        if field.is_named("key") {
            key = field.is_string().then_some(field.value);
        } else if field.is_named("split") {
            split = field.is_string().then_some(field.value);
        }
    })
    .map_err(|_| Reason::NotAnObject)?;
    let key = key.ok_or(Reason::NoKey)?;
    split.ok_or(Reason::NoSplit)?;
    Ok(key)
}

#[cfg(test)]
mod tests;
