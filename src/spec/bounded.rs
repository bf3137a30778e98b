//! Whole numbers that keep within what AWS takes.
//!
//! Owns the ranges' checks and messages. It must not know which key a number belongs to.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    /// Takes a number, if it is within the bounds.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number >= MIN && number <= MAX { Some(Self(number)) } else { None }
    }

    /// Takes a constant; one out of bounds does not compile.
    #[must_use]
    pub const fn of<const N: u32>() -> Self {
        const { assert!(N >= MIN && N <= MAX, "the constant is out of bounds") };
        Self(N)
    }

    /// Gives the number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> fmt::Display for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: u32, const MAX: u32> Serialize for Bounded<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = format!("a whole number from {MIN} to {MAX}");
        deserializer.deserialize_any(WholeNumber { allowed: &allowed, accept: Self::new })
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Bounded<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("WholeNumber{MIN}To{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// The retentions that `CloudWatch` Logs accepts, in days (its `PutRetentionPolicy` reference).
const LOG_RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A number of days that `CloudWatch` Logs can keep a log for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LogRetentionDays(u32);

impl LogRetentionDays {
    /// Takes a number of days, if `CloudWatch` Logs accepts it.
    #[must_use]
    pub fn new(days: u32) -> Option<Self> {
        LOG_RETENTION_DAYS.contains(&days).then_some(Self(days))
    }

    /// Gives the number of days.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for LogRetentionDays {
    fn default() -> Self {
        Self(14)
    }
}

impl fmt::Display for LogRetentionDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for LogRetentionDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let days: Vec<String> = LOG_RETENTION_DAYS.iter().map(u32::to_string).collect();
        let allowed = format!("a number of days CloudWatch Logs accepts ({})", days.join(", "));
        deserializer.deserialize_any(WholeNumber { allowed: &allowed, accept: Self::new })
    }
}

impl JsonSchema for LogRetentionDays {
    fn schema_name() -> Cow<'static, str> {
        "LogRetentionDays".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": LOG_RETENTION_DAYS })
    }
}

/// Reads a number that `accept` takes; 1.0 and "1" are no whole numbers, lest a typo pass for one.
struct WholeNumber<'a, T> {
    allowed: &'a str,
    accept: fn(u32) -> Option<T>,
}

impl<T> Visitor<'_> for WholeNumber<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        u32::try_from(number)
            .ok()
            .and_then(self.accept)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }
}
