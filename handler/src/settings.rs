//! Defines the handler's settings: their names in the Lambda environment, defaults, limits and parsing.
//!
//! The CLI writes the variables that [`HandlerSettings::to_env`] returns, and the handler reads them with
//! [`HandlerSettings::from_env`]: no other place spells their names. Must not read the environment: the caller passes a
//! lookup.

use std::collections::BTreeMap;

use thiserror::Error;

const ENV_STREAM: &str = "SPLIT_PIPELINE_STREAM";
const ENV_BUCKET: &str = "SPLIT_PIPELINE_BUCKET";
const ENV_RECORD_KIB: &str = "SPLIT_PIPELINE_RECORD_KIB";
const ENV_NUMBER_FIELDS: &str = "SPLIT_PIPELINE_NUMBER_FIELDS";
const ENV_FIELDS: &str = "SPLIT_PIPELINE_FIELDS";

/// The default record size: so large that Firehose's rounding up to 5 KB per record does not matter.
pub const DEFAULT_RECORD_KIB: u32 = 100;

/// The largest record that Firehose reads from a stream: 1,000 KiB (Firehose quotas, "maximum size of a record").
pub const MAX_RECORD_KIB: u32 = 1_000;

const ENV_FUNCTION: &str = "AWS_LAMBDA_FUNCTION_NAME";
const ENV_MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// What Lambda says about the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LambdaFunction {
    /// Its name, which is the pipeline's.
    pub name: String,
    /// Its memory.
    pub memory_mib: usize,
}

/// What the handler needs to know about the pipeline that it is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerSettings {
    /// The name of the Kinesis stream that takes the impressions.
    pub stream: String,
    /// The bucket that takes what the stream refuses, and elements that are no impressions.
    pub bucket: String,
    /// The size to which impressions are packed into one record, in KiB; 0 means one impression a record.
    pub record_kib: u32,
    /// The fields, in any case, that Firehose can only convert where they are whole numbers.
    pub number_fields: Vec<String>,
    /// The fields of an impression that are passed on.
    pub fields: KeptFields,
}

/// Which fields of an impression are passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptFields {
    /// Every field that came in.
    All,
    /// Only the fields of these names, in the order in which they came in.
    Keep(Vec<String>),
}

/// Why the environment holds no usable settings.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the texts say what is wrong")]
pub enum SettingsError {
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    #[error("{ENV_MEMORY} is {0:?}, expected a whole number")]
    Memory(String),
    #[error("{ENV_RECORD_KIB} is {0:?}, expected a whole number from 0 to {MAX_RECORD_KIB}")]
    RecordKib(String),
    #[error("{0} is not a JSON array of field names")]
    Fields(&'static str, #[source] serde_json::Error),
    #[error("{ENV_FIELDS} names no field")]
    NoFields,
}

impl LambdaFunction {
    /// Reads what Lambda says from an environment, given as a lookup by name.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let memory = required(ENV_MEMORY, &get)?;
        Ok(Self {
            name: required(ENV_FUNCTION, &get)?,
            memory_mib: memory.parse().map_err(|_| SettingsError::Memory(memory))?,
        })
    }
}

impl HandlerSettings {
    /// Returns the environment variables from which [`HandlerSettings::from_env`] makes these settings again.
    pub fn to_env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            (ENV_STREAM.to_owned(), self.stream.clone()),
            (ENV_BUCKET.to_owned(), self.bucket.clone()),
            (ENV_RECORD_KIB.to_owned(), self.record_kib.to_string()),
        ]);
        let list = |names: &[String]| serde_json::Value::from(names).to_string();
        if !self.number_fields.is_empty() {
            env.insert(ENV_NUMBER_FIELDS.to_owned(), list(&self.number_fields));
        }
        if let KeptFields::Keep(names) = &self.fields {
            env.insert(ENV_FIELDS.to_owned(), list(names));
        }
        env
    }

    /// Reads the settings from an environment, given as a lookup by name.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        Ok(Self {
            stream: required(ENV_STREAM, &get)?,
            bucket: required(ENV_BUCKET, &get)?,
            record_kib: get(ENV_RECORD_KIB).map_or(Ok(DEFAULT_RECORD_KIB), parse_record_kib)?,
            number_fields: names(ENV_NUMBER_FIELDS, &get)?.unwrap_or_default(),
            fields: match names(ENV_FIELDS, &get)? {
                None => KeptFields::All,
                Some(names) if names.is_empty() => return Err(SettingsError::NoFields),
                Some(names) => KeptFields::Keep(names),
            },
        })
    }
}

fn required(name: &'static str, get: impl Fn(&str) -> Option<String>) -> Result<String, SettingsError> {
    get(name).filter(|value| !value.is_empty()).ok_or(SettingsError::Missing(name))
}

fn parse_record_kib(value: String) -> Result<u32, SettingsError> {
    match value.parse() {
        Ok(kib) if kib <= MAX_RECORD_KIB => Ok(kib),
        _ => Err(SettingsError::RecordKib(value)),
    }
}

fn names(
    name: &'static str,
    get: impl Fn(&str) -> Option<String>,
) -> Result<Option<Vec<String>>, SettingsError> {
    let names = get(name).map(|text| serde_json::from_str(&text));
    names.transpose().map_err(|source| SettingsError::Fields(name, source))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(env: &[(&str, &str)]) -> Result<HandlerSettings, SettingsError> {
        HandlerSettings::from_env(|name| {
            let found = env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_apply_to_what_is_absent() {
        let have = settings(&[(ENV_STREAM, "s"), (ENV_BUCKET, "b")]).unwrap();
        let want = HandlerSettings {
            stream: "s".to_owned(),
            bucket: "b".to_owned(),
            record_kib: DEFAULT_RECORD_KIB,
            number_fields: Vec::new(),
            fields: KeptFields::All,
        };
        assert_eq!(have, want);
    }

    #[test]
    fn unusable_values_are_named() {
        let base = [(ENV_STREAM, "s"), (ENV_BUCKET, "b")];
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "environment variable SPLIT_PIPELINE_STREAM is not set"),
            (&[(ENV_STREAM, "s"), (ENV_BUCKET, "")], "environment variable SPLIT_PIPELINE_BUCKET is not set"),
            (
                &[base[0], base[1], (ENV_RECORD_KIB, "1001")],
                r#"SPLIT_PIPELINE_RECORD_KIB is "1001", expected a whole number from 0 to 1000"#,
            ),
            (
                &[base[0], base[1], (ENV_NUMBER_FIELDS, "[1]")],
                "SPLIT_PIPELINE_NUMBER_FIELDS is not a JSON array of field names",
            ),
            (
                &[base[0], base[1], (ENV_FIELDS, "key,split")],
                "SPLIT_PIPELINE_FIELDS is not a JSON array of field names",
            ),
            (&[base[0], base[1], (ENV_FIELDS, "[]")], "SPLIT_PIPELINE_FIELDS names no field"),
        ];
        for (env, want) in cases {
            assert_eq!(settings(env).unwrap_err().to_string(), *want);
        }
    }

    #[test]
    fn lambda_says_name_and_memory() {
        let function = |name: &str, memory: &str| {
            LambdaFunction::from_env(|variable| match variable {
                "AWS_LAMBDA_FUNCTION_NAME" => Some(name.to_owned()),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some(memory.to_owned()),
                _ => None,
            })
        };
        let want = LambdaFunction { name: "split".to_owned(), memory_mib: 256 };
        assert_eq!(function("split", "256").unwrap(), want);
        let cases = [
            ("", "256", "environment variable AWS_LAMBDA_FUNCTION_NAME is not set"),
            ("split", "", "environment variable AWS_LAMBDA_FUNCTION_MEMORY_SIZE is not set"),
            ("split", "256 MB", r#"AWS_LAMBDA_FUNCTION_MEMORY_SIZE is "256 MB", expected a whole number"#),
        ];
        for (name, memory, want) in cases {
            assert_eq!(function(name, memory).unwrap_err().to_string(), want);
        }
    }

    proptest! {
        #[test]
        fn from_env_reads_what_to_env_writes(
            stream in ".+",
            bucket in ".+",
            record_kib in 0..=MAX_RECORD_KIB,
            number_fields in prop::collection::vec(any::<String>(), 0..3),
            names in prop::option::of(prop::collection::vec(any::<String>(), 1..5)),
        ) {
            let fields = names.map_or(KeptFields::All, KeptFields::Keep);
            let want = HandlerSettings { stream, bucket, record_kib, number_fields, fields };
            let env = want.to_env();
            let have = HandlerSettings::from_env(|name| env.get(name).cloned()).unwrap();
            prop_assert_eq!(have, want);
        }
    }
}
