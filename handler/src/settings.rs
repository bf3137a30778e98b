//! Owns the handler's settings: their names in the Lambda environment, defaults, limits and parsing.
//!
//! The CLI writes what [`Settings::to_env`] returns and the handler reads it back with [`Settings::from_env`], so
//! neither may spell a variable's name itself. Must not read the environment: the caller passes a lookup.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The environment variable that names the Kinesis stream.
pub const ENV_STREAM: &str = "SPLIT_PIPELINE_STREAM";
/// The environment variable that names the bucket for spilled and rejected impressions.
pub const ENV_BUCKET: &str = "SPLIT_PIPELINE_BUCKET";
/// The environment variable that holds [`Settings::record_kib`].
pub const ENV_RECORD_KIB: &str = "SPLIT_PIPELINE_RECORD_KIB";
/// The environment variable that holds [`Settings::record_format`]; absent means NDJSON.
pub const ENV_RECORD_FORMAT: &str = "SPLIT_PIPELINE_RECORD_FORMAT";
/// The environment variable that holds the fields to keep, a JSON array of names; absent means all.
pub const ENV_FIELDS: &str = "SPLIT_PIPELINE_FIELDS";

/// The size records are packed to where nothing is said: large enough that Firehose's rounding up to 5 KB a record
/// does not matter.
pub const DEFAULT_RECORD_KIB: u32 = 100;

/// The largest record that Firehose reads from a stream: 1,000 KiB (Firehose quotas, "maximum size of a record").
pub const MAX_RECORD_KIB: u32 = 1_000;

/// What the handler needs to know about the pipeline that it is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the Kinesis stream that takes the impressions.
    pub stream: String,
    /// The bucket that takes what the stream refuses, and elements that are no impressions.
    pub bucket: String,
    /// The size to which impressions are packed into one record, in KiB; 0 means one impression a record.
    pub record_kib: u32,
    /// How the impressions of a record are told apart.
    pub record_format: RecordFormat,
    /// The fields of an impression that are passed on.
    pub fields: Fields,
}

/// The fields of an impression that are whole numbers where it is converted; every other one may be anything, as text.
///
/// The number of a flag's version is none of them: it is an identifier, of any length.
pub const NUMBER_FIELDS: [&str; 1] = ["time"];

/// How the impressions of a record are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordFormat {
    /// Each ends with a newline, so that records one after the other are NDJSON.
    #[default]
    Ndjson,
    /// Nothing is between them, which is what Firehose's format conversion takes ("Convert input data format").
    ConcatenatedJson,
}

impl RecordFormat {
    /// What an impression ends with.
    #[must_use]
    pub const fn end(self) -> &'static [u8] {
        match self {
            Self::Ndjson => b"\n",
            Self::ConcatenatedJson => b"",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::ConcatenatedJson => "concatenated_json",
        }
    }
}

/// Which fields of an impression are passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fields {
    /// Every field that came in.
    #[default]
    All,
    /// Only the fields of these names, in the order in which they came in.
    Keep(Vec<String>),
}

/// Why the environment holds no usable settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A variable without a default is absent or empty.
    #[error("environment variable {name} is not set")]
    Missing {
        /// The variable's name.
        name: &'static str,
    },
    /// The record size is not a whole number from 0 to [`MAX_RECORD_KIB`].
    #[error("{ENV_RECORD_KIB} is {value:?}, expected a whole number from 0 to {MAX_RECORD_KIB}")]
    RecordKib {
        /// The text that was found.
        value: String,
    },
    /// The record format is none that there is.
    #[error("{ENV_RECORD_FORMAT} is {value:?}, expected \"ndjson\" or \"concatenated_json\"")]
    RecordFormat {
        /// The text that was found.
        value: String,
    },
    /// The fields are not a JSON array of strings.
    #[error("{ENV_FIELDS} is not a JSON array of field names")]
    Fields(#[source] serde_json::Error),
    /// The list of fields is empty, which would pass on nothing at all.
    #[error("{ENV_FIELDS} names no field")]
    NoFields,
}

impl Settings {
    /// Returns the environment variables from which [`Settings::from_env`] makes these settings again.
    #[must_use]
    pub fn to_env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            (ENV_STREAM.to_owned(), self.stream.clone()),
            (ENV_BUCKET.to_owned(), self.bucket.clone()),
            (ENV_RECORD_KIB.to_owned(), self.record_kib.to_string()),
        ]);
        if self.record_format != RecordFormat::default() {
            let format = self.record_format.as_str().to_owned();
            env.insert(ENV_RECORD_FORMAT.to_owned(), format);
        }
        if let Fields::Keep(names) = &self.fields {
            let names = serde_json::Value::from(names.as_slice());
            env.insert(ENV_FIELDS.to_owned(), names.to_string());
        }
        env
    }

    /// Reads the settings from an environment, given as a lookup by name.
    ///
    /// # Errors
    ///
    /// When a variable without a default is absent, or one has a value that [`Settings::to_env`] never writes.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let required = |name| {
            get(name)
                .filter(|value| !value.is_empty())
                .ok_or(SettingsError::Missing { name })
        };
        Ok(Self {
            stream: required(ENV_STREAM)?,
            bucket: required(ENV_BUCKET)?,
            record_kib: get(ENV_RECORD_KIB).map_or(Ok(DEFAULT_RECORD_KIB), parse_record_kib)?,
            record_format: get(ENV_RECORD_FORMAT).map_or(Ok(RecordFormat::default()), parse_record_format)?,
            fields: get(ENV_FIELDS).map_or(Ok(Fields::All), |text| parse_fields(&text))?,
        })
    }
}

fn parse_record_kib(value: String) -> Result<u32, SettingsError> {
    match value.parse() {
        Ok(kib) if kib <= MAX_RECORD_KIB => Ok(kib),
        _ => Err(SettingsError::RecordKib { value }),
    }
}

fn parse_record_format(value: String) -> Result<RecordFormat, SettingsError> {
    let known = [RecordFormat::Ndjson, RecordFormat::ConcatenatedJson];
    let found = known.into_iter().find(|format| format.as_str() == value);
    found.ok_or(SettingsError::RecordFormat { value })
}

fn parse_fields(text: &str) -> Result<Fields, SettingsError> {
    let names: Vec<String> = serde_json::from_str(text).map_err(SettingsError::Fields)?;
    if names.is_empty() {
        return Err(SettingsError::NoFields);
    }
    Ok(Fields::Keep(names))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_env(|name| {
            let found = env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_apply_to_what_is_absent() {
        let have = settings(&[(ENV_STREAM, "s"), (ENV_BUCKET, "b")]).unwrap();
        let want = Settings {
            stream: "s".to_owned(),
            bucket: "b".to_owned(),
            record_kib: DEFAULT_RECORD_KIB,
            record_format: RecordFormat::Ndjson,
            fields: Fields::All,
        };
        assert_eq!(have, want);
    }

    #[test]
    fn unusable_values_are_named() {
        let base = [(ENV_STREAM, "s"), (ENV_BUCKET, "b")];
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "environment variable SPLIT_PIPELINE_STREAM is not set"),
            (
                &[(ENV_STREAM, "s"), (ENV_BUCKET, "")],
                "environment variable SPLIT_PIPELINE_BUCKET is not set",
            ),
            (
                &[base[0], base[1], (ENV_RECORD_KIB, "1001")],
                r#"SPLIT_PIPELINE_RECORD_KIB is "1001", expected a whole number from 0 to 1000"#,
            ),
            (
                &[base[0], base[1], (ENV_RECORD_FORMAT, "csv")],
                r#"SPLIT_PIPELINE_RECORD_FORMAT is "csv", expected "ndjson" or "concatenated_json""#,
            ),
            (
                &[base[0], base[1], (ENV_FIELDS, "key,split")],
                "SPLIT_PIPELINE_FIELDS is not a JSON array of field names",
            ),
            (
                &[base[0], base[1], (ENV_FIELDS, "[]")],
                "SPLIT_PIPELINE_FIELDS names no field",
            ),
        ];
        for (env, want) in cases {
            assert_eq!(settings(env).unwrap_err().to_string(), *want);
        }
    }

    proptest! {
        #[test]
        fn from_env_reads_what_to_env_writes(
            stream in ".+",
            bucket in ".+",
            record_kib in 0..=MAX_RECORD_KIB,
            record_format in prop_oneof![Just(RecordFormat::Ndjson), Just(RecordFormat::ConcatenatedJson)],
            names in prop::option::of(prop::collection::vec(any::<String>(), 1..5)),
        ) {
            let fields = names.map_or(Fields::All, Fields::Keep);
            let want = Settings { stream, bucket, record_kib, record_format, fields };
            let env = want.to_env();
            let have = Settings::from_env(|name| env.get(name).cloned()).unwrap();
            prop_assert_eq!(have, want);
        }
    }
}
