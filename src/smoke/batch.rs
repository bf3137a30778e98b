//! The impressions that are sent: made up ones with everything that is hard about JSON, or the user's own.

use std::borrow::Cow;

use serde_json::value::RawValue;
use split_pipeline_handler::elements::single_line;
use split_pipeline_handler::fields::project;
use split_pipeline_handler::settings::KeptFields;

use super::SmokeError;

/// The most impressions in one post; Lambda takes 6 MB, which is far more.
const LARGEST_POST: usize = 1000;

#[derive(Clone, Debug)]
pub struct Batch {
    impressions: Vec<String>,
}

/// Values that a careless parser breaks: text that looks like structure, quotes, unicode, escapes.
const LABELS: [&str; 6] = [
    r#""default rule""#,
    r#""in segment }, { \"key\": \"x\"""#,
    r#""a=b,c=[d]; \\ \/ \u00e9""#,
    r#""日本語 🎉 \ud83d\ude00""#,
    "null",
    r#""line\nbreak\ttab""#,
];

const PROPERTIES: [&str; 4] = [
    "null",
    r#"{"plan":"pro","seats":12345678901234567890,"ratio":0.1000,"nested":{"a":[{"b":null}],"c":[1]}}"#,
    r#"{"order":-1.5e+300,"empty":{},"list":[]}"#,
    r#"{"text":"}, {","deep":[[[["x"]]]]}"#,
];

impl Batch {
    /// Makes up `count` impressions, each of which says that it is of `run`.
    pub fn made_up(count: usize, run: &str) -> Self {
        Self { impressions: (0..count).map(|index| impression(index, run)).collect() }
    }

    /// Reads the elements of a JSON array, each as the text that it is.
    pub fn from_json(text: &str) -> Result<Self, SmokeError> {
        let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(SmokeError::Payload)?;
        Ok(Self { impressions: elements.into_iter().map(|element| element.get().to_owned()).collect() })
    }

    pub fn len(&self) -> usize {
        self.impressions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.impressions.is_empty()
    }

    /// The lines that must be found in S3, given the fields that the pipeline keeps.
    pub fn lines(&self, fields: &KeptFields) -> Vec<String> {
        let line = |impression: &String| {
            let kept = project(impression, fields).unwrap_or(Cow::Borrowed(impression));
            single_line(kept).into_owned()
        };
        self.impressions.iter().map(line).collect()
    }

    /// The bodies to post, as JSON arrays: at least two, so that each way of posting is used.
    pub fn bodies(&self) -> Vec<String> {
        let size = self.impressions.len().div_ceil(2).clamp(1, LARGEST_POST);
        self.impressions.chunks(size).map(|chunk| format!("[{}]", chunk.join(","))).collect()
    }
}

fn impression(index: usize, run: &str) -> String {
    let label = LABELS[index % LABELS.len()];
    let properties = PROPERTIES[index % PROPERTIES.len()];
    let treatment = ["on", "off", "control"][index % 3];
    // A 20-digit change number does not fit any integer or float type without loss.
    let version = format!("{}{:013}", 1_700_000 + index % 7, index);
    format!(
        r#"{{"key":"smoke-{run}-{index}","split":"smoke_flag_{flag}","environmentId":"11111111-2222-3333-4444-555555555555","environmentName":"smoke","treatment":"{treatment}","time":{time},"bucketingKey":null,"label":{label},"machineName":"ip-10-0-0-1","machineIp":"10.0.0.1","splitVersionNumber":{version},"sdk":"split-pipeline","sdkVersion":"1.0.0","properties":{properties}}}"#,
        flag = index % 10,
        time = 1_700_000_000_000_u64 + index as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_impressions_are_json_and_all_different() {
        let batch = Batch::made_up(100, "run");
        let lines = batch.lines(&KeptFields::All);
        for line in &lines {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        let different: std::collections::HashSet<_> = lines.iter().collect();
        assert_eq!(different.len(), 100);
    }

    #[test]
    fn bodies_hold_every_impression_once() {
        let batch = Batch::made_up(2501, "run");
        let bodies = batch.bodies();
        assert_eq!(bodies.len(), 3);
        let again: Vec<String> =
            bodies.iter().flat_map(|body| Batch::from_json(body).unwrap().impressions).collect();
        assert_eq!(again, batch.impressions);
        assert_eq!(Batch::made_up(1, "run").bodies().len(), 1);
    }

    #[test]
    fn kept_fields_are_all_that_is_expected() {
        let batch = Batch::from_json(r#"[{"key":"k", "split":"s","time":12345678901234567890}]"#).unwrap();
        let keep = KeptFields::Keep(vec!["time".into(), "key".into()]);
        assert_eq!(batch.lines(&keep), [r#"{"key":"k","time":12345678901234567890}"#]);
    }
}
