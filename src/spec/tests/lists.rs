//! Tests of the rules for values that have parts: prefixes, tags and fields.

use super::table;

const TYPE: &str = "!{firehose:error-output-type}";

#[test]
fn prefixes() {
    let long = "p".repeat(1024);
    let good =
        ["", &long, "a/", "dt=!{timestamp:yyyy-MM-dd'T'HH}/!{firehose:random-string}/", "spilled/", "a!b{c}"];
    let good = good.map(|text| format!("\"{text}\""));
    let bad =
        [("a/!{timestamp:yyyy", "must close each `!{` with `}`"), (TYPE, "is for `error_prefix` alone")];
    let bad = bad.map(|(text, part)| (format!("\"{text}\""), part));
    table(
        "delivery.prefix",
        &good.each_ref().map(String::as_str),
        &bad.each_ref().map(|(text, part)| (text.as_str(), *part)),
    );
}

#[test]
fn error_prefixes() {
    let good = [TYPE.to_owned(), format!("e/{TYPE}/!{{timestamp:yyyy}}/")].map(|text| format!("\"{text}\""));
    table(
        "delivery.error_prefix",
        &good.each_ref().map(String::as_str),
        &[("errors/", "must contain `!{firehose:error-output-type}`")],
    );
}

#[test]
fn what_neither_prefix_may_be() {
    let long = "p".repeat(1025);
    let bad = [
        ("/a", "must not start with `/`"),
        ("spill/a", "must not start with `spill/`, which the handler writes to"),
        ("rejected/", "must not start with `rejected/`"),
        ("!{timestamp:}", "must have a date pattern"),
        ("!{timestamp:yyyy-MM-ddTHH}", "must not contain `T` in a date pattern"),
        ("!{timestamp:'T}", "must close each single quote"),
        ("!{partitionKeyFromQuery:a}", "must not contain `!{partitionKeyFromQuery:a}`"),
        ("!{firehose:random}", "must not contain `!{firehose:random}`"),
        ("a\\nb", "must not contain line breaks"),
        ("a\u{202e}b", "invisible characters, such as \\u{202e}"),
        ("a\u{200b}b", "invisible characters, such as \\u{200b}"),
        ("a\\Lb", "invisible characters, such as \\u{2028}"),
        (&long, "must be at most 1024 characters long"),
    ];
    for (text, part) in bad {
        table("delivery.prefix", &[], &[(&format!("\"{text}\""), part)]);
        table("delivery.error_prefix", &[], &[(&format!("\"{text}{TYPE}\""), part)]);
    }
}

#[test]
fn tags() {
    let key = "k".repeat(129);
    table(
        "tags",
        &["{}", "{team: growth}", "{\"a b_.:/=+-@é\": \"ü 1\"}", "{a: ''}", "{managed: me}"],
        &[
            (&format!("{{{key}: x}}"), "a tag's key must be 1 to 128 letters"),
            (&format!("{{a: {key}{key}}}"), "must be at most 256 letters"),
            ("{'': x}", "a tag's key must be 1 to 128"),
            ("{'a*': b}", "a tag's key must be 1 to 128"),
            ("{a: b*}", "must be at most 256 letters"),
            ("{cost: 5}", "must be text, in quotes where it looks like something else, not 5"),
            ("{5: cost}", "a key must be text; put it in quotes"),
            ("[a]", "not a list"),
        ],
    );
}

#[test]
fn tags_that_are_not_the_users() {
    table(
        "tags",
        &[],
        &[
            ("{AWS:a: b}", "must not start with `aws:`"),
            ("{managed-by: me}", "must not be `managed-by`"),
            ("{Split-Pipeline: me}", "must not be `Split-Pipeline`"),
            ("{split-pipeline-undelivered: no}", "in which `up` keeps what was not delivered"),
            ("{team: a, Team: b}", "must differ from the tag `team` in more than case"),
        ],
    );
}

#[test]
fn number_of_tags() {
    let tags = |count: usize| -> String {
        let tags: Vec<String> = (0..count).map(|number| format!("t{number}: x")).collect();
        format!("{{{}}}", tags.join(", "))
    };
    table("tags", &[&tags(40)], &[(&tags(41), "must be at most 40 tags, not 41")]);
}

#[test]
fn fields() {
    let long = "f".repeat(129);
    table(
        "handler.fields",
        &["all", "[key]", "[key, split, 'a b']"],
        &[
            ("key", "must be all, or a list of impression fields to keep, not the text \"key\""),
            ("[]", "must name at least one field, or be all"),
            ("['']", "must be a field's name of 1 to 128 characters"),
            (&format!("[{long}]"), "must be a field's name of 1 to 128 characters"),
            ("[key, key]", "must not name the field \"key\" twice"),
            ("[1]", "must be a field's name of 1 to 128 characters, not 1"),
            ("[\"a\\nb\"]", "must not contain line breaks"),
            ("[a\u{2066}]", "invisible characters, such as \\u{2066}"),
            ("null", "not null"),
        ],
    );
}
