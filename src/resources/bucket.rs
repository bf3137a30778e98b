//! The S3 bucket that impressions end in.
//!
//! Never deleted with data in it unless the data is purged on request, and never replaced.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership, Tag, Tagging};
use serde::Serialize;
use serde_json::Value;

use super::{policy_value, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

mod additions;
mod purge;
mod settings;

pub use settings::{ABORT, EXPIRE, Encryption, Lifecycle, PublicAccess};

/// The bucket as it should be.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub ownership: Ownership,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// Whose a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The pipeline's: made, changed and deleted by it.
    Pipeline,
    /// The user's: only written to.
    User,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// The public access block.
    pub public_access: PublicAccess,
    /// The bucket policy.
    pub policy: Value,
    /// The default encryption.
    pub encryption: Option<Encryption>,
    /// Whether versions of objects are kept.
    pub versioning: bool,
    /// Who owns objects, such as `BucketOwnerEnforced`.
    pub object_ownership: Option<String>,
    /// When objects expire.
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

impl Resource for Bucket {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Bucket,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent((): &()) {}

    fn external(&self) -> bool {
        self.ownership == Ownership::User
    }

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        if !self.exists(aws).await? {
            return Ok(None);
        }
        if self.external() {
            // The rest of somebody else's bucket is none of our business, and may not be ours to read.
            let (state, tags) = (self.state.clone(), self.tags.clone());
            return Ok(Some(Observed {
                id: self.name.clone(),
                state,
                tags,
                phase: Phase::Ready,
            }));
        }
        self.look(aws).await.map(Some)
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let tags = s3_tags(&self.tags)?;
        let mut config = CreateBucketConfiguration::builder().set_tags(Some(tags));
        // us-east-1 is the one region that must not be named.
        if step.aws.region != "us-east-1" {
            config = config.location_constraint(BucketLocationConstraint::from(step.aws.region.as_str()));
        }
        let config = config.build();
        let create = async || {
            let request = || {
                let call = step.aws.s3.create_bucket().bucket(&self.name);
                let call = call.object_ownership(ObjectOwnership::BucketOwnerEnforced);
                call.create_bucket_configuration(config.clone()).send()
            };
            step.aws.call("s3:CreateBucket", request).await
        };
        step.settle(create).await?;
        // What a new bucket has is up to AWS: today, public access blocked and encryption.
        self.look(step.aws).await
    }

    /// Changes what differs. One call after the other: S3 aborts concurrent changes of one bucket.
    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        let (aws, want, had) = (step.aws, &self.state, &have.state);
        if have.tags != self.tags {
            step.settle(async || self.write_tags(aws).await).await?;
        }
        // Before versioning, which S3 does not suspend while it copies.
        if had.copies != want.copies {
            step.settle(async || self.stop_copying(aws).await).await?;
        }
        if had.public_access != want.public_access {
            step.settle(async || self.put_public_access(aws).await).await?;
        }
        if had.object_ownership != want.object_ownership {
            step.settle(async || self.put_object_ownership(aws).await).await?;
        }
        if had.policy != want.policy {
            step.settle(async || self.put_policy(aws).await).await?;
        }
        if had.encryption != want.encryption {
            step.settle(async || self.put_encryption(aws).await).await?;
        }
        if had.versioning != want.versioning {
            step.settle(async || self.put_versioning(aws).await).await?;
        }
        if had.lifecycle != want.lifecycle {
            step.settle(async || self.put_lifecycle(aws).await).await?;
        }
        Ok(self.name.clone())
    }

    /// Deletes the bucket and everything in it.
    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        step.waiting("its objects to be deleted");
        self.purge(step.aws).await?;
        let delete = async || {
            let request = || step.aws.s3.delete_bucket().bucket(&self.name).send();
            step.aws.call("s3:DeleteBucket", request).await.found()
        };
        step.settle(delete).await.map(drop)
    }

    fn left_alone<'a>(&self, have: &'a State) -> &'a [String] {
        &have.left_alone
    }

    fn caution(&self, have: &State) -> Option<String> {
        let want = &self.state.lifecycle;
        let (days, prefix) = (want.expire_days?, want.expire_prefix.as_deref()?);
        // A first `up` that was interrupted leaves an empty bucket without any rule.
        let is_new = have.lifecycle == Lifecycle::default() && !have.holds_expirable;
        (!is_new && want.deletes_more_than(&have.lifecycle)).then(|| {
            format!(
                "bucket {}: S3 deletes objects under {prefix} that are older than {days} days, existing ones included",
                self.name
            )
        })
    }
}

impl Bucket {
    async fn look(&self, aws: &Aws) -> Result<Observed<Self>, AwsError> {
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
        Ok(Observed {
            id: self.name.clone(),
            state,
            tags,
            phase: Phase::Ready,
        })
    }

    async fn exists(&self, aws: &Aws) -> Result<bool, AwsError> {
        // A bucket of the usual name that somebody else made must not get our impressions, even if it lets us in.
        let owner = (!self.external()).then(|| aws.account.clone());
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
        let message = format!(
            "the bucket {} {why}; `delivery.bucket` names another one",
            self.name
        );
        AwsError::new("s3:HeadBucket", kind, message)
    }

    async fn read_tags(&self, aws: &Aws) -> Result<Tags, AwsError> {
        let request = || aws.s3.get_bucket_tagging().bucket(&self.name).send();
        let answer = aws.call("s3:GetBucketTagging", request).await.found()?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(tags_from(tags.iter().map(|tag| (tag.key(), tag.value()))))
    }

    async fn write_tags(&self, aws: &Aws) -> Result<(), AwsError> {
        let tagging = Tagging::builder()
            .set_tag_set(Some(s3_tags(&self.tags)?))
            .build()?;
        let request = || {
            aws.s3
                .put_bucket_tagging()
                .bucket(&self.name)
                .tagging(tagging.clone())
                .send()
        };
        aws.call("s3:PutBucketTagging", request).await.map(drop)
    }

    async fn policy(&self, aws: &Aws) -> Result<Value, AwsError> {
        let request = || aws.s3.get_bucket_policy().bucket(&self.name).send();
        let answer = aws.call("s3:GetBucketPolicy", request).await.found()?;
        Ok(answer
            .and_then(|answer| answer.policy)
            .map_or(Value::Null, |text| policy_value(&text)))
    }

    async fn put_policy(&self, aws: &Aws) -> Result<(), AwsError> {
        let policy = self.state.policy.to_string();
        let request = || {
            aws.s3
                .put_bucket_policy()
                .bucket(&self.name)
                .policy(&policy)
                .send()
        };
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
