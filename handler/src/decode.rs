//! Owns the way from a request's body to JSON text: base64, gzip, UTF-8.
//!
//! Must not look at headers: API Gateway inflates a body sent with `Content-Encoding: gzip` and passes the header on,
//! so only the body's first bytes tell. Must not put anything of the body into an error.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;
use memchr::memmem;
use thiserror::Error;

use crate::budget::Budget;

/// What a body may inflate to: 64 MiB, as the contract says ("The webhook", answer 413).
///
/// Counted while inflating. The size in a gzip trailer is the sender's claim, modulo 4 GiB and of the last member only.
pub const MAX_INFLATED_BYTES: usize = 64 * 1024 * 1024;

/// The first two bytes of every gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How a gzip member starts whose header has none of the optional fields: magic bytes, the method "deflate", no flags.
const PLAIN_MEMBER_START: [u8; 4] = [0x1f, 0x8b, 8, 0];

/// How much of a file is inflated between two counts.
const PIECE: usize = 64 * 1024;

/// How many times its size deflate can inflate to: 258 bytes out of 2 bits (RFC 1951).
const HIGHEST_INFLATION: usize = 1032;

/// A buffer larger than this part of the memory is not kept for the next batch, whose impressions may need the room.
const KEPT_PART: usize = 4;

/// How API Gateway passed the body on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As the text that it is.
    Text,
    /// As base64 of the bytes that it is.
    Base64,
}

/// Why a body holds no impressions that could be taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The event calls the body base64 and it is not.
    #[error("the body is not valid base64")]
    Base64,
    /// The body starts like gzip and is cut off, damaged or followed by something else.
    #[error("the body is not valid gzip")]
    Gzip,
    /// The body is larger than [`MAX_INFLATED_BYTES`].
    #[error("the body is larger than {} MiB once inflated", MAX_INFLATED_BYTES / (1024 * 1024))]
    TooLarge,
    /// Body, impressions or rejected elements take more than [`Memory`](crate::memory::Memory) has.
    #[error("the batch needs more memory than the function has")]
    Memory,
    /// The body was not read to its end when the function had to turn to storing what it holds.
    #[error("the batch needs more time than the function has")]
    Time,
    /// More than [`LARGEST_BATCH`](crate::budget::LARGEST_BATCH) impressions, each a record of its own.
    #[error("the batch has more than 250,000 impressions, too many for a record each")]
    Impressions,
    /// More than [`LARGEST_BATCH`](crate::budget::LARGEST_BATCH) elements are to be rejected.
    #[error("the batch has more than 250,000 elements that are not impressions")]
    Rejected,
    /// The objects have more than [`MOST_FIELDS`](crate::budget::MOST_FIELDS).
    #[error("the batch has more than 4,000,000 fields")]
    Fields,
    /// The text is not UTF-8.
    #[error("the body is not valid UTF-8")]
    Utf8,
    /// The text is not JSON.
    #[error("the body is not valid JSON (line {line}, column {column})")]
    Json {
        /// The line of the first character that cannot be, from 1.
        line: usize,
        /// Its column in bytes, from 1.
        column: usize,
    },
    /// The text is JSON, but a string, number, boolean or null.
    #[error("the body is neither a JSON array nor an object")]
    NotAnArray,
}

impl DecodeError {
    /// Returns the HTTP status that answers the sender.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge
            | Self::Memory
            | Self::Time
            | Self::Impressions
            | Self::Rejected
            | Self::Fields => 413,
            Self::Base64 | Self::Gzip | Self::Utf8 | Self::Json { .. } | Self::NotAnArray => 400,
        }
    }
}

impl From<serde_json::Error> for DecodeError {
    /// Keeps the position only: `serde_json`'s message may quote the body.
    fn from(error: serde_json::Error) -> Self {
        Self::Json {
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Decodes bodies, one after the other, in the same buffers.
///
/// A buffer that a large batch needed is kept for the next one: Lambda bills memory that was configured, not used.
pub struct Decoder {
    inflater: Decompressor,
    bytes: Vec<u8>,
    plain: Vec<u8>,
    /// How much of `plain` was ever written to, and so takes memory.
    written: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            inflater: Decompressor::new(),
            bytes: Vec::new(),
            plain: Vec::new(),
            written: 0,
        }
    }
}

impl Decoder {
    /// Returns the text of a body, inflated if it is gzipped, borrowed if it was text all along.
    ///
    /// # Errors
    ///
    /// When the body is not what `encoding` or its own first bytes say, or is too large.
    pub fn decode<'a>(&'a mut self, body: &'a str, encoding: Encoding) -> Result<&'a str, DecodeError> {
        self.decode_within(body, encoding, &mut Budget::unlimited())
    }

    /// As [`Decoder::decode`], but takes from `budget` what it inflates to.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`], and when the budget is not enough.
    pub fn decode_within<'a>(
        &'a mut self,
        body: &'a str,
        encoding: Encoding,
        budget: &mut Budget,
    ) -> Result<&'a str, DecodeError> {
        let text = match encoding {
            // Gzip's second byte is no UTF-8 after its first, so a text never is gzip.
            Encoding::Text => body,
            Encoding::Base64 => {
                self.bytes.clear();
                base64_simd::STANDARD
                    .decode_append(body, &mut self.bytes)
                    .map_err(|_| DecodeError::Base64)?;
                let plain = if self.bytes.starts_with(&GZIP_MAGIC) {
                    self.inflate(budget)?;
                    &self.plain
                } else {
                    &self.bytes
                };
                std::str::from_utf8(plain).map_err(|_| DecodeError::Utf8)?
            }
        };
        if text.len() > MAX_INFLATED_BYTES {
            return Err(DecodeError::TooLarge);
        }
        Ok(text)
    }

    /// Inflates the gzip file in `bytes` into `plain`, up to one byte past the limit.
    fn inflate(&mut self, budget: &mut Budget) -> Result<(), DecodeError> {
        if self.written > budget.memory.left() / KEPT_PART {
            self.plain = Vec::new();
            self.written = 0;
        }
        let most = budget.memory.left().min(MAX_INFLATED_BYTES);
        let result = if self.inflate_at_once(most) {
            Ok(())
        } else {
            self.inflate_exactly(most, budget)
        };
        self.written = self.written.max(self.plain.len());
        result?;
        // A body past `MAX_INFLATED_BYTES` has an error of its own, so its last byte is not counted.
        budget.memory.hold(self.written.min(MAX_INFLATED_BYTES))
    }

    /// Inflates a file of any number of members, and nothing else.
    fn inflate_exactly(&mut self, most: usize, budget: &mut Budget) -> Result<(), DecodeError> {
        self.plain.clear();
        let mut refused = None;
        let gzip = Metered {
            rest: &self.bytes,
            budget,
            refused: &mut refused,
        };
        let read = MultiGzDecoder::new(gzip)
            .take(most as u64 + 1)
            .read_to_end(&mut self.plain);
        match (refused, read) {
            (Some(error), _) => Err(error),
            (None, Err(_)) => Err(DecodeError::Gzip),
            (None, Ok(_)) => Ok(()),
        }
    }

    /// Inflates a file of one member by the fastest means; tells whether it was one.
    ///
    /// The size in the trailer is the sender's claim, so it is bounded and then checked. `libdeflate` checks the trailer
    /// of the first member, but does not say where it was. If the file ends in the right trailer and has the same eight
    /// bytes nowhere else, the trailer that `libdeflate` checked is the end of the file. Everything else, and a header
    /// with optional fields, of which `libdeflate` checks less, is left to the slower means.
    fn inflate_at_once(&mut self, most: usize) -> bool {
        let gzip = self.bytes.as_slice();
        let Some((data, trailer)) = gzip.split_last_chunk::<8>() else {
            return false;
        };
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
        let (crc, size) = (
            u32::from_le_bytes([c0, c1, c2, c3]),
            u32::from_le_bytes([s0, s1, s2, s3]) as usize,
        );
        let possible = gzip.len().saturating_mul(HIGHEST_INFLATION).min(most);
        if size > possible || !gzip.starts_with(&PLAIN_MEMBER_START) {
            return false;
        }
        self.plain.resize(size, 0);
        self.written = self.written.max(size);
        let inflated = self.inflater.gzip_decompress(gzip, &mut self.plain);
        inflated == Ok(size)
            && libdeflater::crc32(&self.plain) == crc
            && memmem::find(gzip, trailer) == Some(data.len())
    }
}

/// A file that is read in pieces, so that members and blocks without content do not pass without a look at the clock.
struct Metered<'a> {
    rest: &'a [u8],
    budget: &'a mut Budget,
    /// Why the rest is not read.
    refused: &'a mut Option<DecodeError>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.refused {
            Some(_) => Err(io::ErrorKind::TimedOut.into()),
            None => Ok(&self.rest[..self.rest.len().min(PIECE)]),
        }
    }

    fn consume(&mut self, read: usize) {
        self.rest = self.rest.get(read..).unwrap_or_default();
        *self.refused = self.budget.look_at(read).err();
    }
}

#[cfg(test)]
mod tests;
