//! Spans of time whose impressions Kinesis took and no delivery stream delivered, and the tag that keeps them.
//!
//! The stream itself carries the tag, because the impressions are in it: the tag survives an interrupted `up` and
//! goes with the data. Pure: values in, values out.

use std::time::{Duration, SystemTime};

use crate::moment;

/// The longest value of a tag (Kinesis API reference, `AddTagsToStream`).
const MAX_TAG_CHARS: usize = 256;

/// By how much clocks may differ: AWS refuses calls of clocks that are further off.
const CLOCKS: Duration = Duration::from_mins(5);

/// The most that is cut off when a time is written to the second.
const ALMOST_A_SECOND: Duration = Duration::from_nanos(999_999_999);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: SystemTime,
    /// The first moment after it; absent while no delivery stream reads the stream.
    pub until: Option<SystemTime>,
}

/// The gaps of a stream, the oldest first, without overlaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Vec<Gap>);

impl Gap {
    fn is_open(self) -> bool {
        self.until.is_none()
    }

    fn write(self) -> String {
        // Rounded up, so that the tag covers the whole gap.
        let until = self.until.map(|until| compact(until + ALMOST_A_SECOND));
        let until = until.unwrap_or_default();
        format!("{}/{until}", compact(self.from))
    }

    fn read(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('/')?;
        let until = match until {
            "" => None,
            until => Some(parse_compact(until)?),
        };
        Some(Self { from: parse_compact(from)?, until })
    }
}

impl Gaps {
    /// Reads the value of the tag; what somebody else wrote there is no gap.
    pub fn read(tag: &str) -> Self {
        let gaps = tag.split_whitespace().filter_map(Gap::read);
        gaps.fold(Self::default(), Self::with)
    }

    /// Writes the value of the tag, if there is a gap. If there are more gaps than a tag can hold, the closest ones
    /// become one.
    pub fn write(&self) -> Option<String> {
        let mut gaps = self.clone();
        loop {
            let texts: Vec<_> = gaps.0.iter().map(|gap| gap.write()).collect();
            let text = texts.join(" ");
            if text.len() <= MAX_TAG_CHARS {
                return (!text.is_empty()).then_some(text);
            }
            gaps.join_closest();
        }
    }

    /// The gaps, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Gap> {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_open(&self) -> bool {
        self.0.last().is_some_and(|gap| gap.is_open())
    }

    /// The same gaps and one more; those that overlap become one.
    #[must_use]
    pub fn with(mut self, gap: Gap) -> Self {
        self.0.push(gap);
        self.0.sort_by_key(|gap| gap.from);
        let mut merged: Vec<Gap> = Vec::new();
        for gap in self.0 {
            match merged.last_mut() {
                Some(last) if last.until.is_none_or(|until| gap.from <= until) => {
                    last.until = last.until.zip(gap.until).map(|(one, other)| one.max(other));
                }
                _ => merged.push(gap),
            }
        }
        Self(merged)
    }

    /// The same gaps, with an end for the one that has none.
    #[must_use]
    pub fn closed(mut self, at: SystemTime) -> Self {
        for gap in &mut self.0 {
            gap.until = gap.until.or(Some(at.max(gap.from)));
        }
        self
    }

    /// What is left of the gaps once the impressions of a span were copied to the bucket, at a time `now`.
    ///
    /// While nothing delivers, the last minutes before that stay a gap: this machine's clock may be ahead of AWS's.
    #[must_use]
    pub fn without(self, since: SystemTime, until: SystemTime, now: SystemTime) -> Self {
        let passed = now.checked_sub(CLOCKS).unwrap_or(SystemTime::UNIX_EPOCH);
        let pieces = self.0.into_iter().flat_map(|gap| {
            let until = if gap.is_open() { until.min(passed) } else { until };
            // The end of a gap was rounded up to the second.
            let ends_after = gap.until.is_none_or(|end| end > until + ALMOST_A_SECOND);
            let before = (gap.from < since)
                .then(|| Gap { from: gap.from, until: Some(gap.until.map_or(since, |end| end.min(since))) });
            let after = ends_after.then(|| Gap { from: gap.from.max(until), until: gap.until });
            [before, after].into_iter().flatten()
        });
        pieces.fold(Self::default(), Self::with)
    }

    /// The gaps of which a stream that keeps its records this long still holds something.
    #[must_use]
    pub fn retained(self, now: SystemTime, retention: Duration) -> Self {
        let oldest = now.checked_sub(retention).unwrap_or(SystemTime::UNIX_EPOCH);
        let gaps = self.0.into_iter();
        Self(gaps.filter(|gap| gap.until.is_none_or(|until| until > oldest)).collect())
    }

    /// Makes one gap of the two between which the least time is.
    fn join_closest(&mut self) {
        let between = |pair: &[Gap]| {
            let end = pair[0].until.unwrap_or(pair[1].from);
            pair[1].from.duration_since(end).unwrap_or_default()
        };
        let closest = self.0.windows(2).enumerate();
        let closest = closest.min_by_key(|(_, pair)| between(pair));
        if let Some((index, _)) = closest {
            let next = self.0.remove(index + 1);
            self.0[index].until = next.until;
        } else {
            self.0.clear();
        }
    }
}

/// A time in the basic format of ISO 8601, such as `20260131T130000Z`: Kinesis takes no colon in a tag.
fn compact(at: SystemTime) -> String {
    write_time(at).replace(['-', ':'], "")
}

fn parse_compact(text: &str) -> Option<SystemTime> {
    let part = |range| text.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    let extended = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time = humantime::parse_rfc3339(&extended).ok()?;
    (compact(time) == text).then_some(time)
}

/// A time as commands have it: UTC, to the second.
pub fn write_time(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment::writable(at)).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    /// The seconds at which a gap starts and ends.
    type Seconds = (u64, Option<u64>);

    fn gaps(spans: &[Seconds]) -> Gaps {
        let gaps = spans.iter().map(|(from, until)| Gap { from: at(*from), until: until.map(at) });
        gaps.fold(Gaps::default(), Gaps::with)
    }

    #[test]
    fn a_tag_says_them_for_people_too() {
        let written = gaps(&[(0, Some(60)), (300, None)]).write().unwrap();
        assert_eq!(written, "20270115T080000Z/20270115T080100Z 20270115T080500Z/");
        assert_eq!(Gaps::default().write(), None);
    }

    #[test]
    fn what_is_no_gap_in_a_tag_is_skipped() {
        let read = Gaps::read(
            "owner=me / é/ 20270115T080000Z/20270115T080100Z 20270115T080500Z/x 20279915T080500Z/",
        );
        assert_eq!(read, gaps(&[(0, Some(60))]));
        assert!(Gaps::read("").is_empty());
    }

    #[test]
    fn overlapping_gaps_are_one() {
        assert_eq!(gaps(&[(50, Some(70)), (0, Some(60)), (70, Some(80))]), gaps(&[(0, Some(80))]));
        assert_eq!(gaps(&[(0, None), (50, Some(70))]), gaps(&[(0, None)]));
        assert_eq!(gaps(&[(0, Some(60)), (50, None)]), gaps(&[(0, None)]));
        assert_eq!(gaps(&[(0, Some(60)), (61, Some(70))]).iter().count(), 2);
    }

    #[test]
    fn a_gap_ends_once_a_delivery_stream_reads() {
        let open = gaps(&[(0, Some(60)), (300, None)]);
        assert!(open.is_open());
        assert!(!open.is_empty());
        let closed = open.closed(at(400));
        assert_eq!(closed, gaps(&[(0, Some(60)), (300, Some(400))]));
        assert!(!closed.is_open());
    }

    #[test]
    fn what_was_copied_is_no_gap_any_more() {
        let whole = || gaps(&[(100, Some(200)), (300, None)]);
        let cases: [((u64, u64), &[Seconds]); 7] = [
            ((100, 200), &[(300, None)]),
            ((0, 1000), &[(1000, None)]),
            ((0, 150), &[(150, Some(200)), (300, None)]),
            ((150, 250), &[(100, Some(150)), (300, None)]),
            ((120, 130), &[(100, Some(120)), (130, Some(200)), (300, None)]),
            ((200, 300), &[(100, Some(200)), (300, None)]),
            ((0, 100), &[(100, Some(200)), (300, None)]),
        ];
        for ((since, until), want) in cases {
            let left = whole().without(at(since), at(until), at(100_000));
            assert_eq!(left, gaps(want), "{since} to {until}");
        }
    }

    #[test]
    fn a_gap_that_just_ended_can_be_copied_at_once() {
        let ended = at(100) + Duration::from_millis(1);
        let open = || gaps(&[(0, None)]);
        let read = Gaps::read(&open().closed(ended).write().unwrap());
        assert_eq!(read, gaps(&[(0, Some(101))]));
        let now = ended + Duration::from_millis(1);
        assert!(read.clone().without(at(0), now, now).is_empty());
        assert_eq!(read.without(at(0), at(100), now), gaps(&[(100, Some(101))]));
    }

    #[test]
    fn while_nothing_delivers_what_clocks_may_differ_by_stays_a_gap() {
        let open = || gaps(&[(0, None)]);
        assert_eq!(open().without(at(0), at(9000), at(1000)), gaps(&[(700, None)]));
        assert_eq!(open().without(at(0), at(500), at(1000)), gaps(&[(500, None)]));
    }

    #[test]
    fn what_the_stream_no_longer_holds_is_no_gap() {
        let hour = Duration::from_hours(1);
        let all = gaps(&[(0, Some(60)), (300, Some(400))]);
        assert_eq!(all.clone().retained(at(3600), hour), all);
        assert_eq!(all.clone().retained(at(3660), hour), gaps(&[(300, Some(400))]));
        assert!(all.retained(at(4000), hour).is_empty());
        let open = gaps(&[(0, None)]);
        assert_eq!(open.clone().retained(at(1_000_000), hour), open);
    }

    proptest! {
        #[test]
        fn a_tag_holds_any_number_and_covers_every_moment(
            spans in prop::collection::vec((0_u64..100_000, 0_u64..1000), 0..20),
            is_open in any::<bool>(),
        ) {
            let mut spans: Vec<_> = spans.iter().map(|(from, length)| (*from, Some(from + length))).collect();
            if is_open {
                spans.push((200_000, None));
            }
            let all = gaps(&spans);
            let written = all.write();
            prop_assert!(written.iter().all(|tag| tag.len() <= MAX_TAG_CHARS));
            // What Kinesis takes in a tag (its API reference, `Tag`).
            let is_taken = |c: char| c.is_alphanumeric() || " _./=+-%@".contains(c);
            prop_assert!(written.iter().all(|tag| tag.chars().all(is_taken)));
            prop_assert!(crate::names::GAPS_TAG.chars().all(is_taken));
            let read = Gaps::read(&written.unwrap_or_default());
            prop_assert_eq!(read.is_open(), is_open);
            for gap in all.iter() {
                let covers = |it: &Gap| it.from <= gap.from && it.until.is_none_or(|end| gap.until.is_some_and(|until| until <= end));
                prop_assert!(read.iter().any(|it| covers(&it)));
            }
        }
    }
}
