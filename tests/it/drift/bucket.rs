//! What is done by hand to the bucket.

use aws_config::SdkConfig;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, Destination,
    ExpirationStatus, LifecycleRule, LifecycleRuleFilter, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter,
    ReplicationRuleStatus, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};

use super::{Drift, NAME};

const BUCKET: &str = "it-drift-000000000000-us-east-1";

pub(super) struct Clients {
    s3: aws_sdk_s3::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
        Self { s3: aws_sdk_s3::Client::from_conf(s3.build()) }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.access();
        drifts.extend(self.additions());
        drifts.extend(self.settings());
        drifts.push(self.versioning());
        drifts
    }

    fn access(&self) -> Vec<Drift<'_>> {
        vec![
            Drift::new(
                "bucket",
                [
                    "public_access.block_acls",
                    "public_access.block_policy",
                    "public_access.ignore_acls",
                    "public_access.restrict_buckets",
                ],
                ["PUT /it-drift-000000000000-us-east-1/?publicAccessBlock"],
                async {
                    let call = self.s3.delete_public_access_block().bucket(BUCKET);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["policy.Statement", "policy.Version"],
                ["PUT /it-drift-000000000000-us-east-1/?policy"],
                async {
                    let call = self.s3.delete_bucket_policy().bucket(BUCKET);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["policy.Statement[0].Action"],
                ["PUT /it-drift-000000000000-us-east-1/?policy"],
                async {
                    let policy = self.s3.get_bucket_policy().bucket(BUCKET).send().await.unwrap();
                    let policy = policy.policy().unwrap().replace("s3:*", "s3:GetObject");
                    let call = self.s3.put_bucket_policy().bucket(BUCKET).policy(policy);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["object_ownership"],
                ["PUT /it-drift-000000000000-us-east-1/?ownershipControls"],
                async {
                    let rule =
                        OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
                    let controls = OwnershipControls::builder().rules(rule.build().unwrap());
                    let call = self.s3.put_bucket_ownership_controls().bucket(BUCKET);
                    let call = call.ownership_controls(controls.build().unwrap());
                    call.send().await.unwrap();
                },
            ),
        ]
    }

    fn additions(&self) -> Vec<Drift<'_>> {
        vec![Drift::new(
            "bucket",
            ["copies"],
            ["DELETE /it-drift-000000000000-us-east-1/?replication"],
            async {
                let call = self.s3.put_bucket_replication().bucket(BUCKET);
                let call = call.replication_configuration(to_theirs());
                call.send().await.unwrap();
            },
        )]
    }

    fn settings(&self) -> Vec<Drift<'_>> {
        vec![
            Drift::new(
                "bucket",
                ["encryption.algorithm", "encryption.bucket_key"],
                ["PUT /it-drift-000000000000-us-east-1/?encryption"],
                async {
                    let call = self.s3.put_bucket_encryption().bucket(BUCKET);
                    let call = call.server_side_encryption_configuration(by_kms());
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                [
                    "lifecycle.abort_uploads_days",
                    "lifecycle.expire_days",
                    "lifecycle.expire_prefix",
                    "lifecycle.expire_versions_days",
                    "lifecycle.other_rules",
                ],
                ["PUT /it-drift-000000000000-us-east-1/?lifecycle"],
                async {
                    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(1);
                    let rule = LifecycleRule::builder()
                        .id("somebody's")
                        .status(ExpirationStatus::Enabled)
                        .filter(LifecycleRuleFilter::builder().prefix("").build())
                        .abort_incomplete_multipart_upload(abort.build());
                    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap());
                    let call = self.s3.put_bucket_lifecycle_configuration().bucket(BUCKET);
                    let call = call.lifecycle_configuration(rules.build().unwrap());
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["tags.team", "tags.extra"],
                ["PUT /it-drift-000000000000-us-east-1/?tagging"],
                async {
                    let tags = [("managed-by", "split-pipeline"), ("split-pipeline", NAME), ("extra", "")];
                    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build().unwrap());
                    let tagging = Tagging::builder().set_tag_set(Some(tags.to_vec()));
                    let call = self.s3.put_bucket_tagging().bucket(BUCKET);
                    call.tagging(tagging.build().unwrap()).send().await.unwrap();
                },
            ),
        ]
    }

    fn versioning(&self) -> Drift<'_> {
        Drift::new("bucket", ["versioning"], ["PUT /it-drift-000000000000-us-east-1/?versioning"], async {
            let suspended =
                VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            let call = self.s3.put_bucket_versioning().bucket(BUCKET);
            let call = call.versioning_configuration(suspended);
            call.send().await.unwrap();
        })
    }
}

/// Encryption by a key that KMS manages for S3.
pub(crate) fn by_kms() -> ServerSideEncryptionConfiguration {
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.build().unwrap());
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
    rules.build().unwrap()
}

/// A copy of every object for somebody's bucket in another account.
pub(crate) fn to_theirs() -> ReplicationConfiguration {
    let theirs = Destination::builder().bucket("arn:aws:s3:::theirs").account("111111111111");
    let rule = ReplicationRule::builder()
        .id("all")
        .status(ReplicationRuleStatus::Enabled)
        .filter(ReplicationRuleFilter::builder().prefix("").build())
        .destination(theirs.build().unwrap());
    let replication = ReplicationConfiguration::builder()
        .role("arn:aws:iam::000000000000:role/somebodys")
        .rules(rule.build().unwrap());
    replication.build().unwrap()
}
