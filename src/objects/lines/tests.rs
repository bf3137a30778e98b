//! Unit tests of reading lines, of honest objects and of hostile ones.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::*;

const MIB: u64 = 1024 * 1024;

const CAPS: Caps = Caps { stored: MIB, inflated: 2 * MIB, line: MIB };

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zip(entries: &[&[u8]]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (index, entry) in entries.iter().enumerate() {
        zip.start_file(index.to_string(), SimpleFileOptions::default()).unwrap();
        zip.write_all(entry).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive whose directory names an entry again and again: text that is deflated to these bytes, and empty.
fn zip_of_one(deflated: &[u8], times: u16) -> Vec<u8> {
    let size = u32::try_from(deflated.len()).unwrap().to_le_bytes();
    // Deflated, and of no date; the sum of nothing is nothing.
    let about = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &size, &[0; 4]].concat();
    let file = [&b"PK\x03\x04"[..], &about, &[1, 0, 0, 0, b'a'], deflated].concat();
    let entry = [&b"PK\x01\x02\x14\0"[..], &about, &[1], &[0; 17], b"a"].concat();
    let directory = entry.repeat(times.into());
    let counts = [times, times].map(u16::to_le_bytes).concat();
    let places = [directory.len(), file.len()].map(|it| u32::try_from(it).unwrap().to_le_bytes());
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &counts, &places.concat(), &[0, 0]].concat();
    [file, directory, end].concat()
}

/// A deflated text of so many blocks, all of them empty.
fn empty_blocks(count: usize) -> Vec<u8> {
    [[0, 0, 0, 0xff, 0xff].repeat(count), vec![1, 0, 0, 0xff, 0xff]].concat()
}

fn snappy(text: &[u8]) -> Vec<u8> {
    let mut snappy = snap::write::FrameEncoder::new(Vec::new());
    snappy.write_all(text).unwrap();
    snappy.into_inner().unwrap()
}

fn snappy_java<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut object = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in blocks {
        let block = snap::raw::Encoder::new().compress_vec(block).unwrap();
        object.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
        object.extend(block);
    }
    object
}

/// The same text in every compression.
fn every_compression(text: &[u8]) -> [Vec<u8>; 5] {
    [gzip(text), zip(&[text]), snappy(text), snappy_java(text.chunks(32 * 1024)), text.to_vec()]
}

fn read(object: &[u8]) -> Result<Vec<String>, ReadError> {
    let mut lines = Vec::new();
    for_each(object, CAPS, |line| lines.push(line.to_owned()))?;
    Ok(lines)
}

fn why(object: &[u8]) -> String {
    read(object).unwrap_err().to_string()
}

#[test]
fn every_compression_is_undone() {
    for object in every_compression("{\"a\":1}\r\n\n{\"é\":2}".as_bytes()) {
        assert_eq!(read(&object).unwrap(), ["{\"a\":1}", "", "{\"é\":2}"]);
    }
}

#[test]
fn members_and_entries_are_read_one_after_the_other() {
    let members = [gzip(b"a\n"), gzip(b""), gzip(b"b\n")].concat();
    assert_eq!(read(&members).unwrap(), ["a", "b"]);
    assert_eq!(read(&zip(&[b"a", b"", b"b\n"])).unwrap(), ["a", "b"]);
}

#[test]
fn lines_that_are_no_text_are_left_out_and_what_is_cut_off_is_an_error() {
    assert_eq!(read(b"a\n\xff\nb").unwrap(), ["a", "b"]);
    let text = "some impressions\n".repeat(9);
    for object in every_compression(text.as_bytes()) {
        if object != text.as_bytes() {
            assert!(read(&object[..object.len() - 5]).is_err());
        }
    }
    let whole = gzip(b"some impressions");
    assert_eq!(why(&whole[..whole.len() - 9]), "the gzip data is cut off");
    let mut wrong_sum = whole.clone();
    wrong_sum[whole.len() - 8] ^= 1;
    assert!(why(&wrong_sum).starts_with("not valid gzip"));
}

#[test]
fn a_bomb_is_not_inflated_past_the_cap_in_any_compression() {
    let most = "0123456\n".repeat(256 * 1024).into_bytes();
    for object in every_compression(&most) {
        assert_eq!(read(&object).unwrap().len(), 256 * 1024);
    }
    let more = [&most[..], b"0"].concat();
    for object in every_compression(&more) {
        assert_eq!(why(&object), "it inflates to more than 2 MiB");
    }
}

#[test]
fn what_is_read_of_a_bomb_is_counted_and_ends_a_buffer_after_the_cap() {
    // 1 GiB in members of 1 MiB, of which 3 at most are looked at.
    let member = gzip(&vec![b'\n'; 1 << 20]);
    let bomb = member.repeat(1024);
    let mut lines = gzipped(&bomb, CAPS);
    let mut count = 0;
    let error = loop {
        match lines.next_line() {
            Ok(line) => count += usize::from(line.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "it inflates to more than 2 MiB");
    assert!(count <= 2 << 20, "{count}");
    assert!(lines.read() <= CAPS.inflated + 64 * 1024, "{}", lines.read());
}

#[test]
fn members_and_entries_count_against_one_cap() {
    let part = "0123456\n".repeat(100 * 1024).into_bytes();
    assert_eq!(why(&gzip(&part).repeat(3)), "it inflates to more than 2 MiB");
    assert_eq!(why(&zip(&[&part, &part, &part])), "it inflates to more than 2 MiB");
}

#[test]
fn a_long_line_is_not_held_past_the_cap() {
    let longest = "x".repeat(1 << 20);
    let text = format!("{longest}\r\na");
    assert_eq!(read(&gzip(text.as_bytes())).unwrap(), [&longest, "a"]);
    assert_eq!(why(&gzip(format!("{longest}y\n").as_bytes())), "it has a line of more than 1 MiB");
    let endless = gzip(&vec![b'x'; 1 << 21]);
    let mut lines = gzipped(&endless, CAPS);
    let error = lines.next_line().unwrap_err();
    assert_eq!(error.to_string(), "it has a line of more than 1 MiB");
    assert!(lines.line.capacity() <= 2 << 20, "{}", lines.line.capacity());
}

#[test]
fn a_snappy_block_that_claims_to_be_huge_is_not_allocated() {
    // 4 GiB in five bytes.
    let object = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05\xff\xff\xff\xff\x0f";
    assert_eq!(why(object), "it inflates to more than 16 MiB");
}

#[test]
fn an_archive_is_read_once_however_often_it_names_the_same_bytes() {
    // 1,000 times 1 MiB that inflate to nothing.
    let bomb = zip_of_one(&empty_blocks(200 * 1024), 1000);
    let counted = |object: &[u8]| {
        let read = Cell::new(0);
        let ended = zipped(object, Caps::DELIVERED, &read, &mut |_| {});
        (ended.map_err(|error| error.to_string()), read.get())
    };
    let (ended, read) = counted(&bomb);
    assert_eq!(ended.unwrap_err(), "not valid ZIP: its entries overlap");
    assert!(read <= 4 * MIB, "{read}");
    let once = zip_of_one(&empty_blocks(200 * 1024), 1);
    let (ended, read) = counted(&once);
    assert_eq!(ended, Ok(()));
    assert!(read <= once.len() as u64 + MIB / 8, "{read} of {}", once.len());
}

#[test]
fn entries_without_text_count_against_the_cap_as_well() {
    let object = zip_of_one(&empty_blocks(0), 600);
    assert_eq!(why(&object), "it inflates to more than 2 MiB");
    let fewer = zip_of_one(&empty_blocks(0), 500);
    assert_eq!(read(&fewer).unwrap(), [] as [&str; 0]);
}

#[test]
fn members_without_text_are_read_once() {
    let members = [gzip(b"").repeat(10_000), gzip(b"a")].concat();
    assert_eq!(read(&members).unwrap(), ["a"]);
    let mut lines = gzipped(&members, CAPS);
    while lines.next_line().unwrap().is_some() {}
    assert_eq!(lines.read(), 1);
    assert!(lines.text.get_ref().inner.0.get_ref().is_empty());
}
