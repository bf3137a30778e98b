//! Holds rejected elements as the gzipped NDJSON that is stored in S3: `{"reason":…,"element":…}`.
//!
//! Must not keep a list: a body can have thirty million elements of two bytes each, in a function with little memory.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::json::blank_newlines;

/// How much of an element with newlines is copied at once.
const PIECE: usize = 64 * 1024;

/// What makes an element no impression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is an array, string, number, boolean or null.
    NotAnObject,
    /// It has no `key`, or one that is no string.
    NoKey,
    /// It has no `split`, or one that is no string.
    NoSplit,
}

impl Reason {
    /// Returns the reason as it is stored beside the element; contains nothing that JSON would escape.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NotAnObject => "not an object",
            Self::NoKey => "no string field key",
            Self::NoSplit => "no string field split",
        }
    }
}

/// The elements of a batch that are no impressions, in the order in which they came in.
#[derive(Debug, Default)]
pub struct Rejected {
    /// Absent before the first.
    file: Option<GzEncoder<Vec<u8>>>,
    count: usize,
    /// What writing to memory never gives, and must not be lost if it did.
    error: Option<io::Error>,
}

impl Rejected {
    pub(crate) fn push(&mut self, reason: Reason, raw: &str) {
        let file = self.file.get_or_insert_with(|| GzEncoder::new(Vec::new(), Compression::fast()));
        if let Err(error) = write(file, reason, raw) {
            self.error = Some(error);
        }
        self.count += 1;
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Returns how much memory they take: a file in memory grows by doubling.
    pub(crate) fn memory(&self) -> usize {
        self.file.as_ref().map_or(0, |file| 2 * file.get_ref().len())
    }

    /// Returns the file to be stored, if there are any.
    pub fn into_file(self) -> io::Result<Option<Vec<u8>>> {
        match self.error {
            Some(error) => Err(error),
            None => self.file.map(GzEncoder::finish).transpose(),
        }
    }
}

/// Writes an element as a line, piece by piece if it has newlines, since it can be all of a body.
fn write(file: &mut impl Write, reason: Reason, raw: &str) -> io::Result<()> {
    write!(file, "{{\"reason\":\"{}\",\"element\":", reason.text())?;
    if memchr::memchr2(b'\r', b'\n', raw.as_bytes()).is_none() {
        file.write_all(raw.as_bytes())?;
    } else {
        let mut line = Vec::new();
        for piece in raw.as_bytes().chunks(PIECE) {
            line.clear();
            line.extend_from_slice(piece);
            blank_newlines(&mut line);
            file.write_all(&line)?;
        }
    }
    file.write_all(b"}\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn elements_have_reasons_and_stay_as_they_were() {
        let mut rejected = Rejected::default();
        rejected.push(Reason::NotAnObject, "\"\\ud800\\\"\"");
        rejected.push(Reason::NoKey, "{\r\n}");
        rejected.push(Reason::NoSplit, "{\"key\":\"é\"}");
        assert_eq!(rejected.len(), 3);
        let want = concat!(
            "{\"reason\":\"not an object\",\"element\":\"\\ud800\\\"\"}\n",
            "{\"reason\":\"no string field key\",\"element\":{  }}\n",
            "{\"reason\":\"no string field split\",\"element\":{\"key\":\"é\"}}\n",
        );
        let mut have = String::new();
        let file = rejected.into_file().unwrap().unwrap();
        GzDecoder::new(&*file).read_to_string(&mut have).unwrap();
        assert_eq!(have, want);
    }

    #[test]
    fn an_element_is_one_line_however_long_it_is() {
        for length in [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let mut rejected = Rejected::default();
            let raw = format!("[{}1\r\n]", "\n".repeat(length));
            rejected.push(Reason::NotAnObject, &raw);
            let mut have = String::new();
            let file = rejected.into_file().unwrap().unwrap();
            GzDecoder::new(&*file).read_to_string(&mut have).unwrap();
            let element = raw.replace(['\r', '\n'], " ");
            assert_eq!(have, format!("{{\"reason\":\"not an object\",\"element\":{element}}}\n"));
        }
    }

    #[test]
    fn none_are_no_file() {
        assert_eq!(Rejected::default().len(), 0);
        assert_eq!(Rejected::default().into_file().unwrap(), None);
    }

    #[test]
    fn millions_of_elements_take_little_memory() {
        let mut rejected = Rejected::default();
        for _ in 0..1_000_000 {
            rejected.push(Reason::NotAnObject, "1");
        }
        assert!(rejected.into_file().unwrap().unwrap().capacity() < 1024 * 1024);
    }
}
