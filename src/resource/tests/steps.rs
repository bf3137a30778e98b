//! Unit tests of what a decision says, of waiting, and of repeating a call.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::aws::testing::Seen;
use crate::progress::Event;

#[test]
fn a_decision_says_whose_it_is_and_what_differs() {
    let owner = |tags| thing().there(2, "a", tags, Phase::Ready).decide(Adoption::Allow).owner;
    assert_eq!(owner(ours()), Owner::Pipeline);
    assert_eq!(owner(Tags::new()), Owner::Unknown);
    assert_eq!(owner(somebodys()), Owner::Other);

    let fields = |decision: Decision<MadeUp>| {
        let fields = decision.fields.into_iter();
        fields.map(|it| (it.path, it.have, it.want)).collect::<Vec<_>>()
    };
    let field = |path: &str, have, want| (path.to_owned(), have, want);
    let null = serde_json::Value::Null;
    assert_eq!(
        fields(thing().decide(Adoption::Refuse)),
        [
            field("size", null.clone(), json!(2)),
            field("kind", null.clone(), json!("a")),
            field("tags.managed-by", null.clone(), json!("split-pipeline")),
            field("tags.split-pipeline", null.clone(), json!("flags")),
        ]
    );
    let mut tags = ours();
    tags.insert("owner".to_owned(), "somebody".to_owned());
    assert_eq!(
        fields(thing().there(1, "a", tags, Phase::Ready).decide(Adoption::Refuse)),
        [field("size", json!(1), json!(2)), field("tags.owner", json!("somebody"), null),]
    );

    let mut decision = thing().there(2, "a", ours(), Phase::Ready).decide(Adoption::Refuse);
    decision.replace("its role is gone");
    assert_eq!((decision.action, decision.reason.as_deref()), (Action::Replace, Some("its role is gone")));
}

#[test]
fn a_refusal_says_why() {
    let reason = |thing: Thing, adoption| thing.decide(adoption).reason.unwrap();
    let theirs = |kind| thing().there(2, kind, somebodys(), Phase::Ready);
    let (refuse, allow) = (Adoption::Refuse, Adoption::Allow);
    let why = "it exists and is not tagged as this pipeline's";
    assert_eq!(reason(theirs("a"), refuse), why);
    let why = "adopting it would need a replacement: it is of another kind";
    assert_eq!(reason(theirs("b"), allow), why);
    assert_eq!(reason(theirs("data"), allow), "it holds data");
    let external = that_is(Existence::Users);
    let why = "the spec says that thing thing exists, but it does not";
    assert_eq!(reason(external, refuse), why);
    let failed = thing().there(2, "a", ours(), Phase::Failed("no disk".to_owned()));
    assert_eq!(reason(failed, refuse), "no disk");
}

/// Creates a resource that fails like this, while this is there; gives how that went and how long it was waited for.
async fn created(
    fails: ErrorKind,
    tags: Tags,
    interrupted: bool,
) -> (Result<&'static str, ErrorKind>, Duration) {
    let aws = aws(&[], &[]);
    if interrupted {
        aws.interrupt.cancel();
    }
    let step = Step::new(&aws, THING, "thing");
    let thing = that_fails(fails);
    let decision = thing.decide(Adoption::Refuse);
    let thing = thing.there(2, "a", tags, Phase::Ready);
    let started = Instant::now();
    let made = ensure(&thing, decision, &step).await;
    (made.map_err(|error| error.kind), started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn what_appeared_while_it_was_created_is_waited_for_only_until_its_owner_is_known() {
    let at_once = Duration::ZERO;
    assert_eq!(created(ErrorKind::Exists, ours(), false).await, (Ok("id"), at_once));
    let (made, waited) = created(ErrorKind::Exists, somebodys(), false).await;
    assert_eq!((made, waited), (Err(ErrorKind::Exists), at_once));
    let (made, waited) = created(ErrorKind::Exists, Tags::new(), false).await;
    assert_eq!(made, Err(ErrorKind::Exists));
    assert!(waited > at_once);
    // Another error says nothing of what is there, and an interruption nothing of its owner.
    assert_eq!(created(ErrorKind::Denied, ours(), false).await, (Err(ErrorKind::Denied), at_once));
    let (made, _) = created(ErrorKind::Exists, Tags::new(), true).await;
    assert_eq!(made, Err(ErrorKind::Interrupted));
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_settled_once_nothing_happens_to_it() {
    let (aws, seen) = Seen::by(aws(&[], &[]));
    let step = Step::new(&aws, THING, "thing");
    let changing = thing().there(2, "a", ours(), Phase::Ready);
    changing.extra.pending.set(2);
    super::settled(&changing, &step).await.unwrap();
    assert_eq!(changing.extra.pending.get(), 0);
    let waits = seen.events();
    assert_eq!(waits.len(), 2);
    for wait in waits {
        let Event::Waiting { kind, name, what } = wait else {
            panic!("{wait:?} is no wait");
        };
        let said = (kind, name.as_str(), what.as_str());
        assert_eq!(said, (THING, "thing", "it to be settled, and it is CHANGING"));
    }
    for phase in [Phase::Deleting, Phase::Failed("no disk".to_owned())] {
        let ended = thing().there(2, "a", ours(), phase);
        super::settled(&ended, &step).await.unwrap();
    }
    super::settled(&thing(), &step).await.unwrap();
    assert_eq!(seen.events().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_repeated_if_aws_does_not_know_what_it_just_created() {
    let aws = aws(&[], &[]);
    let old = Step::new(&aws, THING, "thing");
    // Two answers of this kind, then success; gives the outcome and how many calls there were.
    let settle = async |step: Step<'_>, kind| {
        let calls = Cell::new(0);
        let settled = step.settle(async || {
            calls.set(calls.get() + 1);
            match calls.get() {
                1 | 2 => Err(AwsError::new("test:Call", kind, "no")),
                _ => Ok(()),
            }
        });
        let settled = settled.await.map_err(|error| error.kind);
        (settled, calls.get())
    };
    let (gone, denied, early) = (ErrorKind::NotFound, ErrorKind::Denied, ErrorKind::NotYet);
    assert_eq!(settle(old, gone).await, (Err(gone), 1));
    assert_eq!(settle(old, early).await, (Ok(()), 3));
    assert_eq!(settle(old.just_created(), gone).await, (Ok(()), 3));
    assert_eq!(settle(old.just_created(), denied).await, (Err(denied), 1));
}
