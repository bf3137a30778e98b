//! Batches like Split's: the fields that it posts, of realistic sizes and as compressible as real ones.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Makes an API Gateway event with a gzipped batch, as JSON.
pub(crate) fn event(count: usize) -> String {
    let body = base64_simd::STANDARD.encode_to_string(gzip(body(count).as_bytes()));
    let headers =
        r#"{"Content-Type":"application/json","User-Agent":"Split/1.0","X-Forwarded-For":"192.0.2.1"}"#;
    format!(
        r#"{{"resource":"/s","path":"/s","httpMethod":"POST","headers":{headers},"body":"{body}","isBase64Encoded":true}}"#
    )
}

/// Makes the JSON array of a batch; the same one for the same count.
pub(crate) fn body(count: usize) -> String {
    let mut random = fastrand::Rng::with_seed(42);
    let mut text = String::from("[");
    for index in 0..count {
        if index > 0 {
            text.push(',');
        }
        push_impression(&mut text, index, &mut random);
    }
    text.push(']');
    text
}

fn push_impression(text: &mut String, index: usize, random: &mut fastrand::Rng) {
    let key = uuid(random);
    let split =
        format!("{}_flag_{}", random.choice(["checkout", "search", "pricing"]).unwrap(), random.u8(0..40));
    let treatment = random.choice(["on", "off", "control", "variant_a"]).unwrap();
    let time = 1_700_000_000_000_u64 + index as u64 * 7 + random.u64(0..2000);
    let label = random.choice(["default rule", "in segment all", "in split 50:50", "whitelisted"]).unwrap();
    let host = random.u8(0..12);
    let version = 1_690_000_000_000_u64 + u64::from(random.u8(0..40)) * 12_345_678;
    let properties = match random.u8(0..5) {
        0 => r#"{"plan":"pro","seats":25,"country":"DE"}"#,
        _ => "null",
    };
    let _ = write!(
        text,
        r#"{{"key":"{key}","split":"{split}","environmentId":"7f3c9f10-5d0b-11ee-8c99-0242ac120002","environmentName":"Production","treatment":"{treatment}","time":{time},"bucketingKey":null,"label":"{label}","machineName":"ip-10-0-3-{host}","machineIp":"10.0.3.{host}","splitVersionNumber":{version},"sdk":"java","sdkVersion":"4.10.2","properties":{properties}}}"#
    );
}

fn uuid(random: &mut fastrand::Rng) -> String {
    let (high, low) = (random.u64(..), random.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// Compresses as a server does by default.
pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}
