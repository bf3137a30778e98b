//! The calls of a resource, one by one, for unit tests.

use super::ensure::change;
use super::{Described, Observed, Replacement, Resource, Step, Target};
use crate::aws::{Aws, AwsError};

impl<R: Resource> Target<R> {
    pub(crate) async fn observe(&self, aws: &Aws) -> Result<Option<Observed<R>>, AwsError> {
        R::observe(self, aws).await
    }

    pub(crate) async fn describe(&self, aws: &Aws) -> Result<Option<Described<R>>, AwsError> {
        R::describe(self, aws).await
    }

    pub(crate) async fn create(&self, step: &Step<'_>) -> Result<Observed<R>, AwsError> {
        R::create(self, step).await
    }

    /// Changes tags and fields that differ, as the engine does.
    pub(crate) async fn update(&self, have: Observed<R>, step: &Step<'_>) -> Result<R::Id, AwsError> {
        change(self, have, step).await
    }

    pub(crate) async fn delete(&self, id: &R::Id, step: &Step<'_>) -> Result<(), AwsError> {
        R::delete(self, id, step).await
    }

    pub(crate) fn caution(&self, have: &R::State) -> Option<String> {
        R::caution(self, have)
    }

    pub(crate) fn replacement(&self, have: &R::State) -> Option<Replacement> {
        R::replacement(self, have)
    }
}
