//! How a type that holds only some texts is defined, read and described.
//!
//! Owns the macros and the visitor. It must not know what any type allows.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Visitor};

/// Why a text is refused: `Err` with a message that says what is allowed.
pub(super) type Checked = Result<(), String>;

/// Defines a text that passes `check`; `allowed` is what a user is told who gives no text at all.
macro_rules! text_value {
    ($(#[$meta:meta])* $name:ident, check: $check:expr, allowed: $allowed:expr, schema: $schema:tt) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// Takes a text; the error is a message that says what is allowed.
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                $check(&text).map(|()| Self(text))
            }

            /// Gives the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::spec::text::read_as_text!($name, allowed: $allowed, schema: $schema);
    };
}
pub(super) use text_value;

/// Reads a type with a fallible `new` from a text, and describes it.
macro_rules! read_as_text {
    ($name:ident, allowed: $allowed:expr, schema: $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer
                    .deserialize_any($crate::spec::text::TextVisitor::new($allowed, |text| Self::new(text)))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                json_schema!($schema)
            }
        }
    };
}
pub(super) use read_as_text;

/// Reads a text that `accept` takes.
pub(super) struct TextVisitor<T, F> {
    allowed: &'static str,
    accept: F,
    value: PhantomData<T>,
}

impl<T, F: FnOnce(&str) -> Result<T, String>> TextVisitor<T, F> {
    pub(super) fn new(allowed: &'static str, accept: F) -> Self {
        Self { allowed, accept, value: PhantomData }
    }
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for TextVisitor<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.accept)(text).map_err(E::custom)
    }
}
