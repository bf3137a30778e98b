//! What the desired resources of a pipeline follow from.

use std::sync::Arc;

use super::webhook::ApiId;
use crate::kind::Kind;
use crate::names::{Names, Tags};
use crate::resource::{Existence, Latest, Resource, Target};
use crate::spec::{Architecture, Spec};

#[derive(Clone, Debug)]
pub struct Code {
    pub zip: Arc<Vec<u8>>,
    /// Base64 of its SHA-256.
    pub sha256: String,
}

/// What the pipeline runs on, where the spec alone does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    pub architecture: Architecture,
    pub transport: Transport,
}

/// How AWS, or an emulator of it, is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTPS, as AWS always is.
    Tls,
    Plain,
}

/// What every kind's `want` reads.
pub struct Blueprint<'a> {
    pub spec: &'a Spec,
    pub names: &'a Names,
    pub platform: Platform,
    /// Without code there is nothing to deploy, and any deployed code is right.
    pub code: Option<Code>,
    pub tags: Tags,
    /// The id of the REST API, which its stage needs.
    pub(super) api: Latest<ApiId>,
}

impl<'a> Blueprint<'a> {
    pub fn new(spec: &'a Spec, names: &'a Names, platform: Platform, code: Option<Code>) -> Self {
        let users = spec.tags.iter();
        let users = users.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self { spec, names, platform, code, tags: names.tags(&users.collect()), api: Latest::default() }
    }

    pub(super) fn target<R: Resource>(
        &self,
        kind: Kind,
        (name, arn): (String, String),
        state: R::State,
        extra: R::Extra,
    ) -> Target<R> {
        Target { kind, name, arn, existence: Existence::Wanted, state, tags: self.tags.clone(), extra }
    }
}
