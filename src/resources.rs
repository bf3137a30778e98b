//! The kinds of resources. A kind is a file with a folder of the same name; `webhook` and `catalog` hold two kinds each. Several kinds
//! share `blueprint`, `metric` and `policy`.
//!
//! A resource calls AWS about itself only, except that the stage grants API Gateway the permission to invoke the function. The
//! order they need stands in `pipeline`.

pub mod alarm;
pub mod alarm_topic;
mod blueprint;
pub mod bucket;
pub mod catalog;
pub mod dashboard;
pub mod delivery_stream;
pub mod function;
pub mod log_group;
pub(crate) mod metric;
pub mod policy;
pub mod role;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub mod webhook;

pub use blueprint::{Blueprint, Code, Platform, Transport};

use hcl::Block;
use serde_json::Value;

use crate::access::{Grant, RestApis};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::export::cloudformation::Templates;
use crate::export::terraform::Chapter;
use crate::export::{Page, Reference};
use crate::names::{Names, Tags};
use crate::resource::{Resource, Target};
use crate::spec::Spec;

/// What commands have to be allowed on resources of this kind.
pub trait Permitted: Resource {
    fn grants(spec: &Spec, names: &Names, apis: &RestApis) -> Vec<Grant>;

    /// Statements under conditions, for `up`.
    fn powers(_spec: &Spec, _names: &Names) -> Vec<Value> {
        Vec::new()
    }
}

pub trait Exported: Resource {
    /// Where others find its ARN, if any refers to it.
    fn reference(want: &Target<Self>) -> Option<Reference>;
    /// The blocks of a Terraform module, and the part of it that they belong to.
    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>);
    fn cloudformation(want: &Target<Self>, blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates;
}

/// Tags as they come from AWS, without those that AWS sets itself and nobody else may change.
fn tags_from<K: Into<String>, V: Into<String>>(tags: impl IntoIterator<Item = (K, V)>) -> Tags {
    tags.into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .filter(|(key, _): &(String, String)| !key.starts_with("aws:"))
        .collect()
}

/// Insists that there is nothing, before a call that would take the place of what is there instead of refusing.
async fn unless_there<R: Resource>(want: &Target<R>, aws: &Aws, call: &'static str) -> Result<(), AwsError> {
    match R::observe(want, aws).await? {
        None => Ok(()),
        Some(_) => Err(AwsError::new(call, ErrorKind::Exists, "it exists by now")),
    }
}

/// A number of the spec as the SDK wants it; the spec's limits are far below what would not fit.
fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
