//! Unit tests of the bucket's settings: what is written is read again, and what others wrote is told apart.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_bucket_encryption::{GetBucketEncryptionError, GetBucketEncryptionOutput};
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::{
    GetBucketLifecycleConfigurationError, GetBucketLifecycleConfigurationOutput,
};
use aws_sdk_s3::operation::get_bucket_ownership_controls::{
    GetBucketOwnershipControlsError, GetBucketOwnershipControlsOutput,
};
use aws_sdk_s3::operation::get_bucket_versioning::{GetBucketVersioningError, GetBucketVersioningOutput};
use aws_sdk_s3::operation::get_public_access_block::{GetPublicAccessBlockError, GetPublicAccessBlockOutput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::operation::put_bucket_encryption::PutBucketEncryptionOutput;
use aws_sdk_s3::operation::put_bucket_lifecycle_configuration::PutBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::put_bucket_ownership_controls::PutBucketOwnershipControlsOutput;
use aws_sdk_s3::operation::put_bucket_versioning::PutBucketVersioningOutput;
use aws_sdk_s3::operation::put_public_access_block::PutPublicAccessBlockOutput;
use aws_sdk_s3::types::Object;
use aws_smithy_mocks::{MockResponse, Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::aws::testing::aws;
use crate::resource::Target;
use crate::resources::bucket;
use crate::resources::testing::wanted;

/// The settings of a bucket in memory, each absent until it is written.
#[derive(Clone, Default)]
struct SettingsWorld(Arc<Mutex<Settings>>);

#[derive(Default)]
struct Settings {
    public_access: Option<PublicAccessBlockConfiguration>,
    encryption: Option<ServerSideEncryptionConfiguration>,
    versioning: Option<VersioningConfiguration>,
    ownership: Option<OwnershipControls>,
    lifecycle: Option<BucketLifecycleConfiguration>,
}

fn error(code: &'static str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).build()
}

/// Answers with a setting, or with the code by which S3 says that there is none.
macro_rules! answer {
    ($setting:expr, $code:literal, $error:ty, $answer:expr) => {
        match $setting.clone() {
            Some(setting) => MockResponse::Output($answer(setting)),
            None => MockResponse::Error(<$error>::generic(error($code))),
        }
    };
}

impl SettingsWorld {
    fn settings<T>(&self, look: impl FnOnce(&mut Settings) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn gets(&self) -> [Rule; 4] {
        let [access, encryption, versioning, ownership] = [(); 4].map(|()| self.clone());
        [
            mock!(Client::get_public_access_block).then_compute_response(move |_| {
                let output = |it| {
                    let output = GetPublicAccessBlockOutput::builder();
                    output.public_access_block_configuration(it).build()
                };
                let found = access.settings(|it| it.public_access.clone());
                answer!(found, "NoSuchPublicAccessBlockConfiguration", GetPublicAccessBlockError, output)
            }),
            mock!(Client::get_bucket_encryption).then_compute_response(move |_| {
                let output = |it| {
                    let output = GetBucketEncryptionOutput::builder();
                    output.server_side_encryption_configuration(it).build()
                };
                let found = encryption.settings(|it| it.encryption.clone());
                answer!(
                    found,
                    "ServerSideEncryptionConfigurationNotFoundError",
                    GetBucketEncryptionError,
                    output
                )
            }),
            mock!(Client::get_bucket_versioning).then_output(move || {
                let found = versioning.settings(|it| it.versioning.clone());
                let status = found.and_then(|it| it.status);
                GetBucketVersioningOutput::builder().set_status(status).build()
            }),
            mock!(Client::get_bucket_ownership_controls).then_compute_response(move |_| {
                let output = |it| GetBucketOwnershipControlsOutput::builder().ownership_controls(it).build();
                let found = ownership.settings(|it| it.ownership.clone());
                answer!(found, "OwnershipControlsNotFoundError", GetBucketOwnershipControlsError, output)
            }),
        ]
    }

    fn get_lifecycle(&self) -> Rule {
        let lifecycle = self.clone();
        mock!(Client::get_bucket_lifecycle_configuration).then_compute_response(move |_| {
            let output = |it: BucketLifecycleConfiguration| {
                let output = GetBucketLifecycleConfigurationOutput::builder();
                output.set_rules(Some(it.rules)).build()
            };
            let found = lifecycle.settings(|it| it.lifecycle.clone());
            answer!(found, "NoSuchLifecycleConfiguration", GetBucketLifecycleConfigurationError, output)
        })
    }

    fn puts(&self) -> [Rule; 5] {
        let [access, encryption, versioning, ownership, lifecycle] = [(); 5].map(|()| self.clone());
        [
            mock!(Client::put_public_access_block).then_compute_output(move |input| {
                access.settings(|it| it.public_access = input.public_access_block_configuration.clone());
                PutPublicAccessBlockOutput::builder().build()
            }),
            mock!(Client::put_bucket_encryption).then_compute_output(move |input| {
                encryption.settings(|it| it.encryption = input.server_side_encryption_configuration.clone());
                PutBucketEncryptionOutput::builder().build()
            }),
            mock!(Client::put_bucket_versioning).then_compute_output(move |input| {
                versioning.settings(|it| it.versioning = input.versioning_configuration.clone());
                PutBucketVersioningOutput::builder().build()
            }),
            mock!(Client::put_bucket_ownership_controls).then_compute_output(move |input| {
                ownership.settings(|it| it.ownership = input.ownership_controls.clone());
                PutBucketOwnershipControlsOutput::builder().build()
            }),
            mock!(Client::put_bucket_lifecycle_configuration).then_compute_output(move |input| {
                lifecycle.settings(|it| it.lifecycle = input.lifecycle_configuration.clone());
                PutBucketLifecycleConfigurationOutput::builder().build()
            }),
        ]
    }

    fn aws(&self) -> Aws {
        let rules = [&self.gets()[..], &[self.get_lifecycle()], &self.puts()].concat();
        aws(&[], &rules.iter().collect::<Vec<_>>())
    }
}

fn bucket(delivery: &str) -> Target<Bucket> {
    wanted(&format!("name: flags\ndelivery: {delivery}\n"), bucket::want)
}

#[tokio::test]
async fn a_bucket_without_settings_has_none() {
    let (aws, bucket) = (SettingsWorld::default().aws(), bucket("{}"));
    assert_eq!(bucket.public_access(&aws).await.unwrap(), PublicAccess::default());
    assert_eq!(bucket.encryption(&aws).await.unwrap(), None);
    assert!(!bucket.versioning(&aws).await.unwrap());
    assert_eq!(bucket.object_ownership(&aws).await.unwrap(), None);
    assert_eq!(bucket.lifecycle(&aws).await.unwrap(), Lifecycle::default());
}

#[tokio::test]
async fn what_is_written_is_read_again() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000";
    let by_kms = format!("{{encryption: '{key}', versioning: true, expire_days: 30, prefix: i/}}");
    let world = SettingsWorld::default();
    for delivery in ["{}", &by_kms, "{}"] {
        let (aws, bucket) = (world.aws(), bucket(delivery));
        bucket.put_public_access(&aws).await.unwrap();
        bucket.put_encryption(&aws).await.unwrap();
        bucket.put_versioning(&aws).await.unwrap();
        bucket.put_object_ownership(&aws).await.unwrap();
        bucket.put_lifecycle(&aws).await.unwrap();
        let want = &bucket.state;
        assert_eq!(bucket.public_access(&aws).await.unwrap(), want.public_access);
        assert_eq!(bucket.encryption(&aws).await.unwrap(), want.encryption);
        assert_eq!(bucket.versioning(&aws).await.unwrap(), want.versioning);
        assert_eq!(bucket.object_ownership(&aws).await.unwrap(), want.object_ownership);
        assert_eq!(bucket.lifecycle(&aws).await.unwrap(), want.lifecycle);
    }
    assert_eq!(bucket("{}").state.public_access, PublicAccess::blocked());
    world.settings(|it| {
        let access = it.public_access.as_ref().unwrap();
        let blocked = [access.block_public_acls, access.ignore_public_acls];
        assert_eq!(blocked, [Some(true); 2]);
        // Suspended, since S3 has no way back to a bucket without versions.
        let status = it.versioning.as_ref().and_then(|it| it.status.clone());
        assert_eq!(status, Some(BucketVersioningStatus::Suspended));
        let rules = &it.lifecycle.as_ref().unwrap().rules;
        assert!(rules.iter().all(|rule| rule.status == ExpirationStatus::Enabled));
    });
}

#[tokio::test]
async fn a_rule_that_is_switched_off_or_somebodys_is_another_rule() {
    let (world, bucket) = (SettingsWorld::default(), bucket("{expire_days: 30, prefix: i/}"));
    let aws = world.aws();
    bucket.put_lifecycle(&aws).await.unwrap();
    world.settings(|it| {
        let rules = &mut it.lifecycle.as_mut().unwrap().rules;
        let somebodys = rule("theirs", "").build().unwrap();
        for rule in rules.iter_mut() {
            rule.status = ExpirationStatus::Disabled;
        }
        rules.push(somebodys);
    });
    let found = bucket.lifecycle(&aws).await.unwrap();
    let others = [ABORT, EXPIRE, "theirs"].map(str::to_owned).to_vec();
    let want = Lifecycle { other_rules: others, ..Lifecycle::default() };
    assert_eq!(found, want);
}

#[tokio::test]
async fn only_an_emulator_may_answer_about_versions_in_another_form() {
    for (code, is_emulator, is_error) in [
        ("Weird", true, false),
        ("Weird", false, true),
        ("AccessDenied", true, true),
        ("AccessDenied", false, true),
    ] {
        let rule = mock!(Client::get_bucket_versioning)
            .then_error(move || GetBucketVersioningError::generic(error(code)));
        let mut aws = aws(&[], &[&rule]);
        aws.endpoint = is_emulator.then(|| "http://127.0.0.1:4566".to_owned());
        let found = bucket("{}").versioning(&aws).await;
        assert_eq!(found.is_err(), is_error, "{code}, {is_emulator}");
        assert!(!found.unwrap_or_default());
    }
}

#[tokio::test]
async fn what_may_expire_is_looked_for_under_the_prefix_that_expires() {
    let holds =
        async |delivery: &str, rule: &Rule| bucket(delivery).holds_expirable(&aws(&[], &[rule])).await;
    let objects = |count: usize| {
        mock!(Client::list_objects_v2).then_compute_output(move |input| {
            assert_eq!(input.prefix(), Some("i/"));
            let objects = vec![Object::builder().key("i/a").build(); count];
            ListObjectsV2Output::builder().set_contents(Some(objects)).build()
        })
    };
    let fails =
        |code| mock!(Client::list_objects_v2).then_error(move || ListObjectsV2Error::generic(error(code)));
    let expires = "{expire_days: 30, prefix: i/}";
    assert!(holds(expires, &objects(1)).await.unwrap());
    assert!(!holds(expires, &objects(0)).await.unwrap());
    assert!(!holds("{prefix: i/}", &objects(1)).await.unwrap());
    assert!(!holds(expires, &fails("NoSuchBucket")).await.unwrap());
    // What cannot be ruled out.
    assert!(holds(expires, &fails("AccessDenied")).await.unwrap());
    assert!(holds(expires, &fails("Weird")).await.is_err());
}

#[test]
fn rules_delete_more_if_they_delete_sooner_or_elsewhere() {
    let rules = |days: Option<i32>, versions: Option<i32>, prefix: Option<&str>| Lifecycle {
        expire_days: days,
        expire_prefix: prefix.map(str::to_owned),
        expire_versions_days: versions,
        ..Lifecycle::default()
    };
    let had = rules(Some(7), Some(3), Some("a/"));
    for (want, deletes_more) in [
        (rules(None, None, None), false),
        (rules(Some(7), Some(3), Some("a/")), false),
        (rules(Some(8), Some(4), Some("a/")), false),
        (rules(Some(6), Some(3), Some("a/")), true),
        (rules(Some(7), Some(2), Some("a/")), true),
        (rules(Some(8), Some(2), Some("a/")), true),
        (rules(Some(8), Some(4), Some("a/b/")), false),
        (rules(Some(8), Some(4), Some("b/")), true),
        (rules(Some(8), Some(4), Some("")), true),
    ] {
        assert_eq!(want.deletes_more_than(&had), deletes_more, "{want:?}");
    }
    let none = rules(None, None, Some("a/"));
    assert!(rules(Some(7), None, Some("a/")).deletes_more_than(&none));
    assert!(!rules(None, None, Some("a/")).deletes_more_than(&had));
}
