//! Decodes a request's body to JSON text: base64, gzip, UTF-8.
//!
//! Must not look at headers: API Gateway inflates a body sent with `Content-Encoding: gzip` and passes the header on, so only
//! the body's first bytes tell. Must not put anything of the body into an error.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;
use memchr::memmem;

use crate::budget::BatchBudget;
use crate::refusal::Refusal;

pub use crate::refusal::MAX_INFLATED_BYTES;

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

/// How API Gateway passed the body on: as text, or as base64 of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Encoding {
    Text,
    Base64,
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
        Self { inflater: Decompressor::new(), bytes: Vec::new(), plain: Vec::new(), written: 0 }
    }
}

impl Decoder {
    /// Returns the text of a body, inflated if it is gzipped, borrowed if it was text all along.
    pub fn decode<'a>(&'a mut self, body: &'a str, encoding: Encoding) -> Result<&'a str, Refusal> {
        self.decode_within(body, encoding, &mut BatchBudget::unlimited())
    }

    /// As [`Decoder::decode`], but takes from `budget` what it inflates to.
    pub(crate) fn decode_within<'a>(
        &'a mut self,
        body: &'a str,
        encoding: Encoding,
        budget: &mut BatchBudget,
    ) -> Result<&'a str, Refusal> {
        let text = match encoding {
            // Gzip's second byte is no UTF-8 after its first, so a text never is gzip.
            Encoding::Text => body,
            Encoding::Base64 => {
                self.bytes.clear();
                base64_simd::STANDARD.decode_append(body, &mut self.bytes).map_err(|_| Refusal::Base64)?;
                let plain = if self.bytes.starts_with(&GZIP_MAGIC) {
                    self.inflate(budget)?;
                    &self.plain
                } else {
                    &self.bytes
                };
                std::str::from_utf8(plain).map_err(|_| Refusal::Utf8)?
            }
        };
        if text.len() > MAX_INFLATED_BYTES {
            return Err(Refusal::TooLarge);
        }
        Ok(text)
    }

    /// Inflates the gzip file in `bytes` into `plain`, up to one byte past the limit.
    fn inflate(&mut self, budget: &mut BatchBudget) -> Result<(), Refusal> {
        if self.written > budget.memory.left() / KEPT_PART {
            self.plain = Vec::new();
            self.written = 0;
        }
        let most = budget.memory.left().min(MAX_INFLATED_BYTES);
        let result = if self.inflate_at_once(most) { Ok(()) } else { self.inflate_exactly(most, budget) };
        self.written = self.written.max(self.plain.len());
        result?;
        // A body past `MAX_INFLATED_BYTES` has an error of its own, so its last byte is not counted.
        budget.memory.hold(self.written.min(MAX_INFLATED_BYTES))
    }

    /// Inflates a file of any number of members, and nothing else.
    fn inflate_exactly(&mut self, most: usize, budget: &mut BatchBudget) -> Result<(), Refusal> {
        self.plain.clear();
        let mut refused = None;
        let gzip = MeteredGzip { rest: &self.bytes, budget, refused: &mut refused };
        let read = MultiGzDecoder::new(gzip).take(most as u64 + 1).read_to_end(&mut self.plain);
        match (refused, read) {
            (Some(error), _) => Err(error),
            (None, Err(_)) => Err(Refusal::Gzip),
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
        let (crc, size) =
            (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([s0, s1, s2, s3]) as usize);
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
struct MeteredGzip<'a> {
    rest: &'a [u8],
    budget: &'a mut BatchBudget,
    /// Why the rest is not read.
    refused: &'a mut Option<Refusal>,
}

impl Read for MeteredGzip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for MeteredGzip<'_> {
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
