//! Decides what to do with one resource, from the observed state and its owner.

use super::diff::{FieldChange, all_fields, differences};
use super::{Observed, Phase, Replacement, Resource, Target};
use crate::kind::Action;
use crate::names::{OWNERSHIP_TAGS, Tags};

/// What is to be done about one resource, and why.
pub struct Decision<R: Resource> {
    pub have: Option<Observed<R>>,
    pub action: Action,
    pub fields: Vec<FieldChange>,
    pub owner: Owner,
    pub caution: Option<String>,
    pub reason: Option<String>,
}

impl<R: Resource> Decision<R> {
    pub fn replace(&mut self, why: &str) {
        self.action = Action::Replace;
        self.reason = Some(why.to_owned());
    }
}

/// Whose a resource is, by its tags; one that is not there is the pipeline's to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The pipeline's, or its user's own as the spec says.
    Pipeline,
    Unknown,
    /// Somebody else's.
    Other,
}

impl Owner {
    fn of(want: &Tags, have: &Tags) -> Self {
        match is_ours(want, have) {
            true => Self::Pipeline,
            false if have.is_empty() => Self::Unknown,
            false => Self::Other,
        }
    }

    pub fn is_foreign(self) -> bool {
        self != Self::Pipeline
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// Leave them alone and stop.
    Refuse,
    Allow,
}

/// Decides what to do about `want`, given what is there.
pub fn decide<R: Resource>(want: &Target<R>, have: Option<Observed<R>>, adoption: Adoption) -> Decision<R> {
    let mut decision = Decision {
        have,
        action: Action::Keep,
        fields: Vec::new(),
        owner: Owner::Pipeline,
        caution: None,
        reason: None,
    };
    if !want.is_wanted() {
        return unwanted(want, decision);
    }
    let Some(have) = decision.have.as_ref().filter(|have| have.phase != Phase::Deleting) else {
        if want.is_users() {
            decision.action = Action::Refuse;
            decision.reason =
                Some(format!("the spec says that {} {} exists, but it does not", want.kind, want.name));
        } else {
            decision.action = Action::Create;
            decision.fields = all_fields(want);
        }
        return decision;
    };
    if want.is_users() {
        return decision;
    }
    decision.owner = Owner::of(&want.tags, &have.tags);
    let foreign = decision.owner.is_foreign();
    decision.fields = differences(want, have);
    decision.caution = R::caution(want, &have.state);
    let replacement = match &have.phase {
        Phase::Failed(why) => Some(Replacement::Recreate(why.clone())),
        _ => R::replacement(want, &have.state),
    };
    let (action, reason) = match replacement {
        _ if foreign && adoption == Adoption::Refuse => {
            (Action::Refuse, Some("it exists and is not tagged as this pipeline's".to_owned()))
        }
        Some(Replacement::Refuse(why)) => (Action::Refuse, Some(why)),
        Some(Replacement::Recreate(why)) if foreign => {
            (Action::Refuse, Some(format!("adopting it would need a replacement: {why}")))
        }
        Some(Replacement::Recreate(why)) => (Action::Replace, Some(why)),
        None if foreign => (Action::Adopt, None),
        None if decision.fields.is_empty() => (Action::Keep, None),
        None => (Action::Update, None),
    };
    decision.action = action;
    decision.reason = reason;
    decision
}

/// Decides about what the spec does not ask for: it goes, if it is ours.
fn unwanted<R: Resource>(want: &Target<R>, mut decision: Decision<R>) -> Decision<R> {
    if let Some(have) = &decision.have
        && is_ours(&want.tags, &have.tags)
    {
        decision.action = Action::Delete;
        decision.caution = R::caution(want, &have.state);
        decision.reason = Some("the spec does not ask for it".to_owned());
    }
    decision
}

/// Whether `have` carries the tags by which we know our own.
pub fn is_ours(want: &Tags, have: &Tags) -> bool {
    OWNERSHIP_TAGS.iter().all(|key| want.get(*key) == have.get(*key))
}
