//! Any bytes as a body: no panic, and the text is what a plain gzip reader makes of it.

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
    if let Some(want) = reference(bytes) {
        assert_eq!(have, Ok(want.as_str()));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(decoder.decode(text, Encoding::Text), Ok(text));
        let _ = decoder.decode(text, Encoding::Base64);
    }
});

fn reference(bytes: &[u8]) -> Option<String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes.to_vec()).ok();
    }
    let mut text = String::new();
    MultiGzDecoder::new(bytes).take(1 << 20).read_to_string(&mut text).ok()?;
    (text.len() < 1 << 20).then_some(text)
}
