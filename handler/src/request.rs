//! Writes the body of a `PutRecords` request, once, from the impressions.
//!
//! The SDK would hold each record as its own vector, encode it into a string, and copy that into the body: three copies of a
//! batch at once, in a small function's memory. The SDK still signs and sends the request and reads the answer.

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_kinesis::config::http::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::pack::Record;

/// How many requests are on their way at once: enough to hide the latency of one, few enough to bound memory.
pub(crate) const CONCURRENT_REQUESTS: usize = 4;

/// Bytes of a record's JSON beside its data and partition key.
const RECORD_OVERHEAD: usize = br#"{"Data":"","PartitionKey":""},"#.len();

/// Writes bodies into the buffers of those that were sent: in fresh memory, every 4 KiB cost a page fault.
#[derive(Clone, Debug, Default)]
pub struct Bodies(Arc<Mutex<Vec<Vec<u8>>>>);

/// The buffer of a body, which goes back when the last user of the body is done with it.
struct LentBuffer {
    bytes: Vec<u8>,
    home: Bodies,
}

impl Bodies {
    /// Writes the body that puts these records to a stream (Kinesis API reference, `PutRecords`).
    pub fn write(&self, stream: &str, records: &[Record<'_>]) -> Bytes {
        let mut bytes = self.kept().pop().unwrap_or_default();
        bytes.clear();
        write(&mut bytes, stream, records);
        let home = self.clone();
        Bytes::from_owner(LentBuffer { bytes, home })
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for LentBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for LentBuffer {
    fn drop(&mut self) {
        let mut kept = self.home.kept();
        if kept.len() < CONCURRENT_REQUESTS {
            kept.push(take(&mut self.bytes));
        }
    }
}

fn write(body: &mut Vec<u8>, stream: &str, records: &[Record<'_>]) {
    let size = |record: &Record<'_>| record.size().div_ceil(3) * 4 + RECORD_OVERHEAD;
    body.reserve_exact(records.iter().map(size).sum::<usize>() + 2 * stream.len() + 64);
    body.extend_from_slice(b"{\"StreamName\":");
    push_string(body, stream);
    body.extend_from_slice(b",\"Records\":[");
    let mut data = Vec::new();
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        data.clear();
        record.write_to(&mut data);
        body.extend_from_slice(b"{\"Data\":\"");
        base64_simd::STANDARD.encode_append(&data, body);
        body.extend_from_slice(b"\",\"PartitionKey\":");
        push_string(body, &record.partition_key());
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
}

fn push_string(json: &mut Vec<u8>, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    json.extend_from_slice(quoted.as_bytes());
}

/// Gives a request that the SDK has made another body, before it is signed.
pub(crate) fn replace_body(request: &mut HttpRequest, body: Bytes) {
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn buffers_are_used_again_and_never_while_they_are_in_use() {
        let bodies = Bodies::default();
        let want = |name: &str| {
            let body = Bodies::default().write("s", &[record(&[name])]);
            String::from_utf8(body.to_vec()).unwrap()
        };
        let first = bodies.write("s", &[record(&["a longer name"])]);
        let second = bodies.write("s", &[record(&["b"])]);
        assert_ne!(first.as_ptr(), second.as_ptr());
        let (place, clone) = (first.as_ptr(), first.clone());
        drop(first);
        assert_ne!(bodies.write("s", &[record(&["c"])]).as_ptr(), place);
        drop(clone);
        let third = bodies.write("s", &[record(&["d"])]);
        assert_eq!(third.as_ptr(), place);
        let key = |text: &str| text.find("PartitionKey").unwrap();
        for (have, want) in [(&second, want("b")), (&third, want("d"))] {
            let have = String::from_utf8(have.to_vec()).unwrap();
            assert_eq!(have[..key(&have)], want[..key(&want)]);
        }
    }

    #[test]
    fn a_body_is_allocated_once_and_hardly_larger_than_it_is() {
        for (count, length) in [(1, 100_000), (500, 1), (20, 1_000)] {
            let records: Vec<_> = (0..count).map(|_| record(&[&"x".repeat(length)])).collect();
            let mut body = Vec::new();
            write(&mut body, "stream", &records);
            // A key counts as if it were random, of which the base64 is 22 characters, and rounding adds up to 4.
            let spare = body.capacity() - body.len();
            assert!(spare <= 100 + count * 28, "{count} {length}: {spare}");
        }
    }

    #[test]
    fn no_more_buffers_are_kept_than_there_are_requests_at_once() {
        let bodies = Bodies::default();
        let lent: Vec<_> = (0..9).map(|_| bodies.write("s", &[record(&["a"])])).collect();
        assert_eq!(bodies.kept().len(), 0);
        drop(lent);
        assert_eq!(bodies.kept().len(), CONCURRENT_REQUESTS);
    }
}
