//! The lines of a delivered object, whatever it is compressed with, one line in memory at a time.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

use crate::objects::content::MAX_INFLATED_BYTES;

/// The longest line: no impression is longer than what the handler takes in one request.
const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

/// Gives every line of text. The compression is told by the first bytes: emulators may not compress at all.
///
/// Lines that are not UTF-8 are left out; an object that cannot be read to its end is an error.
pub(super) fn for_each_line(object: &[u8], mut each: impl FnMut(&str)) -> io::Result<()> {
    match object {
        [0x1f, 0x8b, ..] => lines(MultiGzDecoder::new(object), &mut each),
        [b'P', b'K', 3, 4, ..] => {
            let mut archive = zip::ZipArchive::new(io::Cursor::new(object)).map_err(io::Error::other)?;
            for index in 0..archive.len() {
                lines(archive.by_index(index).map_err(io::Error::other)?, &mut each)?;
            }
            Ok(())
        }
        [0xff, 6, 0, 0, b's', b'N', ..] => lines(snap::read::FrameDecoder::new(object), &mut each),
        [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, ..] => lines(&*unsnap_java(object)?, &mut each),
        _ => lines(object, &mut each),
    }
}

fn lines(text: impl Read, each: &mut impl FnMut(&str)) -> io::Result<()> {
    let mut text = BufReader::new(text);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = text.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line of more than 64 MiB",
            ));
        }
        if let Ok(line) = str::from_utf8(&line) {
            let line = line.strip_suffix('\n').unwrap_or(line);
            each(line.strip_suffix('\r').unwrap_or(line));
        }
    }
}

/// Undoes snappy-java's own format: a header of 16 bytes, then blocks, each after its size in four bytes.
fn unsnap_java(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut rest = bytes.get(16..).ok_or_else(cut_off)?;
    let mut plain = Vec::new();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let (block, after) = after.split_at_checked(size).ok_or_else(cut_off)?;
        if (plain.len() + snap::raw::decompress_len(block)?) as u64 > MAX_INFLATED_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "inflates to more than 256 MiB",
            ));
        }
        plain.extend(snap::raw::Decoder::new().decompress_vec(block)?);
        rest = after;
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(object: &[u8]) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        for_each_line(object, |line| lines.push(line.to_owned()))?;
        Ok(lines)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn every_compression_is_undone() {
        let text = "{\"a\":1}\n{\"b\":2}\n";
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("a", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        let mut snappy = snap::write::FrameEncoder::new(Vec::new());
        snappy.write_all(text.as_bytes()).unwrap();
        let mut snappy_java = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for line in text.split_inclusive('\n') {
            let block = snap::raw::Encoder::new().compress_vec(line.as_bytes()).unwrap();
            snappy_java.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            snappy_java.extend(block);
        }
        for object in [
            snappy_java,
            gzip(text.as_bytes()),
            zip.finish().unwrap().into_inner(),
            snappy.into_inner().unwrap(),
            text.as_bytes().to_vec(),
        ] {
            assert_eq!(read(&object).unwrap(), ["{\"a\":1}", "{\"b\":2}"]);
        }
    }

    #[test]
    fn lines_that_are_no_text_are_left_out_and_what_is_cut_off_is_an_error() {
        assert_eq!(read(b"a\r\n\xff\nb").unwrap(), ["a", "b"]);
        let whole = gzip(b"a\nb\n");
        assert!(read(&whole[..whole.len() - 1]).is_err());
        assert!(read(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05\xff\xff\xff\xff\x0f").is_err());
    }
}
