//! Splits a batch's JSON text into impressions and rejected elements.
//!
//! Must not reserialize: an element keeps its text, to the last digit, duplicate name and lone surrogate. Nesting must not
//! use the stack; `serde_json` skips a raw value without recursion.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::budget::BatchBudget;
use crate::fields::{Projection, UnreadFields, for_each_field, project_within};
use crate::json::{WHITESPACE, blank_newlines};
use crate::plain::{self, PlainImpression};
use crate::refusal::Refusal;
use crate::rejected::{Reason, Rejected};
use crate::settings::KeptFields;

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
pub fn parse<'a>(text: &'a str, fields: &KeptFields) -> Result<Elements<'a>, Refusal> {
    parse_within(text, fields, &mut BatchBudget::unlimited(), 0)
}

/// As [`parse`], but takes from `budget` what the elements take, and for each impression `beside_each` bytes of memory more.
pub(crate) fn parse_within<'a>(
    text: &'a str,
    fields: &KeptFields,
    budget: &mut BatchBudget,
    beside_each: usize,
) -> Result<Elements<'a>, Refusal> {
    // A byte order mark is no JSON, but some senders write it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut splitter = Splitter {
        elements: Elements::default(),
        fields,
        budget,
        each: size_of::<Impression<'_>>() + beside_each,
    };
    // To skip a value that is not an impression's field, `serde_json` keeps a byte for each bracket that is open.
    let [arrays, objects] = [b'[', b'{'].map(|bracket| memchr::memchr_iter(bracket, text.as_bytes()).count());
    splitter.budget.memory.hold(arrays + objects)?;
    let start = text.trim_start_matches(WHITESPACE);
    let pushed = match start.strip_prefix('[') {
        Some(inside) => splitter.push_all(inside, objects),
        None => splitter.push_only(start),
    };
    match pushed {
        Ok(()) => Ok(splitter.elements),
        Err(SplitError::NotJson) => Err(where_it_ends(text)),
        Err(SplitError::Refused(error)) => Err(error),
    }
}

/// Reads impressions that were stored as NDJSON: every line is one, whatever fields were kept of it.
pub fn stored(ndjson: &str) -> Vec<Impression<'_>> {
    let key = |line| {
        let read = object(line, &KeptFields::All, &mut BatchBudget::unlimited());
        read.ok().and_then(|(_, impression)| impression.ok()).map(|impression| impression.key)
    };
    let impression = |line| Impression { line: Cow::Borrowed(line), key: key(line).unwrap_or("\"\"") };
    ndjson.lines().map(impression).collect()
}

/// Returns JSON text as one line: newlines between tokens become spaces.
pub fn single_line(json: Cow<'_, str>) -> Cow<'_, str> {
    if memchr::memchr2(b'\r', b'\n', json.as_bytes()).is_some() {
        let mut bytes = json.into_owned().into_bytes();
        blank_newlines(&mut bytes);
        // One ASCII character in place of another leaves UTF-8 what it is.
        let line = String::from_utf8(bytes);
        return Cow::Owned(
            line.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        );
    }
    json
}

/// Says where a text ceases to be JSON.
fn where_it_ends(text: &str) -> Refusal {
    let read = serde_json::from_str::<IgnoredAny>(text);
    read.map_or_else(Refusal::from, |_| Refusal::NotAnArray)
}

/// Splits one text, and counts what that takes.
struct Splitter<'a, 's> {
    elements: Elements<'a>,
    fields: &'s KeptFields,
    budget: &'s mut BatchBudget,
    /// What memory an impression takes beside its line.
    each: usize,
}

/// Why a text is not split to its end.
enum SplitError {
    NotJson,
    Refused(Refusal),
}

impl From<Refusal> for SplitError {
    fn from(error: Refusal) -> Self {
        Self::Refused(error)
    }
}

impl From<UnreadFields> for SplitError {
    fn from(unread: UnreadFields) -> Self {
        match unread {
            UnreadFields::Unfit => Self::NotJson,
            UnreadFields::Refused(error) => Self::Refused(error),
        }
    }
}

impl<'a> Splitter<'a, '_> {
    /// Takes the elements of an array, from behind its bracket to the end of the text, in which there are so many objects.
    fn push_all(&mut self, text: &'a str, objects: usize) -> Result<(), SplitError> {
        self.make_room(objects);
        let mut rest = text.trim_start_matches(WHITESPACE);
        let mut is_first = true;
        while !rest.starts_with(']') || !is_first {
            let before = rest.len();
            rest = match plain::impression(rest) {
                Some(PlainImpression { raw, key }) => {
                    let line = project_within(raw, self.fields, self.budget)?;
                    self.push_impression(Impression { line, key })?;
                    &rest[raw.len()..]
                }
                None => self.push_any(rest)?,
            };
            self.budget.look_at(before - rest.len())?;
            rest = rest.trim_start_matches(WHITESPACE);
            let Some(more) = rest.strip_prefix(',') else { break };
            rest = more.trim_start_matches(WHITESPACE);
            is_first = false;
        }
        let end = rest.strip_prefix(']').ok_or(SplitError::NotJson)?;
        let is_end = end.trim_start_matches(WHITESPACE).is_empty();
        is_end.then_some(()).ok_or(SplitError::NotJson)
    }

    /// Takes the text's only element, which must be an object.
    fn push_only(&mut self, text: &'a str) -> Result<(), SplitError> {
        let text = text.trim_end_matches(WHITESPACE);
        let is_empty = text.strip_prefix('{').map(|inside| inside.trim_start_matches(WHITESPACE));
        if text.is_empty() || is_empty == Some("}") {
            return Ok(());
        }
        if !text.starts_with('{') {
            return Err(SplitError::NotJson);
        }
        let is_all = self.push_object(text)?.len() == text.len();
        is_all.then_some(()).ok_or(SplitError::NotJson)
    }

    /// Allocates the list of impressions once: one that grows is there twice while it is copied.
    fn make_room(&mut self, objects: usize) {
        let most = objects.min(self.budget.most_impressions(self.each));
        self.elements.impressions.reserve_exact(most);
    }

    /// Takes the element that a text starts with, whatever it is, and returns what follows.
    fn push_any(&mut self, text: &'a str) -> Result<&'a str, SplitError> {
        if text.starts_with('{') {
            let raw = self.push_object(text)?;
            return Ok(&text[raw.len()..]);
        }
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let raw = match values.next() {
            Some(Ok(raw)) => raw.get(),
            Some(Err(_)) | None => return Err(SplitError::NotJson),
        };
        self.push_rejected(Reason::NotAnObject, raw)?;
        text.get(values.byte_offset()..).ok_or(SplitError::NotJson)
    }

    /// Takes the object that a text starts with, and returns its text.
    fn push_object(&mut self, text: &'a str) -> Result<&'a str, SplitError> {
        let (raw, impression) = object(text, self.fields, self.budget)?;
        match impression {
            Ok(impression) => self.push_impression(impression)?,
            Err(reason) => self.push_rejected(reason, raw)?,
        }
        Ok(raw)
    }

    fn push_rejected(&mut self, reason: Reason, raw: &str) -> Result<(), Refusal> {
        self.budget.take_rejected()?;
        let before = self.elements.rejected.memory();
        self.elements.rejected.push(reason, raw);
        let more = self.elements.rejected.memory() - before;
        self.budget.memory.hold(more)
    }

    fn push_impression(&mut self, impression: Impression<'a>) -> Result<(), Refusal> {
        let line = match &impression.line {
            Cow::Borrowed(_) => 0,
            Cow::Owned(line) => line.capacity() + ALLOCATION,
        };
        self.budget.take_impression()?;
        self.budget.memory.hold(self.each + line)?;
        self.elements.impressions.push(impression);
        Ok(())
    }
}

/// Reads the object that a text starts with by all the rules of JSON. Returns its text, and the impression that it is, or why it
/// is none.
fn object<'a>(
    text: &'a str,
    fields: &KeptFields,
    budget: &mut BatchBudget,
) -> Result<(&'a str, Result<Impression<'a>, Reason>), UnreadFields> {
    let (mut key, mut split) = (None, None);
    let most = budget.memory.left();
    let mut kept = Projection::new(fields, most);
    // Of a name that occurs twice the last counts, as with most readers of JSON.
    let longest = kept.longest().max("split".len());
    let raw = for_each_field(text, longest, budget, |field| {
        if field.is_named("key") {
            key = field.is_string().then_some(field.value);
        } else if field.is_named("split") {
            split = field.is_string().then_some(field.value);
        }
        kept.push(field)
    })?;
    if raw.len() > most && memchr::memchr2(b'\r', b'\n', raw.as_bytes()).is_some() {
        return Err(UnreadFields::Refused(Refusal::Memory));
    }
    let impression = match (key, split) {
        (None, _) => Err(Reason::NoKey),
        (_, None) => Err(Reason::NoSplit),
        (Some(key), Some(_)) => Ok(Impression { line: single_line(kept.finish(raw)), key }),
    };
    Ok((raw, impression))
}

#[cfg(test)]
mod tests;
