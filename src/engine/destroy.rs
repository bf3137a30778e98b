//! Deletes what `up` created, each resource as soon as nothing uses it any more.
//!
//! Deletes only what carries the pipeline's tags, and data only when told to.

use std::sync::{Mutex, PoisonError};

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;

use super::gate::Gates;
use super::{Map, Nothing, Report, Resources, Run, Seen, Tie, Visit};
use crate::aws::Aws;
use crate::kind::{Action, Kind};
use crate::resource::{Observed, Resource, Step, Target, is_ours};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Keep,
    Purge,
}

#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    pub kind: Kind,
    pub name: String,
    pub why: String,
}

pub struct Destroyed {
    pub report: Report,
    pub kept: Vec<Kept>,
}

/// What has to be done before resources of a kind are deleted, and after those that use them are.
#[expect(
    async_fn_in_trait,
    reason = "the engine joins these futures on one task, so they need no Send bound"
)]
pub trait Guard {
    /// Whether resources of this kind may be deleted now; reports why not to the run.
    async fn may_delete(&self, kind: Kind, run: &Run<'_>) -> bool;
}

/// Everything may be deleted.
impl Guard for () {
    async fn may_delete(&self, _kind: Kind, _run: &Run<'_>) -> bool {
        true
    }
}

/// Deletes every resource in `have` that the pipeline manages.
pub async fn destroy<L: Resources>(
    aws: &Aws,
    want: &L,
    have: L::Each<Seen>,
    data: Data,
    guard: &impl Guard,
) -> Destroyed {
    let mut kinds = Kinds(Vec::new());
    want.visit(&have, &mut kinds);
    let destroying = Destroying {
        run: Run::new(aws),
        ties: L::TIES,
        data,
        guard,
        over: Gates::new(&kinds.0),
        kept: Mutex::default(),
    };
    let mut starting = Deletions { destroying: &destroying, work: FuturesUnordered::new() };
    want.map(have, &mut starting);
    starting.work.collect::<()>().await;
    let mut kept = destroying.kept.lock().unwrap_or_else(PoisonError::into_inner);
    Destroyed { report: destroying.run.take_report(), kept: std::mem::take(&mut *kept) }
}

struct Kinds(Vec<Kind>);

impl Visit<Seen> for Kinds {
    fn visit<R: Resource>(&mut self, want: &Target<R>, _have: &Option<Observed<R>>) {
        self.0.push(want.kind);
    }
}

struct Deletions<'a, 'r, G> {
    destroying: &'a Destroying<'r, G>,
    work: FuturesUnordered<LocalBoxFuture<'a, ()>>,
}

impl<'a, G: Guard> Map<'a, Seen, Nothing> for Deletions<'a, '_, G> {
    fn map<R: Resource>(&mut self, want: &'a Target<R>, have: Option<Observed<R>>) {
        let destroying = self.destroying;
        let work = async move {
            let is_over = destroying.delete(want, have).await;
            destroying.over.pass(want.kind, is_over);
        };
        self.work.push(work.boxed_local());
    }
}

struct Destroying<'r, G> {
    run: Run<'r>,
    ties: &'static [Tie],
    data: Data,
    guard: &'r G,
    over: Gates,
    kept: Mutex<Vec<Kept>>,
}

impl<G: Guard> Destroying<'_, G> {
    /// Deletes one resource once nothing uses it any more; whether it uses nothing any more itself.
    ///
    /// What is not managed by this pipeline stays, and uses nothing of the pipeline's, as far as anybody knows.
    async fn delete<R: Resource>(&self, want: &Target<R>, have: Option<Observed<R>>) -> bool {
        if have.is_some() && want.is_users() {
            self.keep(want, R::users_own());
            return true;
        }
        let is_ours = have.as_ref().is_some_and(|have| is_ours(&want.tags, &have.tags));
        if let Some(why) = R::holds_data().filter(|_| is_ours && self.data == Data::Keep) {
            self.keep(want, why);
            return true;
        }
        let users = self.ties.iter().filter(|tie| tie.needs == want.kind);
        let is_unused = self.over.all_passed(users.map(|tie| tie.kind)).await
            && self.guard.may_delete(want.kind, &self.run).await;
        let Some(have) = have else { return is_unused };
        if !is_ours {
            self.keep(want, "it is not tagged as this pipeline's");
            return is_unused;
        }
        if !is_unused {
            let why = "what uses it is still there".to_owned();
            self.run.not_started(want.kind, &want.name, why);
            return false;
        }
        if let Some(why) = R::used_by_others(want, self.run.aws).await {
            self.keep(want, &why);
            return true;
        }
        let delete = async |step: &Step<'_>| {
            R::delete(want, &have.id, step).await?;
            Ok(have.id.clone())
        };
        self.run.step(want, Action::Delete, delete).await.is_some()
    }

    fn keep<R: Resource>(&self, want: &Target<R>, why: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Kept { kind: want.kind, name: want.name.clone(), why: why.to_owned() });
    }
}
