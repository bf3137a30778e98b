//! A model of AWS with a seed: resources that take time, are seen late, and calls that fail before or after they took effect.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ErrorMetadata, SdkError};
use aws_sdk_s3::primitives::SdkBody;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::kinds::{API, TIES};
use crate::engine::{Tie, When};
use crate::kind::Kind;
use crate::names::Tags;

/// What a resource of the model is.
#[derive(Clone, Debug)]
pub(super) struct SimulatedResource {
    /// Unlike any other, also of the same name: what is bound to a resource knows it by this.
    pub(super) id: u64,
    /// The id of the resource within which this one is.
    pub(super) inside: Option<u64>,
    /// The id of the resource that this one is bound to, as it was when this one was created.
    pub(super) bound: Option<u64>,
    pub(super) size: u32,
    pub(super) tags: Tags,
    /// Not the pipeline's.
    pub(super) is_foreign: bool,
    /// Since when it is seen, can be changed, and does not exist any more, from the start of the story on.
    visible: Duration,
    ready: Duration,
    pub(super) deleted: Option<Duration>,
}

/// A look at an item.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) item: SimulatedResource,
    pub(super) is_pending: bool,
    pub(super) is_deleting: bool,
    /// Others of the same kind with these tags, where names are not unique.
    pub(super) duplicates: Vec<u64>,
}

type KindAndName = (Kind, String);

/// Why a call fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum CallRefusal {
    Exists,
    NotFound,
    NotYet,
    Denied,
    Throttled,
    Failed,
    Lost,
}

impl CallRefusal {
    fn error(self) -> SdkError<ErrorMetadata, HttpResponse> {
        let (code, message) = match self {
            Self::Exists => ("EntityAlreadyExists", "it exists"),
            Self::NotFound => ("ResourceNotFoundException", "it does not exist"),
            Self::NotYet => ("ResourceInUseException", "it is being changed"),
            Self::Denied => ("AccessDeniedException", "no"),
            Self::Throttled => ("ThrottlingException", "slower"),
            Self::Failed => ("InternalFailure", "sorry"),
            Self::Lost => return SdkError::timeout_error("the answer was lost"),
        };
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let response = HttpResponse::new(400_u16.try_into().unwrap(), SdkBody::empty());
        SdkError::service_error(metadata, response)
    }
}

/// What disturbs runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Disturbance {
    /// Of a hundred calls, how many fail.
    pub(super) faults: u32,
    /// Of a hundred calls, during how many another hand does something.
    pub(super) hands: u32,
    /// At which call the user interrupts.
    pub(super) interrupt: Option<(usize, CancellationToken)>,
    /// Whether another run goes on, or another hand acts: then what a resource needs may vanish at any time.
    pub(super) is_alone: bool,
    /// A call that is denied all the time.
    pub(super) denied: Option<&'static str>,
}

pub(super) struct SimulatedAws {
    pub(super) items: RefCell<BTreeMap<(&'static str, String), Vec<SimulatedResource>>>,
    pub(super) rng: RefCell<fastrand::Rng>,
    pub(super) disturbance: RefCell<Disturbance>,
    pub(super) calls: Cell<usize>,
    pub(super) changes: Cell<usize>,
    pub(super) faults: Cell<usize>,
    pub(super) hands: Cell<usize>,
    /// What happened, if anybody is to read it.
    pub(super) log: Option<RefCell<Vec<String>>>,
    /// What must never happen, and did.
    pub(super) violations: RefCell<Vec<String>>,
    /// Whether data may be deleted.
    pub(super) purges: Cell<bool>,
    /// When the last run started: what it could not see then, it cannot put in order.
    run_started: Cell<Duration>,
    /// The oldest API then.
    run_api: Cell<Option<u64>>,
    /// Whether a run takes everything down.
    pub(super) goes_down: Cell<bool>,
    next_id: Cell<u64>,
    started: Instant,
}

pub(super) type Answer<T> = Result<T, SdkError<ErrorMetadata, HttpResponse>>;

impl SimulatedAws {
    pub(super) fn new(seed: u64, is_logged: bool) -> Rc<Self> {
        Rc::new(Self {
            items: RefCell::default(),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            disturbance: RefCell::default(),
            calls: Cell::default(),
            changes: Cell::default(),
            faults: Cell::default(),
            hands: Cell::default(),
            log: is_logged.then(RefCell::default),
            violations: RefCell::default(),
            purges: Cell::default(),
            run_started: Cell::default(),
            run_api: Cell::default(),
            goes_down: Cell::default(),
            next_id: Cell::new(1),
            started: Instant::now(),
        })
    }

    pub(super) fn random(&self, below: u32) -> u32 {
        self.rng.borrow_mut().u32(0..below)
    }

    pub(super) fn chance(&self, of_hundred: u32) -> bool {
        self.random(100) < of_hundred
    }

    fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.rng.borrow_mut().u64(0..=most))
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if let Some(log) = &self.log {
            log.borrow_mut().push(what());
        }
    }

    pub(super) fn run_starts(&self) {
        self.run_started.set(self.now());
        self.run_api.set(self.existing(API, "api").first().map(|api| api.id));
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn id(&self) -> u64 {
        self.next_id.set(self.next_id.get() + 1);
        self.next_id.get()
    }

    /// One call: it takes time, may fail before or after it took effect, and others do things meanwhile.
    pub(super) async fn call<T>(
        &self,
        call: &'static str,
        on: &str,
        effect: impl FnOnce(&Self) -> Result<T, CallRefusal>,
    ) -> Answer<T> {
        sleep(self.millis(40)).await;
        self.calls.set(self.calls.get() + 1);
        self.meanwhile();
        let disturbance = self.disturbance.borrow().clone();
        let fault = self.chance(disturbance.faults).then(|| {
            self.faults.set(self.faults.get() + 1);
            self.random(4)
        });
        let outcome = match fault {
            _ if disturbance.denied == Some(call) => Err(CallRefusal::Denied),
            Some(0) => Err(CallRefusal::Throttled),
            Some(1) => Err(CallRefusal::Failed),
            Some(2) => Err(CallRefusal::Lost),
            // It took effect, and nobody hears of it.
            Some(_) => effect(self).and(Err(CallRefusal::Lost)),
            None => effect(self),
        };
        if call != "sim:Describe" {
            let said = outcome.as_ref().map(drop);
            self.say(|| format!("{call} {on}: {said:?}"));
        }
        outcome.map_err(CallRefusal::error)
    }

    fn meanwhile(&self) {
        let disturbance = self.disturbance.borrow().clone();
        if let Some((at, interrupt)) = disturbance.interrupt
            && self.calls.get() == at
        {
            self.say(|| "interrupted".to_owned());
            interrupt.cancel();
        }
        if self.chance(disturbance.hands) {
            self.other_hand();
        }
    }

    /// Another hand deletes or changes something of the pipeline's.
    fn other_hand(&self) {
        let keys: Vec<_> = self.items.borrow().keys().cloned().collect();
        if keys.is_empty() {
            return;
        }
        let key = &keys[self.random(u32::try_from(keys.len()).unwrap()) as usize];
        let deletes = self.chance(60);
        let mut items = self.items.borrow_mut();
        let Some(item) = items.get_mut(key).and_then(|of_name| of_name.first_mut()) else {
            return;
        };
        if item.is_foreign {
            return;
        }
        self.hands.set(self.hands.get() + 1);
        if deletes {
            let id = item.id;
            for of_name in items.values_mut() {
                of_name.retain(|other| other.id != id && other.inside != Some(id));
            }
        } else {
            item.size += 100;
            item.tags.insert("team".to_owned(), "other".to_owned());
            item.tags.insert("note".to_owned(), "by hand".to_owned());
        }
        let does = if deletes { "deletes" } else { "changes" };
        self.say(|| format!("another hand {does} {key:?}"));
    }

    /// The items of this name that exist, oldest first.
    fn of_name(&self, key: &KindAndName) -> Vec<SimulatedResource> {
        let now = self.now();
        let mut items = self.items.borrow_mut();
        let of_name = items.entry((key.0.as_str(), key.1.clone())).or_default();
        of_name.retain(|item| item.deleted.is_none_or(|deleted| deleted > now));
        of_name.clone()
    }

    pub(super) fn existing(&self, kind: Kind, name: &str) -> Vec<SimulatedResource> {
        self.of_name(&(kind, name.to_owned()))
    }

    /// Looks for an item; where names are not unique, the oldest with these tags counts.
    pub(super) fn look(
        &self,
        kind: Kind,
        name: &str,
        inside: Option<u64>,
        by_tags: Option<&Tags>,
    ) -> Option<Found> {
        let now = self.now();
        let mut found: Vec<_> = self.existing(kind, name);
        found.retain(|item| item.visible <= now && item.inside == inside);
        if let Some(tags) = by_tags {
            found.retain(|item| tags.iter().all(|(key, value)| item.tags.get(key) == Some(value)));
        }
        let duplicates = found.iter().skip(1).map(|item| item.id).collect();
        let item = found.into_iter().next()?;
        Some(Found { is_pending: item.ready > now, is_deleting: item.deleted.is_some(), item, duplicates })
    }

    pub(super) fn create(
        &self,
        kind: Kind,
        name: &str,
        new: SimulatedResource,
        is_unique: bool,
    ) -> Result<SimulatedResource, CallRefusal> {
        let existing = self.existing(kind, name);
        let mut same_place = existing.iter().filter(|item| item.inside == new.inside);
        match same_place.next().filter(|_| is_unique) {
            Some(item) if item.deleted.is_some() => return Err(CallRefusal::NotYet),
            Some(_) => return Err(CallRefusal::Exists),
            None => {}
        }
        if let Some(outer) = new.inside
            && !self.exists(outer)
        {
            return Err(CallRefusal::NotFound);
        }
        self.check_needs(kind);
        let now = self.now();
        let (visible, ready) = (self.millis(1_500), self.millis(8_000));
        let item = SimulatedResource {
            id: self.id(),
            visible: now + if self.chance(30) { visible } else { Duration::ZERO },
            ready: now + if self.chance(40) { ready } else { Duration::ZERO },
            deleted: None,
            ..new
        };
        self.items.borrow_mut().entry((kind.as_str(), name.to_owned())).or_default().push(item.clone());
        self.changes.set(self.changes.get() + 1);
        Ok(item)
    }

    pub(super) fn item(size: u32, tags: Tags) -> SimulatedResource {
        SimulatedResource {
            id: 0,
            inside: None,
            bound: None,
            size,
            tags,
            is_foreign: false,
            visible: Duration::ZERO,
            ready: Duration::ZERO,
            deleted: None,
        }
    }

    fn has(&self, kind: Kind) -> bool {
        let items = self.items.borrow();
        let mut of_kind = items.iter().filter(|((of, _), _)| *of == kind.as_str());
        of_kind.any(|(_, items)| items.iter().any(|item| item.deleted.is_none()))
    }

    /// A resource must not be created before what it needs.
    fn check_needs(&self, kind: Kind) {
        let counts = |tie: &&Tie| tie.kind == kind && !matches!(tie.when, When::Existing | When::Deleting);
        let missing = TIES.iter().filter(counts).find(|tie| !self.has(tie.needs));
        if let Some(tie) = missing.filter(|_| self.disturbance.borrow().is_alone) {
            self.violations.borrow_mut().push(format!("{kind} is created before {}", tie.needs));
        }
    }

    /// A resource must not go before what needs it, but to be replaced.
    pub(super) fn check_users(&self, kind: Kind, is_for_good: bool) {
        // Of APIs with these tags the oldest counts; what is inside a younger one goes with it.
        let is_used = |tie: &&Tie| {
            let items = self.items.borrow();
            let mut users = items.iter().filter(|((of, _), _)| *of == tie.kind.as_str());
            let is_seen = |item: &SimulatedResource| {
                item.visible <= self.run_started.get()
                    && (item.inside.is_none() || item.inside == self.run_api.get())
            };
            let ours = |item: &SimulatedResource| is_seen(item) && item.deleted.is_none() && !item.is_foreign;
            tie.needs == kind && users.any(|(_, items)| items.iter().any(ours))
        };
        let user = TIES.iter().find(is_used);
        if let Some(tie) = user.filter(|_| is_for_good && self.disturbance.borrow().is_alone) {
            self.violations.borrow_mut().push(format!("{kind} is deleted before {}", tie.kind));
        }
    }

    pub(super) fn exists(&self, id: u64) -> bool {
        let items = self.items.borrow();
        items.values().flatten().any(|item| item.id == id && item.deleted.is_none())
    }

    /// Changes the item with this id.
    pub(super) fn change(
        &self,
        id: u64,
        what: &str,
        change: impl FnOnce(&mut SimulatedResource),
    ) -> Result<(), CallRefusal> {
        let now = self.now();
        let ready = self.millis(8_000);
        let takes_time = self.chance(30);
        let mut items = self.items.borrow_mut();
        let found = items.values_mut().flatten().find(|item| item.id == id);
        let Some(item) = found.filter(|item| item.deleted.is_none()) else {
            return Err(CallRefusal::NotFound);
        };
        if item.visible > now {
            return Err(CallRefusal::NotFound);
        }
        if item.ready > now {
            return Err(CallRefusal::NotYet);
        }
        if item.is_foreign {
            self.violations.borrow_mut().push(format!("{what} of a foreign {item:?}"));
        }
        change(item);
        if takes_time {
            item.ready = now + ready;
        }
        self.changes.set(self.changes.get() + 1);
        Ok(())
    }

    /// Deletes the item with this id, which may take time, and what is inside it.
    pub(super) fn delete(&self, id: u64, holds_data: bool) -> Result<(), CallRefusal> {
        let takes = if self.chance(40) { self.millis(5_000) } else { Duration::ZERO };
        let gone = self.now() + takes;
        if holds_data && !self.purges.get() {
            self.violations.borrow_mut().push("deleted what holds data".to_owned());
        }
        self.change(id, "deletion", |item| item.deleted = Some(gone))?;
        let mut items = self.items.borrow_mut();
        for of_name in items.values_mut() {
            of_name.retain(|item| item.inside != Some(id));
        }
        Ok(())
    }
}
