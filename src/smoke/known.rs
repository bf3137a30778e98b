//! Knowing impressions again: as the lines that were sent, or as rows of the table.
//!
//! Pure: values in, values out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::SmokeReport;
use crate::objects::content::{Caps, ReadError};
use crate::objects::lines;
use crate::rows::{self, JsonRow, PARQUET_MAGIC, Row, json_row};
use crate::table::{BIGINT, DeliveredColumn};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Lines,
    Rows(Vec<DeliveredColumn>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundIn {
    /// Where Firehose delivers.
    Delivered,
    /// In `spill/`.
    Spilled,
}

/// The columns whose text says nothing, since what was sent is no string: how the conversion writes such is its own affair.
type LeftOut = BTreeSet<String>;

/// The impressions that were sent, and how often each was found.
#[derive(Debug)]
pub(super) struct SentImpressions {
    shape: Shape,
    lines: HashMap<String, usize>,
    /// Rows without the columns that are left out, those with the fewest left out first.
    rows: Vec<(LeftOut, HashMap<Row, usize>)>,
    tallies: Vec<Tally>,
}

/// How often an impression was sent and found; a payload may have the same one twice.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: usize,
    delivered: usize,
    spilled: usize,
}

/// Which impressions one found in an object may be: more than one if they differ only in what is left out.
pub(super) type Candidates = Vec<usize>;

/// What was found in an object, and how often: no more than was sent, however often an object repeats it. What can be the fewest
/// impressions comes first.
pub(super) type FoundImpressions = BTreeMap<Candidates, usize>;

impl SentImpressions {
    pub(super) fn new(shape: Shape, lines: &[String]) -> Self {
        let mut sent = Self { shape, lines: HashMap::new(), rows: Vec::new(), tallies: Vec::new() };
        for line in lines {
            let new = sent.tallies.len();
            let known = match sent.as_row(line) {
                None => sent.lines.entry(line.clone()),
                Some((left_out, row)) => {
                    let index = sent.rows.iter().position(|(other, _)| *other == left_out);
                    let index = index.unwrap_or_else(|| {
                        sent.rows.push((left_out, HashMap::new()));
                        sent.rows.len() - 1
                    });
                    let index = *sent.rows[index].1.entry(row).or_insert(new);
                    sent.count_sent(index);
                    continue;
                }
            };
            let index = *known.or_insert(new);
            sent.count_sent(index);
        }
        sent.rows.sort_by_key(|(left_out, _)| left_out.len());
        sent
    }

    fn count_sent(&mut self, index: usize) {
        if index == self.tallies.len() {
            self.tallies.push(Tally::default());
        }
        self.tallies[index].sent += 1;
    }

    /// An impression in JSON as a row, without the columns that are left out; none if it makes no row.
    fn as_row(&self, json: &str) -> Option<(LeftOut, Row)> {
        let Shape::Rows(columns) = &self.shape else {
            return None;
        };
        let JsonRow { mut row, not_strings: mut left_out } = json_row(columns, json)?;
        let is_number = |name: &str| columns.iter().any(|it| it.name == name && it.kind == BIGINT);
        left_out.retain(|name| !is_number(name));
        row.retain(|name, _| !left_out.contains(name));
        Some((left_out, row))
    }

    /// The impressions of an object that were sent. Lines are told from rows by the first bytes: what was spilled is in lines,
    /// always.
    pub(super) fn found_in(&self, object: &Bytes, caps: Caps) -> Result<FoundImpressions, ReadError> {
        let mut found = FoundImpressions::new();
        let mut keep = |candidates: Candidates| {
            if !candidates.is_empty() {
                *found.entry(candidates).or_default() += 1;
            }
        };
        if object.starts_with(PARQUET_MAGIC) {
            let read = rows::for_each(object, caps.inflated, |row| keep(self.of_row(&row)));
            read.map_err(|error| ReadError::malformed(error.to_string()))?;
        } else {
            lines::for_each(object, caps, |line| {
                keep(self.of_line(line).into_iter().collect());
            })?;
        }
        Ok(found)
    }

    fn of_line(&self, line: &str) -> Option<usize> {
        let Some((left_out, row)) = self.as_row(line) else {
            return self.lines.get(line).copied();
        };
        let (_, known) = self.rows.iter().find(|(other, _)| *other == left_out)?;
        known.get(&row).copied()
    }

    fn of_row(&self, row: &Row) -> Candidates {
        let matching = self.rows.iter().filter_map(|(left_out, known)| {
            let mut rest = row.clone();
            let has_all = left_out.iter().all(|column| rest.remove(column).is_some());
            known.get(&rest).copied().filter(|_| has_all)
        });
        matching.collect()
    }

    pub(super) fn count(&mut self, found: &FoundImpressions, place: FoundIn) {
        for (candidates, times) in found {
            (0..*times).for_each(|_| self.count_one(candidates, place));
        }
    }

    /// Counts one impression that was found: as the first candidate of which one is still to be found there.
    fn count_one(&mut self, candidates: &Candidates, place: FoundIn) {
        let is_due = |index: &&usize| {
            let tally = &self.tallies[**index];
            let found = match place {
                FoundIn::Delivered => tally.delivered,
                FoundIn::Spilled => tally.spilled,
            };
            found < tally.sent
        };
        let due = candidates.iter().find(is_due).or_else(|| candidates.first());
        let Some(tally) = due.and_then(|index| self.tallies.get_mut(*index)) else {
            return;
        };
        match place {
            FoundIn::Delivered => tally.delivered += 1,
            FoundIn::Spilled => tally.spilled += 1,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.tallies.iter().all(|it| it.delivered + it.spilled >= it.sent)
    }

    /// Writes the counts into a result. What was delivered and spilled as well is delivered.
    pub(super) fn report(&self, result: &mut SmokeReport) {
        for it in &self.tallies {
            let delivered = it.delivered.min(it.sent);
            let spilled = it.spilled.min(it.sent - delivered);
            result.delivered += delivered;
            result.spilled += spilled;
            result.missing += it.sent - delivered - spilled;
            result.duplicated += it.delivered.saturating_sub(it.sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ALLOCATED;
    use crate::rows::row;

    fn columns() -> Vec<DeliveredColumn> {
        let column = |name: &str, kind| DeliveredColumn { name: name.to_owned(), kind };
        ["key", "label", "properties", "version"]
            .map(|name| column(name, "string"))
            .into_iter()
            .chain([column("time", BIGINT)])
            .collect()
    }

    fn sent(shape: Shape, lines: &[&str]) -> SentImpressions {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        SentImpressions::new(shape, &lines)
    }

    fn parquet(lines: &[&str]) -> Bytes {
        let rows: Vec<_> = lines.iter().map(|line| row(&columns(), line).unwrap()).collect();
        rows::write(&columns(), &rows).unwrap().into()
    }

    fn find(sent: &mut SentImpressions, object: impl Into<Bytes>, place: FoundIn) -> SmokeReport {
        let found = sent.found_in(&object.into(), Caps::DELIVERED).unwrap();
        sent.count(&found, place);
        let mut result = SmokeReport::default();
        sent.report(&mut result);
        result
    }

    fn counts(result: &SmokeReport) -> [usize; 4] {
        [result.delivered, result.spilled, result.missing, result.duplicated]
    }

    #[test]
    fn impressions_are_counted_once_each_and_copies_apart() {
        let mut sent = sent(Shape::Lines, &["a", "b", "b", "c"]);
        let result = find(&mut sent, "a\nb\nsomebody else's\na\n", FoundIn::Delivered);
        assert_eq!(counts(&result), [2, 0, 2, 1]);
        assert!(!sent.is_complete());
        let result = find(&mut sent, "b\nc", FoundIn::Delivered);
        assert_eq!(counts(&result), [4, 0, 0, 1]);
        assert!(sent.is_complete());
    }

    #[test]
    fn what_was_only_spilled_is_not_delivered() {
        let mut sent = sent(Shape::Lines, &["a", "b", "c"]);
        find(&mut sent, "a\n", FoundIn::Delivered);
        let result = find(&mut sent, "a\nb\n", FoundIn::Spilled);
        assert_eq!(counts(&result), [1, 1, 1, 0]);
        let result = find(&mut sent, "c\n", FoundIn::Spilled);
        assert_eq!(counts(&result), [1, 2, 0, 0]);
        assert!(sent.is_complete());
    }

    #[test]
    fn a_string_is_compared_even_if_it_looks_like_a_number() {
        let mut sent = sent(Shape::Rows(columns()), &[r#"{"key":"12345"}"#, r#"{"key":"{}"}"#]);
        let result = find(&mut sent, parquet(&[r#"{"key":"12346"}"#, r#"{"key":"[]"}"#]), FoundIn::Delivered);
        assert_eq!(counts(&result), [0, 0, 2, 0]);
        let result = find(&mut sent, parquet(&[r#"{"key":"12345"}"#, r#"{"key":"{}"}"#]), FoundIn::Delivered);
        assert_eq!(counts(&result), [2, 0, 0, 0]);
    }

    #[test]
    fn how_the_conversion_writes_what_was_no_string_does_not_matter() {
        let lines = [
            r#"{"key":"a","time":1,"version":17000040000000000494,"properties":{"x": 1},"more":true}"#,
            r#"{"Key":"b","time":"2","properties":null}"#,
        ];
        let otherwise = [
            r#"{"key":"a","time":1,"version":"1.700004E19","properties":"{\"x\":1}"}"#,
            r#"{"key":"b","time":2}"#,
        ];
        let mut sent = sent(Shape::Rows(columns()), &lines);
        let result = find(&mut sent, parquet(&otherwise), FoundIn::Delivered);
        assert_eq!(counts(&result), [2, 0, 0, 0]);
        let result = find(&mut sent, lines.join("\n"), FoundIn::Spilled);
        assert_eq!(counts(&result), [2, 0, 0, 0]);
        let wrong_time = parquet(&[r#"{"key":"a","time":2,"version":"1","properties":"{}"}"#]);
        assert_eq!(sent.found_in(&wrong_time, Caps::DELIVERED).unwrap(), FoundImpressions::new());
        let lost_column = parquet(&[r#"{"key":"a","time":1,"version":"1"}"#]);
        assert_eq!(sent.found_in(&lost_column, Caps::DELIVERED).unwrap(), FoundImpressions::new());
    }

    #[test]
    fn impressions_that_differ_only_in_what_is_left_out_are_counted_as_each_of_them() {
        let lines = [r#"{"key":"a","label":1}"#, r#"{"key":"a","label":"1"}"#];
        let mut sent = sent(Shape::Rows(columns()), &lines);
        let same = r#"{"key":"a","label":"1"}"#;
        let result = find(&mut sent, parquet(&[same]), FoundIn::Delivered);
        assert_eq!(counts(&result), [1, 0, 1, 0]);
        let result = find(&mut sent, parquet(&[same]), FoundIn::Delivered);
        assert_eq!(counts(&result), [2, 0, 0, 0]);
    }

    #[test]
    fn what_makes_no_row_is_known_as_a_line() {
        let line = r#"{"key":"a","time":"noon"}"#;
        let mut sent = sent(Shape::Rows(columns()), &[line]);
        let result = find(&mut sent, line, FoundIn::Spilled);
        assert_eq!(counts(&result), [0, 1, 0, 0]);
    }

    /// Runs a test in a process of its own, where no other test takes memory; tells whether this is that process.
    fn is_alone(test: &str) -> bool {
        const ALONE: &str = "SPLIT_PIPELINE_TEST_ALONE";
        if std::env::var_os(ALONE).is_some() {
            return true;
        }
        let mut run = std::process::Command::new(std::env::current_exe().unwrap());
        let run = run.args(["--exact", test]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        false
    }

    #[test]
    fn a_line_that_was_not_sent_takes_no_more_memory_than_its_text() {
        if !is_alone("smoke::known::tests::a_line_that_was_not_sent_takes_no_more_memory_than_its_text") {
            return;
        }
        let more = ["0,".repeat(1 << 18), r#""":0,"#.repeat(1 << 18)];
        let line = format!(r#"{{"more":[{}0],{}"key":"b"}}"#, more[0], more[1]);
        let mut sent = sent(Shape::Rows(columns()), &[r#"{"key":"a"}"#]);
        let object = Bytes::from(line.clone());
        ALLOCATED.reset_peak_usage();
        let before = ALLOCATED.current_usage();
        assert_eq!(sent.found_in(&object, Caps::DELIVERED).unwrap(), FoundImpressions::new());
        let taken = ALLOCATED.peak_usage() - before;
        assert!(taken < 3 * line.len(), "{taken} for {}", line.len());
        let same = line.replace(r#""b"}"#, r#""a"}"#);
        assert_eq!(counts(&find(&mut sent, same, FoundIn::Spilled)), [0, 1, 0, 0]);
    }

    #[test]
    fn a_field_without_a_value_says_nothing_of_another_with_its_name() {
        let mut sent = sent(Shape::Rows(columns()), &[r#"{"Key":null,"key":"a"}"#]);
        let other = parquet(&[r#"{"key":"b"}"#]);
        assert_eq!(counts(&find(&mut sent, other, FoundIn::Delivered)), [0, 0, 1, 0]);
        let same = parquet(&[r#"{"key":"a"}"#]);
        assert_eq!(counts(&find(&mut sent, same, FoundIn::Delivered)), [1, 0, 0, 0]);
    }
}
