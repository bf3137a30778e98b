//! Tests of splitting a batch: nothing of an impression changes, and nothing that is none passes for one.

use std::io::Read as _;

use flate2::read::GzDecoder;
use tokio::time::Instant;

use super::*;
use crate::budget::LARGEST_BATCH;
use crate::memory::Memory;
use crate::testing::in_ms;

fn lines(text: &str) -> Vec<String> {
    let elements = parse(text, &KeptFields::All).unwrap();
    assert_eq!(elements.rejected.len(), 0, "{text}");
    let lines = elements.impressions.into_iter();
    lines.map(|impression| impression.line.into_owned()).collect()
}

#[test]
fn nothing_in_is_nothing_out() {
    for text in ["", " \r\n\t", "[]", " [ ] ", "{}", "\n{ \t}\n", "\u{feff}", "\u{feff}[]"] {
        assert!(lines(text).is_empty(), "{text:?}");
    }
}

#[test]
fn impressions_pass_byte_for_byte() {
    let impressions = [
        r#"{"key":"a","split":"b"}"#,
        r#"{"key":"a","split":"b","key":"c","x":1,"x":2}"#,
        r#"{"\ud800":"\udfff\ud800","key":"\ud800","split":""}"#,
        r#"{"k\u0065y":"escaped name","split":"b"}"#,
        r#"{ "key" : "}, {" , "split" : "a=\"b\\" , "properties" : {"a":[{}]} }"#,
        r#"{"key":"a","split":"b","n":12345678901234567890.12345678901234567890}"#,
        r#"{"key":"a","split":"b","n":1e999999,"m":-0,"time":20240102030405060708}"#,
        "{\"key\":\"é\u{2028}\u{85}\u{7f}\",\"split\":\"\u{1f600}\"}",
    ];
    for impression in impressions {
        assert_eq!(lines(impression), [impression]);
        assert_eq!(lines(&format!("\u{feff} {impression}\n")), [impression]);
    }
    assert_eq!(lines(&format!("[{}]", impressions.join(" ,\n"))), impressions);
}

#[test]
fn layout_becomes_one_line() {
    let text = "[\r\n  {\r\n    \"key\": \"a\\n\",\n\t\"split\": \"b\"\n  }\n]\n";
    let want = "{      \"key\": \"a\\n\", \t\"split\": \"b\"   }";
    assert_eq!(lines(text), [want]);
}

#[test]
fn what_is_no_impression_is_rejected_with_its_text() {
    let cases = [
        ("null", Reason::NotAnObject),
        ("1", Reason::NotAnObject),
        ("\"key\"", Reason::NotAnObject),
        ("[]", Reason::NotAnObject),
        (r#"[{"key":"a","split":"b"}]"#, Reason::NotAnObject),
        ("{}", Reason::NoKey),
        (r#"{"split":"b"}"#, Reason::NoKey),
        (r#"{"key":1,"split":"b"}"#, Reason::NoKey),
        (r#"{"key":"a","key":null,"split":"b"}"#, Reason::NoKey),
        (r#"{"KEY":"a","split":"b"}"#, Reason::NoKey),
        (r#"{"key":"a"}"#, Reason::NoSplit),
        (r#"{"key":"a","split":["b"]}"#, Reason::NoSplit),
        (r#"{"key":"a","x":{"split":"b"}}"#, Reason::NoSplit),
    ];
    for (raw, want) in cases {
        let text = format!(r#"[ {raw} ,{{"key":"a","split":"b"}}]"#);
        let have = parse(&text, &KeptFields::All).unwrap();
        assert_eq!(have.impressions.len(), 1, "{raw}");
        let mut lines = String::new();
        let file = have.rejected.into_file().unwrap().unwrap();
        GzDecoder::new(&*file).read_to_string(&mut lines).unwrap();
        let reason = want.text();
        assert_eq!(lines, format!("{{\"reason\":\"{reason}\",\"element\":{raw}}}\n"));
    }
}

#[test]
fn what_is_no_batch_is_an_error() {
    for text in ["null", "true", "1", "\"[]\""] {
        let have = parse(text, &KeptFields::All).unwrap_err();
        assert_eq!(have, Refusal::NotAnArray, "{text}");
    }
    let invalid = [
        "[",
        "]",
        "{",
        "[1,]",
        "[1 2]",
        "[1]]",
        "[1] x",
        "{} {}",
        "nul",
        "{key:1}",
        "[01]",
        "[\"\n\"]",
        "[\"\\x\"]",
        "[NaN]",
        "'a'",
        "\u{feff}\u{feff}[]",
        "[{\"key\":\"a\"]",
    ];
    for text in invalid {
        let have = parse(text, &KeptFields::All).unwrap_err();
        assert!(matches!(have, Refusal::Json { .. }), "{text}: {have}");
    }
}

#[test]
fn errors_say_where_but_not_what() {
    let text = "[\n{\"key\":\"secret\" \"x\"}]";
    let have = parse(text, &KeptFields::All).unwrap_err().to_string();
    assert_eq!(have, "the body is not valid JSON (line 2, column 17)");
}

#[test]
fn nesting_does_not_use_the_stack() {
    const DEPTH: usize = 100_000;
    let nested = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    assert_eq!(parse(&nested, &KeptFields::All).unwrap().rejected.len(), 1);
    let objects = format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
    assert_eq!(parse(&objects, &KeptFields::All).unwrap().rejected.len(), 1);
    let impression = format!(r#"{{"key":"a","split":"b","x":{nested}}}"#);
    assert_eq!(lines(&impression), [impression.as_str()]);
    assert!(parse(&"[".repeat(DEPTH), &KeptFields::All).is_err());
    assert!(parse(&"{\"a\":".repeat(DEPTH), &KeptFields::All).is_err());
}

#[test]
fn only_kept_fields_stay_and_the_key_is_still_known() {
    let fields = KeptFields::Keep(vec!["time".to_owned()]);
    let text = "[{\"key\":\"a\",\"time\":[1,\n2],\"split\":\"b\"}]";
    let have = parse(text, &fields).unwrap();
    assert_eq!(have.impressions[0].line, r#"{"time":[1, 2]}"#);
    assert_eq!(have.impressions[0].key, "\"a\"");
}

#[test]
fn every_stored_line_is_an_impression() {
    let lines = [
        (r#"{"key":"a","split":"b"}"#, r#""a""#),
        (r#"{ "k\u0065y":"é","split":"b" }"#, r#""é""#),
        (r#"{"split":"b"}"#, r#""""#),
        ("{}", r#""""#),
    ];
    let ndjson: String = lines.iter().flat_map(|(line, _)| [line, "\n"]).collect();
    let stored = stored(&ndjson);
    let have = stored.iter().map(|impression| (impression.line.as_ref(), impression.key));
    assert!(have.eq(lines), "{stored:?}");
}

/// Parses with so much memory, and returns how many impressions there were and how much is left.
fn parse_with(bytes: usize, text: &str, fields: &KeptFields) -> Result<(usize, usize), Refusal> {
    let mut budget = BatchBudget::unlimited();
    // What is held for brackets beside.
    let brackets = text.bytes().filter(|byte| b"[{".contains(byte)).count();
    budget.memory = Memory::of(bytes + brackets);
    let elements = parse_within(text, fields, &mut budget, 10)?;
    assert!(elements.impressions.capacity() <= bytes / (size_of::<Impression<'_>>() + 10));
    Ok((elements.impressions.len(), budget.memory.left()))
}

#[test]
fn each_impression_takes_memory() {
    let each = size_of::<Impression<'_>>() + 10;
    let impression = r#"{"key":"a","split":"b","x":[{},{}]}"#;
    let plain = r#"{"key":"a","split":"b"}"#;
    for impression in [impression, plain] {
        let text = format!("[{impression},{impression},{impression}]");
        assert_eq!(parse_with(3 * each + 1, &text, &KeptFields::All), Ok((3, 1)));
        assert_eq!(parse_with(3 * each, &text, &KeptFields::All), Ok((3, 0)));
        let have = parse_with(3 * each - 1, &text, &KeptFields::All);
        assert_eq!(have, Err(Refusal::Memory));
        let have = parse_with(each - 1, impression, &KeptFields::All);
        assert_eq!(have, Err(Refusal::Memory));
    }
}

#[test]
fn a_line_that_is_copied_takes_memory() {
    let each = size_of::<Impression<'_>>() + 10;
    let impression = r#"{"key":"a","split":"b"}"#;
    let text = format!("[{impression},{impression}]");
    let fields = KeptFields::Keep(vec!["key".to_owned()]);
    let (count, left) = parse_with(1_000, &text, &fields).unwrap();
    assert_eq!(count, 2);
    assert!(left <= 1_000 - 2 * (each + r#"{"key":"a"}"#.len()));
    let have = parse_with(2 * each, &text, &fields);
    assert_eq!(have, Err(Refusal::Memory));
}

#[test]
fn rejected_elements_take_memory() {
    let mut random = 1_u64;
    let numbers = (0..20_000).map(|_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random.to_string()
    });
    let elements = format!("[{}]", numbers.collect::<Vec<_>>().join(","));
    let size = parse(&elements, &KeptFields::All).unwrap().rejected.into_file().unwrap().unwrap().len();
    let (_, left) = parse_with(1_000_000, &elements, &KeptFields::All).unwrap();
    // The last of the file is written when it ends.
    assert!(1_000_000 - left > size && 1_000_000 - left <= 2 * size);
    let have = parse_with(size / 2, &elements, &KeptFields::All);
    assert_eq!(have, Err(Refusal::Memory));
}

/// Parses as one batch of a function may be, until then, and returns how many bytes were looked at as well.
fn parse_until(deadline: Instant, text: &str, fields: &KeptFields) -> (Result<usize, Refusal>, usize) {
    let mut budget = BatchBudget::of_batch(Memory::unlimited(), 100, deadline);
    let parsed = parse_within(text, fields, &mut budget, 0);
    let count = parsed.map(|elements| elements.impressions.len() + elements.rejected.len());
    (count, budget.looked_at())
}

#[test]
fn junk_is_looked_at_no_further_than_to_its_limit() {
    let junk = ["1", "{}", "[]", r#"{"split":"b"}"#, "null"];
    for junk in junk {
        let many = format!("[{}]", vec![junk; 1_000_000].join(","));
        let (have, looked_at) = parse_until(in_ms(60_000), &many, &KeptFields::All);
        assert_eq!(have, Err(Refusal::Rejected));
        // A field is looked at once more than the rest of its element.
        assert!(looked_at <= 2 * junk.len() * LARGEST_BATCH, "{junk}: {looked_at}");
        // What ceases to be JSON after that makes no difference.
        let (have, _) = parse_until(in_ms(60_000), &many[..many.len() - 1], &KeptFields::All);
        assert_eq!(have, Err(Refusal::Rejected));
    }
}

#[test]
fn fields_are_read_no_further_than_to_their_limit() {
    let text = format!(r#"[{{"key":"a","split":"b"{}}}]"#, r#","\u006bey":[]"#.repeat(1_000));
    for fields in [KeptFields::All, KeptFields::Keep(vec!["kex".to_owned()])] {
        let mut budget = BatchBudget::of_batch(Memory::unlimited(), 100, in_ms(60_000));
        let all = budget.clone();
        assert_eq!(parse_within(&text, &fields, &mut budget, 0).unwrap().rejected.len(), 1);
        // Each field is read once, whether for its name or to be kept.
        assert_eq!(all.fields_left() - budget.fields_left(), 1_002);
        let mut budget = BatchBudget::with_fields(1_001);
        let have = parse_within(&text, &fields, &mut budget, 0).unwrap_err();
        assert_eq!(have, Refusal::Fields);
        assert!(budget.looked_at() <= text.len());
    }
    // As Split writes them, fields count only if some are left out.
    let plain = r#"{"key":"a","split":"b","x":1}"#;
    for (fields, want) in [(KeptFields::All, 0), (KeptFields::Keep(vec!["x".to_owned()]), 6)] {
        let mut budget = BatchBudget::with_fields(10);
        let text = format!("[{plain},{plain}]");
        assert_eq!(parse_within(&text, &fields, &mut budget, 0).unwrap().impressions.len(), 2);
        assert_eq!(10 - budget.fields_left(), want);
    }
}

#[test]
fn nothing_is_read_on_after_the_deadline() {
    let elements = [
        format!("\"{}\"", "x".repeat(1_000)),
        format!(r#"{{"key":"a","split":"b","x":"{}"}}"#, "x".repeat(1_000)),
        format!(r#"{{"key":"a","split":"b","x":["{}"]}}"#, "x".repeat(1_000)),
        format!(r#"{{"key":"a"{}}}"#, r#","x":[]"#.repeat(1_000)),
    ];
    for element in elements {
        let many = format!("[{}]", vec![element.as_str(); 10_000].join(","));
        let (have, looked_at) = parse_until(in_ms(0), &many, &KeptFields::All);
        assert_eq!(have, Err(Refusal::Time));
        assert!(looked_at < 3 * 1024 * 1024 + 2 * element.len(), "{looked_at}");
        let few = format!("[{element},{element}]");
        assert_eq!(parse_until(in_ms(0), &few, &KeptFields::All).0, Ok(2));
    }
}

#[test]
fn what_is_read_with_care_takes_no_more_memory_than_there_is() {
    let (key, x) = (r#""key":"a","split":"b""#, "x".repeat(10_000));
    let nested = "[".repeat(10_000);
    let fields = KeptFields::Keep(vec!["x".to_owned()]);
    // A value of many brackets, one to keep, and one that becomes a line.
    for (text, fields) in [
        (nested, &KeptFields::All),
        (format!(r#"[{{{key},"x":"{x}"}}]"#), &fields),
        (format!(r#"[{{{key}, "x":"{x}"}}]"#), &fields),
        (format!("[{{{key},\n\"x\":\"{x}\"}}]"), &KeptFields::All),
        (format!("{{{key},\n\"x\":\"{x}\"}}"), &KeptFields::All),
    ] {
        let mut budget = BatchBudget::unlimited();
        budget.memory = Memory::of(9_999);
        let have = parse_within(&text, fields, &mut budget, 0).unwrap_err();
        assert_eq!(have, Refusal::Memory, "{}", &text[..20]);
    }
}
