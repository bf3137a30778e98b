//! Any bytes as a body: no panic, and the text is what a plain gzip reader makes of it. What that reader refuses, the
//! decoder must refuse.

#![no_main]

use std::io::Read as _;
use std::sync::Mutex;

use flate2::bufread::MultiGzDecoder;
use libfuzzer_sys::fuzz_target;
use split_pipeline_handler::decode::{Decoder, Encoding};

/// Kept from one input to the next, as the handler does.
static DECODER: Mutex<Option<Decoder>> = Mutex::new(None);

fuzz_target!(|bytes: &[u8]| {
    let body = base64_simd::STANDARD.encode_to_string(bytes);
    let mut decoder = DECODER.lock().unwrap();
    let decoder = decoder.get_or_insert_default();
    let have = decoder.decode(&body, Encoding::Base64);
    match reference(bytes) {
        Reference::Text(want) => assert_eq!(have, Ok(want.as_str())),
        Reference::Refused => assert!(have.is_err(), "{have:?}"),
        Reference::TooLong => {}
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(decoder.decode(text, Encoding::Text), Ok(text));
        let _ = decoder.decode(text, Encoding::Base64);
    }
});

/// What a plain gzip reader makes of a body.
enum Reference {
    Text(String),
    Refused,
    /// Too long to inflate for each input.
    TooLong,
}

const LONGEST: u64 = 1 << 20;

fn reference(bytes: &[u8]) -> Reference {
    let mut plain = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut reader = MultiGzDecoder::new(bytes).take(LONGEST);
        if reader.read_to_end(&mut plain).is_err() {
            return Reference::Refused;
        }
        if reader.limit() == 0 {
            return Reference::TooLong;
        }
    } else {
        plain.extend_from_slice(bytes);
    }
    String::from_utf8(plain).map_or(Reference::Refused, Reference::Text)
}
