//! The error that reading a spec's tree ends with, while its parts are still apart.
//!
//! Owns the wording of what serde finds wrong by itself: types, unknown keys, unknown choices. It must not know where
//! in the text a fault is; `diagnose` adds that.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// How much of a wrong text a message repeats.
const SHOWN_CHARS: usize = 40;

/// A fault in a spec.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) place: FaultPlace,
}

/// Whether it is a key or its value that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultPlace {
    Key,
    Value,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum FaultKind {
    UnknownKey { key: String, valid: &'static [&'static str] },
    UnknownChoice { choice: String, valid: &'static [&'static str] },
    MissingKey(&'static str),
    Other(String),
}

impl Fault {
    pub(super) fn at_key(self) -> Self {
        Self { place: FaultPlace::Key, ..self }
    }

    fn other(message: String) -> Self {
        FaultKind::Other(message).into()
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind, place: FaultPlace::Value }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::UnknownKey { key, .. } => {
                write!(f, "unknown key `{}`", shortened(key).escape_debug())
            }
            FaultKind::UnknownChoice { choice, valid } => {
                write!(f, "must be one of {}, not {}", valid.join(", "), quoted(choice))
            }
            FaultKind::MissingKey(key) => write!(f, "`{key}` is missing"),
            FaultKind::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::other(message.to_string())
    }

    fn invalid_type(got: Unexpected<'_>, want: &dyn Expected) -> Self {
        Self::invalid_value(got, want)
    }

    fn invalid_value(got: Unexpected<'_>, want: &dyn Expected) -> Self {
        let got = match got {
            Unexpected::Str(text) => quoted(text),
            Unexpected::Unit | Unexpected::Option => "null".to_owned(),
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Float(number) => format!("{number:?}"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "keys and values".to_owned(),
            other => other.to_string(),
        };
        let want = match want.to_string() {
            serdes_own if serdes_own == "a boolean" => "true or false".to_owned(),
            serdes_own if serdes_own == "a sequence" => "a list".to_owned(),
            want => want,
        };
        Self::other(format!("must be {want}, not {got}"))
    }

    fn unknown_field(key: &str, valid: &'static [&'static str]) -> Self {
        FaultKind::UnknownKey { key: key.to_owned(), valid }.into()
    }

    fn unknown_variant(choice: &str, valid: &'static [&'static str]) -> Self {
        FaultKind::UnknownChoice { choice: choice.to_owned(), valid }.into()
    }

    fn missing_field(key: &'static str) -> Self {
        FaultKind::MissingKey(key).into()
    }
}

fn quoted(text: &str) -> String {
    format!("the text {:?}", shortened(text))
}

/// Cuts a long text, so that a message stays a line.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
