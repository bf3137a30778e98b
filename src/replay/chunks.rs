//! Reads the impressions of a spilled object, a few MiB of lines at a time.
//!
//! Must not send or store anything.

use std::io::Read;

use split_pipeline_handler::elements::stored;
use split_pipeline_handler::pack::pack;

use super::Place;
use crate::objects::content::{Caps, ReadError};
use crate::objects::lines::{Gzip, Lines, gzipped};

/// How many bytes of lines are held at once, unless one line alone is longer: some requests of `PutRecords`.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// How many lines are held at once: what is known of a line takes more memory than a short line.
const CHUNK_LINES: usize = 64 * 1024;

/// Whole lines of a spilled object, in order.
pub(super) struct Chunks<R> {
    lines: Lines<R>,
    number: usize,
    /// A line that was too much for the chunk before.
    next: Option<String>,
}

pub(super) fn chunks(gzip: &[u8]) -> Chunks<Gzip<'_>> {
    Chunks { lines: gzipped(gzip, Caps::SPILLED), number: 0, next: None }
}

impl<R: Read> Chunks<R> {
    pub(super) fn next(&mut self) -> Result<Option<String>, ReadError> {
        let (mut chunk, mut lines) = (String::new(), 0);
        while lines < CHUNK_LINES {
            let Some(line) = self.next.take().map_or_else(|| self.line(), |line| Ok(Some(line)))? else {
                break;
            };
            if lines > 0 && chunk.len() + line.len() >= CHUNK_BYTES {
                self.next = Some(line);
                break;
            }
            chunk.push_str(&line);
            chunk.push('\n');
            lines += 1;
        }
        Ok((lines > 0).then_some(chunk))
    }

    fn line(&mut self) -> Result<Option<String>, ReadError> {
        let Some(line) = self.lines.next_line()? else {
            return Ok(None);
        };
        self.number += 1;
        let Ok(line) = str::from_utf8(line) else {
            return Err(ReadError::malformed("not UTF-8 text"));
        };
        // The handler stores nothing else, and Firehose converts a record whole or not at all.
        if !line.trim_start().starts_with('{') {
            let number = self.number;
            return Err(ReadError::malformed(format!("line {number} is no impression")));
        }
        Ok(Some(line.to_owned()))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ImpressionCounts {
    pub(super) sendable: usize,
    pub(super) oversized: usize,
}

/// Reads a spilled object to its end, so that nothing of one that cannot be read is sent.
pub(super) fn count(gzip: &[u8], place: &Place) -> Result<ImpressionCounts, ReadError> {
    let (mut counted, mut chunks) = (ImpressionCounts::default(), chunks(gzip));
    while let Some(chunk) = chunks.next()? {
        let mut impressions = stored(&chunk);
        let all = impressions.len();
        let packed = pack(&mut impressions, place.record_kib, &place.number_fields);
        let oversized = packed.oversized.len();
        counted.oversized += oversized;
        counted.sendable += all - oversized;
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::lines::gzip;

    fn all(text: &[u8]) -> Result<Vec<String>, ReadError> {
        let gzip = gzip(text).unwrap();
        let mut chunks = chunks(&gzip);
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next()? {
            all.push(chunk);
        }
        Ok(all)
    }

    #[test]
    fn chunks_hold_few_bytes_and_few_lines_and_every_line_once() {
        let long = format!("{{\"key\":\"{}\"}}\n", "x".repeat(1024 * 1024));
        let text = long.repeat(20) + &"{}\n".repeat(2 * CHUNK_LINES);
        let chunks = all(text.as_bytes()).unwrap();
        assert_eq!(chunks.concat(), text);
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES));
        assert!(chunks.iter().all(|chunk| chunk.lines().count() <= CHUNK_LINES));
        assert_eq!(chunks.len(), 5);
    }

    #[test]
    fn a_line_that_is_longer_than_a_chunk_is_a_chunk() {
        let long = format!("{{\"key\":\"{}\"}}\n", "x".repeat(CHUNK_BYTES));
        let text = format!("{{}}\n{long}{{}}");
        assert_eq!(all(text.as_bytes()).unwrap(), ["{}\n", &long, "{}\n"]);
    }

    #[test]
    fn a_line_that_is_no_impression_is_an_error_that_names_it() {
        for (text, why) in [
            (&b"{}\n\n{}\n"[..], "line 2 is no impression"),
            (b"{}\n{}\n[1]\n", "line 3 is no impression"),
            (b"{}\n\xff\n", "not UTF-8 text"),
        ] {
            assert_eq!(all(text).unwrap_err().to_string(), why);
        }
    }
}
