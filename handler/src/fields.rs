//! Owns reading the fields of an impression as raw JSON, and leaving out those that the spec does not keep.
//!
//! Must not decode or rewrite a value: numbers stay as long, and strings as escaped, as they came in.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::settings::Fields;

/// Returns an impression with only the fields that are to be kept, in the order in which they came in.
///
/// Kept names and values are copied as they stand, escapes and all; a name that occurs twice is kept twice.
///
/// # Errors
///
/// When there are fields to leave out and `impression` is not the JSON text of an object.
pub fn project<'a>(impression: &'a str, fields: &Fields) -> serde_json::Result<Cow<'a, str>> {
    let Fields::Keep(names) = fields else {
        return Ok(Cow::Borrowed(impression));
    };
    let mut kept = String::with_capacity(impression.len());
    for_each_field(impression, |field| {
        if names.iter().any(|name| field.is_named(name)) {
            kept.push(if kept.is_empty() { '{' } else { ',' });
            kept.push_str(field.name);
            kept.push(':');
            kept.push_str(field.value);
        }
    })?;
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    Ok(Cow::Owned(kept))
}

/// One field of an object, as raw JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// The name, quotes included.
    pub(crate) name: &'a str,
    /// The value.
    pub(crate) value: &'a str,
}

impl Field<'_> {
    /// Tells whether the name, once its escapes are resolved, is `want`.
    pub(crate) fn is_named(&self, want: &str) -> bool {
        if self.name.contains('\\') {
            // A lone surrogate is a name that no text equals.
            return serde_json::from_str::<String>(self.name).is_ok_and(|name| name == want);
        }
        let unquoted = self
            .name
            .strip_prefix('"')
            .and_then(|name| name.strip_suffix('"'));
        unquoted == Some(want)
    }

    /// Tells whether the value is a string.
    pub(crate) fn is_string(&self) -> bool {
        self.value.starts_with('"')
    }
}

/// Calls `visit` for each field of an object, in order, duplicates included.
pub(crate) fn for_each_field<'a>(object: &'a str, visit: impl FnMut(Field<'a>)) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(FieldVisitor(visit))?;
    deserializer.end()
}

struct FieldVisitor<F>(F);

impl<'de, F: FnMut(Field<'de>)> Visitor<'de> for FieldVisitor<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            self.0(Field {
                name: name.get(),
                value: value.get(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(names: &[&str]) -> Fields {
        Fields::Keep(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn kept_fields_stay_as_they_came_in() {
        let cases = [
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
            (r#"{"b":2,"x":{"a":0},"a":1}"#, r#"{"b":2,"a":1}"#),
            (r#"{ "a" : 1.0e400 , "x" : null }"#, r#"{"a":1.0e400}"#),
            (
                r#"{"a":12345678901234567890,"a":"\ud800"}"#,
                r#"{"a":12345678901234567890,"a":"\ud800"}"#,
            ),
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
    fn without_a_list_nothing_changes() {
        let impression = r#"{ "a" : [1, 2] }"#;
        let have = project(impression, &Fields::All).unwrap();
        assert!(matches!(have, Cow::Borrowed(text) if text == impression));
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for text in ["", "[]", "1", r#"{"a":1"#, r#"{"a":1} x"#] {
            assert!(project(text, &keep(&["a"])).is_err(), "{text}");
        }
    }
}
