//! Properties of the whole way: whatever an impression looks like it comes out as it came in, and no body is a panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MemoryPipeline, base64, counts, handle, text};
use crate::testing::{gzip, in_ms};

/// Whitespace as JSON allows it between tokens.
fn space() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

fn string() -> impl Strategy<Value = String> {
    let quoted = |text: String| Value::from(text).to_string();
    prop_oneof![
        any::<String>().prop_map(quoted),
        "[a-z}{\\[\\],:=\"' ]{0,9}".prop_map(quoted),
        Just(r#""\ud800 \u00e9\/\b""#.to_owned()),
        Just(r#""}, {""#.to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        string(),
        "-?[1-9][0-9]{19}",
        "-?(0|[1-9][0-9]{0,3})\\.[0-9]{1,25}([eE][+-]?[0-9]{1,4})?",
        prop_oneof!["null", "true", "false"],
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec((space(), inner.clone(), space()), 0..4).prop_map(|values| {
                let values = values.into_iter().map(|(a, value, b)| a + &value + &b);
                format!("[{}]", values.collect::<Vec<_>>().join(","))
            }),
            prop::collection::vec((string(), space(), inner), 0..4).prop_map(object),
        ]
    })
}

fn object(fields: Vec<(String, String, String)>) -> String {
    let fields = fields.into_iter().map(|(name, s, value)| format!("{s}{name}{s}:{s}{value}{s}"));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn impression() -> impl Strategy<Value = String> {
    let others = prop::collection::vec((string(), space(), value()), 0..5);
    let required = (string(), string(), space());
    (others, required, any::<prop::sample::Index>()).prop_map(|(mut fields, required, at)| {
        let (key, split, s) = required;
        // A field that happens to be named so must not replace the ones that follow.
        fields.retain(|(name, _, _)| name != "\"key\"" && name != "\"split\"");
        fields.insert(at.index(fields.len() + 1), ("\"key\"".to_owned(), s.clone(), key));
        fields.push(("\"split\"".to_owned(), s, split));
        object(fields)
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #[test]
    fn every_impression_comes_out_as_it_came_in(
        impressions in prop::collection::vec((space(), impression()), 0..20),
        record_kib in prop_oneof![Just(0_u32), Just(1), Just(100)],
        gzipped: bool,
        encoded: bool,
    ) {
        let joined: Vec<_> = impressions.iter().map(|(s, raw)| format!("{s}{raw}{s}")).collect();
        let body = format!("[{}]", joined.join(","));
        let event = match (gzipped, encoded) {
            (true, _) => base64(&gzip(body.as_bytes())),
            (false, true) => base64(body.as_bytes()),
            (false, false) => text(&body),
        };
        let world = MemoryPipeline::default();
        let (status, answer, _) = block_on(handle(&world.working(record_kib), &event));
        prop_assert_eq!(status, 200);
        let count = impressions.len();
        prop_assert_eq!(answer, counts(count, count, 0, 0));
        let lines = impressions.iter().map(|(_, raw)| raw.replace(['\r', '\n'], " ") + "\n");
        prop_assert_eq!(world.stream.text(), lines.collect::<String>());
    }

    #[test]
    fn no_body_is_a_panic(bytes: Vec<u8>, body: String, encoded: bool) {
        let world = MemoryPipeline::default();
        let webhook = world.working(0);
        let mut gzipped = gzip(&bytes);
        gzipped.truncate(bytes.len().max(2));
        let odd = json!({ "body": body, "isBase64Encoded": encoded });
        for event in [base64(&bytes), base64(&gzipped), odd] {
            let event = serde_json::value::to_raw_value(&event).unwrap();
            let handled = block_on(webhook.handle(&event, "id", in_ms(60_000)));
            prop_assert!([200, 400].contains(&handled.response.status_code));
        }
    }
}
