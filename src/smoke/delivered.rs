//! Finding impressions in S3: every new object is read, delivered or spilled, and every impression in it counted.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::Object;
use bytes::Bytes;
use futures_util::future::try_join_all;
use split_pipeline_handler::spill::{REJECTED_PREFIX, SPILL_PREFIX};

use super::known::{FoundIn, Sent, Shape};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::objects::content::{Caps, ReadError, fetch};
use crate::objects::{self, BucketOwnership, Skipped};
use crate::prefixes;
use crate::results::Smoke;

/// How many objects are read at once.
const CONCURRENT_READS: usize = 16;

/// How many bytes of objects are read at once, unless one object alone is larger.
const CONCURRENT_BYTES: u64 = 64 * 1024 * 1024;

/// Where a pipeline's impressions may be found.
#[derive(Clone, Debug)]
pub struct SearchArea {
    /// The pipeline.
    pub pipeline: String,
    /// Its bucket.
    pub bucket: String,
    /// Whose the bucket is.
    pub ownership: BucketOwnership,
    /// The prefix of delivered objects.
    pub prefix: String,
    /// How long Firehose may gather records: it puts an object where the arrival of its oldest record says.
    pub gathered: Duration,
    /// What becomes of impressions on their way.
    pub shape: Shape,
}

/// Where impressions are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    /// Under the prefix of delivered objects.
    Delivered,
    /// There, and where this pipeline's handler spills.
    DeliveredAndSpilled,
}

/// A search for impressions in a bucket.
pub struct Search {
    area: SearchArea,
    from: SystemTime,
    /// Objects that were written before do not count.
    written_since: SystemTime,
    /// Where impressions are looked for.
    places: Places,
    sent: Sent,
    seen: HashSet<String>,
    objects: Vec<String>,
    unreadable: BTreeMap<String, String>,
    has_read: bool,
}

type Read = Result<Bytes, ReadError>;

/// An object to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NewObject {
    key: String,
    bytes: u64,
    place: FoundIn,
}

impl FoundIn {
    fn caps(self) -> Caps {
        match self {
            Self::Delivered => Caps::DELIVERED,
            Self::Spilled => Caps::SPILLED,
        }
    }
}

impl Search {
    /// Starts a search for impressions that are sent as `lines`; objects that are there already do not count.
    pub async fn start(aws: &Aws, area: SearchArea, lines: &[String]) -> Result<Self, AwsError> {
        let mut search = Self::among(area, SystemTime::now(), lines);
        // Clocks differ, so what is there by now tells which objects are old.
        search.written_since = SystemTime::UNIX_EPOCH;
        search.places = Places::DeliveredAndSpilled;
        let there = search.list(aws).await?;
        search.seen = there.into_iter().map(|object| object.key).collect();
        Ok(search)
    }

    /// A search for impressions among the objects that were delivered since a time.
    pub fn among(area: SearchArea, since: SystemTime, lines: &[String]) -> Self {
        Self {
            from: since - area.gathered,
            written_since: since,
            places: Places::Delivered,
            sent: Sent::new(area.shape.clone(), lines),
            area,
            seen: HashSet::new(),
            objects: Vec::new(),
            unreadable: BTreeMap::new(),
            has_read: false,
        }
    }

    /// Reads the objects that are new since the last look.
    pub async fn look(&mut self, aws: &Aws) -> Result<(), AwsError> {
        let mut new = self.list(aws).await?;
        new.retain(|object| !self.seen.contains(&object.key));
        for group in groups(&new) {
            let bucket = &self.area.bucket;
            let reads = group
                .iter()
                .map(|object| fetch(aws, bucket, &object.key, Some(object.bytes), object.place.caps()));
            let read = try_join_all(reads).await?;
            let read = self.unless_all_denied(read)?;
            for (object, bytes) in group.iter().zip(read) {
                let found = bytes.and_then(|bytes| self.sent.found_in(&bytes, object.place.caps()));
                match found {
                    Ok(found) => {
                        self.unreadable.remove(&object.key);
                        self.seen.insert(object.key.clone());
                        self.sent.count(&found, object.place);
                        self.objects
                            .extend((!found.is_empty()).then(|| object.key.clone()));
                    }
                    Err(error) => self.leave_out(object, &error),
                }
            }
        }
        Ok(())
    }

    /// Fails if S3 denies every object, from the first on: then it is the credentials that may not read.
    fn unless_all_denied(&mut self, read: Vec<Read>) -> Result<Vec<Read>, AwsError> {
        self.has_read |= read.iter().any(Result::is_ok);
        let denial = read.iter().find_map(|read| match read {
            Err(ReadError::Refused(error)) if error.kind == ErrorKind::Denied => Some(error.clone()),
            _ => None,
        });
        match denial {
            Some(denial) if !self.has_read => Err(denial),
            _ => Ok(read),
        }
    }

    /// Leaves an object out, for good unless it may be read the next time.
    fn leave_out(&mut self, object: &NewObject, error: &ReadError) {
        match error {
            ReadError::Gone => return,
            ReadError::Incomplete(_) => {}
            ReadError::Refused(_) | ReadError::TooLarge { .. } | ReadError::Malformed(_) => {
                self.seen.insert(object.key.clone());
            }
        }
        self.unreadable.insert(object.key.clone(), error.to_string());
    }

    /// Whether every impression was found, delivered or spilled.
    pub fn is_complete(&self) -> bool {
        self.sent.is_complete()
    }

    /// Writes what was found into a result.
    pub fn report(self, result: &mut Smoke) {
        self.sent.report(result);
        result.bucket = self.area.bucket;
        result.objects = self.objects;
        let skipped = self.unreadable.into_iter();
        result.skipped = skipped.map(|(key, why)| Skipped { key, why }).collect();
    }

    fn is_recent(&self, object: &Object) -> bool {
        objects::written_at(object).is_none_or(|at| at >= self.written_since)
    }

    /// Lists what was delivered since the search started, and what this pipeline spilled.
    async fn list(&self, aws: &Aws) -> Result<Vec<NewObject>, AwsError> {
        let SearchArea {
            pipeline,
            bucket,
            ownership,
            prefix,
            ..
        } = &self.area;
        let mut found = Vec::new();
        for prefix in prefixes::between(prefix, self.from, SystemTime::now()) {
            let add = |object: Object| {
                let size = object.size().and_then(|size| u64::try_from(size).ok());
                let is_recent = self.is_recent(&object);
                let key = object.key.unwrap_or_default();
                // A prefix may be so short that it matches what the handler stores.
                let is_stored = key.starts_with(SPILL_PREFIX) || key.starts_with(REJECTED_PREFIX);
                if is_recent && !is_stored && !self.seen.contains(&key) {
                    found.push(NewObject {
                        key,
                        bytes: size.unwrap_or(Caps::DELIVERED.stored),
                        place: FoundIn::Delivered,
                    });
                }
            };
            objects::for_each(aws, bucket, &prefix, add).await?;
        }
        if self.places == Places::Delivered {
            return Ok(found);
        }
        let spilled = objects::spilled(aws, bucket, pipeline, *ownership).await?;
        found.extend(spilled.objects.into_iter().map(|object| NewObject {
            key: object.key,
            bytes: object.bytes,
            place: FoundIn::Spilled,
        }));
        Ok(found)
    }
}

/// Objects in groups that are few and small enough to be read at once.
fn groups(objects: &[NewObject]) -> Vec<&[NewObject]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, object) in objects.iter().enumerate() {
        let is_full = index - start == CONCURRENT_READS || bytes + object.bytes > CONCURRENT_BYTES;
        if index > start && is_full {
            groups.push(&objects[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += object.bytes;
    }
    if start < objects.len() {
        groups.push(&objects[start..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
    use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
    use aws_sdk_s3::primitives::{ByteStream, DateTime};
    use aws_sdk_s3::types::Object;
    use aws_smithy_mocks::{MockResponse, Rule, mock};

    use super::*;
    use crate::aws::testing::aws;

    type Objects = Arc<Mutex<Vec<(&'static str, &'static [u8])>>>;

    fn rules(objects: &Objects) -> [Rule; 2] {
        let (list, get) = (Arc::clone(objects), Arc::clone(objects));
        [
            mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
                let objects = list.lock().unwrap();
                let below = objects
                    .iter()
                    .filter(|it| it.0.starts_with(input.prefix().unwrap()));
                let object = |it: &(&str, &[u8])| {
                    let object = Object::builder().key(it.0).last_modified(DateTime::from_secs(0));
                    object.size(it.1.len().try_into().unwrap()).build()
                };
                let contents = below.map(object).collect();
                ListObjectsV2Output::builder()
                    .set_contents(Some(contents))
                    .build()
            }),
            mock!(aws_sdk_s3::Client::get_object).then_compute_response(move |input| {
                let objects = get.lock().unwrap();
                let (_, body) = objects.iter().find(|it| it.0 == input.key().unwrap()).unwrap();
                if *body == b"denied" {
                    let denied = ErrorMetadata::builder().code("AccessDenied").build();
                    return MockResponse::Error(GetObjectError::generic(denied));
                }
                let body = ByteStream::from_static(body);
                MockResponse::Output(GetObjectOutput::builder().body(body).build())
            }),
        ]
    }

    fn area() -> SearchArea {
        SearchArea {
            pipeline: "flags".to_owned(),
            bucket: "b".to_owned(),
            ownership: BucketOwnership::Pipeline,
            prefix: "i/".to_owned(),
            gathered: Duration::ZERO,
            shape: Shape::Lines,
        }
    }

    #[tokio::test]
    async fn what_is_new_is_found_and_what_cannot_be_read_is_named() {
        let objects = Objects::default();
        let put = |key, body: &'static str| objects.lock().unwrap().push((key, body.as_bytes()));
        put("i/old", "a\n");
        let rules = rules(&objects);
        let aws = aws(&[], &rules.each_ref());
        let lines = ["a", "b", "c"].map(str::to_owned);
        let mut search = Search::start(&aws, area(), &lines).await.unwrap();
        objects.lock().unwrap().push(("i/gzip", b"\x1f\x8b\x08"));
        put("i/denied", "denied");
        put("i/new", "a\nother\n");
        put("spill/other/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", "c\n");
        put("spill/flags/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", "b\n");
        search.look(&aws).await.unwrap();
        search.look(&aws).await.unwrap();
        assert!(!search.is_complete());
        let mut result = Smoke::default();
        search.report(&mut result);
        let skipped: Vec<_> = result.skipped.iter().map(|it| &*it.key).collect();
        assert_eq!(skipped, ["i/denied", "i/gzip"]);
        assert_eq!((result.delivered, result.spilled, result.missing), (1, 1, 1));
        assert_eq!(
            result.objects,
            ["i/new", "spill/flags/dt=2026-01-31/r-0123456789abcdef.ndjson.gz"]
        );
    }

    #[tokio::test]
    async fn bombs_are_named_and_do_not_keep_what_was_sent_from_being_found() {
        let objects = Objects::default();
        let rules = rules(&objects);
        let aws = aws(&[], &rules.each_ref());
        let lines = ["a", "b"].map(str::to_owned);
        let mut search = Search::start(&aws, area(), &lines).await.unwrap();
        let gzip = |text: &[u8]| crate::replay::gzip(text).unwrap();
        // Each inflates past the caps, and repeats what was sent on the way there.
        let mut bombs = vec![
            ("i/bytes", gzip(&vec![b'x'; 1 << 20]).repeat(257)),
            (
                "i/lines",
                gzip(&[&[b'x'; 1 << 20], &b"\nb\n"[..]].concat()).repeat(256),
            ),
            ("i/large", vec![b'a'; (256 << 20) + 1]),
        ];
        let repeats = (0..16).map(|index| {
            (
                &*format!("i/repeats-{index}").leak(),
                gzip(&b"b\n".repeat(1 << 10)),
            )
        });
        bombs.extend(repeats);
        for (key, bomb) in bombs {
            objects.lock().unwrap().push((key, bomb.leak()));
        }
        objects.lock().unwrap().push(("i/sent", b"a\n"));
        search.look(&aws).await.unwrap();
        assert!(search.is_complete());
        let mut result = Smoke::default();
        search.report(&mut result);
        let skipped: Vec<_> = result.skipped.iter().map(|it| (&*it.key, &*it.why)).collect();
        assert_eq!(
            skipped,
            [
                ("i/bytes", "it has a line of more than 64 MiB"),
                ("i/large", "it is more than 256 MiB"),
                ("i/lines", "it inflates to more than 256 MiB"),
            ]
        );
        assert_eq!((result.delivered, result.missing), (2, 0));
    }

    #[tokio::test]
    async fn credentials_that_may_read_nothing_are_an_error_at_once() {
        let objects = Objects::default();
        let rules = rules(&objects);
        let aws = aws(&[], &rules.each_ref());
        let mut search = Search::start(&aws, area(), &["a".to_owned()]).await.unwrap();
        objects.lock().unwrap().push(("i/denied", b"denied"));
        assert_eq!(search.look(&aws).await.unwrap_err().kind, ErrorKind::Denied);
    }

    #[test]
    fn few_and_small_objects_are_read_at_once() {
        let object = |mib: u64| NewObject {
            key: mib.to_string(),
            bytes: mib * 1024 * 1024,
            place: FoundIn::Delivered,
        };
        let sizes = |mibs: &[u64]| {
            let objects: Vec<_> = mibs.iter().map(|mib| object(*mib)).collect();
            groups(&objects)
                .into_iter()
                .map(<[NewObject]>::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[0; 33]), [16, 16, 1]);
        assert_eq!(sizes(&[128, 1, 63, 1, 128]), [1, 2, 1, 1]);
    }
}
