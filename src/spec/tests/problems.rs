//! Tests of what a user is told: every problem at once, its place, its hint, and no panic whatever the text.

use super::{SpecProblem, parse};
use crate::spec::{MAX_BYTES, Spec};

fn problems(text: &str) -> Vec<SpecProblem> {
    parse(text).map_or_else(|error| error.problems, |_| Vec::new())
}

/// Checks a text's problems as shown, each followed by its hint in brackets.
fn assert_shown(text: &str, want: &[&str]) {
    let shown = |problem: SpecProblem| match &problem.hint {
        Some(hint) => format!("{problem} [{hint}]"),
        None => problem.to_string(),
    };
    let have: Vec<String> = problems(text).into_iter().map(shown).collect();
    assert_eq!(have, want, "{text}");
}

#[test]
fn two_problems_at_once() {
    let error =
        parse("name: abc\nstream:\n  # as many as it takes\n  shards: 900\n  retention: 48\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "s.yaml:4:11: stream.shards: must be a whole number from 1 to 500, not 900\n\
         s.yaml:5:3: stream.retention: unknown key `retention`"
    );
    assert_eq!(
        error.problems[1],
        SpecProblem {
            path: "stream.retention".to_owned(),
            line: 5,
            column: 3,
            message: "unknown key `retention`".to_owned(),
            hint: Some("did you mean `retention_hours`?".to_owned()),
        }
    );
}

#[test]
fn everything_wrong_at_once() {
    assert_shown(
        "\
name: X
bucket: b
stream: {mode: ondemand, shards: 0,
         shard: 1}
webhook:
  allow_cidrs:
    - 10.0.0.0/8
    - x
    - 1.2.3.4
    - y # why
delivery: {existing_bucket: true, expire_days: 3, versioning: true}
handler:
",
        &[
            "1:7: name: must be 3 to 32 of a-z, 0-9 and -, starting with a letter",
            "2:1: bucket: unknown key `bucket` [`bucket` belongs under `delivery`]",
            "3:16: stream.mode: must be one of provisioned, on_demand, not the text \"ondemand\" [did you mean `on_demand`?]",
            "3:34: stream.shards: must be a whole number from 1 to 500, not 0",
            "4:10: stream.shard: unknown key `shard` [did you mean `shards`?]",
            "8:7: webhook.allow_cidrs[1]: must be an IPv4 or IPv6 range, such as 203.0.113.0/24 or 2001:db8::/32, or an address",
            "10:7: webhook.allow_cidrs[3]: must be an IPv4 or IPv6 range, such as 203.0.113.0/24 or 2001:db8::/32, or an address",
            "11:29: delivery.existing_bucket: needs `delivery.bucket`, which says what bucket that is",
            "11:48: delivery.expire_days: cannot go with `existing_bucket: true`: an existing bucket is never changed",
            "11:63: delivery.versioning: cannot go with `existing_bucket: true`: an existing bucket is never changed",
            "12:9: handler: must be keys and values, such as `memory_mib: 256`, not null [leave the key out to have its default]",
        ],
    );
}

#[test]
fn json_is_placed_too() {
    assert_shown(
        "{\n\t\"name\": \"abc\",\n\t\"handler\": {\"fields\": [\"a\", \"a\"], \"record_kib\": 1.5}\n}",
        &[
            "3:30: handler.fields[1]: must not name the field \"a\" twice",
            "3:50: handler.record_kib: must be a whole number from 0 to 1000, not 1.5",
        ],
    );
}

#[test]
fn hints_for_unknown_keys() {
    assert_shown(
        "name: abc\nzzz: 1\nhandler: {region: x, Memory-MiB: 1}\nstream: {memory_mib: 1}\n",
        &[
            "2:1: zzz: unknown key `zzz` [the keys here are name, region, tags, protect, iam, stream, delivery, handler, webhook, monitoring]",
            "3:11: handler.region: unknown key `region` [`region` belongs to the top level]",
            "3:22: handler.Memory-MiB: unknown key `Memory-MiB` [did you mean `memory_mib`?]",
            "4:10: stream.memory_mib: unknown key `memory_mib` [`memory_mib` belongs under `handler`]",
        ],
    );
}

#[test]
fn keys_given_twice() {
    assert_shown(
        "name: abc\nname: def\nstream: {shards: 1, shards: 2, shards: 900}\n",
        &[
            "2:1: name: the key is there twice",
            "3:21: stream.shards: the key is there twice",
            "3:32: stream.shards: the key is there twice",
        ],
    );
}

#[test]
fn tags_are_placed_at_the_key_or_the_value() {
    assert_shown(
        "name: abc\ntags: {ok: x, managed-by: me, cost: 5, 2024: x, \"a\\nb\": y}\n",
        &[
            "2:15: tags.managed-by: a tag's key must not be `managed-by`, by which the pipeline's resources are told from others",
            "2:37: tags.cost: must be text, in quotes where it looks like something else, not 5",
            "2:40: tags.2024: a key must be text; put it in quotes",
            "2:49: tags.a\\nb: a tag's key must be 1 to 128 letters, digits, spaces and _.:/=+-@",
        ],
    );
}

#[test]
fn one_fault_is_one_problem() {
    assert_shown(
        "name: abc\nhandler: {fields: ['']}",
        &["2:20: handler.fields[0]: must be a field's name of 1 to 128 characters"],
    );
    assert_shown(
        "name: abc\ndelivery: {existing_bucket: true, bucket: B}",
        &[
            "2:43: delivery.bucket: must be an S3 bucket's name: 3 to 63 of a-z, 0-9, . and -, starting and ending with a letter or digit",
        ],
    );
    assert_shown("stream: {shards: 1}", &["1:1: `name` is missing [`name: my-impressions` is a whole spec]"]);
}

#[test]
fn expiry_must_not_reach_what_is_not_delivered() {
    for (prefix, other) in [
        ("'!{timestamp:yyyy}/'", "spill/"),
        ("rej", "rejected/"),
        ("errors/ok/, error_prefix: 'errors/ok/no/!{firehose:error-output-type}'", "errors/ok/no/"),
    ] {
        let text = format!("name: abc\ndelivery: {{expire_days: 3, prefix: {prefix}}}\n");
        let want = format!(
            "2:25: delivery.expire_days: would delete what is below `{other}` as well: `delivery.prefix` must start with another text"
        );
        assert_shown(&text, &[&want]);
    }
    parse("name: abc\ndelivery: {expire_days: 3, prefix: 'all/!{timestamp:yyyy}/'}\n").unwrap();
}

#[test]
fn parquet_is_what_firehose_converts_to_and_a_table_can_find() {
    let of = |more: &str| format!("name: abc\ndelivery: {{format: parquet, {more}}}\n");
    for (more, want) in [
        (
            "compression: zip",
            "2:42: delivery.compression: must be `gzip`, `snappy` or `none` where `delivery.format` is `parquet`",
        ),
        (
            "buffer_mib: 63",
            "2:41: delivery.buffer_mib: must be at least 64 where `delivery.format` is `parquet`; `delivery.buffer_seconds` delivers earlier",
        ),
        (
            "prefix: 'a/!{firehose:random-string}/'",
            "2:37: delivery.prefix: cannot have folders of `!{firehose:random-string}` where `delivery.format` is `parquet`: its table could not tell what partitions there are",
        ),
        (
            "prefix: 'all'",
            "2:37: delivery.prefix: must have a folder to itself where `delivery.format` is `parquet`: its table would have what is below `spill/` as well",
        ),
        (
            "prefix: 'a/b', error_prefix: 'a/no/!{firehose:error-output-type}'",
            "2:37: delivery.prefix: must have a folder to itself where `delivery.format` is `parquet`: its table would have what is below `a/no/` as well",
        ),
        (
            "prefix: 'a/!{timestamp:dd}/', error_prefix: 'a/!{timestamp:dd}/!{firehose:error-output-type}/'",
            "2:37: delivery.prefix: must have a folder to itself where `delivery.format` is `parquet`: its table would have what is below `a/!{timestamp:dd}/!{firehose:error-output-type}/` as well",
        ),
    ] {
        assert_shown(&of(more), &[want]);
    }
    for fine in [
        "prefix: 'all/'",
        "prefix: 'a/!{timestamp:dd}/', error_prefix: 'a/no/!{firehose:error-output-type}/'",
        "prefix: '!{timestamp:yyyy}/'",
        "compression: snappy, buffer_mib: 64",
        "prefix: 'a/!{timestamp:yyyy}/b-!{firehose:random-string}'",
    ] {
        parse(&of(fine)).unwrap();
    }
}

#[test]
fn empty_texts() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "~", "\u{feff}"] {
        assert_shown(
            text,
            &[
                "1:1: the spec is empty; `name` is the one key it needs [`split-pipeline init` writes a commented one]",
            ],
        );
    }
}

#[test]
fn texts_that_are_no_spec_at_all() {
    let want = "must be keys and values, such as `name: my-impressions`";
    assert_shown("hello", &[&format!("1:1: {want}, not the text \"hello\"")]);
    assert_shown("# a list\n- 1\n- 2", &[&format!("2:1: {want}, not a list")]);
    assert_shown(
        "name: abc\n---\nname: def\n",
        &["3:1: there must be one document, and `---` starts another one here"],
    );
    assert_shown(
        "name: abc\nstream:\n\tshards: 1\n",
        &[
            "3:1: found character that cannot start any token, while scanning for the next token [indent with spaces, not tabs]",
        ],
    );
    assert_shown(
        "name: abc\n  stream: {}\n",
        &[
            "2:9: mapping values are not allowed in this context [check the indentation, and put text that contains `: ` in quotes]",
        ],
    );
    assert_shown("name: abc\nregion: a\0b", &["2:10: the control character '\\0' is not allowed"]);
    assert_shown("*x", &["1:1: unknown anchor"]);
}

#[test]
fn unquoted_expressions() {
    assert_shown(
        "name: abc\ndelivery:\n  prefix: !{timestamp:yyyy}/\n",
        &[
            "3:12: did not find expected whitespace or line break, while scanning a tag at line 3 column 11 [put a value that starts with `!{` in quotes]",
        ],
    );
    assert_shown(
        "name: abc\ndelivery:\n  prefix: !year a\n",
        &[
            "3:11: delivery.prefix: a YAML tag (`!name`) has no meaning here; put text that starts with `!` in quotes",
        ],
    );
}

#[test]
fn what_the_parser_says_of_an_element_is_placed_at_it() {
    assert_shown(
        "name: abc\ntags: {it's: [a, [b, !!int c]]}\n",
        &["2:22: tags.it\\'s[1][1]: invalid value: string \"c\", expected an integer"],
    );
}

#[test]
fn a_list_or_map_is_placed_where_it_starts() {
    assert_shown(
        "name: abc\nstream:\n  shards: [1]\n  mode:\n    a: b\ndelivery: {prefix: {}}\n",
        &[
            "3:11: stream.shards: must be a whole number from 1 to 500, not a list",
            "5:5: stream.mode: must be one of provisioned, on_demand, not keys and values",
            "6:20: delivery.prefix: must be an S3 key prefix, not keys and values",
        ],
    );
}

#[test]
fn anchors_are_read_and_merge_keys_are_not() {
    assert_shown("name: &name abc\ntags: {pipeline: *name}\n", &[]);
    assert_shown(
        "name: abc\nstream: &s {shards: 1}\ndelivery:\n  <<: *s\n",
        &[
            "4:3: delivery.<<: unknown key `<<` [the keys here are bucket, existing_bucket, prefix, error_prefix, format, compression, buffer_mib, buffer_seconds, encryption, versioning, expire_days]",
        ],
    );
}

#[test]
fn texts_that_would_take_too_much() {
    let said = |text: &str| problems(text)[0].message.clone();
    assert_eq!(said(&" ".repeat(MAX_BYTES + 1)), "the spec is larger than 1 MiB");
    assert_eq!(said(&"{a: ".repeat(50_000)), "too many brackets are open");
    assert_eq!(said(&"[".repeat(200)), "recursion limit exceeded");
    assert_eq!(said("a: &a [*a]"), "recursion limit exceeded");
    let list = format!("a: &a [{}]\nb: [{}]\n", "1,".repeat(5_000), "*a,".repeat(5_000));
    assert_eq!(said(&list), "the aliases (`*`) add up to far too much");
}

#[test]
fn many_problems_are_cut_short() {
    let problems = problems(&format!("name: abc\nwebhook: {{allow_cidrs: [{}]}}", "x,".repeat(500)));
    assert_eq!(problems.len(), 50);
    let last = problems.last().unwrap();
    assert_eq!(last.path, "webhook.allow_cidrs[49]");
    assert_eq!(last.hint.as_deref(), Some("there may be more problems: no more than 50 are looked for"));
}

#[test]
fn a_byte_order_mark_is_no_text() {
    assert_shown(
        "\u{feff}name: abc\r\nstream:\r\n  shards: 0\r\n",
        &["3:11: stream.shards: must be a whole number from 1 to 500, not 0"],
    );
}

#[test]
fn columns_count_characters() {
    assert_shown(
        "name: abc\ntags: {é: 'ü', ö: 5}\n",
        &["2:19: tags.ö: must be text, in quotes where it looks like something else, not 5"],
    );
}

/// Cuts and mangles a spec at every place: whatever comes out, it must not panic, and problems must be in the text.
#[test]
fn no_text_panics() {
    let text =
        "name: abc\ntags: {a: b}\nstream:\n  shards: [1, \"2\", !x &y *y]\nwebhook: {allow_cidrs: [::/0]}\n";
    let mangled = [
        "", "\t", "\0", "[", "}", "- ", ": ", "&a ", "*a", "!", "\"", "'", "|", "#", "?", "---\n", "é",
        "\u{85}", "\r",
    ];
    for at in 0..=text.len() {
        for part in mangled {
            for text in [format!("{}{part}{}", &text[..at], &text[at..]), format!("{}{part}", &text[..at])] {
                if let Err(error) = Spec::parse(&text, "x") {
                    let lines = text.split(['\n', '\r', '\u{85}']).count();
                    let fits =
                        |problem: &SpecProblem| (1..=lines + 1).contains(&problem.line) && problem.column > 0;
                    assert!(
                        !error.problems.is_empty() && error.problems.iter().all(fits),
                        "{text:?}: {error}"
                    );
                }
            }
        }
    }
}

#[test]
fn names_of_ephemeral_pipelines_are_refused_except_to_delete_one() {
    let hint = "[choose another name; `split-pipeline down` still takes this one]";
    let message = "must not contain `--eph`, which marks the pipelines of `smoke --ephemeral`";
    let text =
        "name: abc--eph-0123abcd\ndelivery: {bucket: abc--ephemeral-123456789012}\nstream: {shards: 0}\n";
    assert_shown(
        text,
        &[
            &format!("1:7: name: {message} {hint}"),
            &format!("2:20: delivery.bucket: {message} {hint}"),
            "3:18: stream.shards: must be a whole number from 1 to 500, not 0",
        ],
    );
    let left = "name: abc--eph-0123abcd\n";
    assert_eq!(Spec::parse_to_delete(left, "spec").unwrap().spec.name.as_str(), "abc--eph-0123abcd");
    assert!(Spec::parse_to_delete("name: a--eph\nzzz: 1\n", "spec").is_err());
}
