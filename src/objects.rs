//! Listing a bucket's objects.
//!
//! Must not know what is in them.

use aws_sdk_s3::types::Object;

use crate::aws::{Aws, AwsError};

/// Lists the objects below a prefix, in the order of their keys.
pub async fn list(aws: &Aws, bucket: &str, prefix: &str) -> Result<Vec<Object>, AwsError> {
    let (mut objects, mut token) = (Vec::new(), None);
    loop {
        let request = || {
            let call = aws.s3.list_objects_v2().bucket(bucket).prefix(prefix);
            call.set_continuation_token(token.clone()).send()
        };
        let page = aws.call("s3:ListBucket", request).await?;
        objects.extend(page.contents.unwrap_or_default());
        token = page.next_continuation_token;
        if token.is_none() {
            return Ok(objects);
        }
    }
}
