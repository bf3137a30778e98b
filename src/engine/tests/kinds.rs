//! Made-up kinds, with every way in which kinds depend on each other.

#![expect(unreachable_pub, reason = "the engine's macro writes the list for other modules")]

use std::rc::Rc;

use serde::Serialize;

use super::world::SimulatedAws;
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::engine::{Decided, Look, Map, Resources, Seen, Slot, Tie, Visit, Wanted, When};
use crate::kind::Kind;
use crate::names::{OWNERSHIP_TAGS, Tags};
use crate::resource::{
    Changes, Described, Existence, Latest, Observed, Phase, Replacement, Resource, Step, TagChanges, Target,
    gone, ready,
};

pub(super) const STORE: Kind = Kind::new("store");
pub(super) const ROLE: Kind = Kind::new("role");
pub(super) const QUEUE: Kind = Kind::new("queue");
pub(super) const WORKER: Kind = Kind::new("worker");
pub(super) const API: Kind = Kind::new("api");
pub(super) const DOOR: Kind = Kind::new("door");
pub(super) const WATCH: Kind = Kind::new("watch");
pub(super) const TOPIC: Kind = Kind::new("topic");

pub(super) const ALL_KINDS: [&str; 8] = ["store", "role", "queue", "worker", "api", "door", "watch", "topic"];

/// The order of a pipeline in small: each way in which kinds need each other is there once.
pub(super) const TIES: &[Tie] = &[
    Tie::new(QUEUE, STORE),
    Tie::when(WORKER, ROLE, When::Bound("its role has a successor")),
    Tie::when(WORKER, STORE, When::Existing),
    Tie::when(WORKER, QUEUE, When::Deleting),
    Tie::when(DOOR, API, When::Inside),
    Tie::new(DOOR, WORKER),
    Tie::new(DOOR, QUEUE),
    Tie::new(WATCH, TOPIC),
];

macro_rules! list {
    ($($then:tt)*) => {
        $($then)*! {
            store: Store = store,
            role: Plain = role,
            queue: Plain = queue,
            worker: Plain = worker,
            api: Plain = api,
            door: Plain = door,
            watches: [Plain] = watches,
            topic: Plain = topic,
        }
    };
}

macro_rules! values {
    ($($field:ident: $resource:tt = $want:path,)*) => {
        impl All {
            pub(super) fn new(blueprint: &Wish) -> Self {
                Self { $($field: $want(blueprint),)* }
            }
        }
    };
}

list!(crate::engine::resources);
list!(values);

/// What holds data.
pub(super) type Store = Fake<true>;
/// What holds none.
pub(super) type Plain = Fake<false>;
pub(super) type All = Each<Wanted>;
pub(super) type Plan = Each<Decided>;

/// A made-up kind.
#[derive(Debug)]
pub(super) struct Fake<const DATA: bool>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct State {
    size: u32,
    duplicates: Vec<u64>,
}

/// The world, and what it knows the resource by.
#[derive(Clone)]
pub(super) struct Extra {
    world: Rc<SimulatedAws>,
    /// The API's id, for the API and the door inside it.
    api: Latest<u64>,
}

/// What a spec asks for.
pub(super) struct Wish {
    pub(super) world: Rc<SimulatedAws>,
    pub(super) is_watched: bool,
    pub(super) users_store: bool,
    pub(super) size: u32,
    api: Latest<u64>,
}

impl Wish {
    pub(super) fn new(world: &Rc<SimulatedAws>, is_watched: bool, users_store: bool, size: u32) -> Self {
        Self { world: Rc::clone(world), is_watched, users_store, size, api: Latest::default() }
    }

    fn target<const DATA: bool>(&self, kind: Kind, name: &str, existence: Existence) -> Target<Fake<DATA>> {
        Target {
            kind,
            name: name.to_owned(),
            arn: String::new(),
            existence,
            state: State { size: self.size, duplicates: Vec::new() },
            tags: ours(),
            extra: Extra { world: Rc::clone(&self.world), api: self.api.clone() },
        }
    }
}

pub(super) fn ours() -> Tags {
    let tags = [("managed-by", "split-pipeline"), ("split-pipeline", "flags"), ("team", "growth")];
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn store(of: &Wish) -> Target<Store> {
    let existence = if of.users_store { Existence::Users } else { Existence::Wanted };
    of.target(STORE, "store", existence)
}

fn role(of: &Wish) -> Target<Plain> {
    of.target(ROLE, "role", Existence::Wanted)
}

fn queue(of: &Wish) -> Target<Plain> {
    of.target(QUEUE, "queue", Existence::Wanted)
}

fn worker(of: &Wish) -> Target<Plain> {
    of.target(WORKER, "worker", Existence::Wanted)
}

fn api(of: &Wish) -> Target<Plain> {
    of.target(API, "api", Existence::Wanted)
}

fn door(of: &Wish) -> Target<Plain> {
    of.target(DOOR, "door", Existence::Wanted)
}

fn watches(of: &Wish) -> Vec<Target<Plain>> {
    // The second is unwanted more often than the first, so the list is mixed at times.
    let wanted = [of.is_watched, of.is_watched && of.size.is_multiple_of(2)];
    let watches = ["late", "quiet"].into_iter().zip(wanted);
    watches.map(|(name, is_wanted)| of.target(WATCH, name, Existence::wanted_if(is_wanted))).collect()
}

fn topic(of: &Wish) -> Target<Plain> {
    of.target(TOPIC, "topic", Existence::wanted_if(of.is_watched))
}

impl<const DATA: bool> Target<Fake<DATA>> {
    fn inside(&self) -> Option<u64> {
        (self.kind == DOOR).then(|| self.extra.api.get().unwrap_or_default())
    }

    /// The id of the role as it is now, for what is bound to it.
    fn role(&self) -> Option<u64> {
        let roles = self.extra.world.existing(ROLE, "role");
        roles.first().filter(|_| self.kind == WORKER).map(|role| role.id)
    }

    async fn look(&self, aws: &Aws) -> Result<Option<Described<Fake<DATA>>>, AwsError> {
        let (world, mut tags) = (&self.extra.world, ours());
        tags.retain(|key, _| OWNERSHIP_TAGS.contains(&key.as_str()));
        let by_tags = (self.kind == API).then_some(&tags);
        let inside = self.inside();
        let found = aws
            .call("sim:Describe", || {
                world.call("sim:Describe", &self.name, |world| {
                    Ok(world.look(self.kind, &self.name, inside, by_tags))
                })
            })
            .await?;
        Ok(found.map(|found| Described {
            id: found.item.id,
            state: State { size: found.item.size, duplicates: found.duplicates },
            phase: match (found.is_deleting, found.is_pending) {
                (true, _) => Phase::Deleting,
                (false, true) => Phase::Pending("CHANGING".to_owned()),
                (false, false) => Phase::Ready,
            },
        }))
    }
}

impl<const DATA: bool> Resource for Fake<DATA> {
    type State = State;
    type Id = u64;
    type Extra = Extra;

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let found = want.look(aws).await?;
        if want.kind == API {
            want.extra.api.set(found.as_ref().map(|found| found.id));
        }
        let Some(found) = found else { return Ok(None) };
        let world = &want.extra.world;
        let tags = aws.call("sim:ListTags", || {
            world.call("sim:Describe", &want.name, |world| {
                let items = world.existing(want.kind, &want.name);
                let item = items.into_iter().find(|item| item.id == found.id);
                item.map(|item| item.tags).ok_or(super::world::CallRefusal::NotFound)
            })
        });
        Ok(tags.await.found()?.map(|tags| found.tagged(tags)))
    }

    async fn describe(want: &Target<Self>, aws: &Aws) -> Result<Option<Described<Self>>, AwsError> {
        want.look(aws).await
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let (world, inside, bound) = (&want.extra.world, want.inside(), want.role());
        let created = step.call("sim:Create", || {
            world.call("sim:Create", &want.name, |world| {
                let mut new = SimulatedAws::item(0, want.tags.clone());
                (new.inside, new.bound) = (inside, bound);
                world.create(want.kind, &want.name, new, want.kind != API)
            })
        });
        let id = created.await?.id;
        if want.kind == API {
            // An answer may have been lost and the call repeated: the oldest counts.
            let oldest = Self::observe(want, step.aws).await?;
            if let Some(oldest) = oldest {
                return Ok(oldest);
            }
            want.extra.api.set(Some(id));
        }
        let state = State { size: 0, duplicates: Vec::new() };
        let created = want.created(id, state);
        Ok(match want.kind {
            QUEUE | WORKER => ready(want, step).await?.tagged(created.tags),
            _ => created,
        })
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<u64, AwsError> {
        let world = &want.extra.world;
        if changes.has("size") {
            let resize = step.call("sim:Update", || {
                world.call("sim:Update", &want.name, |world| {
                    world.change(have.id, "update", |item| item.size = want.state.size)
                })
            });
            resize.await?;
        }
        for duplicate in &have.state.duplicates {
            let remove = || world.call("sim:Delete", &want.name, |world| world.delete(*duplicate, DATA));
            step.remove("sim:Delete", remove).await?;
        }
        if want.kind == API {
            want.extra.api.set(Some(have.id));
        }
        Ok(have.id)
    }

    async fn delete(want: &Target<Self>, id: &u64, step: &Step<'_>) -> Result<(), AwsError> {
        let world = &want.extra.world;
        let is_for_good = world.goes_down.get() || !want.is_wanted();
        world.check_users(want.kind, is_for_good);
        let remove = || world.call("sim:Delete", &want.name, |world| world.delete(*id, DATA));
        step.remove("sim:Delete", remove).await?;
        if want.kind == API {
            while let Some(younger) =
                want.look(step.aws).await?.filter(|found| found.phase != Phase::Deleting)
            {
                let remove = || world.call("sim:Delete", &want.name, |world| world.delete(younger.id, DATA));
                step.remove("sim:Delete", remove).await?;
            }
            return Ok(());
        }
        gone(want, step).await
    }

    async fn retag(
        want: &Target<Self>,
        id: &u64,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let world = &want.extra.world;
            let tag = step.call("sim:Tag", || {
                world.call("sim:Tag", &want.name, |world| {
                    world.change(*id, "tagging", |item| item.tags.extend(set.clone()))
                })
            });
            tag.await?;
        }
        if !removed.is_empty() {
            let world = &want.extra.world;
            let untag = step.call("sim:Untag", || {
                world.call("sim:Untag", &want.name, |world| {
                    world.change(*id, "untagging", |item| {
                        item.tags.retain(|key, _| !removed.contains(key));
                    })
                })
            });
            untag.await?;
        }
        Ok(())
    }

    fn replacement(want: &Target<Self>, have: &State) -> Option<Replacement> {
        // A third of the sizes is for good.
        let is_stuck = have.size % 3 == 1 && have.size != want.state.size;
        let recreate = || Replacement::Recreate("its size is for good".to_owned());
        (want.kind == QUEUE && is_stuck).then(recreate)
    }

    fn holds_data() -> Option<&'static str> {
        DATA.then_some("it holds data")
    }
}
