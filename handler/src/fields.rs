//! Reads the fields of an impression as raw JSON, and leaves out those that the spec does not keep.
//!
//! Must not decode or rewrite a value: numbers keep their digits, and strings their escapes.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::budget::BatchBudget;
use crate::json::{WHITESPACE, characters};
use crate::refusal::Refusal;
use crate::settings::KeptFields;

/// What is kept of an impression is first given so much room: more than most take, so that few are copied as they grow.
const USUAL_BYTES: usize = 256;

/// The most bytes of JSON that stand for one byte of a string: those of an escape such as `\u0061`.
const LONGEST_ESCAPE: usize = 6;

const QUOTES: usize = 2;

/// Why the fields of a text were not all read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnreadFields {
    /// It does not start with the JSON text of an object, or with none that fits.
    Unfit,
    Refused(Refusal),
}

/// Returns an impression with only the fields that are to be kept, in the order in which they came in; `None` if it is not the
/// JSON text of an object and there are fields to leave out.
///
/// Kept names and values are copied as they stand, escapes and all; a name that occurs twice is kept twice.
pub fn project<'a>(impression: &'a str, fields: &KeptFields) -> Option<Cow<'a, str>> {
    project_within(impression, fields, &mut BatchBudget::unlimited()).ok()
}

/// As [`project`], but takes each field from `budget`.
pub(crate) fn project_within<'a>(
    impression: &'a str,
    fields: &KeptFields,
    budget: &mut BatchBudget,
) -> Result<Cow<'a, str>, UnreadFields> {
    let mut kept = Projection::new(fields, budget.memory.left());
    if kept.copy.is_some() {
        let object = for_each_field(impression, kept.longest(), budget, |field| kept.push(field))?;
        let is_all = object.len() == impression.trim_end_matches(WHITESPACE).len();
        is_all.then_some(()).ok_or(UnreadFields::Unfit)?;
    }
    Ok(kept.finish(impression))
}

/// An impression of which some fields are kept.
pub(crate) struct Projection<'f> {
    /// The names to keep and what is kept so far; absent where all is.
    copy: Option<(&'f [String], String)>,
    most: usize,
}

impl<'f> Projection<'f> {
    /// Starts without any field, to keep so many bytes at most.
    pub(crate) fn new(fields: &'f KeptFields, most: usize) -> Self {
        let copy = match fields {
            KeptFields::All => None,
            KeptFields::Keep(names) => Some((names.as_slice(), String::new())),
        };
        Self { copy, most }
    }

    pub(crate) fn longest(&self) -> usize {
        self.copy.as_ref().map_or(0, |(names, _)| longest(names))
    }

    pub(crate) fn push(&mut self, field: &Field<'_>) -> Result<(), UnreadFields> {
        let Some((names, kept)) = &mut self.copy else {
            return Ok(());
        };
        if names.iter().any(|name| field.is_named(name)) {
            if kept.is_empty() {
                kept.reserve(USUAL_BYTES);
                kept.push('{');
            } else {
                kept.push(',');
            }
            if kept.len() + field.raw_name.len() + field.value.len() >= self.most {
                return Err(UnreadFields::Refused(Refusal::Memory));
            }
            kept.push_str(field.raw_name);
            kept.push(':');
            kept.push_str(field.value);
        }
        Ok(())
    }

    /// Returns what is kept of an impression, all of whose fields were there.
    pub(crate) fn finish(self, impression: &str) -> Cow<'_, str> {
        match self.copy {
            None => Cow::Borrowed(impression),
            Some((_, mut kept)) => {
                kept.push_str(if kept.is_empty() { "{}" } else { "}" });
                // Small ones by the million must not take much more than they are.
                if kept.capacity() > 2 * kept.len() {
                    kept.shrink_to_fit();
                }
                Cow::Owned(kept)
            }
        }
    }
}

pub(crate) fn longest(names: &[String]) -> usize {
    names.iter().map(String::len).max().unwrap_or_default()
}

/// Returns the text of a JSON string, in one allocation, where `serde_json` takes several: names come by the million.
fn decode(json: &str) -> Option<String> {
    let mut text = String::with_capacity(json.len());
    for character in characters(json) {
        text.push(character.ok()?);
    }
    Some(text)
}

#[derive(Debug)]
pub(crate) struct Field<'a> {
    /// The JSON text of the name, quotes included.
    raw_name: &'a str,
    /// The name, its escapes resolved; absent if it has a lone surrogate, which no text has, or is longer with its escapes than
    /// any name that is looked for.
    name: Option<Cow<'a, str>>,
    pub(crate) value: &'a str,
}

impl<'a> Field<'a> {
    /// Decodes no name that is longer than those that are looked for can be: what that takes of the memory is not counted.
    fn new(raw_name: &'a str, value: &'a str, longest: usize) -> Self {
        let name = if raw_name.contains('\\') {
            let can_match = raw_name.len() <= longest.saturating_mul(LONGEST_ESCAPE).saturating_add(QUOTES);
            let decoded = can_match.then(|| decode(raw_name));
            decoded.flatten().map(Cow::Owned)
        } else {
            let unquoted = raw_name.strip_prefix('"');
            unquoted.and_then(|name| name.strip_suffix('"')).map(Cow::Borrowed)
        };
        Self { raw_name, name, value }
    }

    pub(crate) fn is_named(&self, want: &str) -> bool {
        self.name.as_deref() == Some(want)
    }

    pub(crate) fn is_named_in_any_case(&self, want: &str) -> bool {
        let name = self.name.as_ref();
        name.is_some_and(|name| name.eq_ignore_ascii_case(want))
    }

    /// Tells whether the name is text: whether it has no lone surrogate.
    pub(crate) fn has_text_as_name(&self) -> bool {
        self.name.is_some() || characters(self.raw_name).all(|character| character.is_ok())
    }

    pub(crate) fn is_string(&self) -> bool {
        self.value.starts_with('"')
    }
}

/// Calls `visit` for each field of the object that `text` starts with, in order, duplicates included, as long as `budget`
/// and `visit` allow. Returns the object's text.
///
/// `visit` must look for no name of more than `longest` bytes.
pub(crate) fn for_each_field<'a>(
    text: &'a str,
    longest: usize,
    budget: &mut BatchBudget,
    visit: impl FnMut(&Field<'a>) -> Result<(), UnreadFields>,
) -> Result<&'a str, UnreadFields> {
    let mut why = UnreadFields::Unfit;
    let mut last = &text[..0];
    let visitor = FieldVisitor { longest, budget, why: &mut why, last: &mut last, visit };
    let read = serde_json::Deserializer::from_str(text).deserialize_map(visitor);
    if read.is_err() {
        return Err(why);
    }
    // What was read last is a part of the text, behind which only brackets of this object follow.
    let end = last.as_ptr().addr() - text.as_ptr().addr() + last.len();
    let bracket = text.get(end..).and_then(|rest| rest.find('}'));
    bracket.and_then(|at| text.get(..=end + at)).ok_or(UnreadFields::Unfit)
}

struct FieldVisitor<'b, 'de, F> {
    longest: usize,
    budget: &'b mut BatchBudget,
    /// Why the fields are not all read, if it is not for the text.
    why: &'b mut UnreadFields,
    /// The last value, or the start of the text.
    last: &'b mut &'de str,
    visit: F,
}

impl<'de, F: FnMut(&Field<'de>) -> Result<(), UnreadFields>> Visitor<'de> for FieldVisitor<'_, 'de, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let (name, value) = (name.get(), value.get());
            let taken = self.budget.take_field(name.len() + value.len());
            let visited = taken.map_err(UnreadFields::Refused).and_then(|()| {
                *self.last = value;
                (self.visit)(&Field::new(name, value, self.longest))
            });
            if let Err(unread) = visited {
                *self.why = unread;
                return Err(A::Error::custom("the rest is not to be read"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(names: &[&str]) -> KeptFields {
        KeptFields::Keep(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn kept_fields_stay_as_they_came_in() {
        let cases = [
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
            (r#"{"b":2,"x":{"a":0},"a":1}"#, r#"{"b":2,"a":1}"#),
            (r#"{ "a" : 1.0e400 , "x" : null }"#, r#"{"a":1.0e400}"#),
            (r#"{"a":12345678901234567890,"a":"\ud800"}"#, r#"{"a":12345678901234567890,"a":"\ud800"}"#),
            (r#"{"\u0061":1,"\ud800":2,"é":3}"#, r#"{"\u0061":1,"é":3}"#),
            (r#"{"x":"\"a\":1}, {"}"#, "{}"),
            ("{}", "{}"),
        ];
        for (impression, want) in cases {
            let have = project(impression, &keep(&["a", "b", "é"])).unwrap();
            assert_eq!(have, want, "{impression}");
        }
    }

    #[test]
    fn a_name_is_decoded_only_if_it_can_be_one_that_is_looked_for() {
        let escapes = |count| "\\u0061".repeat(count);
        let surrogate = format!("{}\\ud800", escapes(9));
        let names = [escapes(3), escapes(4), escapes(1_000), surrogate, "b".repeat(99)];
        let fields = names.each_ref().map(|name| format!("\"{name}\":1"));
        let text = format!("{{{}}}", fields.join(","));
        let mut have = Vec::new();
        let object = for_each_field(&text, 3, &mut BatchBudget::unlimited(), |field| {
            let decoded = match &field.name {
                Some(Cow::Owned(name)) => name.len(),
                _ => 0,
            };
            have.push((decoded, field.is_named_in_any_case("AAA"), field.has_text_as_name()));
            Ok(())
        });
        assert_eq!(object, Ok(text.as_str()));
        let is_text = (0, false, true);
        assert_eq!(have, [(3, true, true), is_text, is_text, (0, false, false), is_text]);
        // A long name to keep is still found, and stays as escaped as it was.
        let kept = keep(&["a".repeat(1_000).as_str()]);
        let want = format!("{{{}}}", fields[2]);
        assert_eq!(project(&text, &kept).unwrap(), want);
    }

    #[test]
    fn without_a_list_nothing_changes() {
        let impression = r#"{ "a" : [1, 2] }"#;
        let have = project(impression, &KeptFields::All).unwrap();
        assert!(matches!(have, Cow::Borrowed(text) if text == impression));
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["", "[]", "1", r#"{"a":1"#, r#"{"a":1} x"#] {
            assert_eq!(project(text, &keep(&["a"])), None, "{text}");
        }
    }
}
