//! The kinds of resources and the actions on them, as results and progress name them.
//!
//! `pipeline` lists the kinds.

use std::fmt;

use serde::Serialize;

/// A kind of resource, by its name in JSON results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Kind(&'static str);

impl Kind {
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Update,
    /// Delete and create again, because a difference cannot be changed in place.
    Replace,
    /// Tag a resource that this pipeline does not manage, and change it.
    Adopt,
    Keep,
    /// Change nothing, because the resource is in the way.
    Refuse,
    Delete,
}

impl Action {
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
