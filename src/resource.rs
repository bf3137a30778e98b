//! What every resource of the pipeline has in common: how it is looked at, compared, decided on and brought to
//! where it should be.
//!
//! Owns the trait, the comparison, the decision and the steps that carry it out. Must not know any one resource.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::aws::{Aws, AwsError};

mod decision;
mod diff;
mod ensure;
mod step;

pub use decision::{Adoption, Decision, Owner, decide, is_ours};
pub use diff::{FieldChange, differences};
pub use ensure::{ensure, gone, ready, settled};
pub use step::Step;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The kinds of resources that make up a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The S3 bucket that impressions end in.
    Bucket,
    /// The Kinesis stream between function and delivery.
    Stream,
    /// The role that the delivery stream assumes.
    DeliveryRole,
    /// The role that the function assumes.
    FunctionRole,
    /// Where the function logs.
    FunctionLogGroup,
    /// Where the delivery stream logs its errors.
    DeliveryLogGroup,
    /// The Glue database that the table is in.
    Database,
    /// The Glue table of what is delivered, by which Firehose converts it.
    Table,
    /// The Firehose delivery stream from the stream to the bucket.
    DeliveryStream,
    /// The Lambda function behind the webhook.
    Function,
    /// The REST API that is the webhook.
    RestApi,
    /// The stage that opens the REST API to the world.
    Stage,
    /// The SNS topic that tells people of alarms.
    AlarmTopic,
    /// A CloudWatch alarm.
    Alarm,
    /// The CloudWatch dashboard.
    Dashboard,
}

impl Kind {
    /// The name as in the JSON results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Stream => "stream",
            Self::DeliveryRole => "delivery_role",
            Self::FunctionRole => "function_role",
            Self::FunctionLogGroup => "function_log_group",
            Self::DeliveryLogGroup => "delivery_log_group",
            Self::Database => "database",
            Self::Table => "table",
            Self::DeliveryStream => "delivery_stream",
            Self::Function => "function",
            Self::RestApi => "rest_api",
            Self::Stage => "stage",
            Self::AlarmTopic => "alarm_topic",
            Self::Alarm => "alarm",
            Self::Dashboard => "dashboard",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One kind of AWS resource: what it should be, and the calls that look at and change it.
///
/// The value itself is the desired resource. `update` is the only place that knows how to reach a state:
/// `create` makes the bare resource and reports what AWS made of it, and the difference is then updated.
#[expect(
    async_fn_in_trait,
    reason = "the engine joins these futures on one task, so they need no Send bound"
)]
pub trait Resource: Sized {
    /// What is compared between desired and observed; serialized, its fields are the plan's paths.
    type State: Serialize;
    /// What AWS calls it, as far as other resources or calls need to know.
    type Id: Clone;
    /// What must be known to look for it.
    type Parent;
    /// What must exist before it.
    type Needs;

    /// What it is and should be.
    fn about(&self) -> About<'_, Self::State>;
    /// The id as the user would look it up.
    fn display_id(id: &Self::Id) -> String;
    /// What must be known to look for it, out of what must exist before it.
    fn parent(needs: &Self::Needs) -> Self::Parent;

    /// Looks at it; absence is a value.
    async fn observe(&self, aws: &Aws, parent: &Self::Parent) -> Result<Option<Observed<Self>>, AwsError>;
    /// Looks at it without its tags, where those take a call of their own: for waiting.
    async fn describe(&self, aws: &Aws, parent: &Self::Parent) -> Result<Option<Described<Self>>, AwsError> {
        Ok(self.observe(aws, parent).await?.map(Observed::untagged))
    }
    /// Makes the bare resource, tagged as ours; one that is there already is an error of the kind `Exists`.
    async fn create(&self, needs: &Self::Needs, step: &Step<'_>) -> Result<Observed<Self>, AwsError>;
    /// Brings it from `have` to the desired state.
    async fn update(
        &self,
        have: &Observed<Self>,
        needs: &Self::Needs,
        step: &Step<'_>,
    ) -> Result<Self::Id, AwsError>;
    /// Deletes it and waits until it is gone; that it is gone already counts as deleted.
    async fn delete(&self, id: &Self::Id, step: &Step<'_>) -> Result<(), AwsError>;

    /// Which kind this is.
    fn kind(&self) -> Kind {
        self.about().kind
    }
    /// Its name.
    fn name(&self) -> &str {
        self.about().name
    }
    /// The state that it should be in.
    fn want(&self) -> &Self::State {
        self.about().state
    }
    /// The tags that it should carry.
    fn tags(&self) -> &Tags {
        self.about().tags
    }
    /// Why the observed state cannot be changed in place, if so.
    fn replacement(&self, _have: &Self::State) -> Option<Replacement> {
        None
    }
    /// What the user has to agree to before the change is made, if anything: it shrinks or moves something.
    fn caution(&self, _have: &Self::State) -> Option<String> {
        None
    }
    /// What somebody added that exposes data or costs money, and that `up` does not change because it may be meant.
    fn left_alone<'a>(&self, _have: &'a Self::State) -> &'a [String] {
        &[]
    }
    /// Whether the spec asks for it; what it no longer asks for is deleted.
    fn wanted(&self) -> bool {
        true
    }
    /// Whether it belongs to the user, who made it and keeps it.
    fn external(&self) -> bool {
        false
    }
}

/// What a resource is and should be.
pub struct About<'a, S> {
    /// Which kind it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
    /// The state that it should be in.
    pub state: &'a S,
    /// The tags that it should carry.
    pub tags: &'a Tags,
}

/// What is to be done where a state cannot be changed in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Delete it and make it anew; holds why.
    Recreate(String),
    /// It holds data, so only its owner may do that; holds why and what to do.
    Refuse(String),
}

/// What a look at an existing resource found.
pub struct Observed<R: Resource> {
    /// What AWS calls it.
    pub id: R::Id,
    /// The part of its state that is compared.
    pub state: R::State,
    /// Its tags, without AWS's own.
    pub tags: Tags,
    /// Whether it can be used and changed.
    pub phase: Phase,
}

/// What a look at an existing resource found, but for its tags.
pub struct Described<R: Resource> {
    /// What AWS calls it.
    pub id: R::Id,
    /// The part of its state that is compared.
    pub state: R::State,
    /// Whether it can be used and changed.
    pub phase: Phase,
}

impl<R: Resource> Observed<R> {
    /// The whole, without the tags.
    pub fn untagged(self) -> Described<R> {
        let Self { id, state, phase, .. } = self;
        Described { id, state, phase }
    }
}

impl<R: Resource> Described<R> {
    /// The whole, with the tags.
    pub fn tagged(self, tags: Tags) -> Observed<R> {
        let Self { id, state, phase } = self;
        Observed {
            id,
            state,
            tags,
            phase,
        }
    }
}

/// Where a resource is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It can be used and changed.
    Ready,
    /// AWS is making or changing it; holds AWS's word for it.
    Pending(String),
    /// AWS is deleting it.
    Deleting,
    /// AWS could not make it; holds why.
    Failed(String),
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is absent and will be made.
    Create,
    /// It differs and will be changed in place.
    Update,
    /// It differs in what cannot be changed, and will be deleted and made anew.
    Replace,
    /// It is somebody else's and will be tagged as ours.
    Adopt,
    /// It is as it should be.
    Keep,
    /// It stands in the way and nothing will be done.
    Refuse,
    /// It will be deleted.
    Delete,
}

impl Action {
    /// The action as something done.
    pub fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Replace => "replaced",
            Self::Adopt => "adopted",
            Self::Delete => "deleted",
            Self::Keep | Self::Refuse => "unchanged",
        }
    }
}

#[cfg(test)]
mod tests;
