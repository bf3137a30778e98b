//! Listing and counting a bucket's objects.
//!
//! Must not know what is in them.

use aws_sdk_s3::types::Object;

use crate::aws::{Aws, AwsError, Outcome as _};

/// How much a bucket holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Objects.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Counts what is in a bucket; one that is not there holds nothing.
pub async fn count(aws: &Aws, bucket: &str) -> Result<Count, AwsError> {
    let mut count = Count::default();
    let counted = each_page(aws, bucket, "", |page| {
        count.objects += page.len();
        let sizes = page.iter().filter_map(Object::size);
        count.bytes += sizes.filter_map(|size| u64::try_from(size).ok()).sum::<u64>();
    });
    counted.await.found().map(|_| count)
}

/// Lists the objects below a prefix, in the order of their keys.
pub async fn list(aws: &Aws, bucket: &str, prefix: &str) -> Result<Vec<Object>, AwsError> {
    let mut objects = Vec::new();
    each_page(aws, bucket, prefix, |page| objects.extend(page)).await?;
    Ok(objects)
}

async fn each_page(
    aws: &Aws,
    bucket: &str,
    prefix: &str,
    mut take: impl FnMut(Vec<Object>),
) -> Result<(), AwsError> {
    let mut token = None;
    loop {
        let request = || {
            let call = aws.s3.list_objects_v2().bucket(bucket).prefix(prefix);
            call.set_continuation_token(token.clone()).send()
        };
        let page = aws.call("s3:ListBucket", request).await?;
        take(page.contents.unwrap_or_default());
        token = page.next_continuation_token;
        if token.is_none() {
            return Ok(());
        }
    }
}
