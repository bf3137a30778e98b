//! Unit tests of deciding and ensuring, on a resource that is made up.

use std::cell::{Cell, RefCell};

use serde::Serialize;

use super::*;
use crate::aws::testing::aws;
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::kind::{Action, Kind};

mod steps;

const THING: Kind = Kind::new("thing");

/// A resource that remembers what was done to it.
#[derive(Debug)]
struct MadeUp;

type Thing = Target<MadeUp>;

/// What is known of a made-up resource.
#[derive(Default)]
struct ThingWorld {
    /// What `observe` finds.
    there: RefCell<Option<(State, Tags, Phase)>>,
    /// How many more looks find it pending.
    pending: Cell<u32>,
    /// What was done, in order.
    done: RefCell<Vec<&'static str>>,
    /// How creating it fails, if it does.
    fails: Option<ErrorKind>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct State {
    size: u32,
    /// Cannot be changed.
    kind: &'static str,
}

fn ours() -> Tags {
    let tags = [("managed-by", "split-pipeline"), ("split-pipeline", "flags")];
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn thing() -> Thing {
    Thing {
        kind: THING,
        name: "thing".to_owned(),
        arn: String::new(),
        existence: Existence::Wanted,
        state: State { size: 2, kind: "a" },
        tags: ours(),
        extra: ThingWorld::default(),
    }
}

fn that_is(existence: Existence) -> Thing {
    Thing { existence, ..thing() }
}

fn that_fails(fails: ErrorKind) -> Thing {
    let world = ThingWorld { fails: Some(fails), ..ThingWorld::default() };
    Thing { extra: world, ..thing() }
}

impl Thing {
    fn there(self, size: u32, kind: &'static str, tags: Tags, phase: Phase) -> Self {
        *self.extra.there.borrow_mut() = Some((State { size, kind }, tags, phase));
        self
    }

    fn found(&self) -> Option<Observed<MadeUp>> {
        let there = self.extra.there.borrow().clone();
        there.map(|(state, tags, phase)| Observed { id: "id", state, tags, phase })
    }

    fn decide(&self, adoption: Adoption) -> Decision<MadeUp> {
        decide(self, self.found(), adoption)
    }

    async fn ensure(&self, adoption: Adoption) -> Result<&'static str, AwsError> {
        let aws = aws(&[], &[]);
        let step = Step::new(&aws, THING, "thing");
        ensure(self, self.decide(adoption), &step).await
    }

    fn done(&self) -> Vec<&'static str> {
        self.extra.done.borrow().clone()
    }

    fn did(&self, what: &'static str) {
        self.extra.done.borrow_mut().push(what);
    }
}

impl Resource for MadeUp {
    type State = State;
    type Id = &'static str;
    type Extra = ThingWorld;

    async fn observe(want: &Thing, _: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let (mut found, pending) = (want.found(), &want.extra.pending);
        if let Some(found) = found.as_mut().filter(|_| pending.get() > 0) {
            pending.set(pending.get() - 1);
            found.phase = Phase::Pending("CHANGING".to_owned());
        } else if let Some(found) = &mut found
            && matches!(found.phase, Phase::Pending(_))
        {
            found.phase = Phase::Ready;
        }
        Ok(found)
    }

    async fn create(want: &Thing, _: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        want.did("create");
        if let Some(kind) = want.extra.fails {
            return Err(AwsError::new("test:Create", kind, "it cannot be created"));
        }
        let bare = State { size: 1, kind: want.state.kind };
        *want.extra.there.borrow_mut() = Some((bare, want.tags.clone(), Phase::Ready));
        want.found().ok_or_else(|| AwsError::incomplete("test:Create", "thing"))
    }

    async fn update(
        want: &Thing,
        have: &Observed<Self>,
        changes: &Changes,
        _: &Step<'_>,
    ) -> Result<&'static str, AwsError> {
        want.did("update");
        assert_eq!(have.phase, Phase::Ready);
        let differing = ["size", "kind"].map(|field| changes.has(field));
        let (have, want) = (&have.state, &want.state);
        assert_eq!(differing, [have.size != want.size, have.kind != want.kind]);
        Ok("id")
    }

    async fn delete(want: &Thing, _: &&'static str, _: &Step<'_>) -> Result<(), AwsError> {
        want.did("delete");
        Ok(())
    }

    async fn retag(
        want: &Thing,
        _id: &&'static str,
        tags: &TagChanges,
        _step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let expected = set.iter().all(|(key, value)| want.tags.get(key) == Some(value));
            assert!(expected && !set.is_empty(), "{set:?}");
            want.did("tag");
        }
        if !removed.is_empty() {
            assert_eq!(removed[..], ["owner"]);
            want.did("untag");
        }
        Ok(())
    }

    fn replacement(want: &Thing, have: &State) -> Option<Replacement> {
        match have.kind {
            "data" => Some(Replacement::Refuse("it holds data".to_owned())),
            kind if kind != want.state.kind => {
                Some(Replacement::Recreate("it is of another kind".to_owned()))
            }
            _ => None,
        }
    }

    fn caution(want: &Thing, have: &State) -> Option<String> {
        (want.state.size < have.size).then(|| "it shrinks".to_owned())
    }
}

fn somebodys() -> Tags {
    [("owner".to_owned(), "somebody".to_owned())].into()
}

#[track_caller]
fn decides(cases: &[(Thing, Adoption, Action)]) {
    for (index, (thing, adoption, want)) in cases.iter().enumerate() {
        assert_eq!(thing.decide(*adoption).action, *want, "case {index}");
    }
}

fn ready(size: u32, kind: &'static str, tags: Tags) -> Thing {
    thing().there(size, kind, tags, Phase::Ready)
}

#[test]
fn an_action_follows_from_what_is_there() {
    let there = |phase| thing().there(2, "a", ours(), phase);
    let pending = Phase::Pending("CREATING".to_owned());
    let failed = Phase::Failed("no disk".to_owned());
    decides(&[
        (thing(), Adoption::Refuse, Action::Create),
        (ready(2, "a", ours()), Adoption::Refuse, Action::Keep),
        (there(pending), Adoption::Refuse, Action::Keep),
        (ready(1, "a", ours()), Adoption::Refuse, Action::Update),
        (ready(2, "b", ours()), Adoption::Refuse, Action::Replace),
        (there(failed), Adoption::Refuse, Action::Replace),
        (there(Phase::Deleting), Adoption::Refuse, Action::Create),
        (ready(2, "data", ours()), Adoption::Refuse, Action::Refuse),
    ]);
}

#[test]
fn what_is_not_the_pipelines_is_refused_or_adopted_and_never_replaced() {
    let failed = Phase::Failed("no disk".to_owned());
    let failed = thing().there(2, "a", somebodys(), failed);
    decides(&[
        (ready(2, "a", somebodys()), Adoption::Refuse, Action::Refuse),
        (ready(2, "a", Tags::new()), Adoption::Refuse, Action::Refuse),
        (ready(2, "a", somebodys()), Adoption::Allow, Action::Adopt),
        (ready(1, "a", Tags::new()), Adoption::Allow, Action::Adopt),
        // What would have to be deleted first is not adopted, whatever the user allows.
        (ready(2, "b", somebodys()), Adoption::Allow, Action::Refuse),
        (failed, Adoption::Allow, Action::Refuse),
        (ready(2, "data", somebodys()), Adoption::Allow, Action::Refuse),
    ]);
}

#[test]
fn the_users_own_resource_is_used_as_it_is_and_never_created() {
    let external = || that_is(Existence::Users);
    assert_eq!(external().decide(Adoption::Allow).action, Action::Refuse);
    let there = external().there(9, "b", somebodys(), Phase::Ready);
    let decision = there.decide(Adoption::Refuse);
    assert_eq!((decision.action, decision.caution), (Action::Keep, None));
    assert!(decision.fields.is_empty());
}

#[test]
fn what_the_spec_no_longer_asks_for_goes_if_it_is_the_pipelines() {
    let unwanted = || that_is(Existence::Unwanted);
    assert_eq!(unwanted().decide(Adoption::Refuse).action, Action::Keep);
    let ours = unwanted().there(9, "a", ours(), Phase::Ready).decide(Adoption::Refuse);
    assert_eq!((ours.action, ours.caution.as_deref()), (Action::Delete, Some("it shrinks")));
    let theirs = unwanted().there(2, "a", somebodys(), Phase::Ready);
    assert_eq!(theirs.decide(Adoption::Allow).action, Action::Keep);
}

#[test]
fn a_caution_is_given_whenever_there_is_one() {
    for tags in [ours(), somebodys()] {
        let decision = thing().there(3, "a", tags, Phase::Ready).decide(Adoption::Allow);
        assert_eq!(decision.caution.as_deref(), Some("it shrinks"));
    }
    assert_eq!(thing().decide(Adoption::Allow).caution, None);
}

#[tokio::test(start_paused = true)]
async fn only_what_was_decided_is_done() {
    let cases: [(Thing, &[&str]); 6] = [
        (thing(), &["create", "update"]),
        (thing().there(2, "a", ours(), Phase::Ready), &[]),
        (thing().there(1, "a", ours(), Phase::Ready), &["update"]),
        (thing().there(2, "b", ours(), Phase::Ready), &["delete", "create", "update"]),
        (thing().there(2, "a", ours(), Phase::Deleting), &["delete", "create", "update"]),
        (that_is(Existence::Users).there(9, "a", somebodys(), Phase::Ready), &[]),
    ];
    for (thing, want) in cases {
        thing.ensure(Adoption::Refuse).await.unwrap();
        assert_eq!(thing.done(), want);
    }
}

#[tokio::test]
async fn what_was_refused_is_not_touched() {
    let theirs = thing().there(2, "a", somebodys(), Phase::Ready);
    let error = theirs.ensure(Adoption::Refuse).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unusable);
    assert_eq!(theirs.done(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pending_resource_is_waited_for_before_it_is_changed() {
    let pending = Phase::Pending("CREATING".to_owned());
    let thing = thing().there(1, "a", ours(), pending);
    thing.extra.pending.set(3);
    thing.ensure(Adoption::Refuse).await.unwrap();
    assert_eq!((thing.done(), thing.extra.pending.get()), (vec!["update"], 0));
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_appears_while_it_is_created_is_taken_only_if_it_is_ours() {
    let appeared = |tags| {
        let thing = that_fails(ErrorKind::Exists);
        let decision = thing.decide(Adoption::Allow);
        (thing.there(2, "a", tags, Phase::Ready), decision)
    };
    let aws = aws(&[], &[]);
    let step = Step::new(&aws, THING, "thing");
    let (ours, decision) = appeared(ours());
    assert_eq!(ensure(&ours, decision, &step).await.unwrap(), "id");
    for tags in [somebodys(), Tags::new()] {
        let (theirs, decision) = appeared(tags);
        let error = ensure(&theirs, decision, &step).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Exists);
        assert_eq!(theirs.done(), ["create"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_last_state_it_saw() {
    let aws = aws(&[], &[]);
    let step = Step::new(&aws, THING, "thing");
    let endless = thing().there(2, "a", ours(), Phase::Ready);
    endless.extra.pending.set(u32::MAX);
    let error = super::ready(&endless, &step).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TimedOut);
    assert!(error.message.contains("CHANGING"), "{}", error.message);
    let failed = thing().there(2, "a", ours(), Phase::Failed("no disk".to_owned()));
    let error = super::ready(&failed, &step).await.map(drop).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Unusable, "no disk"));
}

#[tokio::test(start_paused = true)]
async fn tags_are_set_and_removed_apart_from_the_state_and_only_where_they_differ() {
    let cases: [(Thing, &[&str]); 3] = [
        (ready(2, "a", somebodys()), &["tag", "untag"]),
        (ready(1, "a", Tags::new()), &["tag", "update"]),
        (ready(2, "a", ours().into_iter().chain(somebodys()).collect()), &["untag"]),
    ];
    for (thing, want) in cases {
        thing.ensure(Adoption::Allow).await.unwrap();
        assert_eq!(thing.done(), want);
    }
}
