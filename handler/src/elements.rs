//! Owns splitting a batch's JSON text into impressions and elements that are none.
//!
//! Must not reserialize: an element stays the text that it was, to the last digit, duplicate name and lone surrogate.
//! Nesting must not use the stack; `serde_json` skips a raw value without recursion.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::decode::DecodeError;
use crate::fields::{for_each_field, project};
use crate::plain::{self, Plain};
use crate::rejected::{Reason, Rejected};
use crate::settings::Fields;

/// What JSON allows between tokens (RFC 8259, section 2).
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

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
    // A byte order mark is no JSON, but some senders write it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut elements = Elements::default();
    if text.trim_matches(WHITESPACE).is_empty() {
        return Ok(elements);
    }
    if let Some(inside) = text.trim_start_matches(WHITESPACE).strip_prefix('[') {
        let pushed = elements.push_all(inside, fields);
        return pushed.map(|()| elements).ok_or_else(|| where_it_ends(text));
    }
    let raw = serde_json::from_str::<&RawValue>(text)?.get();
    let Some(inside) = raw.strip_prefix('{') else {
        return Err(DecodeError::NotAnArray);
    };
    if inside.trim_start_matches(WHITESPACE) != "}" {
        elements.push(raw, fields);
    }
    Ok(elements)
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

impl<'a> Elements<'a> {
    /// Takes the elements of an array, from behind its bracket to the end of the text; `None` if that is no JSON.
    fn push_all(&mut self, text: &'a str, fields: &Fields) -> Option<()> {
        let mut rest = text.trim_start_matches(WHITESPACE);
        let mut is_first = true;
        while !rest.starts_with(']') || !is_first {
            rest = match plain::impression(rest) {
                Some(Plain { raw, key }) => {
                    let line = project(raw, fields).ok()?;
                    self.impressions.push(Impression { line, key });
                    &rest[raw.len()..]
                }
                None => self.push_any(rest, fields)?,
            };
            rest = rest.trim_start_matches(WHITESPACE);
            let Some(more) = rest.strip_prefix(',') else { break };
            rest = more.trim_start_matches(WHITESPACE);
            is_first = false;
        }
        let end = rest.strip_prefix(']')?;
        end.trim_start_matches(WHITESPACE).is_empty().then_some(())
    }

    /// Takes the element that a text starts with, whatever it is, and returns what follows.
    fn push_any(&mut self, text: &'a str, fields: &Fields) -> Option<&'a str> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let raw = values.next()?.ok()?.get();
        let end = values.byte_offset();
        self.push(raw, fields);
        text.get(end..)
    }

    fn push(&mut self, raw: &'a str, fields: &Fields) {
        match impression(raw, fields) {
            Ok(impression) => self.impressions.push(impression),
            Err(reason) => self.rejected.push(reason, raw),
        }
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
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let elements = parse(text, &Fields::All).unwrap();
        assert!(elements.rejected.is_empty(), "{text}");
        let lines = elements.impressions.into_iter();
        lines.map(|impression| impression.line.into_owned()).collect()
    }

    #[test]
    fn nothing_in_is_nothing_out() {
        for text in [
            "",
            " \r\n\t",
            "[]",
            " [ ] ",
            "{}",
            "\n{ \t}\n",
            "\u{feff}",
            "\u{feff}[]",
        ] {
            assert!(lines(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn impressions_pass_byte_for_byte() {
        let impressions = [
            r#"{"key":"a","split":"b"}"#,
            r#"{"key":"a","split":"b","key":"c","x":1,"x":2}"#,
            r#"{"\ud800":"\udfff\ud800","key":"\ud800","split":""}"#,
            r#"{"k\u0065y":"escaped name","split":"b"}"#,
            r#"{ "key" : "}, {" , "split" : "a=\"b\\" , "properties" : {"a":[{}]} }"#,
            r#"{"key":"a","split":"b","n":12345678901234567890.12345678901234567890}"#,
            r#"{"key":"a","split":"b","n":1e999999,"m":-0,"time":20240102030405060708}"#,
            "{\"key\":\"é\u{2028}\u{85}\u{7f}\",\"split\":\"\u{1f600}\"}",
        ];
        for impression in impressions {
            assert_eq!(lines(impression), [impression]);
            assert_eq!(lines(&format!("\u{feff} {impression}\n")), [impression]);
        }
        assert_eq!(lines(&format!("[{}]", impressions.join(" ,\n"))), impressions);
    }

    #[test]
    fn layout_becomes_one_line() {
        let text = "[\r\n  {\r\n    \"key\": \"a\\n\",\n\t\"split\": \"b\"\n  }\n]\n";
        let want = "{      \"key\": \"a\\n\", \t\"split\": \"b\"   }";
        assert_eq!(lines(text), [want]);
    }

    #[test]
    fn what_is_no_impression_is_rejected_with_its_text() {
        let cases = [
            ("null", Reason::NotAnObject),
            ("1", Reason::NotAnObject),
            ("\"key\"", Reason::NotAnObject),
            ("[]", Reason::NotAnObject),
            (r#"[{"key":"a","split":"b"}]"#, Reason::NotAnObject),
            ("{}", Reason::NoKey),
            (r#"{"split":"b"}"#, Reason::NoKey),
            (r#"{"key":1,"split":"b"}"#, Reason::NoKey),
            (r#"{"key":"a","key":null,"split":"b"}"#, Reason::NoKey),
            (r#"{"KEY":"a","split":"b"}"#, Reason::NoKey),
            (r#"{"key":"a"}"#, Reason::NoSplit),
            (r#"{"key":"a","split":["b"]}"#, Reason::NoSplit),
            (r#"{"key":"a","x":{"split":"b"}}"#, Reason::NoSplit),
        ];
        for (raw, want) in cases {
            let text = format!(r#"[ {raw} ,{{"key":"a","split":"b"}}]"#);
            let have = parse(&text, &Fields::All).unwrap();
            assert_eq!(have.impressions.len(), 1, "{raw}");
            let mut lines = String::new();
            let file = have.rejected.into_file().unwrap().unwrap();
            GzDecoder::new(&*file).read_to_string(&mut lines).unwrap();
            let reason = want.text();
            assert_eq!(lines, format!("{{\"reason\":\"{reason}\",\"element\":{raw}}}\n"));
        }
    }

    #[test]
    fn what_is_no_batch_is_an_error() {
        for text in ["null", "true", "1", "\"[]\""] {
            let have = parse(text, &Fields::All).unwrap_err();
            assert_eq!(have, DecodeError::NotAnArray, "{text}");
        }
        let invalid = [
            "[",
            "]",
            "{",
            "[1,]",
            "[1 2]",
            "[1]]",
            "[1] x",
            "{} {}",
            "nul",
            "{key:1}",
            "[01]",
            "[\"\n\"]",
            "[\"\\x\"]",
            "[NaN]",
            "'a'",
            "\u{feff}\u{feff}[]",
            "[{\"key\":\"a\"]",
        ];
        for text in invalid {
            let have = parse(text, &Fields::All).unwrap_err();
            assert!(matches!(have, DecodeError::Json { .. }), "{text}: {have}");
        }
    }

    #[test]
    fn errors_say_where_but_not_what() {
        let text = "[\n{\"key\":\"secret\" \"x\"}]";
        let have = parse(text, &Fields::All).unwrap_err().to_string();
        assert_eq!(have, "the body is not valid JSON (line 2, column 17)");
    }

    #[test]
    fn nesting_does_not_use_the_stack() {
        const DEPTH: usize = 100_000;
        let nested = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
        assert_eq!(parse(&nested, &Fields::All).unwrap().rejected.len(), 1);
        let objects = format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
        assert_eq!(parse(&objects, &Fields::All).unwrap().rejected.len(), 1);
        let impression = format!(r#"{{"key":"a","split":"b","x":{nested}}}"#);
        assert_eq!(lines(&impression), [impression.as_str()]);
        assert!(parse(&"[".repeat(DEPTH), &Fields::All).is_err());
        assert!(parse(&"{\"a\":".repeat(DEPTH), &Fields::All).is_err());
    }

    #[test]
    fn only_kept_fields_stay_and_the_key_is_still_known() {
        let fields = Fields::Keep(vec!["time".to_owned()]);
        let text = "[{\"key\":\"a\",\"time\":[1,\n2],\"split\":\"b\"}]";
        let have = parse(text, &fields).unwrap();
        assert_eq!(have.impressions[0].line, r#"{"time":[1, 2]}"#);
        assert_eq!(have.impressions[0].key, "\"a\"");
    }
}
