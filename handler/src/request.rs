//! Owns the body of a `PutRecords` request, written once from the impressions.
//!
//! The SDK would have every record as a vector of its own, encode it into a string, and copy that into the body: three
//! copies of a batch at once, in the memory of a small function. Signing, sending and reading the answer stay the SDK's.

use aws_sdk_kinesis::config::http::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::pack::Record;

/// Bytes of a record's JSON beside its data and partition key.
const RECORD_OVERHEAD: usize = br#"{"Data":"","PartitionKey":""},"#.len();

/// Writes the body that puts these records to a stream (Kinesis API reference, `PutRecords`).
#[must_use]
pub fn body(stream: &str, records: &[Record<'_>]) -> Bytes {
    let size =
        |record: &Record<'_>| record.bytes.div_ceil(3) * 4 + record.partition_key.len() + RECORD_OVERHEAD;
    let mut body = Vec::with_capacity(records.iter().map(size).sum::<usize>() + 2 * stream.len() + 64);
    body.extend_from_slice(b"{\"StreamName\":");
    push_string(&mut body, stream);
    body.extend_from_slice(b",\"Records\":[");
    let mut ndjson = Vec::new();
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        ndjson.clear();
        record.write_to(&mut ndjson);
        body.extend_from_slice(b"{\"Data\":\"");
        base64_simd::STANDARD.encode_append(&ndjson, &mut body);
        body.extend_from_slice(b"\",\"PartitionKey\":");
        push_string(&mut body, &record.partition_key);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body.into()
}

fn push_string(json: &mut Vec<u8>, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    json.extend_from_slice(quoted.as_bytes());
}

/// Gives a request that the SDK has made another body, before it is signed.
pub(crate) fn replace_body(request: &mut HttpRequest, body: Bytes) {
    request
        .headers_mut()
        .insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
}
