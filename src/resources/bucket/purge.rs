//! Emptying the bucket: every object, version and unfinished upload, in as many calls as it takes.

use std::time::Duration;

use aws_sdk_s3::types::{self, Delete, ObjectIdentifier};

use super::Bucket;
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::Target;

/// Errors of single objects in an answer of 200 that may pass by themselves (S3 API reference, `DeleteObjects`).
const PASSING: [&str; 3] = ["InternalError", "ServiceUnavailable", "SlowDown"];

/// How often objects are deleted before such an error counts.
const DELETE_ATTEMPTS: usize = 6;

/// How long to wait before objects are deleted again.
const DELETE_AGAIN: Duration = Duration::from_secs(1);

impl Target<Bucket> {
    pub(super) async fn purge(&self, aws: &Aws) -> Result<(), AwsError> {
        let mut failures = 0;
        loop {
            let request = || aws.s3.list_object_versions().bucket(&self.name).send();
            let Some(page) = aws.call("s3:ListObjectVersions", request).await.found()? else {
                return Ok(());
            };
            let versions = page.versions().iter().map(|object| (object.key(), object.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<_> = versions.chain(markers).filter_map(identifier).collect();
            if objects.is_empty() {
                return self.abort_uploads(aws).await;
            }
            let Some(error) = self.delete_objects(objects, aws).await? else {
                failures = 0;
                continue;
            };
            failures += 1;
            if failures == DELETE_ATTEMPTS {
                return Err(error);
            }
            aws.pause(DELETE_AGAIN).await?;
        }
    }

    /// Deletes objects; gives an error that concerns single ones and may pass by itself.
    async fn delete_objects(
        &self,
        objects: Vec<ObjectIdentifier>,
        aws: &Aws,
    ) -> Result<Option<AwsError>, AwsError> {
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
        let request = || {
            let call = aws.s3.delete_objects().bucket(&self.name);
            call.delete(delete.clone()).send()
        };
        let call = "s3:DeleteObjects";
        let answer = aws.call(call, request).await?;
        let passes = |error: &&types::Error| error.code().is_some_and(|code| PASSING.contains(&code));
        let lasting = answer.errors().iter().find(|error| !passes(error));
        let Some(error) = lasting.or(answer.errors().first()) else {
            return Ok(None);
        };
        let (key, why) =
            (error.key().unwrap_or_default(), error.message().or(error.code()).unwrap_or_default());
        let message = format!("{key} could not be deleted: {why}");
        let failed = AwsError::new(call, ErrorKind::Other, message);
        if lasting.is_some() { Err(failed) } else { Ok(Some(failed)) }
    }

    async fn abort_uploads(&self, aws: &Aws) -> Result<(), AwsError> {
        loop {
            let request = || aws.s3.list_multipart_uploads().bucket(&self.name).send();
            let page = aws.call("s3:ListBucketMultipartUploads", request).await?;
            for upload in page.uploads() {
                let request = || {
                    let call = aws.s3.abort_multipart_upload().bucket(&self.name);
                    call.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone()).send()
                };
                aws.call("s3:AbortMultipartUpload", request).await.found()?;
            }
            if page.is_truncated() != Some(true) {
                return Ok(());
            }
        }
    }
}

fn identifier((key, version): (Option<&str>, Option<&str>)) -> Option<ObjectIdentifier> {
    // An unversioned bucket lists the version `null`, which deletes the object all the same.
    ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
}
