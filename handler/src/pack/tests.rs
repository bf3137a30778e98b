//! Tests of packing: the limits hold for any sizes, and nothing is lost or reordered.

use std::borrow::Cow;
use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

mod budget;

fn impression(line: String) -> Impression<'static> {
    Impression { line: Cow::Owned(line), key: "\"k\"" }
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
        let mut impressions = of_sizes(lines);
        let have = pack(&mut impressions, *record_kib, &[]);
        assert_eq!(sizes(&have), *want, "{record_kib} {lines:?}");
        assert!(have.oversized.is_empty());
    }
}

#[test]
fn what_firehose_would_refuse_is_oversized() {
    let mut impressions = of_sizes(&[1, MAX_RECORD_BYTES, MAX_RECORD_BYTES - 1]);
    let oversized = "x".repeat(MAX_RECORD_BYTES);
    for (record_kib, number_fields) in
        [(0, vec![]), (100, vec![]), (100, vec!["n".to_owned()]), (1000, vec![])]
    {
        let have = pack(&mut impressions, record_kib, &number_fields);
        assert_eq!(sizes(&have), [2, MAX_RECORD_BYTES]);
        assert_eq!(have.oversized, [oversized.as_str()]);
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
        let mut impressions: Vec<_> = lines.iter().map(|line| impression((*line).to_owned())).collect();
        let mut counts = |number_fields: &[String]| {
            let packed = pack(&mut impressions, 100, number_fields);
            let records = packed.records.map(|record| record.impressions.len());
            records.collect::<Vec<_>>()
        };
        assert_eq!(counts(&[]), [8], "{bad}");
        let fields = ["sdk", "time"].map(str::to_owned);
        assert_eq!(counts(&fields), [5, 1, 1, 1], "{bad}");
        let packed = pack(&mut impressions, 100, &fields);
        let misfits = packed.records.skip(1).flat_map(|record| record.impressions);
        assert!(misfits.into_iter().all(|misfit| misfit.line == bad), "{bad}");
    }
}

#[test]
fn many_misfits_share_records_with_each_other() {
    let (good, bad) = (r#"{"time":1}"#, r#"{"time":1.5}"#);
    let fields = ["time".to_owned()];
    for (count, want) in [(0, 0), (1, 1), (500, 500), (501, 501), (100_000, 500 + 13)] {
        let lines = [good, bad].repeat(count);
        let mut impressions: Vec<_> = lines.iter().map(|line| impression((*line).to_owned())).collect();
        let records: Vec<_> = pack(&mut impressions, 100, &fields).records.collect();
        let (mut misfits, mut others) = (Vec::new(), Vec::new());
        for record in &records {
            let bad = record.impressions.iter().filter(|it| it.line == bad).count();
            assert!([0, record.impressions.len()].contains(&bad), "{count}");
            if bad > 0 { &mut misfits } else { &mut others }.push(record.impressions.len());
        }
        assert_eq!((misfits.iter().sum::<usize>(), misfits.len()), (count, want));
        assert_eq!(others.iter().sum::<usize>(), count);
        // A request's worth stands alone, in case that Firehose converts some of them after all.
        assert!(misfits.iter().take(500).all(|&impressions| impressions == 1));
    }
}

#[test]
fn an_impression_of_split_is_told_to_fit_at_once() {
    let usual = r#"{"key":"k","time":1716400000000,"properties":"{\"time\":\"noon\"}"}"#;
    let fields = ["time".to_owned()];
    assert!(plainly_fits(usual, &fields) && plainly_fits("{}", &fields));
    assert!(plainly_fits(r#"{"Time" : 1 }"#, &fields));
    // Senders differ in what they escape in a value.
    assert!(plainly_fits(r#"{"key":"\u00e9","time":1,"label":"in \u003d \"a\":","x":1}"#, &fields));
    // Another name of the same length.
    assert!(plainly_fits(r#"{"name":"k","time":1}"#, &fields));
    assert!(plainly_fits(r#"{"time":null}"#, &fields) && !plainly_fits(r#"{"time":nullx}"#, &fields));
    let unusual = [r#"{"time": -1}"#, r#"{"k\u0065y":"k","time":1}"#];
    for unusual in unusual {
        assert!(
            !plainly_fits(unusual, &fields) && fits(unusual, &fields, &mut BatchBudget::unlimited()),
            "{unusual}"
        );
    }
}

#[test]
fn what_there_is_no_time_to_read_is_taken_for_a_misfit() {
    let fields = ["time".to_owned()];
    // Fits, but not plainly.
    let unusual = format!(r#"{{"time":-1,"x":"{}"}}"#, ":".repeat(MAX_PLAIN_COLONS));
    assert!(!plainly_fits(&unusual, &fields));
    let mut budget = BatchBudget::with_fields(5);
    let have: Vec<_> = (0..4).map(|_| fits(&unusual, &fields, &mut budget)).collect();
    assert_eq!((have.as_slice(), budget.fields_left()), ([true, true, false, false].as_slice(), 0));
    // Behind as many misfits as Split's largest batch can hold, nothing is read; they are looked at from the end.
    for (misfits, want) in [(LARGEST_BATCH - 1, 1), (LARGEST_BATCH, 0)] {
        let mut impressions: Vec<_> = (0..misfits).map(|_| impression(r#"{"time":[]}"#.to_owned())).collect();
        impressions.insert(1, impression(unusual.clone()));
        let mut budget = BatchBudget::of_fields();
        assert_eq!(put_misfits_last(&mut impressions, &fields, &mut budget), want);
    }
    // A misfit is read no further than to the field that makes it one.
    let mut budget = BatchBudget::with_fields(10);
    let misfit = format!(r#"{{"x":1,"time":1.5{}}}"#, r#","time":[]"#.repeat(1_000));
    assert!(!fits(&misfit, &fields, &mut budget));
    assert_eq!(budget.fields_left(), 8);
    // Names are looked for among so many colons alone.
    let plain = |colons| format!(r#"{{"time":1,"x":"{}"}}"#, ":".repeat(colons - 2));
    assert!(plainly_fits(&plain(MAX_PLAIN_COLONS), &fields));
    assert!(!plainly_fits(&plain(MAX_PLAIN_COLONS + 1), &fields));
}

#[test]
fn packed_records_have_keys_that_spread() {
    let mut impressions = of_sizes(&[1024; 50]);
    let packed = pack(&mut impressions, 1, &[]);
    let mut keys: Vec<_> = packed.records.map(|record| record.partition_key()).collect();
    assert!(keys.iter().all(|key| key.len() == 16));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 50);
}

#[test]
fn single_records_are_keyed_by_the_impression() {
    let mut impressions = [impression(String::new()), impression(String::new())];
    for record in pack(&mut impressions, 0, &[]).records {
        assert_eq!((record.impressions.len(), record.partition_key().as_str()), (1, "k"));
    }
    assert_eq!(partition_key(r#""user-1""#), "user-1");
    assert_eq!(partition_key(r#""\u00e9\n""#), "é\n");
    let long = "é".repeat(300);
    assert_eq!(partition_key(&format!("\"{long}\"")), "é".repeat(256));
    let astral = "\u{1f600}".repeat(300);
    assert_eq!(partition_key(&format!("\"{astral}\"")), "\u{1f600}".repeat(128));
    let exact = "x".repeat(256);
    assert_eq!(partition_key(&format!("\"{exact}\"")), exact);
    let long = [("a", "a"), (r"\u00e9", "é"), (r"\ud83d\ude00", "\u{1f600}"), ("漢", "漢")];
    for (escaped, character) in long {
        let have = partition_key(&format!("\"{}\"", escaped.repeat(100_000)));
        assert_eq!(have, character.repeat(256 / character.encode_utf16().count()));
        assert_eq!(have.capacity(), MAX_PARTITION_KEY_BYTES);
    }
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
    // With numbers to tell misfits by: those that stand alone, and one record of each kind that need not be full.
    assert_eq!(held(1_000_000, 100, &["time".to_owned()]), (record * (20 + 502), 0));
    assert_eq!(held(0, 1, &[]), (2 * record, 0));
    assert_eq!(held(10 * 1024, 1, &[]), (22 * record, 0));
    assert_eq!(held(10 * 1024, 10, &[]), (4 * record, 0));
    let mut little = Memory::beside_event(0, 0);
    assert_eq!(hold_records(&mut little, 0, 1, &[]), Err(Refusal::Memory));
    // The most that there can be: two that fit no record together, again and again.
    let mut impressions = of_sizes(&[0, 1023].repeat(10));
    let text = impressions.iter().map(size).sum::<usize>();
    assert_eq!(pack(&mut impressions, 1, &[]).records.count(), 20);
    assert!(held(text, 1, &[]).0 >= 20 * record);
}

fn record(bytes: usize) -> Record<'static> {
    Record { impressions: &[], bytes, spread: Spread::Random }
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
    let keys = ["", "a", "\\u00e9", "user-1", "\\ud800", "a longer key than random"].map(str::to_owned);
    let long = ["x", "é", "漢", "\u{1f600}"].map(|character| character.repeat(300));
    for key in keys.into_iter().chain(long) {
        let key = format!("\"{key}\"");
        let mut impressions = [Impression { line: "1234".into(), key: &key }];
        let record = pack(&mut impressions, 0, &[]).records.next().unwrap();
        assert_eq!(record.spread, Spread::ByKey);
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
        let is_apart = |line: &str| record_kib > 0 && !number_fields.is_empty() && misfits.contains(line);
        let mut impressions: Vec<_> = lines.iter().cloned().map(impression).collect();
        let packed = pack(&mut impressions, record_kib, &number_fields);
        let (want, mut oversized): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.len() < MAX_RECORD_BYTES);
        let mut have = packed.oversized;
        // Where there are misfits, others change places with them.
        have.sort_unstable();
        oversized.sort_unstable();
        prop_assert_eq!(have, oversized);
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
                let apart = data.lines().filter(|line| is_apart(line)).count();
                prop_assert!([0, data.lines().count()].contains(&apart));
                have.extend(data.lines().map(str::to_owned));
            }
        }
        let (mut last, mut fitting): (Vec<_>, Vec<_>) = want.into_iter().cloned().partition(|line| is_apart(line));
        if !last.is_empty() {
            last.sort();
            fitting.sort();
            let (have_fitting, have_last) = have.split_at_mut(fitting.len());
            have_fitting.sort();
            have_last.sort();
        }
        prop_assert_eq!(have, [fitting, last].concat());
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
        prop_assert!(!plainly_fits(&line, &fields) || fits(&line, &fields, &mut BatchBudget::unlimited()), "{}", line);
    }
}
