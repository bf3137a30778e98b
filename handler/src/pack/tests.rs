//! Tests of packing: the limits hold for any sizes, and nothing is lost or reordered.

use std::borrow::Cow;
use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn impression(line: String) -> Impression<'static> {
    Impression {
        line: Cow::Owned(line),
        key: "\"k\"",
    }
}

fn of_sizes(sizes: &[usize]) -> Vec<Impression<'static>> {
    let lines = sizes.iter().map(|&size| impression("x".repeat(size)));
    lines.collect()
}

fn sizes(packed: &Packed<'_>) -> Vec<usize> {
    let records = packed.records.clone();
    records.map(|record| record.bytes).collect()
}

#[test]
fn records_are_filled_up_to_the_target() {
    let cases: &[(u32, &[usize], &[usize])] = &[
        (1, &[], &[]),
        (1, &[511, 511], &[1024]),
        (1, &[511, 512], &[512, 513]),
        (1, &[1023, 0, 1022], &[1024, 1024]),
        (1, &[10, 5000, 10, 10], &[11, 5001, 22]),
        (0, &[10, 20], &[11, 21]),
        (1000, &[1_023_999], &[1_024_000]),
        (5000, &[1_023_000, 998, 999], &[1_024_000, 1_000]),
    ];
    for (record_kib, lines, want) in cases {
        let impressions = of_sizes(lines);
        let have = pack(&impressions, *record_kib, &[]);
        assert_eq!(sizes(&have), *want, "{record_kib} {lines:?}");
        assert!(have.oversized.is_empty());
    }
}

#[test]
fn what_firehose_would_refuse_is_oversized() {
    let impressions = of_sizes(&[1, MAX_RECORD_BYTES, MAX_RECORD_BYTES - 1]);
    for record_kib in [0, 100, 1000] {
        let have = pack(&impressions, record_kib, &[]);
        assert_eq!(sizes(&have), [2, MAX_RECORD_BYTES]);
        assert_eq!(have.oversized, [impressions[1].line.as_ref()]);
    }
}

#[test]
fn what_cannot_be_converted_takes_no_other_with_it() {
    let good = [
        r#"{"Time":1716400000000,"times":"noon","times":[]}"#,
        r#"{"split":"time","time":null,"properties":{"time":"noon"}}"#,
    ];
    let bad = [
        r#"{"time":"noon"}"#,
        r#"{"TIME":1.5}"#,
        r#"{"t\u0069me":[]}"#,
        r#"{"time":17164000000000000000}"#,
        r#"{"time":1,"time":"noon"}"#,
        r#"{"time":1,"TIME":2}"#,
    ];
    for bad in bad {
        let lines = [good[0], good[1], bad, good[1], bad, bad, good[0], good[1]];
        let impressions: Vec<_> = lines.iter().map(|line| impression((*line).to_owned())).collect();
        let counts = |number_fields: &[String]| {
            let packed = pack(&impressions, 100, number_fields);
            let records = packed.records.map(|record| record.impressions.len());
            records.collect::<Vec<_>>()
        };
        let fields = ["sdk", "time"].map(str::to_owned);
        assert_eq!(counts(&fields), [2, 1, 1, 1, 1, 2], "{bad}");
        assert_eq!(counts(&[]), [8], "{bad}");
    }
}

#[test]
fn an_impression_of_split_is_told_to_fit_at_once() {
    let usual = r#"{"key":"k","time":1716400000000,"properties":"{\"time\":\"noon\"}"}"#;
    let fields = ["time".to_owned()];
    assert!(plainly_fits(usual, &fields) && plainly_fits("{}", &fields));
    assert!(plainly_fits(r#"{"Time" : 1 }"#, &fields));
    let unusual = [
        r#"{"time": -1}"#,
        r#"{"time":null}"#,
        r#"{"key":"\u00e9","time":1}"#,
    ];
    for unusual in unusual {
        assert!(
            !plainly_fits(unusual, &fields) && fits(unusual, &fields),
            "{unusual}"
        );
    }
}

#[test]
fn packed_records_have_keys_that_spread() {
    let impressions = of_sizes(&[1024; 50]);
    let packed = pack(&impressions, 1, &[]);
    let mut keys: Vec<_> = packed.records.map(|record| record.partition_key()).collect();
    assert!(keys.iter().all(|key| key.len() == 16));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 50);
}

#[test]
fn single_records_are_keyed_by_the_impression() {
    assert_eq!(partition_key(r#""user-1""#), "user-1");
    assert_eq!(partition_key(r#""\u00e9\n""#), "é\n");
    let long = "é".repeat(300);
    assert_eq!(partition_key(&format!("\"{long}\"")), "é".repeat(256));
    let astral = "\u{1f600}".repeat(300);
    assert_eq!(partition_key(&format!("\"{astral}\"")), "\u{1f600}".repeat(128));
    let exact = "x".repeat(256);
    assert_eq!(partition_key(&format!("\"{exact}\"")), exact);
    for fallback in [r#""""#, r#""\ud800""#] {
        assert_eq!(partition_key(fallback).len(), 16, "{fallback}");
    }
}

#[test]
fn memory_is_held_for_as_many_records_as_there_can_be() {
    let held = |text, record_kib, number_fields: &[String]| {
        let mut memory = Memory::unlimited();
        let each = hold_records(&mut memory, text, record_kib, number_fields).unwrap();
        (Memory::unlimited().left() - memory.left(), each)
    };
    let record = 2 * size_of::<Record<'_>>();
    assert_eq!(held(1_000_000, 0, &[]), (0, record));
    assert_eq!(held(1_000_000, 100, &["time".to_owned()]), (0, record));
    assert_eq!(held(0, 1, &[]), (2 * record, 0));
    assert_eq!(held(10 * 1024, 1, &[]), (22 * record, 0));
    assert_eq!(held(10 * 1024, 10, &[]), (4 * record, 0));
    let mut little = Memory::beside_event(0, 0);
    assert_eq!(hold_records(&mut little, 0, 1, &[]), Err(DecodeError::Memory));
    // The most that there can be: two that fit no record together, again and again.
    let impressions = of_sizes(&[0, 1023].repeat(10));
    let text = impressions.iter().map(size).sum::<usize>();
    assert_eq!(pack(&impressions, 1, &[]).records.count(), 20);
    assert!(held(text, 1, &[]).0 >= 20 * record);
}

fn record(bytes: usize) -> Record<'static> {
    Record {
        impressions: &[],
        bytes,
        spread: Spread::Random,
    }
}

#[test]
fn requests_are_cut_at_either_limit() {
    let lengths = |records: Vec<Record<'_>>| -> Vec<usize> {
        let requests = requests(records);
        requests.map(|request| request.len()).collect()
    };
    assert_eq!(lengths(vec![]), [0; 0]);
    assert_eq!(lengths(vec![record(1); 1001]), [500, 500, 1]);
    let quarter = MAX_REQUEST_BYTES / 4;
    assert_eq!(lengths(vec![record(quarter - 16); 5]), [4, 1]);
    assert_eq!(lengths(vec![record(quarter - 15); 5]), [3, 2]);
}

#[test]
fn a_record_counts_at_least_what_its_key_takes() {
    let keys = [
        "",
        "a",
        "\\u00e9",
        "user-1",
        "\\ud800",
        "a longer key than random",
    ]
    .map(str::to_owned);
    let long = ["x", "é", "漢", "\u{1f600}"].map(|character| character.repeat(300));
    for key in keys.into_iter().chain(long) {
        let key = format!("\"{key}\"");
        let impressions = [Impression {
            line: "1234".into(),
            key: &key,
        }];
        let record = pack(&impressions, 0, &[]).records.next().unwrap();
        let have = record.size() - 5;
        assert!(have >= record.partition_key().len(), "{key}");
        assert!(have <= 768 && have <= key.len().max(16), "{key}");
    }
}

/// Makes a line of at least so many bytes, with a number in the field `n` or something else.
fn line(size: usize, is_misfit: bool) -> String {
    let (value, filler) = (if is_misfit { "null,\"n\":1" } else { "1" }, "x".repeat(size));
    format!("{{\"n\":{value},\"x\":\"{filler}\"}}")
}

proptest! {
    // Megabytes a case: few are enough, as each holds hundreds of sizes.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn limits_hold_and_nothing_is_lost(
        sizes in prop::collection::vec((prop_oneof![
            40 => 0_usize..500,
            3 => 0_usize..200_000,
            1 => 900_000_usize..1_100_000,
        ], prop::bool::weighted(0.1)), 0..700),
        record_kib in prop_oneof![Just(0_u32), Just(1), Just(100), 0..=MAX_RECORD_KIB],
        number_fields in prop_oneof![Just(vec![]), Just(vec!["n".to_owned()])],
    ) {
        let lines: Vec<_> = sizes.iter().map(|&(size, is_misfit)| line(size, is_misfit)).collect();
        let misfits = sizes.iter().zip(&lines).filter(|((_, is_misfit), _)| *is_misfit);
        let misfits: HashSet<_> = misfits.map(|(_, line)| line.as_str()).collect();
        let impressions: Vec<_> = lines.iter().cloned().map(impression).collect();
        let packed = pack(&impressions, record_kib, &number_fields);
        let (want, oversized): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.len() < MAX_RECORD_BYTES);
        prop_assert_eq!(packed.oversized, oversized);
        let mut have = Vec::new();
        for request in requests(packed.records) {
            prop_assert!(!request.is_empty() && request.len() <= MAX_REQUEST_RECORDS);
            let bytes: usize = request.iter().map(Record::size).sum();
            prop_assert!(bytes <= MAX_REQUEST_BYTES);
            for record in request {
                let target = (record_kib as usize * 1024).min(MAX_RECORD_BYTES);
                let mut data = Vec::new();
                record.write_to(&mut data);
                prop_assert_eq!(data.len(), record.bytes);
                prop_assert!(!record.partition_key().is_empty());
                prop_assert!(data.len() <= target || record.impressions.len() == 1);
                prop_assert!(data.len() <= MAX_RECORD_BYTES);
                let data = String::from_utf8(data).unwrap();
                prop_assert_eq!(data.lines().count(), record.impressions.len());
                let is_apart = number_fields.is_empty() || record.impressions.len() == 1;
                prop_assert!(is_apart || !data.lines().any(|line| misfits.contains(line)));
                have.extend(data.lines().map(str::to_owned));
            }
        }
        prop_assert!(have.iter().eq(want));
    }
}

proptest! {
    #[test]
    fn what_plainly_fits_fits(
        members in prop::collection::vec((
            prop::sample::select(vec!["time", "TIME", r"t\u0069me", r#"\"time"#, r#"time\""#, r"\\", "times", "a"]),
            prop::sample::select(vec![
                "1", "-1", "1.5", "1e3", "123456789012345678", "17164000000000000000", "null", "[]", r#""time""#,
                r#"{"time":1}"#, r#"{"time":"noon"}"#, r#""\"time\":1""#, r#"["time",1]"#,
            ]),
            prop::sample::select(vec!["", " "]),
        ), 0..4),
    ) {
        let members = members.iter().map(|(name, value, space)| format!("\"{name}\"{space}:{space}{value}{space}"));
        let line = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let fields = ["time".to_owned()];
        prop_assert!(!plainly_fits(&line, &fields) || fits(&line, &fields), "{}", line);
    }
}
