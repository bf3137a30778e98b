//! What happens in one story, and what must be true at its end.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::kinds::{ALL_KINDS, API, All, DOOR, Plan, ROLE, STORE, WORKER, Wish, ours};
use super::world::{Disturbance, SimulatedAws};
use crate::aws::Aws;
use crate::aws::testing::rested;
use crate::engine::converge::converge;
use crate::engine::destroy::{Data, destroy};
use crate::engine::observe::observe;
use crate::engine::plan::{plan, summaries};
use crate::engine::{Report, Resources as _, Visit, Wanted};
use crate::kind::{Action, Kind};
use crate::names::Tags;
use crate::resource::{Adoption, Resource, Target};

/// The most calls that an undisturbed run may make.
const MOST_CALLS: usize = 300;

/// The most calls and the longest time that a disturbed run may take.
const DISTURBED: (usize, Duration) = (3_000, Duration::from_hours(1));

/// Longer than any story.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// What happened in stories.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) calls: usize,
    pub(super) faults: usize,
    pub(super) other_hands: usize,
    pub(super) interrupted: usize,
    pub(super) refused: usize,
    pub(super) replaced: usize,
    pub(super) beside: usize,
}

impl Totals {
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.faults += other.faults;
        self.other_hands += other.other_hands;
        self.interrupted += other.interrupted;
        self.refused += other.refused;
        self.replaced += other.replaced;
        self.beside += other.beside;
    }
}

/// How an `up` went.
enum UpOutcome {
    NotSeen,
    Refused,
    Done(Report),
}

/// Plays the story of a seed; gives what happened, or what went wrong and the log.
pub(super) fn play(seed: u64, aws: &Aws, is_logged: bool) -> Result<Totals, (String, String)> {
    fastrand::seed(seed);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let _within = runtime.enter();
    let (world, aws) = (SimulatedAws::new(seed, is_logged), rested(aws));
    let mut story = Story {
        aws: &aws,
        users_store: world.chance(20),
        world: Rc::clone(&world),
        totals: Totals::default(),
    };
    // Nothing takes so long but what waits for itself: paused time jumps here then.
    let told = runtime.block_on(async { timeout(FOREVER, story.tell()).await });
    let ended = told.unwrap_or_else(|_| Err("two steps wait for each other".to_owned()));
    let violation = world.violations.borrow().first().cloned();
    match ended.and(violation.map_or(Ok(()), Err)) {
        Ok(()) => Ok(Totals {
            calls: world.calls.get(),
            faults: world.faults.get(),
            other_hands: world.hands.get(),
            ..story.totals
        }),
        Err(why) => {
            let log = world.log.iter().flat_map(std::cell::RefCell::take);
            Err((why, log.collect::<Vec<_>>().join("\n")))
        }
    }
}

/// Another hand deletes the role, the next `up` is interrupted at this call of its own, and the one after it is not disturbed.
pub(super) fn lose_the_role(at: usize, aws: &Aws) -> Result<(), String> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let _within = runtime.enter();
    let (world, aws) = (SimulatedAws::new(1, false), rested(aws));
    let story = Story { aws: &aws, world: Rc::clone(&world), users_store: false, totals: Totals::default() };
    let told = runtime.block_on(async {
        let wish = Wish::new(&world, false, false, 2);
        drop(up(&aws, &wish).await);
        story.is_right(&wish)?;
        world.items.borrow_mut().remove(&(ROLE.as_str(), "role".to_owned()));
        let interrupt = CancellationToken::new();
        world.disturbance.borrow_mut().interrupt = Some((world.calls.get() + at, interrupt.clone()));
        drop(up(&aws.with_interrupt(interrupt), &wish).await);
        *world.disturbance.borrow_mut() = Disturbance::default();
        sleep(Duration::from_mins(1)).await;
        drop(up(&aws, &wish).await);
        story.is_right(&wish)
    });
    told.map_err(|why| format!("interrupted at call {at}: {why}"))
}

struct Story<'a> {
    aws: &'a Aws,
    world: Rc<SimulatedAws>,
    users_store: bool,
    totals: Totals,
}

impl Story<'_> {
    async fn tell(&mut self) -> Result<(), String> {
        if self.users_store {
            self.foreign("store");
        }
        if self.world.chance(70) {
            self.world.say(|| "-- a first up".to_owned());
            let first = self.blueprint();
            drop(up(self.aws, &first).await);
        }
        for _ in 0..=self.world.random(3) {
            self.disturbed().await?;
            sleep(Duration::from_millis(u64::from(self.world.random(30_000)))).await;
            if self.world.chance(15) {
                let kind = ALL_KINDS[self.world.random(8) as usize];
                self.foreign(kind);
            }
        }
        self.alone();
        sleep(Duration::from_mins(1)).await;
        self.undisturbed().await
    }

    fn blueprint(&self) -> Wish {
        let sizes = [2, 3, 5, 6];
        let (is_watched, size) = (self.world.chance(60), sizes[self.world.random(4) as usize]);
        Wish::new(&self.world, is_watched, self.users_store, size)
    }

    /// From now on nobody disturbs.
    fn alone(&self) {
        *self.world.disturbance.borrow_mut() = Disturbance { is_alone: true, ..Disturbance::default() };
    }

    /// Somebody else creates something of a name of the pipeline's, if there is nothing.
    fn foreign(&self, kind: &'static str) {
        let key = (kind, if kind == "watch" { "late" } else { kind }.to_owned());
        let mut items = self.world.items.borrow_mut();
        let of_name = items.entry(key).or_default();
        // An API is found by its tags, and a door is inside the pipeline's API: neither can be in the way.
        if of_name.is_empty() && !["api", "door"].contains(&kind) {
            let owner = Tags::from([("owner".to_owned(), "somebody".to_owned())]);
            let tags = if self.world.chance(50) { owner } else { Tags::new() };
            let mut item = SimulatedAws::item(7, tags);
            item.is_foreign = true;
            of_name.push(item);
            self.world.say(|| format!("somebody creates a {kind}"));
        }
    }

    /// A run, or two, during which things happen.
    async fn disturbed(&mut self) -> Result<(), String> {
        let (world, calls, started) = (Rc::clone(&self.world), self.world.calls.get(), Instant::now());
        let interrupts = [CancellationToken::new(), CancellationToken::new()];
        let at = calls + 1 + world.random(80) as usize;
        let denied = ["sim:Create", "sim:Update", "sim:Delete", "sim:Tag"];
        let denied = denied[world.random(4) as usize];
        *world.disturbance.borrow_mut() = Disturbance {
            faults: [0, 5, 30][world.random(3) as usize],
            hands: [0, 0, 2][world.random(3) as usize],
            interrupt: world.chance(40).then(|| (at, interrupts[0].clone())),
            is_alone: false,
            denied: world.chance(10).then_some(denied),
        };
        let is_beside = world.chance(25);
        let hands = world.disturbance.borrow().hands;
        world.disturbance.borrow_mut().is_alone = !is_beside && hands == 0;
        self.totals.beside += usize::from(is_beside);
        let [one, other] = [0, 1].map(|_| (self.blueprint(), world.chance(30)));
        world.say(|| format!("-- a run, and one beside it: {is_beside}"));
        let run = async |(blueprint, goes_down): &(Wish, bool), interrupt: &CancellationToken| {
            let aws = self.aws.with_interrupt(interrupt.clone());
            if *goes_down {
                world.goes_down.set(!is_beside);
                drop(down(&aws, blueprint, Data::Keep).await);
                world.goes_down.set(false);
            } else {
                drop(up(&aws, blueprint).await);
            }
        };
        let beside = async {
            if is_beside {
                run(&other, &interrupts[1]).await;
            }
        };
        futures_util::join!(run(&one, &interrupts[0]), beside);
        self.totals.interrupted += usize::from(interrupts[0].is_cancelled());
        let took = (world.calls.get() - calls, started.elapsed());
        if took.0 > DISTURBED.0 || took.1 > DISTURBED.1 {
            return Err(format!("a disturbed run took {took:?}"));
        }
        Ok(())
    }

    /// What must be true once nobody disturbs a run any more.
    async fn undisturbed(&mut self) -> Result<(), String> {
        let blueprint = self.blueprint();
        let (calls, changes) = (self.world.calls.get(), self.world.changes.get());
        self.world.say(|| "-- an undisturbed up".to_owned());
        let mut outcome = up(self.aws, &blueprint).await;
        if let UpOutcome::Refused = outcome {
            self.totals.refused += 1;
            if self.world.changes.get() != changes {
                return Err("a refused up changed something".to_owned());
            }
            self.foreigners_leave()?;
            self.world.say(|| "-- an undisturbed up, with nothing in the way".to_owned());
            outcome = up(self.aws, &blueprint).await;
        }
        let UpOutcome::Done(report) = outcome else {
            return Err("an undisturbed up did not get to work".to_owned());
        };
        if !report.is_complete() {
            return Err(format!("an undisturbed up is incomplete: {report:?}"));
        }
        let replaced = report.done.iter().filter(|done| done.action == Action::Replace);
        self.totals.replaced += replaced.count();
        self.is_right(&blueprint)?;
        if self.world.calls.get() - calls > 2 * MOST_CALLS {
            return Err(format!("{} calls", self.world.calls.get() - calls));
        }
        self.world.say(|| "-- a second up".to_owned());
        let changes = self.world.changes.get();
        drop(up(self.aws, &blueprint).await);
        if self.world.changes.get() != changes {
            return Err("a second up changed something".to_owned());
        }
        self.goes(&blueprint).await
    }

    fn foreigners_leave(&self) -> Result<(), String> {
        let mut items = self.world.items.borrow_mut();
        let keep = |kind: &str| self.users_store && kind == STORE.as_str();
        let mut left = 0;
        for (_, of_name) in items.iter_mut().filter(|((kind, _), _)| !keep(kind)) {
            let before = of_name.len();
            of_name.retain(|item| !item.is_foreign);
            left += before - of_name.len();
        }
        if left == 0 && !self.users_store {
            return Err("up refused, and nothing is in the way".to_owned());
        }
        if left == 0 {
            // The user deleted the store that the spec says exists.
            drop(items);
            self.foreign("store");
        }
        Ok(())
    }

    /// Everything is there once, as the spec says, and on what it needs.
    fn is_right(&self, blueprint: &Wish) -> Result<(), String> {
        let mut wrong = Wrong { world: &self.world, found: Vec::new() };
        let want = All::new(blueprint);
        want.visit(&want, &mut wrong);
        wrong.found.first().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// A pipeline that is taken down leaves what holds data, and nothing else; that goes too when it is purged.
    async fn goes(&self, blueprint: &Wish) -> Result<(), String> {
        for data in [Data::Keep, Data::Purge] {
            self.world.say(|| format!("-- down: {data:?}"));
            self.world.purges.set(data == Data::Purge);
            self.world.goes_down.set(true);
            if !down(self.aws, blueprint, data).await.is_some_and(|report| report.is_complete()) {
                return Err(format!("an undisturbed down ({data:?}) is incomplete"));
            }
            sleep(Duration::from_secs(10)).await;
            for kind in ALL_KINDS {
                let names = if kind == "watch" { vec!["late", "quiet"] } else { vec![kind] };
                for name in names {
                    let left = self.world.existing(Kind::new(kind), name);
                    let ours = left.iter().filter(|item| !item.is_foreign).count();
                    let kept = usize::from(kind == STORE.as_str() && data == Data::Keep && !self.users_store);
                    if ours != kept {
                        return Err(format!("down ({data:?}) left {left:?} of {kind}"));
                    }
                }
            }
        }
        if self.users_store && self.world.existing(STORE, "store").len() != 1 {
            return Err("the user's store is gone".to_owned());
        }
        Ok(())
    }
}

/// What is not as the spec says.
struct Wrong<'a> {
    world: &'a SimulatedAws,
    found: Vec<String>,
}

impl Visit<Wanted> for Wrong<'_> {
    fn visit<R: Resource>(&mut self, want: &Target<R>, _same: &Target<R>) {
        let mut items = self.world.existing(want.kind, &want.name);
        items.retain(|item| item.deleted.is_none());
        let own: Vec<_> = items.iter().filter(|item| !item.is_foreign || want.is_users()).collect();
        let state = serde_json::to_value(&want.state).unwrap();
        let size = state["size"].as_u64();
        let role = self.world.existing(ROLE, "role").first().map(|role| role.id);
        let api = self.world.existing(API, "api").first().map(|api| api.id);
        let is_right = match own[..] {
            [] => !want.is_wanted(),
            [_] if want.is_users() => true,
            [item] => {
                want.is_wanted()
                    && Some(u64::from(item.size)) == size
                    && item.tags == ours()
                    && (want.kind != WORKER || item.bound == role)
                    && (want.kind != DOOR || item.inside == api)
            }
            _ => false,
        };
        if !is_right {
            self.found.push(format!("{} {}: {items:?}, role {role:?}", want.kind, want.name));
        }
    }
}

async fn look(aws: &Aws, blueprint: &Wish) -> Option<(All, Plan)> {
    blueprint.world.run_starts();
    let want = All::new(blueprint);
    let have = observe(aws, &want).await.ok()?;
    let plan = plan(&want, have, Adoption::Refuse);
    Some((want, plan))
}

fn refuses(want: &All, plan: &Plan) -> bool {
    summaries(want, plan).iter().any(|summary| summary.action == Action::Refuse)
}

async fn up(aws: &Aws, blueprint: &Wish) -> UpOutcome {
    let Some((want, plan)) = look(aws, blueprint).await else {
        return UpOutcome::NotSeen;
    };
    if refuses(&want, &plan) {
        return UpOutcome::Refused;
    }
    let again = async |_| look(aws, blueprint).await.filter(|(want, plan)| !refuses(want, plan));
    UpOutcome::Done(converge(aws, want, plan, |_| (), again).await)
}

async fn down(aws: &Aws, blueprint: &Wish, data: Data) -> Option<Report> {
    blueprint.world.run_starts();
    let want = All::new(blueprint);
    let have = observe(aws, &want).await.ok()?;
    Some(destroy(aws, &want, have, data, &()).await.report)
}
