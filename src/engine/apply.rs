//! Brings AWS to the planned states, each resource as soon as what it needs is there.
//!
//! A failure stops only what depends on it: everything else is finished, so that nothing is left half created, and every
//! failure is reported.

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::gate::Gates;
use super::{Decided, Done, Map, Nothing, Report, Resources, Run, Tie, Visit, When};
use crate::aws::Aws;
use crate::kind::{Action, Kind};
use crate::resource::{Decision, Resource, Step, Target, ensure};

/// What is to be done once a resource is in its desired state.
#[expect(
    async_fn_in_trait,
    reason = "the engine joins these futures on one task, so they need no Send bound"
)]
pub trait Follow {
    async fn follow(&self, done: &Done, run: &Run<'_>);
}

impl Follow for () {
    async fn follow(&self, _done: &Done, _run: &Run<'_>) {}
}

/// Brings every resource to its state in `plan`.
pub async fn apply<L: Resources>(
    aws: &Aws,
    want: &L,
    plan: L::Each<Decided>,
    follow: &impl Follow,
) -> Report {
    let mut survey = Survey(Vec::new());
    want.visit(&plan, &mut survey);
    let kinds: Vec<_> = survey.0.iter().map(|one| one.kind).collect();
    let applying = Applying {
        run: Run::new(aws),
        ties: L::TIES,
        follow,
        right: Gates::new(&kinds),
        gone: Gates::new(&kinds),
        surveyed: survey.0,
    };
    let mut starting = Applies { applying: &applying, work: FuturesUnordered::new() };
    want.map(plan, &mut starting);
    starting.work.collect::<()>().await;
    applying.run.take_report()
}

/// What others have to know of a decision.
struct Surveyed {
    kind: Kind,
    is_wanted: bool,
    action: Action,
}

struct Survey(Vec<Surveyed>);

impl Visit<Decided> for Survey {
    fn visit<R: Resource>(&mut self, want: &Target<R>, decision: &Decision<R>) {
        self.0.push(Surveyed { kind: want.kind, is_wanted: want.is_wanted(), action: decision.action });
    }
}

struct Applies<'a, 'r, F> {
    applying: &'a Applying<'r, F>,
    work: FuturesUnordered<LocalBoxFuture<'a, ()>>,
}

impl<'a, F: Follow> Map<'a, Decided, Nothing> for Applies<'a, '_, F> {
    fn map<R: Resource>(&mut self, want: &'a Target<R>, decision: Decision<R>) {
        let applying = self.applying;
        // On the heap: a resource's future is large, and each resource of the list has one.
        let work = async move {
            if want.is_wanted() {
                applying.bring(want, decision).await;
            } else {
                applying.delete(want, decision).await;
            }
        };
        self.work.push(work.boxed_local());
    }
}

struct Applying<'r, F> {
    run: Run<'r>,
    ties: &'static [Tie],
    follow: &'r F,
    right: Gates,
    /// The resources that are deleted before those that they are bound to are created.
    gone: Gates,
    surveyed: Vec<Surveyed>,
}

impl<F: Follow> Applying<'_, F> {
    /// Brings a wanted resource to its state once what it needs is there, and what is bound to it is gone if it is created.
    async fn bring<R: Resource>(&self, want: &Target<R>, mut decision: Decision<R>) {
        let (kind, name, action) = (want.kind, want.name.as_str(), decision.action);
        if action == Action::Replace && self.is_bound(kind) && !self.make_way(want, &mut decision).await {
            self.right.pass(kind, false);
            return;
        }
        let is_new = matches!(action, Action::Create | Action::Replace);
        let in_the_way = self.bound_to(kind).filter(|_| is_new);
        let made_way = self.gone.all_passed(in_the_way).await;
        let exists = decision.have.is_some();
        if !self.right.all_passed(self.needs(kind, exists)).await || !made_way {
            self.run.not_started(kind, name, "what it needs is not there".to_owned());
            self.right.pass(kind, false);
            return;
        }
        let work = self.run.step(want, action, async |step| ensure(want, decision, step).await);
        let done = work.await;
        self.right.pass(kind, done.is_some());
        if let Some((_, done)) = done {
            self.follow.follow(&done, &self.run).await;
        }
    }

    /// Deletes a resource before the one that it is bound to is created.
    async fn make_way<R: Resource>(&self, want: &Target<R>, decision: &mut Decision<R>) -> bool {
        let Some(have) = decision.have.take() else {
            self.gone.pass(want.kind, true);
            return true;
        };
        let delete = async |step: &Step<'_>| R::delete(want, &have.id, step).await;
        let gone = self.run.attempt(want, Action::Replace, delete).await.is_some();
        self.gone.pass(want.kind, gone);
        gone
    }

    /// Deletes a resource that the spec does not ask for, once what used it no longer does.
    async fn delete<R: Resource>(&self, want: &Target<R>, decision: Decision<R>) {
        let Some(have) = decision.have.filter(|_| decision.action == Action::Delete) else {
            self.right.pass(want.kind, true);
            return;
        };
        let users = self.ties.iter().filter(|tie| tie.needs == want.kind && tie.when != When::Deleting);
        let is_unused = self.right.all_passed(users.map(|tie| tie.kind)).await;
        if !is_unused {
            let why = "what uses it is not as it should be".to_owned();
            self.run.not_started(want.kind, &want.name, why);
        }
        let delete = async |step: &Step<'_>| {
            R::delete(want, &have.id, step).await?;
            Ok(have.id.clone())
        };
        let gone = is_unused && self.run.step(want, Action::Delete, delete).await.is_some();
        self.right.pass(want.kind, gone);
    }

    /// The kinds that have to be there first. What the spec does not ask for is not waited for: it goes last.
    fn needs(&self, kind: Kind, exists: bool) -> impl Iterator<Item = Kind> {
        let counts = move |when: When| match when {
            When::Always | When::Inside | When::Bound(_) => true,
            When::Existing => exists,
            When::Deleting => false,
        };
        let ties = self.ties.iter().filter(move |tie| tie.kind == kind && counts(tie.when));
        ties.map(|tie| tie.needs).filter(|needs| self.any(*needs, |one| one.is_wanted))
    }

    /// Whether the kind is bound to one that is created in this run.
    fn is_bound(&self, kind: Kind) -> bool {
        let mut ties = self.bonds().filter(|tie| tie.kind == kind);
        ties.any(|tie| self.any(tie.needs, |one| matches!(one.action, Action::Create | Action::Replace)))
    }

    /// The kinds that are bound to this one, and replaced in this run.
    fn bound_to(&self, kind: Kind) -> impl Iterator<Item = Kind> {
        let ties = self.bonds().filter(move |tie| tie.needs == kind);
        let replaced = |kind: &Kind| self.any(*kind, |one| one.action == Action::Replace);
        ties.map(|tie| tie.kind).filter(replaced)
    }

    fn bonds(&self) -> impl Iterator<Item = &'static Tie> {
        self.ties.iter().filter(|tie| matches!(tie.when, When::Bound(_)))
    }

    fn any(&self, kind: Kind, is_so: impl Fn(&Surveyed) -> bool) -> bool {
        self.surveyed.iter().any(|one| one.kind == kind && is_so(one))
    }
}
