//! Tests of the spec as a whole: defaults, examples, and the schema. Its values' rules are in `values` and
//! `lists`, problems' places and hints in `problems`.

use super::*;

mod lists;
mod monitoring;
mod problems;
mod values;

const EXAMPLES: [(&str, &str); 6] = [
    ("quickstart", include_str!("../../examples/quickstart.yaml")),
    ("all-keys", include_str!("../../examples/all-keys.yaml")),
    ("high-volume", include_str!("../../examples/high-volume.yaml")),
    ("locked-down", include_str!("../../examples/locked-down.yaml")),
    ("raw-records", include_str!("../../examples/raw-records.yaml")),
    ("watched", include_str!("../../examples/watched.yaml")),
];

fn parse(text: &str) -> Result<Parsed, SpecError> {
    Spec::parse(text, "s.yaml")
}

fn default_spec(name: &str) -> Spec {
    Spec {
        name: Name::new(name).unwrap(),
        region: None,
        tags: UserTags::default(),
        protect: false,
        iam: Iam::default(),
        stream: StreamSpec::default(),
        delivery: DeliverySpec::default(),
        handler: Handler::default(),
        webhook: WebhookSpec::default(),
        monitoring: Monitoring::default(),
    }
}

/// Gives the messages for `key: value`, where `key` may be dotted once.
fn messages(key: &str, value: &str) -> Vec<String> {
    let text = match key.split_once('.') {
        None if key == "name" => format!("name: {value}"),
        None => format!("name: abc\n{key}: {value}"),
        Some((section, key)) => format!("name: abc\n{section}:\n  {key}: {value}"),
    };
    match parse(&text) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems.into_iter().map(|problem| problem.message).collect(),
    }
}

/// Checks values that are all taken, and values that are all refused with one message that has this part.
fn table(key: &str, good: &[&str], bad: &[(&str, &str)]) {
    for value in good {
        assert_eq!(messages(key, value), [""; 0], "{key}: {value}");
    }
    for (value, part) in bad {
        let messages = messages(key, value);
        assert!(messages.len() == 1 && messages[0].contains(part), "{key}: {value}: {messages:?}");
    }
}

#[test]
fn name_alone_is_a_whole_spec() {
    let parsed = parse("name: my-impressions").unwrap();
    assert_eq!(parsed, Parsed { spec: default_spec("my-impressions"), warnings: Vec::new() });
}

#[test]
fn defaults_pass_their_own_checks() {
    let delivery = DeliverySpec::default();
    Prefix::new(delivery.prefix.as_str()).unwrap();
    ErrorPrefix::new(delivery.error_prefix.as_str()).unwrap();
    StageName::new(StageName::default().as_str()).unwrap();
    assert_eq!(LogRetentionDays::new(14), Some(LogRetentionDays::default()));
}

#[test]
fn bounds_hold_outside_of_yaml_too() {
    assert_eq!(Bounded::<1, 5>::new(0), None);
    assert_eq!(Bounded::<1, 5>::new(5).map(Bounded::get), Some(5));
    assert_eq!(Bounded::<1, 5>::new(6), None);
    assert_eq!(LogRetentionDays::new(2), None);
}

#[test]
fn a_misspelt_field_is_warned_of() {
    let parsed =
        parse("name: abc\nhandler: {fields: [key, splitt, time, sdk, sdkVersion, somethingNew]}\n").unwrap();
    assert_eq!(
        parsed.warnings,
        ["s.yaml:2:25: handler.fields[1]: Split has no field `splitt`; did you mean `split`?"]
    );
}

#[test]
fn shards_have_no_meaning_on_demand() {
    let parsed = parse("name: abc\nstream:\n  shards: 3\n  mode: on_demand\n").unwrap();
    assert_eq!(parsed.spec.stream.shards, None);
    assert_eq!(
        parsed.warnings,
        ["s.yaml:3:3: stream.shards: ignored, as a stream with `mode: on_demand` has no shards to choose"]
    );
    let parsed = parse("name: abc\nstream: {mode: on_demand}").unwrap();
    assert_eq!((parsed.spec.stream.shards, parsed.warnings), (None, Vec::new()));
}

#[test]
fn examples_parse_without_warnings_and_round_trip() {
    for (name, text) in EXAMPLES {
        let parsed = parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parsed.warnings, [""; 0], "{name}");
        assert!(text.starts_with("# For "), "{name} says whom it is for");
        let again = parse(&serde_yaml::to_string(&parsed.spec).unwrap()).unwrap();
        assert_eq!(again, parsed, "{name} as YAML");
        let again = parse(&serde_json::to_string_pretty(&parsed.spec).unwrap()).unwrap();
        assert_eq!(again, parsed, "{name} as JSON");
    }
}

#[test]
fn all_keys_has_every_key_with_its_default() {
    let text = EXAMPLES[1].1;
    assert_eq!(parse(text).unwrap().spec, default_spec("split-impressions"));
    let written: serde_json::Value = serde_yaml::from_str(text).unwrap();
    for (key, _) in Spec::keys() {
        let pointer = format!("/{}", key.replace('.', "/"));
        assert!(written.pointer(&pointer).is_some(), "{key}");
    }
}

#[test]
fn schema_knows_keys_bounds_defaults_and_docs() {
    let schema = Spec::schema();
    assert_eq!(schema["required"], serde_json::json!(["name"]));
    assert_eq!(schema["additionalProperties"], false);
    let shards = &schema["$defs"]["Stream"]["properties"]["shards"];
    assert_eq!(
        *shards,
        serde_json::json!({
            "type": "integer", "minimum": 1, "maximum": 500, "default": 1,
            "description": "Provisioned only: the number of shards. Packed, one carries about 2,700 impressions a second."
        })
    );
    let buffer = &schema["$defs"]["Delivery"]["properties"]["buffer_mib"]["description"];
    let least = format!("at least {} where `format` is `parquet`", super::diagnose::PARQUET_BUFFER_MIB);
    assert!(buffer.as_str().unwrap().contains(&least), "{buffer}");
    for section in ["Stream", "Delivery", "Handler", "Webhook"] {
        let section = &schema["$defs"][section];
        assert_eq!(section["additionalProperties"], false);
        for (key, value) in section["properties"].as_object().unwrap() {
            assert!(value["description"].is_string(), "{key}: {value}");
            assert!(value.get("default").is_some(), "{key}: {value}");
        }
    }
}
