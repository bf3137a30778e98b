//! Unit tests of purging: everything goes, in as many calls as it takes, and what does not go is an error. And of what an emulator
//! does not do: an ACL is in the way of its own end, and a rule of ours moves objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadOutput;
use aws_sdk_s3::operation::delete_bucket::DeleteBucketOutput;
use aws_sdk_s3::operation::delete_objects::{DeleteObjectsInput, DeleteObjectsOutput};
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::get_bucket_logging::GetBucketLoggingOutput;
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::operation::get_object_lock_configuration::GetObjectLockConfigurationOutput;
use aws_sdk_s3::operation::list_bucket_inventory_configurations::ListBucketInventoryConfigurationsOutput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::operation::put_bucket_acl::PutBucketAclOutput;
use aws_sdk_s3::operation::put_bucket_ownership_controls::{
    PutBucketOwnershipControlsError, PutBucketOwnershipControlsOutput,
};
use aws_sdk_s3::types::{self, DeleteMarkerEntry, MultipartUpload, ObjectVersion};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::aws::testing::aws;
use crate::resources::bucket;
use crate::resources::testing::wanted;

/// The most that S3 lists and deletes with one call.
const PAGE: usize = 1000;

/// What a bucket holds, each with its version, and whether that is a delete marker.
#[derive(Clone, Default)]
struct PurgeWorld {
    versions: Arc<Mutex<BTreeMap<(String, String), bool>>>,
    uploads: Arc<Mutex<Vec<String>>>,
    /// The errors that deleting gives, one for each call, before it works.
    errors: Arc<Mutex<Vec<&'static str>>>,
    bucket_deleted: Arc<Mutex<bool>>,
}

impl PurgeWorld {
    fn holding(versions: usize, markers: usize, uploads: usize) -> Self {
        let objects = (0..versions + markers).map(|index| {
            let marker = index >= versions;
            ((format!("k{index:05}"), format!("v{index}")), marker)
        });
        Self {
            versions: Arc::new(Mutex::new(objects.collect())),
            uploads: Arc::new(Mutex::new((0..uploads).map(|it| format!("u{it}")).collect())),
            ..Self::default()
        }
    }

    fn failing(self, errors: &[&'static str]) -> Self {
        *self.errors.lock().unwrap() = errors.to_vec();
        self
    }

    fn list(&self) -> ListObjectVersionsOutput {
        let versions = self.versions.lock().unwrap();
        let mut page = ListObjectVersionsOutput::builder().is_truncated(versions.len() > PAGE);
        for ((key, version), marker) in versions.iter().take(PAGE) {
            page = if *marker {
                page.delete_markers(DeleteMarkerEntry::builder().key(key).version_id(version).build())
            } else {
                page.versions(ObjectVersion::builder().key(key).version_id(version).build())
            };
        }
        page.build()
    }

    fn delete(&self, input: &DeleteObjectsInput) -> DeleteObjectsOutput {
        let objects = input.delete().unwrap().objects();
        assert!(!objects.is_empty() && objects.len() <= PAGE);
        let mut errors = self.errors.lock().unwrap();
        let mut answer = DeleteObjectsOutput::builder();
        let mut kept = 0;
        if !errors.is_empty() {
            let error = types::Error::builder().key(objects[0].key()).code(errors.remove(0));
            answer = answer.errors(error.build());
            kept = 1;
        }
        let mut versions = self.versions.lock().unwrap();
        for object in &objects[kept..] {
            let version = object.version_id().unwrap().to_owned();
            assert!(versions.remove(&(object.key().to_owned(), version)).is_some());
        }
        answer.build()
    }

    fn rules(&self) -> [Rule; 5] {
        let world = self.clone();
        let list = mock!(aws_sdk_s3::Client::list_object_versions).then_output(move || world.list());
        let world = self.clone();
        let delete = mock!(aws_sdk_s3::Client::delete_objects)
            .then_compute_output(move |input: &DeleteObjectsInput| world.delete(input));
        let world = self.clone();
        let uploads = mock!(aws_sdk_s3::Client::list_multipart_uploads).then_output(move || {
            let uploads = world.uploads.lock().unwrap();
            let page = ListMultipartUploadsOutput::builder().is_truncated(uploads.len() > PAGE);
            let upload = |id: &String| MultipartUpload::builder().key("k").upload_id(id).build();
            page.set_uploads(Some(uploads.iter().take(PAGE).map(upload).collect())).build()
        });
        let world = self.clone();
        let abort = mock!(aws_sdk_s3::Client::abort_multipart_upload).then_output(move || {
            world.uploads.lock().unwrap().remove(0);
            AbortMultipartUploadOutput::builder().build()
        });
        let world = self.clone();
        let delete_bucket = mock!(aws_sdk_s3::Client::delete_bucket).then_output(move || {
            *world.bucket_deleted.lock().unwrap() = true;
            DeleteBucketOutput::builder().build()
        });
        [list, delete, uploads, abort, delete_bucket]
    }

    async fn purge(&self) -> Result<(), AwsError> {
        let rules = self.rules();
        let aws = aws(&[], &rules.each_ref());
        let want = wanted("name: flags\n", bucket::want);
        let step = Step::new(&aws, bucket::KIND, &want.name);
        want.delete(&want.name, &step).await
    }

    fn left(&self) -> (usize, usize, bool) {
        let (versions, uploads) = (self.versions.lock().unwrap().len(), self.uploads.lock().unwrap().len());
        (versions, uploads, !*self.bucket_deleted.lock().unwrap())
    }
}

mod calls;

#[tokio::test]
async fn every_version_marker_and_upload_goes_over_as_many_pages_as_there_are() {
    let world = PurgeWorld::holding(2_100, 1_300, 1_001);
    world.purge().await.unwrap();
    assert_eq!(world.left(), (0, 0, false));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_s3_could_not_delete_is_deleted_again() {
    let world =
        PurgeWorld::holding(1_500, 0, 0).failing(&["InternalError", "SlowDown", "ServiceUnavailable"]);
    world.purge().await.unwrap();
    assert_eq!(world.left(), (0, 0, false));
}

#[tokio::test(start_paused = true)]
async fn what_s3_never_deletes_is_an_error_and_the_bucket_stays() {
    let world = PurgeWorld::holding(3, 0, 0).failing(&["SlowDown"; 100]);
    let error = world.purge().await.unwrap_err();
    assert_eq!(error.message, "k00000 could not be deleted: SlowDown");
    assert_eq!(world.left(), (1, 0, true));
}

#[tokio::test]
async fn an_object_that_must_not_be_deleted_is_an_error_at_once() {
    let world = PurgeWorld::holding(3, 0, 1).failing(&["AccessDenied"]);
    let error = world.purge().await.unwrap_err();
    assert_eq!(error.message, "k00000 could not be deleted: AccessDenied");
    assert_eq!(world.left(), (1, 1, true));
}

#[tokio::test]
async fn an_acl_that_gives_the_bucket_away_goes_before_acls_end() {
    let refused = || {
        PutBucketOwnershipControlsError::generic(
            ErrorMetadata::builder().code("InvalidBucketAclWithObjectOwnership").build(),
        )
    };
    let controls = mock!(aws_sdk_s3::Client::put_bucket_ownership_controls)
        .sequence()
        .error(refused)
        .output(|| PutBucketOwnershipControlsOutput::builder().build())
        .build();
    let acl = mock!(aws_sdk_s3::Client::put_bucket_acl)
        .match_requests(|input| input.acl() == Some(&types::BucketCannedAcl::Private))
        .then_output(|| PutBucketAclOutput::builder().build());
    let aws = aws(&[], &[&controls, &acl]);
    wanted("name: flags\n", bucket::want).put_object_ownership(&aws).await.unwrap();
    assert_eq!((controls.num_calls(), acl.num_calls()), (2, 1));
}

/// The lifecycle that is found where a bucket has this rule.
async fn lifecycle_with(rule: types::builders::LifecycleRuleBuilder) -> Lifecycle {
    let rule = rule.status(types::ExpirationStatus::Enabled).build().unwrap();
    let lifecycle = mock!(aws_sdk_s3::Client::get_bucket_lifecycle_configuration).then_output(move || {
        let answer = GetBucketLifecycleConfigurationOutput::builder();
        answer.rules(rule.clone()).build()
    });
    let bucket = wanted("name: flags\n", bucket::want);
    bucket.lifecycle(&aws(&[], &[&lifecycle])).await.unwrap()
}

#[tokio::test]
async fn a_rule_of_ours_that_does_more_is_ours_no_more() {
    let aborts = || {
        let abort = types::AbortIncompleteMultipartUpload::builder().days_after_initiation(7);
        let rule = types::LifecycleRule::builder().id(ABORT);
        rule.abort_incomplete_multipart_upload(abort.build())
    };
    let expires = || {
        let filter = types::LifecycleRuleFilter::builder().prefix("impressions/");
        let rule = types::LifecycleRule::builder().id(EXPIRE).filter(filter.build());
        rule.expiration(types::LifecycleExpiration::builder().days(30).build())
    };
    let found = lifecycle_with(aborts()).await;
    assert_eq!((found.abort_uploads_days, found.other_rules.len()), (Some(7), 0));
    let found = lifecycle_with(expires()).await;
    assert_eq!((found.expire_days, found.other_rules.len()), (Some(30), 0));

    let glacier = types::Transition::builder()
        .days(1)
        .storage_class(types::TransitionStorageClass::DeepArchive)
        .build();
    let day = types::LifecycleExpiration::builder().days(1).build();
    let versions = types::NoncurrentVersionExpiration::builder().noncurrent_days(1);
    let small = types::LifecycleRuleFilter::builder().object_size_less_than(1).build();
    for (id, rule) in [
        (ABORT, aborts().transitions(glacier.clone())),
        // The rule is for the whole bucket.
        (ABORT, aborts().expiration(day)),
        (ABORT, aborts().noncurrent_version_expiration(versions.build())),
        (ABORT, aborts().filter(small.clone())),
        (EXPIRE, expires().transitions(glacier)),
        (EXPIRE, expires().filter(small)),
    ] {
        let found = lifecycle_with(rule).await;
        assert_eq!(found.other_rules, [id]);
        assert_eq!((found.abort_uploads_days, found.expire_days), (None, None));
    }
}

#[tokio::test]
async fn lists_of_objects_for_others_and_a_lock_are_named() {
    let notified = mock!(aws_sdk_s3::Client::get_bucket_notification_configuration)
        .then_output(|| GetBucketNotificationConfigurationOutput::builder().build());
    let inventories = mock!(aws_sdk_s3::Client::list_bucket_inventory_configurations).then_output(|| {
        let target = types::InventoryS3BucketDestination::builder()
            .bucket("arn:aws:s3:::theirs")
            .format(types::InventoryFormat::Csv);
        let target = types::InventoryDestination::builder().s3_bucket_destination(target.build().unwrap());
        let daily = types::InventorySchedule::builder().frequency(types::InventoryFrequency::Daily);
        let inventory = types::InventoryConfiguration::builder()
            .id("all")
            .is_enabled(true)
            .included_object_versions(types::InventoryIncludedObjectVersions::All)
            .schedule(daily.build().unwrap())
            .destination(target.build());
        ListBucketInventoryConfigurationsOutput::builder()
            .inventory_configuration_list(inventory.build().unwrap())
            .build()
    });
    let log = mock!(aws_sdk_s3::Client::get_bucket_logging)
        .then_output(|| GetBucketLoggingOutput::builder().build());
    let lock = mock!(aws_sdk_s3::Client::get_object_lock_configuration).then_output(|| {
        let retention = types::DefaultRetention::builder().years(7);
        let rule = types::ObjectLockRule::builder().default_retention(retention.build());
        let lock = types::ObjectLockConfiguration::builder().rule(rule.build());
        GetObjectLockConfigurationOutput::builder().object_lock_configuration(lock.build()).build()
    });
    let aws = aws(&[], &[&notified, &inventories, &log, &lock]);
    let named = wanted("name: flags\n", bucket::want).left_by_others(&aws).await.unwrap();
    assert_eq!(
        named,
        [
            "an inventory lists its objects in arn:aws:s3:::theirs",
            "Object Lock keeps its objects longer than the spec says"
        ]
    );
}
