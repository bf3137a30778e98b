//! Unit tests of the bucket's own calls: whether it is there, what an update changes, and what is asked about.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::operation::create_bucket::{CreateBucketError, CreateBucketOutput};
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_bucket_tagging::{GetBucketTaggingError, GetBucketTaggingOutput};
use aws_sdk_s3::operation::head_bucket::{HeadBucketError, HeadBucketOutput};
use aws_sdk_s3::operation::put_bucket_encryption::PutBucketEncryptionOutput;
use aws_sdk_s3::operation::put_bucket_lifecycle_configuration::PutBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::put_bucket_ownership_controls::PutBucketOwnershipControlsOutput;
use aws_sdk_s3::operation::put_bucket_policy::PutBucketPolicyOutput;
use aws_sdk_s3::operation::put_bucket_tagging::PutBucketTaggingOutput;
use aws_sdk_s3::operation::put_bucket_versioning::PutBucketVersioningOutput;
use aws_sdk_s3::operation::put_public_access_block::PutPublicAccessBlockOutput;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_mocks::MockResponse;
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::aws::testing::Seen;
use crate::resource::{Phase, Target};
use crate::resources::bucket;
use crate::resources::testing::wanted;

fn own() -> Target<Bucket> {
    wanted("name: flags\n", bucket::want)
}

fn users() -> Target<Bucket> {
    wanted("name: flags\ndelivery: {bucket: shared, existing_bucket: true}\n", bucket::want)
}

fn head(code: Option<&'static str>) -> Rule {
    match code {
        // S3 answers so, without a code, for a bucket of another region.
        Some("301") => mock!(Client::head_bucket)
            .then_http_response(|| HttpResponse::new(301.try_into().unwrap(), SdkBody::empty())),
        None => mock!(Client::head_bucket).then_output(|| HeadBucketOutput::builder().build()),
        Some(code) => mock!(Client::head_bucket)
            .then_error(move || HeadBucketError::generic(ErrorMetadata::builder().code(code).build())),
    }
}

#[tokio::test]
async fn a_bucket_is_absent_or_out_of_reach() {
    let look = async |bucket: &Target<Bucket>, code| {
        let found = bucket.observe(&aws(&[], &[&head(code)])).await;
        found.map(|found| found.map(|found| (found.id, found.phase)))
    };
    let there = Some(("shared".to_owned(), Phase::Ready));
    assert_eq!(look(&users(), None).await.unwrap(), there);
    for bucket in [own(), users()] {
        assert_eq!(look(&bucket, Some("NoSuchBucket")).await.unwrap(), None);
        let error = look(&bucket, Some("AccessDenied")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        let why = "belongs to somebody else, or these credentials may not see it; `delivery.bucket` names another one";
        assert_eq!(error.message, format!("the bucket {} {why}", bucket.name));
        let error = look(&bucket, Some("301")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Elsewhere);
        assert!(error.message.contains("is in another region"), "{}", error.message);
        let error = look(&bucket, Some("Weird")).await.unwrap_err();
        assert!(!error.message.contains("delivery.bucket"), "{}", error.message);
    }
}

#[tokio::test]
async fn only_a_bucket_of_the_users_own_may_belong_to_another_account() {
    for (bucket, owner) in [(own(), Some("123456789012")), (users(), None)] {
        let rule = mock!(Client::head_bucket).then_compute_output(move |input| {
            assert_eq!(input.expected_bucket_owner(), owner);
            HeadBucketOutput::builder().build()
        });
        assert!(bucket.exists(&aws(&[], &[&rule])).await.unwrap());
        assert_eq!(bucket.is_users(), owner.is_none());
    }
}

/// The calls that change one setting each.
fn puts() -> [Rule; 7] {
    [
        mock!(Client::put_bucket_tagging).then_compute_output(|input| {
            let tags = input.tagging().unwrap().tag_set();
            let tags: Tags = tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
            assert_eq!(tags, own().tags);
            PutBucketTaggingOutput::builder().build()
        }),
        mock!(Client::put_public_access_block).then_output(|| PutPublicAccessBlockOutput::builder().build()),
        mock!(Client::put_bucket_ownership_controls)
            .then_output(|| PutBucketOwnershipControlsOutput::builder().build()),
        mock!(Client::put_bucket_policy).then_compute_output(|input| {
            assert_eq!(policy_value(input.policy().unwrap()), own().state.policy);
            PutBucketPolicyOutput::builder().build()
        }),
        mock!(Client::put_bucket_encryption).then_output(|| PutBucketEncryptionOutput::builder().build()),
        mock!(Client::put_bucket_versioning).then_output(|| PutBucketVersioningOutput::builder().build()),
        mock!(Client::put_bucket_lifecycle_configuration)
            .then_output(|| PutBucketLifecycleConfigurationOutput::builder().build()),
    ]
}

#[tokio::test]
async fn an_update_makes_one_call_for_what_differs_and_none_for_the_rest() {
    type Change = fn(&mut Observed<Bucket>);
    let cases: [(Change, &[&str]); 8] = [
        (|_| {}, &[]),
        (|have| have.tags.clear(), &["s3:PutBucketTagging"]),
        (|have| have.state.public_access = PublicAccess::default(), &["s3:PutBucketPublicAccessBlock"]),
        (|have| have.state.object_ownership = None, &["s3:PutBucketOwnershipControls"]),
        (|have| have.state.policy = Value::Null, &["s3:PutBucketPolicy"]),
        (|have| have.state.encryption = None, &["s3:PutEncryptionConfiguration"]),
        (|have| have.state.versioning = true, &["s3:PutBucketVersioning"]),
        (|have| have.state.lifecycle = Lifecycle::default(), &["s3:PutLifecycleConfiguration"]),
    ];
    let want = own();
    for (change, calls) in cases {
        let (aws, seen) = Seen::by(aws(&[], &puts().each_ref()));
        let mut have = Observed {
            id: want.name.clone(),
            state: want.state.clone(),
            tags: want.tags.clone(),
            phase: Phase::Ready,
        };
        change(&mut have);
        let step = Step::new(&aws, bucket::KIND, &want.name);
        assert_eq!(have.id, want.name);
        assert_eq!(want.update(have, &step).await.unwrap(), want.name);
        assert_eq!(seen.calls(), calls);
    }
}

#[tokio::test]
async fn only_us_east_1_is_not_named_when_a_bucket_is_created() {
    for (region, named) in [("us-east-1", None), ("eu-west-1", Some("eu-west-1"))] {
        let rule = mock!(Client::create_bucket).then_compute_response(move |input| {
            let config = input.create_bucket_configuration().unwrap();
            let constraint = config.location_constraint().map(BucketLocationConstraint::as_str);
            assert_eq!((constraint, config.tags().len()), (named, own().tags.len()));
            let enough = ErrorMetadata::builder().code("AccessDenied").build();
            MockResponse::<CreateBucketOutput, _>::Error(CreateBucketError::generic(enough))
        });
        let mut aws = aws(&[], &[&rule]);
        region.clone_into(&mut aws.region);
        let want = own();
        let step = Step::new(&aws, bucket::KIND, &want.name);
        let error = want.create(&step).await.map(drop).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
    }
}

fn tagging(error: fn() -> ErrorMetadata) -> Rule {
    mock!(Client::get_bucket_tagging).then_error(move || GetBucketTaggingError::generic(error()))
}

#[tokio::test]
async fn tags_and_policy_are_read_as_they_are() {
    let tag = || Tag::builder().key("team").value("growth").build().unwrap();
    let tags = mock!(Client::get_bucket_tagging)
        .then_output(move || GetBucketTaggingOutput::builder().tag_set(tag()).build().unwrap());
    let policy = mock!(Client::get_bucket_policy).then_output(|| {
        let policy = own().state.policy.to_string();
        GetBucketPolicyOutput::builder().policy(policy).build()
    });
    let there = aws(&[], &[&tags, &policy]);
    let want = own();
    let growth = Tags::from([("team".to_owned(), "growth".to_owned())]);
    assert_eq!(want.read_tags(&there).await.unwrap(), growth);
    assert_eq!(want.policy(&there).await.unwrap(), want.state.policy);
    let none = aws(&[], &[&tagging(|| ErrorMetadata::builder().code("NoSuchTagSet").build())]);
    assert_eq!(want.read_tags(&none).await.unwrap(), Tags::new());
}

#[test]
fn only_what_starts_to_delete_existing_objects_is_asked_about() {
    let bucket = |delivery: &str| wanted(&format!("name: flags\ndelivery: {delivery}\n"), bucket::want);
    let says = |days| {
        Some(format!(
            "bucket flags-123456789012-us-east-1: S3 deletes objects under impressions/dt= that are older than {days} days, existing \
             ones included"
        ))
    };
    let (none, week, month) = (bucket("{}"), bucket("{expire_days: 7}"), bucket("{expire_days: 30}"));
    let fresh =
        |holds_expirable| State { lifecycle: Lifecycle::default(), holds_expirable, ..none.state.clone() };
    assert_eq!(none.caution(&month.state), None);
    assert_eq!(week.caution(&week.state), None);
    assert_eq!(month.caution(&week.state), None);
    assert_eq!(week.caution(&month.state), says(7));
    assert_eq!(month.caution(&none.state), says(30));
    // A bucket that was created a moment ago has no rule and no object.
    assert_eq!(month.caution(&fresh(false)), None);
    assert_eq!(month.caution(&fresh(true)), says(30));
}
