//! What every resource has in common: how the engine looks at it, compares it, decides on it and changes it.
//!
//! Owns the trait, the comparison, the decision and the steps that carry it out. Must not know any one resource.

use std::fmt::{Debug, Display};
use std::time::SystemTime;

use serde::Serialize;

use crate::aws::{Aws, AwsError};
use crate::kind::Kind;
use crate::names::Tags;

mod decision;
mod diff;
mod ensure;
mod latest;
mod step;

pub use decision::{Adoption, Decision, Owner, decide, is_ours};
pub use diff::{Changes, FieldChange, differences};
pub use ensure::{ensure, gone, ready, settled};
pub use latest::Latest;
pub use step::Step;

/// One kind of AWS resource: what of it is compared, and the calls that look at and change it.
///
/// `create` makes the resource and reports what AWS made of it; `ensure` then has `update` change what still differs.
#[expect(
    async_fn_in_trait,
    reason = "the engine joins these futures on one task, so they need no Send bound"
)]
pub trait Resource: Sized + 'static {
    /// What is compared between desired and observed; serialized, its fields are the plan's paths.
    type State: Serialize + Clone + Debug;
    /// What AWS calls the resource, as far as other resources or calls need to know; shown as a user would look it up.
    type Id: Clone + Display;
    type Extra;

    /// Looks at the resource; absence is a value.
    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError>;
    /// Looks at several resources of this kind, with fewer calls where AWS has some for that.
    async fn observe_all(wants: &[Target<Self>], aws: &Aws) -> Result<Vec<Option<Observed<Self>>>, AwsError> {
        futures_util::future::try_join_all(wants.iter().map(|want| Self::observe(want, aws))).await
    }
    /// Looks at the resource without its tags, where those take a call of their own: for waiting.
    async fn describe(want: &Target<Self>, aws: &Aws) -> Result<Option<Described<Self>>, AwsError> {
        Ok(Self::observe(want, aws).await?.map(Observed::untagged))
    }
    /// Creates the bare resource, tagged as the pipeline's.
    ///
    /// # Errors
    /// `ErrorKind::Exists` if there is one already.
    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError>;
    /// Brings the resource from `have` to the desired state. The tags are set already.
    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<Self::Id, AwsError>;
    /// Deletes the resource and waits until it is gone; a resource that is gone already counts as deleted.
    async fn delete(want: &Target<Self>, id: &Self::Id, step: &Step<'_>) -> Result<(), AwsError>;
    /// Sets and removes tags, and leaves the others.
    async fn retag(
        want: &Target<Self>,
        id: &Self::Id,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError>;

    /// Why the observed state cannot be changed in place, if so.
    fn replacement(_want: &Target<Self>, _have: &Self::State) -> Option<Replacement> {
        None
    }
    /// What the user has to confirm before the change is made, if anything: it shrinks or moves something.
    fn caution(_want: &Target<Self>, _have: &Self::State) -> Option<String> {
        None
    }
    /// What somebody added that exposes data or costs money, and that `up` does not change because it may be meant.
    fn left_alone(_have: &Self::State) -> &[String] {
        &[]
    }
    /// Takes out of an observed state what goes with another resource when that is replaced.
    fn without(_have: &mut Self::State, _replaced: Kind) {}
    /// Whether the resource is looked for. What is not looked for counts as absent.
    fn is_looked_for(_want: &Target<Self>) -> bool {
        true
    }
    /// When AWS created the resource, if AWS says so.
    fn created(_id: &Self::Id) -> Option<SystemTime> {
        None
    }
    /// Why `down` keeps the resource unless data is to be deleted, if it holds data.
    fn holds_data() -> Option<&'static str> {
        None
    }
    /// Why `down` keeps a resource that the user created.
    fn users_own() -> &'static str {
        "it is yours"
    }
    /// Why `down` must not delete the resource, if others have something in it.
    async fn used_by_others(_want: &Target<Self>, _aws: &Aws) -> Option<String> {
        None
    }
}

#[derive(Clone, Debug)]
pub struct Target<R: Resource> {
    pub kind: Kind,
    pub name: String,
    /// The ARN; where AWS makes up the last part of it, the rest.
    pub arn: String,
    pub existence: Existence,
    pub state: R::State,
    pub tags: Tags,
    pub extra: R::Extra,
}

/// Tags that differ from the desired ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChanges {
    pub set: Tags,
    /// The keys of tags that the resource should not have.
    pub removed: Vec<String>,
}

/// Whether a resource has to exist, and who creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    Wanted,
    /// The spec does not ask for it: `up` deletes it if the pipeline manages it.
    Unwanted,
    Users,
}

impl Existence {
    pub fn wanted_if(wanted: bool) -> Self {
        if wanted { Self::Wanted } else { Self::Unwanted }
    }
}

impl<R: Resource> Target<R> {
    pub fn is_wanted(&self) -> bool {
        self.existence != Existence::Unwanted
    }

    pub fn is_users(&self) -> bool {
        self.existence == Existence::Users
    }

    /// A resource of this kind as just created, with the pipeline's tags.
    pub fn created(&self, id: R::Id, state: R::State) -> Observed<R> {
        Observed::ready(id, state, self.tags.clone())
    }
}

/// How a state that cannot be changed in place is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Delete the resource and create it again; holds why.
    Recreate(String),
    /// The resource holds data, so only its owner may do that; holds why and what to do.
    Refuse(String),
}

pub struct Observed<R: Resource> {
    pub id: R::Id,
    pub state: R::State,
    /// The tags, without AWS's own.
    pub tags: Tags,
    pub phase: Phase,
}

/// An existing resource, but for its tags.
pub struct Described<R: Resource> {
    pub id: R::Id,
    pub state: R::State,
    pub phase: Phase,
}

impl<R: Resource> Observed<R> {
    pub fn ready(id: R::Id, state: R::State, tags: Tags) -> Self {
        let phase = Phase::Ready;
        Described { id, state, phase }.tagged(tags)
    }

    pub fn untagged(self) -> Described<R> {
        let Self { id, state, phase, .. } = self;
        Described { id, state, phase }
    }
}

impl<R: Resource> Described<R> {
    pub fn tagged(self, tags: Tags) -> Observed<R> {
        let Self { id, state, phase } = self;
        Observed { id, state, tags, phase }
    }
}

/// Where a resource is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Ready,
    /// AWS is creating or changing it; holds AWS's word for that.
    Pending(String),
    Deleting,
    /// AWS could not create it; holds why.
    Failed(String),
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
