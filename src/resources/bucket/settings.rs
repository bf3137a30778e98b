//! The bucket's settings other than policy and tags: reading and writing each.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketCannedAcl, BucketLifecycleConfiguration, BucketVersioningStatus,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
    ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, VersioningConfiguration,
};
use serde::Serialize;

use super::Bucket;
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::Target;

/// The id of the lifecycle rule that deletes delivered objects.
pub const EXPIRE: &str = "split-pipeline-expire";
/// The id of the lifecycle rule that deletes the parts of unfinished uploads.
pub const ABORT: &str = "split-pipeline-abort-uploads";

/// The four settings of a public access block; all of them are off where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are S3's own four settings")]
pub struct PublicAccess {
    pub block_acls: bool,
    pub ignore_acls: bool,
    pub block_policy: bool,
    pub restrict_buckets: bool,
}

impl PublicAccess {
    pub fn blocked() -> Self {
        Self { block_acls: true, ignore_acls: true, block_policy: true, restrict_buckets: true }
    }
}

/// How objects are encrypted that are put without saying how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Encryption {
    /// `AES256` or `aws:kms`.
    pub algorithm: String,
    pub key: Option<String>,
    /// Whether the bucket has a key of its own, made of that one; absent without KMS.
    pub bucket_key: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lifecycle {
    /// After how many days delivered objects are deleted.
    pub expire_days: Option<i32>,
    /// The prefix to which `expire_days` applies.
    pub expire_prefix: Option<String>,
    /// After how many days the versions are deleted that an expired object leaves behind.
    pub expire_versions_days: Option<i32>,
    /// After how many days the parts of unfinished uploads are deleted.
    pub abort_uploads_days: Option<i32>,
    /// Rules that nobody but us should have put there.
    pub other_rules: Vec<String>,
}

impl Lifecycle {
    /// Tells whether these rules delete objects or versions that `other` keeps, or keeps longer.
    pub(super) fn deletes_more_than(&self, other: &Self) -> bool {
        let Some(prefix) = self.expire_prefix.as_deref() else {
            return false;
        };
        // A rule whose prefix is unknown, because somebody changed its filter, covers nothing for certain.
        let covers = |had: &str| prefix.starts_with(had);
        let is_covered = other.expire_prefix.as_deref().is_some_and(covers);
        let is_sooner = |want: Option<i32>, had: Option<i32>| {
            want.is_some_and(|want| had.is_none_or(|had| !is_covered || want < had))
        };
        is_sooner(self.expire_days, other.expire_days)
            || is_sooner(self.expire_versions_days, other.expire_versions_days)
    }
}

impl Target<Bucket> {
    /// Tells whether objects exist that the desired lifecycle may expire.
    pub(super) async fn holds_expirable(&self, aws: &Aws) -> Result<bool, AwsError> {
        let Some(prefix) = &self.state.lifecycle.expire_prefix else {
            return Ok(false);
        };
        let request = || {
            let call = aws.s3.list_objects_v2().bucket(&self.name).prefix(prefix);
            call.max_keys(1).send()
        };
        match aws.call("s3:ListBucket", request).await.found() {
            Ok(page) => Ok(page.is_some_and(|page| !page.contents().is_empty())),
            // What cannot be ruled out is asked about.
            Err(error) if error.kind == ErrorKind::Denied => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn public_access(&self, aws: &Aws) -> Result<PublicAccess, AwsError> {
        let request = || aws.s3.get_public_access_block().bucket(&self.name).send();
        let answer = aws.call("s3:GetBucketPublicAccessBlock", request).await.found()?;
        let Some(config) = answer.and_then(|answer| answer.public_access_block_configuration) else {
            return Ok(PublicAccess::default());
        };
        Ok(PublicAccess {
            block_acls: config.block_public_acls.unwrap_or_default(),
            ignore_acls: config.ignore_public_acls.unwrap_or_default(),
            block_policy: config.block_public_policy.unwrap_or_default(),
            restrict_buckets: config.restrict_public_buckets.unwrap_or_default(),
        })
    }

    pub(super) async fn put_public_access(&self, aws: &Aws) -> Result<(), AwsError> {
        let want = &self.state.public_access;
        let config = PublicAccessBlockConfiguration::builder()
            .block_public_acls(want.block_acls)
            .ignore_public_acls(want.ignore_acls)
            .block_public_policy(want.block_policy)
            .restrict_public_buckets(want.restrict_buckets)
            .build();
        let request = || {
            let call = aws.s3.put_public_access_block().bucket(&self.name);
            call.public_access_block_configuration(config.clone()).send()
        };
        aws.call("s3:PutBucketPublicAccessBlock", request).await.map(drop)
    }

    pub(super) async fn encryption(&self, aws: &Aws) -> Result<Option<Encryption>, AwsError> {
        let request = || aws.s3.get_bucket_encryption().bucket(&self.name).send();
        let answer = aws.call("s3:GetEncryptionConfiguration", request).await.found()?;
        let config = answer.and_then(|answer| answer.server_side_encryption_configuration);
        let Some(rule) = config.and_then(|config| config.rules.into_iter().next()) else {
            return Ok(None);
        };
        let bucket_key = rule.bucket_key_enabled().unwrap_or_default();
        Ok(rule.apply_server_side_encryption_by_default.map(|default| {
            let by_kms = default.sse_algorithm != ServerSideEncryption::Aes256;
            Encryption {
                algorithm: default.sse_algorithm.as_str().to_owned(),
                key: default.kms_master_key_id,
                bucket_key: by_kms.then_some(bucket_key),
            }
        }))
    }

    pub(super) async fn put_encryption(&self, aws: &Aws) -> Result<(), AwsError> {
        let Some(want) = &self.state.encryption else {
            return Ok(());
        };
        let default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(ServerSideEncryption::from(want.algorithm.as_str()))
            .set_kms_master_key_id(want.key.clone())
            .build()?;
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default)
            .set_bucket_key_enabled(want.bucket_key)
            .build();
        let config = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
        let request = || {
            let call = aws.s3.put_bucket_encryption().bucket(&self.name);
            call.server_side_encryption_configuration(config.clone()).send()
        };
        aws.call("s3:PutEncryptionConfiguration", request).await.map(drop)
    }

    pub(super) async fn versioning(&self, aws: &Aws) -> Result<bool, AwsError> {
        let request = || aws.s3.get_bucket_versioning().bucket(&self.name).send();
        let answer = aws.look("s3:GetBucketVersioning", request).await?;
        let status = answer.and_then(|answer| answer.status);
        Ok(status == Some(BucketVersioningStatus::Enabled))
    }

    pub(super) async fn put_versioning(&self, aws: &Aws) -> Result<(), AwsError> {
        let status = if self.state.versioning {
            BucketVersioningStatus::Enabled
        } else {
            BucketVersioningStatus::Suspended
        };
        let config = VersioningConfiguration::builder().status(status).build();
        let request = || {
            let call = aws.s3.put_bucket_versioning().bucket(&self.name);
            call.versioning_configuration(config.clone()).send()
        };
        aws.call("s3:PutBucketVersioning", request).await.map(drop)
    }

    pub(super) async fn object_ownership(&self, aws: &Aws) -> Result<Option<String>, AwsError> {
        let request = || aws.s3.get_bucket_ownership_controls().bucket(&self.name).send();
        let answer = aws.call("s3:GetBucketOwnershipControls", request).await.found()?;
        let rule =
            answer.and_then(|answer| answer.ownership_controls).and_then(|c| c.rules.into_iter().next());
        Ok(rule.map(|rule| rule.object_ownership.as_str().to_owned()))
    }

    /// Makes the bucket's owner the owner of objects, which ends all ACLs; one that gives the bucket to others has to go first.
    pub(super) async fn put_object_ownership(&self, aws: &Aws) -> Result<(), AwsError> {
        match self.try_object_ownership(aws).await {
            Err(error) if error.code.as_deref() == Some("InvalidBucketAclWithObjectOwnership") => {
                let request = || {
                    let call = aws.s3.put_bucket_acl().bucket(&self.name);
                    call.acl(BucketCannedAcl::Private).send()
                };
                aws.call("s3:PutBucketAcl", request).await?;
                self.try_object_ownership(aws).await
            }
            put => put,
        }
    }

    async fn try_object_ownership(&self, aws: &Aws) -> Result<(), AwsError> {
        let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced);
        let rule = rule.build()?;
        let controls = OwnershipControls::builder().rules(rule).build()?;
        let request = || {
            let call = aws.s3.put_bucket_ownership_controls().bucket(&self.name);
            call.ownership_controls(controls.clone()).send()
        };
        aws.call("s3:PutBucketOwnershipControls", request).await.map(drop)
    }

    pub(super) async fn lifecycle(&self, aws: &Aws) -> Result<Lifecycle, AwsError> {
        let request = || aws.s3.get_bucket_lifecycle_configuration().bucket(&self.name).send();
        let answer = aws.call("s3:GetLifecycleConfiguration", request).await.found()?;
        let mut found = Lifecycle::default();
        for rule in answer.and_then(|answer| answer.rules).unwrap_or_default() {
            // A rule of ours to which somebody added something is not ours any more.
            let enabled = rule.status == ExpirationStatus::Enabled;
            match rule.id() {
                Some(EXPIRE) if enabled && only_expires(&rule) => {
                    found.expire_days = rule.expiration().and_then(LifecycleExpiration::days);
                    found.expire_versions_days = rule
                        .noncurrent_version_expiration()
                        .and_then(NoncurrentVersionExpiration::noncurrent_days);
                    found.expire_prefix = rule.filter().and_then(|filter| filter.prefix()).map(str::to_owned);
                }
                Some(ABORT) if enabled && only_aborts(&rule) => {
                    let abort = rule.abort_incomplete_multipart_upload();
                    found.abort_uploads_days =
                        abort.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
                }
                id => found.other_rules.push(id.unwrap_or("unnamed").to_owned()),
            }
        }
        Ok(found)
    }

    pub(super) async fn put_lifecycle(&self, aws: &Aws) -> Result<(), AwsError> {
        let want = &self.state.lifecycle;
        let abort = AbortIncompleteMultipartUpload::builder()
            .set_days_after_initiation(want.abort_uploads_days)
            .build();
        let abort = rule(ABORT, "").abort_incomplete_multipart_upload(abort).build()?;
        let mut rules = vec![abort];
        if let Some(days) = want.expire_days {
            let expiration = LifecycleExpiration::builder().days(days).build();
            let prefix = want.expire_prefix.as_deref().unwrap_or_default();
            let versions = want.expire_versions_days.map(|days| {
                let versions = NoncurrentVersionExpiration::builder().noncurrent_days(days);
                versions.build()
            });
            let rule =
                rule(EXPIRE, prefix).expiration(expiration).set_noncurrent_version_expiration(versions);
            rules.push(rule.build()?);
        }
        let config = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?;
        let request = || {
            let call = aws.s3.put_bucket_lifecycle_configuration().bucket(&self.name);
            call.lifecycle_configuration(config.clone()).send()
        };
        aws.call("s3:PutLifecycleConfiguration", request).await.map(drop)
    }
}

/// Whether a rule does nothing but delete objects under a prefix and the versions that they leave, after so many days.
fn only_expires(rule: &LifecycleRule) -> bool {
    let expires = rule.expiration();
    let by_days =
        expires.is_none_or(|it| it.date().is_none() && it.expired_object_delete_marker() != Some(true));
    let versions = rule.noncurrent_version_expiration();
    let every_version = versions.is_none_or(|it| it.newer_noncurrent_versions().is_none());
    let aborts = rule.abort_incomplete_multipart_upload().is_some();
    by_days && every_version && !aborts && !moves(rule) && by_prefix(rule).is_some()
}

/// Whether a rule does nothing but delete the parts of all unfinished uploads.
fn only_aborts(rule: &LifecycleRule) -> bool {
    let expires = rule.expiration().is_some() || rule.noncurrent_version_expiration().is_some();
    !expires && !moves(rule) && by_prefix(rule) == Some("")
}

fn moves(rule: &LifecycleRule) -> bool {
    !rule.transitions().is_empty() || !rule.noncurrent_version_transitions().is_empty()
}

/// The prefix that a rule is for; none if it is for objects of a size or with tags.
fn by_prefix(rule: &LifecycleRule) -> Option<&str> {
    let Some(filter) = rule.filter() else {
        return Some("");
    };
    let by_size = filter.object_size_greater_than().is_some() || filter.object_size_less_than().is_some();
    let is_plain = !by_size && filter.tag().is_none() && filter.and().is_none();
    is_plain.then(|| filter.prefix().unwrap_or_default())
}

fn rule(id: &str, prefix: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
    let filter = LifecycleRuleFilter::builder().prefix(prefix).build();
    LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(filter)
}

#[cfg(test)]
mod tests;
