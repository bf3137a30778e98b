//! Any text as a batch: no panic, its elements are those that `serde_json` sees, and the records are exactly the
//! impressions, one a line and in order.

#![no_main]

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use split_pipeline_handler::elements::{parse, single_line, stored};
use split_pipeline_handler::pack::{MAX_RECORD_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_RECORDS, pack, requests};
use split_pipeline_handler::request::Bodies;
use split_pipeline_handler::settings::KeptFields;

fuzz_target!(|input: (u16, bool, &str)| {
    let (size, project, text) = input;
    let fields = if project {
        KeptFields::Keep(vec!["key".to_owned(), "a".to_owned()])
    } else {
        KeptFields::All
    };
    check_elements(text);
    let Ok(mut elements) = parse(text, &fields) else { return };
    let number_fields = if size % 2 == 0 { vec!["time".to_owned()] } else { Vec::new() };
    // Misfits become the last of the impressions.
    let packed = pack(&mut elements.impressions, u32::from(size % 1001), &number_fields);
    assert!(packed.oversized.iter().all(|line| line.len() + 1 > MAX_RECORD_BYTES));
    let mut have = Vec::new();
    for request in requests(packed.records) {
        assert!(request.len() <= MAX_REQUEST_RECORDS);
        assert!(request.iter().map(|record| record.bytes).sum::<usize>() <= MAX_REQUEST_BYTES);
        assert!(!Bodies::default().write("stream", &request).is_empty());
        request.iter().for_each(|record| record.write_to(&mut have));
    }
    let fits = |line: &&str| line.len() < MAX_RECORD_BYTES;
    let lines = elements.impressions.iter().map(|impression| impression.line.as_ref()).filter(fits);
    let want: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(have, want.as_bytes());
    assert_eq!(stored(&want).len(), want.lines().count());
});

/// Compares the elements of an array with what `serde_json` alone makes of it.
fn check_elements(text: &str) {
    let array = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !array.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[') {
        return;
    }
    let have = parse(text, &KeptFields::All);
    let Ok(want) = serde_json::from_str::<Vec<&RawValue>>(array) else {
        assert!(have.is_err());
        return;
    };
    let have = have.unwrap();
    let mut impressions = have.impressions.iter();
    let file = have.rejected.into_file().unwrap().unwrap_or_default();
    let mut text = String::new();
    let _ = MultiGzDecoder::new(&*file).read_to_string(&mut text);
    let mut rejected = text.lines();
    for raw in want {
        let line = single_line(raw.get().into());
        if let Some(key) = key_of_impression(raw) {
            let have = impressions.next().unwrap();
            assert_eq!((have.line.as_ref(), have.key), (line.as_ref(), key));
        } else {
            let element = format!("\"element\":{line}}}");
            assert!(rejected.next().unwrap().ends_with(&element));
        }
    }
    assert!(impressions.next().is_none() && rejected.next().is_none());
}

/// Returns the JSON text of the `key` if an element is an impression: an object with a string `key` and a string `split`.
fn key_of_impression(raw: &RawValue) -> Option<&str> {
    let key = last_string(raw, "key").filter(|_| last_string(raw, "split").is_some());
    // A value cannot hold every element: not a lone surrogate, a number past a double, or deep nesting.
    if let Ok(value) = serde_json::from_str::<Value>(raw.get()) {
        let is_impression = value["key"].is_string() && value["split"].is_string();
        assert_eq!(key.is_some(), is_impression, "{raw}");
        assert!(key.is_none_or(|key| serde_json::from_str::<Value>(key).unwrap() == value["key"]));
    }
    key
}

/// Returns the JSON text of an object's field, the last of this name, if it is a string.
fn last_string<'a>(object: &'a RawValue, name: &str) -> Option<&'a str> {
    struct Last<'a, 'n>(&'n str, Option<&'a str>);
    impl<'a> serde::de::Visitor<'a> for Last<'a, '_> {
        type Value = Option<&'a str>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'a>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
            while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                if serde_json::from_str::<String>(name.get()).is_ok_and(|name| name == self.0) {
                    self.1 = Some(value.get());
                }
            }
            Ok(self.1)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(object.get());
    let last = serde::Deserializer::deserialize_map(&mut deserializer, Last(name, None)).ok()?;
    last.filter(|value| value.starts_with('"'))
}
