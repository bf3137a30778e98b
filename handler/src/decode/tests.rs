//! Tests of decoding: every shape of a body, and that nothing invalid or too large is accepted.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::memory::Memory;
use crate::testing::in_ms;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn decode_bytes(bytes: &[u8]) -> Result<String, Refusal> {
    let body = base64_simd::STANDARD.encode_to_string(bytes);
    decode(&body, Encoding::Base64)
}

fn decode(body: &str, encoding: Encoding) -> Result<String, Refusal> {
    Decoder::default().decode(body, encoding).map(str::to_owned)
}

#[test]
fn all_shapes_of_a_body_are_the_same_text() {
    let want = "[\"é \u{1f600}\"]";
    assert_eq!(decode(want, Encoding::Text).unwrap(), want);
    assert_eq!(decode_bytes(want.as_bytes()).unwrap(), want);
    assert_eq!(decode_bytes(&gzip(want.as_bytes())).unwrap(), want);
}

#[test]
fn every_member_of_a_gzip_file_counts() {
    let mut bytes = gzip(b"[1,");
    bytes.extend(gzip(b""));
    bytes.extend(gzip(b"2]"));
    assert_eq!(decode_bytes(&bytes).unwrap(), "[1,2]");
}

#[test]
fn a_file_name_in_the_header_is_no_data() {
    let mut named = flate2::GzBuilder::new().filename("batch.json").write(Vec::new(), Compression::fast());
    named.write_all(b"[1]").unwrap();
    assert_eq!(decode_bytes(&named.finish().unwrap()).unwrap(), "[1]");
}

#[test]
fn a_copy_of_the_trailer_does_not_hide_garbage() {
    for plain in ["", "[1]", "[1,2,3,4,5,6,7,8,9]"] {
        let member = gzip(plain.as_bytes());
        let trailer = &member[member.len() - 8..];
        let garbage = [
            Vec::new(),
            b"more".to_vec(),
            vec![0; 3],
            vec![0; 8],
            trailer.to_vec(),
            trailer[..5].to_vec(),
            GZIP_MAGIC.to_vec(),
            PLAIN_MEMBER_START.to_vec(),
            member[..member.len() - 8].to_vec(),
            member[..member.len() - 9].to_vec(),
        ];
        for garbage in garbage {
            let bytes = [&member, garbage.as_slice(), trailer].concat();
            // A member without its trailer, and the trailer, are a second member.
            let want =
                if garbage == member[..member.len() - 8] { Ok(plain.repeat(2)) } else { Err(Refusal::Gzip) };
            assert_eq!(decode_bytes(&bytes), want, "{garbage:x?}");
        }
    }
}

#[test]
fn a_trailer_that_overlaps_its_copy_does_not_hide_garbage() {
    // The trailer of an empty member is zeros, so one more zero makes a second one that overlaps it.
    for zeros in 1..20 {
        let bytes = [gzip(b""), vec![0; zeros]].concat();
        assert_eq!(decode_bytes(&bytes), Err(Refusal::Gzip), "{zeros}");
    }
}

fn inflates_at_once(bytes: &[u8]) -> bool {
    inflates_at_once_to(MAX_INFLATED_BYTES, bytes)
}

fn inflates_at_once_to(most: usize, bytes: &[u8]) -> bool {
    let mut decoder = Decoder { bytes: bytes.to_vec(), ..Decoder::default() };
    decoder.inflate_at_once(most)
}

#[test]
fn one_plain_member_is_inflated_at_once_and_nothing_else() {
    let member = gzip(b"[1]");
    assert!(inflates_at_once_to(3, &member));
    assert!(!inflates_at_once_to(2, &member));
    // As much as deflate can do, and one byte more than any file of this length can hold.
    let dense = gzip(&vec![b' '; 1024 * 1024]);
    assert!(inflates_at_once(&dense));
    let with_size = |size: usize| {
        let size = u32::try_from(size).unwrap();
        [&member[..member.len() - 4], &size.to_le_bytes()].concat()
    };
    for size in [0, 2, 4, member.len() * HIGHEST_INFLATION + 1, MAX_INFLATED_BYTES + 1] {
        assert!(!inflates_at_once(&with_size(size)), "{size}");
    }
    assert!(!inflates_at_once(&member[..member.len() - 1]));
    assert!(!inflates_at_once(&member[..7]));
    assert!(!inflates_at_once(&member.repeat(2)));
    let mut flagged = member.clone();
    flagged[3] = 1;
    assert!(!inflates_at_once(&flagged));
}

#[test]
fn a_size_that_cannot_be_takes_no_memory() {
    let mut decoder = Decoder::default();
    for size in [100 * 1024 * 1024, 100_000_u32] {
        let mut bytes = gzip(b"[1]");
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&size.to_le_bytes());
        decoder.bytes = bytes;
        assert!(!decoder.inflate_at_once(MAX_INFLATED_BYTES));
        assert_eq!(decoder.plain.capacity(), 0, "{size}");
    }
}

#[test]
fn a_header_with_a_wrong_checksum_is_refused() {
    let mut member = gzip(b"[1]");
    member[3] |= 2;
    member.splice(10..10, [1, 2]);
    assert_eq!(decode_bytes(&member), Err(Refusal::Gzip));
}

/// Part of a file: a member, or something that only looks like it.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let member =
        prop::sample::select(vec!["", "a", "[1]", "[1,2,3]"]).prop_map(|plain| gzip(plain.as_bytes()));
    let cut =
        (member.clone(), any::<prop::sample::Index>(), any::<bool>()).prop_map(|(member, at, front)| {
            let (before, after) = member.split_at(at.index(member.len()));
            if front { before.to_vec() } else { after.to_vec() }
        });
    prop_oneof![
        3 => member.clone(),
        2 => cut,
        3 => member.prop_map(|member| member[member.len() - 8..].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::collection::vec(Just(0), 0..12),
    ]
}

fn reference(gzip: &[u8]) -> Result<String, Refusal> {
    let mut text = String::new();
    let read = MultiGzDecoder::new(gzip).read_to_string(&mut text);
    read.map(|_| text).map_err(|_| Refusal::Gzip)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_accepted_is_what_a_slower_reader_accepts(parts in prop::collection::vec(part(), 0..4)) {
        let bytes = [gzip(b"[1]"), parts.concat()].concat();
        prop_assert_eq!(decode_bytes(&bytes), reference(&bytes));
    }
}

#[test]
fn members_that_are_alike_all_count() {
    let member = gzip(b"same");
    assert_eq!(decode_bytes(&member.repeat(3)).unwrap(), "samesamesame");
}

#[test]
fn a_decoder_forgets_what_it_decoded_before() {
    let mut decoder = Decoder::default();
    for plain in ["[1,2,3,4,5,6,7,8,9]", "[1]", "", "[1,2,3,4,5,6,7,8,9,10]"] {
        for bytes in [gzip(plain.as_bytes()), plain.as_bytes().to_vec()] {
            let body = base64_simd::STANDARD.encode_to_string(bytes);
            assert_eq!(decoder.decode(&body, Encoding::Base64).unwrap(), plain);
            decoder.decode("H4sI", Encoding::Base64).unwrap_err();
        }
    }
}

#[test]
fn empty_bodies_are_empty_texts() {
    assert_eq!(decode("", Encoding::Text).unwrap(), "");
    assert_eq!(decode_bytes(b"").unwrap(), "");
    assert_eq!(decode_bytes(&gzip(b"")).unwrap(), "");
}

#[test]
fn damaged_bodies_are_refused() {
    let whole = gzip(b"[{\"key\":\"a\"}]");
    for length in 2..whole.len() {
        let have = decode_bytes(&whole[..length]);
        assert_eq!(have, Err(Refusal::Gzip), "cut to {length}");
    }
    let mut trailing = whole.clone();
    trailing.extend(b"garbage");
    assert_eq!(decode_bytes(&trailing), Err(Refusal::Gzip));
    let mut damaged = whole.clone();
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    assert_eq!(decode_bytes(&damaged), Err(Refusal::Gzip));
    assert_eq!(decode_bytes(b"[\"\xff\"]"), Err(Refusal::Utf8));
    assert_eq!(decode_bytes(&gzip(b"\xff")), Err(Refusal::Utf8));
    for body in ["%", "YQ", "YQ==YQ==", "Y Q=="] {
        let have = decode(body, Encoding::Base64);
        assert_eq!(have, Err(Refusal::Base64), "{body}");
    }
}

#[test]
fn inflating_stops_at_the_limit() {
    // 64 MiB, as the contract says.
    assert_eq!(MAX_INFLATED_BYTES, 67_108_864);
    let limit = vec![b' '; MAX_INFLATED_BYTES];
    assert_eq!(decode_bytes(&gzip(&limit)).unwrap().len(), MAX_INFLATED_BYTES);
    let mut past = gzip(&limit);
    past.extend(gzip(b" "));
    assert_eq!(decode_bytes(&past), Err(Refusal::TooLarge));
}

fn decode_within(decoder: &mut Decoder, bytes: &[u8], budget: &mut BatchBudget) -> Result<usize, Refusal> {
    let body = base64_simd::STANDARD.encode_to_string(bytes);
    let text = decoder.decode_within(&body, Encoding::Base64, budget);
    text.map(str::len)
}

fn with_memory(bytes: usize) -> BatchBudget {
    let mut budget = BatchBudget::unlimited();
    budget.memory = Memory::of(bytes);
    budget
}

#[test]
fn no_more_is_inflated_than_memory_is_left() {
    let whole = gzip(&[b' '; 5_000]);
    let members = [gzip(&[b' '; 4_000]), gzip(&[b' '; 1_000])].concat();
    for bytes in [whole, members] {
        for (have, want) in [
            (5_001, Ok((5_000, 1))),
            (5_000, Ok((5_000, 0))),
            (4_999, Err(Refusal::Memory)),
            (0, Err(Refusal::Memory)),
        ] {
            let mut decoder = Decoder::default();
            let mut budget = with_memory(have);
            let inflated = decode_within(&mut decoder, &bytes, &mut budget);
            let inflated = inflated.map(|length| (length, budget.memory.left()));
            assert_eq!(inflated, want, "{have}");
            assert!(decoder.plain.len() <= have + 1);
        }
    }
}

#[test]
fn a_buffer_is_kept_unless_the_next_batch_may_need_its_memory() {
    let (large, small) = (gzip(&[b' '; 5_000]), gzip(b"[]"));
    // What the buffer of the large batch takes is held for the small one as well, as long as it is kept.
    for (have, want) in [(20_000, 15_000), (19_999, 19_997)] {
        let mut decoder = Decoder::default();
        decode_within(&mut decoder, &large, &mut BatchBudget::unlimited()).unwrap();
        let mut budget = with_memory(have);
        assert_eq!(decode_within(&mut decoder, &small, &mut budget), Ok(2));
        assert_eq!(budget.memory.left(), want);
    }
}

#[test]
fn the_size_in_the_trailer_is_not_trusted() {
    let mut bomb = gzip(&vec![b' '; MAX_INFLATED_BYTES + 1]);
    let size = bomb.len() - 4;
    bomb[size..].fill(0);
    assert_eq!(decode_bytes(&bomb), Err(Refusal::TooLarge));
}

#[test]
fn members_and_blocks_without_content_are_read_no_further_than_to_the_deadline() {
    let members = gzip(b"").repeat(300_000);
    // An empty block that is stored takes five bytes.
    let header = &gzip(b"")[..10];
    let blocks = [header, [0, 0, 0, 0xff, 0xff].repeat(1_200_000).as_slice(), &gzip(b"")[10..]].concat();
    for file in [members, blocks] {
        assert!(file.len() > 5 * 1024 * 1024, "{}", file.len());
        for (deadline, want, most) in
            [(in_ms(60_000), Ok(0), file.len()), (in_ms(0), Err(Refusal::Time), 3 * 1024 * 1024 + PIECE)]
        {
            let mut budget = BatchBudget::of_batch(Memory::unlimited(), 100, deadline);
            let mut decoder = Decoder { bytes: file.clone(), ..Decoder::default() };
            let have = decoder.inflate_exactly(MAX_INFLATED_BYTES, &mut budget);
            assert_eq!(have.map(|()| decoder.plain.len()), want);
            assert!(budget.looked_at() <= most, "{}", budget.looked_at());
        }
    }
}
