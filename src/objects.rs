//! Lists and counts the objects of a bucket, tells which pipeline spilled them, and reads them within bounded memory.
//!
//! Must not write or delete.

use std::time::SystemTime;

use aws_sdk_s3::types::{Object, ObjectVersion};

use crate::aws::{Aws, AwsError, Outcome as _};
use crate::moment;

pub mod content;
pub mod lines;
mod spilled;

pub use spilled::{
    BucketOwnership, Skipped, Spilled, SpilledObject, SpilledPile, Unclaimed, UnclaimedReason, spilled,
    spilled_pile,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub objects: usize,
    pub bytes: u64,
}

/// Counts what is in a bucket, every version of it; one that is not there holds nothing.
pub async fn count(aws: &Aws, bucket: &str) -> Result<Count, AwsError> {
    let (mut count, mut marker) = (Count::default(), (None, None));
    loop {
        let request = || {
            let call = aws.s3.list_object_versions().bucket(bucket);
            let call = call.set_key_marker(marker.0.clone());
            call.set_version_id_marker(marker.1.clone()).send()
        };
        let Some(page) = aws.call("s3:ListObjectVersions", request).await.found()? else {
            return Ok(count);
        };
        count.objects += page.versions().len();
        let sizes = page.versions().iter().filter_map(ObjectVersion::size);
        let sizes = sizes.filter_map(|size| u64::try_from(size).ok());
        count.bytes = moment::total(sizes.chain([count.bytes]));
        if page.is_truncated() != Some(true) {
            return Ok(count);
        }
        marker = (page.next_key_marker, page.next_version_id_marker);
    }
}

/// Gives the objects under a prefix one by one, in the order of their keys, without the markers that stand for folders. Holds a
/// thousand: anyone who may write to the bucket decides how many there are.
pub async fn for_each(
    aws: &Aws,
    bucket: &str,
    prefix: &str,
    mut each: impl FnMut(Object),
) -> Result<(), AwsError> {
    let mut token = None;
    loop {
        let request = || {
            let call = aws.s3.list_objects_v2().bucket(bucket).prefix(prefix);
            call.set_continuation_token(token.clone()).send()
        };
        let page = aws.call("s3:ListBucket", request).await?;
        let found = page.contents.unwrap_or_default().into_iter();
        found.filter(|object| !object.key().is_some_and(|key| key.ends_with('/'))).for_each(&mut each);
        token = page.next_continuation_token;
        if token.is_none() {
            return Ok(());
        }
    }
}

/// Lists the first keys below a prefix, a thousand at most; none where there is no bucket.
pub async fn first(aws: &Aws, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
    let request = || aws.s3.list_objects_v2().bucket(bucket).prefix(prefix).send();
    let page = aws.call("s3:ListBucket", request).await.found()?;
    let objects = page.and_then(|page| page.contents).unwrap_or_default();
    Ok(objects.into_iter().filter_map(|object| object.key).collect())
}

/// Finds the newest object below a prefix, and when it was written; none where there is no bucket.
pub async fn newest(aws: &Aws, bucket: &str, prefix: &str) -> Result<Option<(Object, SystemTime)>, AwsError> {
    let mut newest: Option<(Object, SystemTime)> = None;
    let looked = for_each(aws, bucket, prefix, |object| {
        if let Some(at) = written_at(&object)
            && newest.as_ref().is_none_or(|(_, newest)| at >= *newest)
        {
            newest = Some((object, at));
        }
    });
    looked.await.found()?;
    Ok(newest)
}

pub fn written_at(object: &Object) -> Option<SystemTime> {
    object.last_modified().copied().map(moment::from_aws)
}

#[cfg(test)]
mod tests;
