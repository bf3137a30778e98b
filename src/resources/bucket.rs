//! The S3 bucket that impressions end in.
//!
//! Never deleted with data in it unless the data is purged on request, and never replaced.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership, Tag, Tagging};
use serde::Serialize;
use serde_json::{Value, json};

use super::policy::{document, policy_value};
use super::{Blueprint, Transport, signed, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::kind::Kind;
use crate::names::Tags;
use crate::resource::{Changes, Existence, Observed, Resource, Step, TagChanges, Target};
use crate::spec::BucketEncryption;

mod additions;
mod export;
mod grants;
mod purge;
mod settings;
mod terraform;

pub use settings::{ABORT, EXPIRE, Encryption, Lifecycle, PublicAccess};

pub const KIND: Kind = Kind::new("bucket");

#[derive(Clone, Copy, Debug)]
pub struct Bucket;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub public_access: PublicAccess,
    pub policy: Value,
    pub encryption: Option<Encryption>,
    pub versioning: bool,
    /// Who owns objects, such as `BucketOwnerEnforced`.
    pub object_ownership: Option<String>,
    pub lifecycle: Lifecycle,
    /// Where S3 copies every object to: nowhere.
    pub copies: Vec<String>,
    /// What somebody added that may be meant; not compared.
    #[serde(skip)]
    pub left_alone: Vec<String>,
    /// Whether objects exist under the prefix that the desired lifecycle expires; not compared.
    #[serde(skip)]
    pub holds_expirable: bool,
}

/// After how many days S3 drops what a deleted object leaves behind in a bucket that keeps, or kept, versions.
const EXPIRE_VERSIONS_DAYS: i32 = 1;

/// After how many days S3 drops the parts of uploads that were never finished.
const ABORT_UPLOADS_DAYS: i32 = 7;

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Bucket> {
    let Blueprint { spec, names, .. } = blueprint;
    let name = names.bucket(spec);
    let expire_days = spec.delivery.expire_days.map(|days| signed(days.get()));
    let state = State {
        public_access: PublicAccess::blocked(),
        policy: tls_only(&names.bucket_arn(&name), blueprint.platform.transport),
        encryption: Some(bucket_encryption(&spec.delivery.encryption)),
        versioning: spec.delivery.versioning,
        object_ownership: Some("BucketOwnerEnforced".to_owned()),
        lifecycle: Lifecycle {
            expire_days,
            expire_prefix: expire_days.map(|_| spec.delivery.prefix.fixed_part().to_owned()),
            expire_versions_days: expire_days.map(|_| EXPIRE_VERSIONS_DAYS),
            abort_uploads_days: Some(ABORT_UPLOADS_DAYS),
            other_rules: Vec::new(),
        },
        copies: Vec::new(),
        left_alone: Vec::new(),
        holds_expirable: false,
    };
    let existence = if spec.delivery.existing_bucket { Existence::Users } else { Existence::Wanted };
    let arn = names.bucket_arn(&name);
    Target { existence, ..blueprint.target(KIND, (name, arn), state, ()) }
}

fn bucket_encryption(encryption: &BucketEncryption) -> Encryption {
    match encryption {
        BucketEncryption::S3Managed => {
            Encryption { algorithm: "AES256".to_owned(), key: None, bucket_key: None }
        }
        BucketEncryption::Key(key) => Encryption {
            algorithm: "aws:kms".to_owned(),
            key: Some(key.clone()),
            // One call to KMS for many objects instead of one for each.
            bucket_key: Some(true),
        },
    }
}

/// The addresses that an emulator's clients have, and a client of AWS never.
const PRIVATE_ADDRESSES: [&str; 4] = ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// The bucket policy that refuses every request without TLS. Where there is no TLS to be had, it lets the machines
/// nearby in all the same: nothing could reach the bucket otherwise.
fn tls_only(bucket_arn: &str, transport: Transport) -> Value {
    let mut statement = json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, format!("{bucket_arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    if transport == Transport::Plain {
        statement["Condition"]["NotIpAddress"] = json!({ "aws:SourceIp": PRIVATE_ADDRESSES });
    }
    document(&[statement])
}

impl Resource for Bucket {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        if !want.exists(aws).await? {
            return Ok(None);
        }
        if want.is_users() {
            // The rest of somebody else's bucket is none of our business, and may not be ours to read.
            let (state, tags) = (want.state.clone(), want.tags.clone());
            return Ok(Some(Observed::ready(want.name.clone(), state, tags)));
        }
        want.look(aws).await.map(Some)
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let tags = s3_tags(&want.tags)?;
        let mut config = CreateBucketConfiguration::builder().set_tags(Some(tags));
        // us-east-1 is the one region that must not be named.
        if step.aws.region != "us-east-1" {
            config = config.location_constraint(BucketLocationConstraint::from(step.aws.region.as_str()));
        }
        let config = config.build();
        let request = || {
            let call = step.aws.s3.create_bucket().bucket(&want.name);
            let call = call.object_ownership(ObjectOwnership::BucketOwnerEnforced);
            call.create_bucket_configuration(config.clone()).send()
        };
        step.call("s3:CreateBucket", request).await?;
        // What a new bucket has is up to AWS: today, public access blocked and encryption.
        want.look(step.aws).await
    }

    /// Changes what differs. One call after the other: S3 aborts concurrent changes of one bucket.
    async fn update(
        want: &Target<Self>,
        _have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        let aws = step.aws;
        // Before versioning, which S3 does not suspend while it copies.
        if changes.has("copies") {
            step.settle(async || want.stop_copying(aws).await).await?;
        }
        if changes.has("public_access") {
            step.settle(async || want.put_public_access(aws).await).await?;
        }
        if changes.has("object_ownership") {
            step.settle(async || want.put_object_ownership(aws).await).await?;
        }
        if changes.has("policy") {
            step.settle(async || want.put_policy(aws).await).await?;
        }
        if changes.has("encryption") {
            step.settle(async || want.put_encryption(aws).await).await?;
        }
        if changes.has("versioning") {
            step.settle(async || want.put_versioning(aws).await).await?;
        }
        if changes.has("lifecycle") {
            step.settle(async || want.put_lifecycle(aws).await).await?;
        }
        Ok(want.name.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        step.waiting("its objects to be deleted");
        want.purge(step.aws).await?;
        let request = || step.aws.s3.delete_bucket().bucket(&want.name).send();
        step.remove("s3:DeleteBucket", request).await
    }

    fn left_alone(have: &State) -> &[String] {
        &have.left_alone
    }

    fn caution(want: &Target<Self>, have: &State) -> Option<String> {
        let lifecycle = &want.state.lifecycle;
        let (days, prefix) = (lifecycle.expire_days?, lifecycle.expire_prefix.as_deref()?);
        // A first `up` that was interrupted leaves an empty bucket without any rule.
        let is_new = have.lifecycle == Lifecycle::default() && !have.holds_expirable;
        (!is_new && lifecycle.deletes_more_than(&have.lifecycle)).then(|| {
            format!(
                "bucket {}: S3 deletes objects under {prefix} that are older than {days} days, existing ones included",
                want.name
            )
        })
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        _tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        // S3 writes all tags of a bucket at once.
        step.settle(async || want.write_tags(step.aws).await).await
    }

    fn users_own() -> &'static str {
        "it is yours (existing_bucket)"
    }

    fn holds_data() -> Option<&'static str> {
        Some("it holds the impressions; --purge-data deletes it with them")
    }
}

impl Target<Bucket> {
    async fn look(&self, aws: &Aws) -> Result<Observed<Bucket>, AwsError> {
        let (
            public_access,
            policy,
            encryption,
            versioning,
            object_ownership,
            lifecycle,
            copies,
            left_alone,
            holds_expirable,
            tags,
        ) = futures_util::try_join!(
            self.public_access(aws),
            self.policy(aws),
            self.encryption(aws),
            self.versioning(aws),
            self.object_ownership(aws),
            self.lifecycle(aws),
            self.copies(aws),
            self.left_by_others(aws),
            self.holds_expirable(aws),
            self.read_tags(aws),
        )?;
        let state = State {
            public_access,
            policy,
            encryption,
            versioning,
            object_ownership,
            lifecycle,
            copies,
            left_alone,
            holds_expirable,
        };
        Ok(Observed::ready(self.name.clone(), state, tags))
    }

    async fn exists(&self, aws: &Aws) -> Result<bool, AwsError> {
        // A bucket of the usual name that somebody else made must not get our impressions, even if it lets us in.
        let owner = (!self.is_users()).then(|| aws.account.clone());
        let request = || {
            let call = aws.s3.head_bucket().bucket(&self.name);
            call.set_expected_bucket_owner(owner.clone()).send()
        };
        match aws.call("s3:HeadBucket", request).await.found() {
            Ok(found) => Ok(found.is_some()),
            Err(error) => Err(match error.kind {
                ErrorKind::Denied => {
                    let why = "belongs to somebody else, or these credentials may not see it";
                    self.out_of_reach(error.kind, why)
                }
                ErrorKind::Elsewhere => self.out_of_reach(error.kind, "is in another region"),
                _ => error,
            }),
        }
    }

    fn out_of_reach(&self, kind: ErrorKind, why: &str) -> AwsError {
        let message = format!("the bucket {} {why}; `delivery.bucket` names another one", self.name);
        AwsError::new("s3:HeadBucket", kind, message)
    }

    async fn read_tags(&self, aws: &Aws) -> Result<Tags, AwsError> {
        let request = || aws.s3.get_bucket_tagging().bucket(&self.name).send();
        let answer = aws.call("s3:GetBucketTagging", request).await.found()?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(tags_from(tags.iter().map(|tag| (tag.key(), tag.value()))))
    }

    async fn write_tags(&self, aws: &Aws) -> Result<(), AwsError> {
        let tagging = Tagging::builder().set_tag_set(Some(s3_tags(&self.tags)?)).build()?;
        let request = || aws.s3.put_bucket_tagging().bucket(&self.name).tagging(tagging.clone()).send();
        aws.call("s3:PutBucketTagging", request).await.map(drop)
    }

    async fn policy(&self, aws: &Aws) -> Result<Value, AwsError> {
        let request = || aws.s3.get_bucket_policy().bucket(&self.name).send();
        let answer = aws.call("s3:GetBucketPolicy", request).await.found()?;
        Ok(answer.and_then(|answer| answer.policy).map_or(Value::Null, |text| policy_value(&text)))
    }

    async fn put_policy(&self, aws: &Aws) -> Result<(), AwsError> {
        let policy = self.state.policy.to_string();
        let request = || aws.s3.put_bucket_policy().bucket(&self.name).policy(&policy).send();
        aws.call("s3:PutBucketPolicy", request).await.map(drop)
    }
}

fn s3_tags(tags: &Tags) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(AwsError::from)
}

#[cfg(test)]
mod tests;
