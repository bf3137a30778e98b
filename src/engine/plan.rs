//! Decides the action for every resource before anything changes.
//!
//! Pure: values in, values out.

use super::{Decided, Map, Resources, Seen, Tie, Visit, When};
use crate::kind::{Action, Kind};
use crate::resource::{Adoption, Decision, FieldChange, Observed, Owner, Phase, Resource, Target, decide};

/// One decision without its types: for showing, counting and asking.
#[derive(Clone, Debug)]
pub struct Summary {
    pub kind: Kind,
    pub name: String,
    /// What AWS calls it, if it exists.
    pub id: Option<String>,
    /// What AWS is doing with it, if it exists.
    pub phase: Option<Phase>,
    pub action: Action,
    pub fields: Vec<FieldChange>,
    pub owner: Owner,
    pub caution: Option<String>,
    pub reason: Option<String>,
    pub left_alone: Vec<String>,
}

/// Decides about every resource of `want`, given what exists.
pub fn plan<L: Resources>(want: &L, have: L::Each<Seen>, adoption: Adoption) -> L::Each<Decided> {
    let mut deciding = Deciding { adoption, ties: L::TIES, decided: Vec::new() };
    want.map(have, &mut deciding)
}

/// Decides in the order of the list, in which a resource comes after those that it is bound to.
struct Deciding {
    adoption: Adoption,
    ties: &'static [Tie],
    decided: Vec<(Kind, Action)>,
}

impl Deciding {
    fn needed(&self, kind: Kind) -> impl Iterator<Item = (&Tie, Action)> {
        let ties = self.ties.iter().filter(move |tie| tie.kind == kind);
        ties.flat_map(|tie| {
            let decided = self.decided.iter().filter(|(needed, _)| *needed == tie.needs);
            decided.map(move |(_, action)| (tie, *action))
        })
    }
}

impl<'a> Map<'a, Seen, Decided> for Deciding {
    fn map<R: Resource>(&mut self, want: &'a Target<R>, mut have: Option<Observed<R>>) -> Decision<R> {
        if let Some(have) = &mut have {
            let replaced = self.needed(want.kind).filter(|(_, action)| *action == Action::Replace);
            replaced.for_each(|(tie, _)| R::without(&mut have.state, tie.needs));
        }
        let mut decision = decide(want, have, self.adoption);
        let stays = matches!(decision.action, Action::Keep | Action::Update) && decision.have.is_some();
        let successor = self.needed(want.kind).find_map(|(tie, action)| match (tie.when, action) {
            (When::Bound(why), Action::Create | Action::Replace) => Some(why),
            _ => None,
        });
        if let Some(why) = successor.filter(|_| stays) {
            decision.replace(why);
        }
        self.decided.push((want.kind, decision.action));
        decision
    }
}

/// Every decision, in the order of the list, but for what is neither wanted nor there.
pub fn summaries<L: Resources>(want: &L, plan: &L::Each<Decided>) -> Vec<Summary> {
    let mut summaries = Summaries(Vec::new());
    want.visit(plan, &mut summaries);
    summaries.0
}

struct Summaries(Vec<Summary>);

impl Visit<Decided> for Summaries {
    fn visit<R: Resource>(&mut self, want: &Target<R>, decision: &Decision<R>) {
        if want.is_wanted() || decision.action != Action::Keep {
            self.0.push(summary(want, decision));
        }
    }
}

fn summary<R: Resource>(want: &Target<R>, decision: &Decision<R>) -> Summary {
    let ours = decision.have.as_ref().filter(|_| !decision.owner.is_foreign());
    let left_alone = ours.map(|have| R::left_alone(&have.state));
    Summary {
        kind: want.kind,
        name: want.name.clone(),
        id: decision.have.as_ref().map(|have| have.id.to_string()),
        phase: decision.have.as_ref().map(|have| have.phase.clone()),
        action: decision.action,
        fields: decision.fields.clone(),
        owner: decision.owner,
        caution: decision.caution.clone(),
        reason: decision.reason.clone(),
        left_alone: left_alone.map(<[_]>::to_vec).unwrap_or_default(),
    }
}
