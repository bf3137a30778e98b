//! Reads the lines of an object in any compression: one line in memory at a time, and no more than the caps allow.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write as _};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use zip::ZipReadOptions;
use zip::read::Config;
use zip::unstable::read::ZipIterable;

use super::content::{Caps, Excess, ReadError};

pub fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}

pub struct Lines<R> {
    text: BufReader<Capped<R>>,
    line: Vec<u8>,
    longest: u64,
}

struct Capped<R> {
    inner: R,
    read: u64,
    cap: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        if self.read > self.cap {
            let (what, limit) = (Excess::Inflated, self.cap);
            return Err(ReadError::TooLarge { what, limit }.into());
        }
        Ok(read)
    }
}

impl<R: Read> Lines<R> {
    /// The lines of a text that is no longer than `inflated`.
    fn new(text: R, inflated: u64, longest: u64) -> Self {
        let text = Capped { inner: text, read: 0, cap: inflated };
        Self { text: BufReader::new(text), line: Vec::new(), longest }
    }

    /// The next line, without its end; none after the last.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.line.clear();
        // A line of the longest length, and its end.
        let mut text = self.text.by_ref().take(self.longest + 2);
        if text.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() as u64 > self.longest {
            let (what, limit) = (Excess::Line, self.longest);
            return Err(ReadError::TooLarge { what, limit });
        }
        Ok(Some(line))
    }

    /// How many bytes of the text were read so far.
    pub fn read(&self) -> u64 {
        self.text.get_ref().read
    }
}

/// Inflates gzip of one member or of several, and says in words what is wrong with it.
pub struct Gzip<'a>(MultiGzDecoder<&'a [u8]>);

impl Read for Gzip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the gzip data is cut off"),
            _ => io::Error::new(error.kind(), format!("not valid gzip: {error}")),
        })
    }
}

pub fn gzipped(object: &[u8], caps: Caps) -> Lines<Gzip<'_>> {
    Lines::new(Gzip(MultiGzDecoder::new(object)), caps.inflated, caps.line)
}

/// Gives every line of an object. The compression is told by the first bytes: emulators may not compress at all.
///
/// Lines that are not UTF-8 are left out; an object that cannot be read to its end is an error.
pub fn for_each(object: &[u8], caps: Caps, mut each: impl FnMut(&str)) -> Result<(), ReadError> {
    match object {
        [0x1f, 0x8b, ..] => texts(gzipped(object, caps), &mut each).map(drop),
        [b'P', b'K', 3, 4, ..] => zipped(object, caps, &Cell::new(0), &mut each),
        [0xff, 6, 0, 0, b's', b'N', ..] => {
            let text = snap::read::FrameDecoder::new(object);
            texts(Lines::new(text, caps.inflated, caps.line), &mut each).map(drop)
        }
        [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, ..] => {
            let text = SnappyJava::new(object)?;
            texts(Lines::new(text, caps.inflated, caps.line), &mut each).map(drop)
        }
        _ => texts(Lines::new(object, caps.inflated, caps.line), &mut each).map(drop),
    }
}

/// Gives every line that is UTF-8; the number is of bytes that were read.
fn texts<R: Read>(mut lines: Lines<R>, each: &mut impl FnMut(&str)) -> Result<u64, ReadError> {
    while let Some(line) = lines.next_line()? {
        if let Ok(line) = str::from_utf8(line) {
            each(line);
        }
    }
    Ok(lines.read())
}

/// What an entry of an archive counts for beside its text: a decompressor is set up for each.
const ENTRY_BYTES: u64 = 4 * 1024;

/// What is read of an archive beside its entries and its directory: its end is looked for.
const END_BYTES: u64 = 1024 * 1024;

/// An archive, of whose bytes no more are read than there are in it and in its directory, each once: entries can be of the same
/// bytes, and inflate to nothing.
struct Archive<'a> {
    object: Cursor<&'a [u8]>,
    read: &'a Cell<u64>,
}

impl Archive<'_> {
    fn most(&self) -> u64 {
        2 * self.object.get_ref().len() as u64 + END_BYTES
    }
}

impl Read for Archive<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > self.most() {
            return Err(ReadError::malformed("not valid ZIP: its entries overlap").into());
        }
        let read = self.object.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl Seek for Archive<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.object.seek(to)
    }
}

/// The entries of an archive, whose directory is walked rather than held: it can have millions. All of them count against one
/// cap, and what was read of the archive is counted.
fn zipped(object: &[u8], caps: Caps, read: &Cell<u64>, each: &mut impl FnMut(&str)) -> Result<(), ReadError> {
    let reader = || Archive { object: Cursor::new(object), read };
    let mut archive = ZipIterable::try_new(reader(), Config::default()).map_err(io::Error::from)?;
    let mut files =
        archive.files_with_reader(reader(), ZipReadOptions::default()).map_err(io::Error::from)?;
    let too_large = ReadError::TooLarge { what: Excess::Inflated, limit: caps.inflated };
    // The first entry may have all of the cap.
    let mut left = caps.inflated.saturating_add(ENTRY_BYTES);
    while let Some(file) = files.next() {
        let file = file.map_err(io::Error::from)?;
        let Some(rest) = left.checked_sub(ENTRY_BYTES) else {
            return Err(too_large);
        };
        let inflated = texts(Lines::new(file, rest, caps.line), each);
        left = rest - inflated.map_err(|error| whole(error, caps))?;
    }
    Ok(())
}

/// Says the cap of the whole archive rather than what was left of it.
fn whole(error: ReadError, caps: Caps) -> ReadError {
    match error {
        ReadError::TooLarge { what: what @ Excess::Inflated, .. } => {
            ReadError::TooLarge { what, limit: caps.inflated }
        }
        error => error,
    }
}

/// The largest block of snappy-java's format that is undone: by default, its blocks have 32 KiB.
const MAX_SNAPPY_BLOCK: usize = 16 * 1024 * 1024;

/// Undoes snappy-java's own format: a header of 16 bytes, then blocks, each after its size in four bytes. Holds one block.
struct SnappyJava<'a> {
    rest: &'a [u8],
    block: Cursor<Vec<u8>>,
}

impl<'a> SnappyJava<'a> {
    fn new(object: &'a [u8]) -> io::Result<Self> {
        let rest = object.get(16..).ok_or(io::ErrorKind::UnexpectedEof)?;
        let block = Cursor::default();
        Ok(Self { rest, block })
    }

    /// Takes the next block; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let Some((size, after)) = self.rest.split_first_chunk::<4>() else {
            return if self.rest.is_empty() { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        };
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let (block, after) = after.split_at_checked(size).ok_or(io::ErrorKind::UnexpectedEof)?;
        if snap::raw::decompress_len(block)? > MAX_SNAPPY_BLOCK {
            let (what, limit) = (Excess::Inflated, MAX_SNAPPY_BLOCK as u64);
            return Err(ReadError::TooLarge { what, limit }.into());
        }
        self.block = Cursor::new(snap::raw::Decoder::new().decompress_vec(block)?);
        self.rest = after;
        Ok(true)
    }
}

impl Read for SnappyJava<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buffer)?;
            if read > 0 || buffer.is_empty() || !self.advance()? {
                return Ok(read);
            }
        }
    }
}

#[cfg(test)]
mod tests;
