//! One apply or destroy under way: what was done, what failed, and what was not started.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::kind::{Action, Kind};
use crate::progress::Event;
use crate::resource::{Resource, Step, Target};

#[derive(Clone, Debug)]
pub struct Done {
    pub kind: Kind,
    pub name: String,
    /// What AWS calls it.
    pub id: String,
    pub action: Action,
    /// When AWS created it, if AWS says so.
    pub created: Option<SystemTime>,
}

#[derive(Debug, Default)]
pub struct Report {
    pub done: Vec<Done>,
    pub failed: Vec<(Kind, String, AwsError)>,
    /// What was not started or not finished, and why: what it needs failed, the user interrupted, time ran out.
    pub not_started: Vec<(Kind, String, String)>,
}

impl Report {
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.not_started.is_empty()
    }

    /// Whether something failed because what it needs existed before and does not any more.
    pub fn lost_something(&self) -> bool {
        let mut errors = self.failed.iter().map(|(_, _, error)| error.kind);
        errors.any(|kind| kind == ErrorKind::NotFound)
    }

    /// Adds what an earlier round did to the resources that this one found in their desired state, or not at all.
    pub fn remember(&mut self, earlier: &Self) {
        for done in self.done.iter_mut().filter(|done| done.action == Action::Keep) {
            let mut before = earlier.done.iter();
            let before = before.find(|before| before.kind == done.kind && before.id == done.id);
            done.action = before.map_or(done.action, |before| before.action);
        }
        let deleted = earlier.done.iter().filter(|done| done.action == Action::Delete);
        self.done.extend(deleted.cloned());
    }
}

pub struct Run<'a> {
    pub aws: &'a Aws,
    pub started: Instant,
    report: Mutex<Report>,
}

impl<'a> Run<'a> {
    pub fn new(aws: &'a Aws) -> Self {
        Self { aws, started: Instant::now(), report: Mutex::default() }
    }

    pub fn take_report(&self) -> Report {
        std::mem::take(&mut self.report())
    }

    /// Does one resource's work, unless the user interrupted before, and reports how it went.
    pub async fn step<R: Resource>(
        &self,
        want: &Target<R>,
        action: Action,
        work: impl AsyncFnOnce(&Step<'_>) -> Result<R::Id, AwsError>,
    ) -> Option<(R::Id, Done)> {
        let started = Instant::now();
        let id = self.attempt(want, action, work).await?;
        self.aws.event(Event::Finished {
            kind: want.kind,
            name: want.name.clone(),
            action,
            elapsed: started.elapsed(),
        });
        let done = Done {
            kind: want.kind,
            name: want.name.clone(),
            id: id.to_string(),
            action,
            created: R::created(&id),
        };
        self.report().done.push(done.clone());
        Some((id, done))
    }

    /// Does a part of one resource's work, unless the user interrupted before, and reports only if that fails.
    pub async fn attempt<R: Resource, T>(
        &self,
        want: &Target<R>,
        action: Action,
        work: impl AsyncFnOnce(&Step<'_>) -> Result<T, AwsError>,
    ) -> Option<T> {
        let (kind, name) = (want.kind, want.name.clone());
        if self.aws.interrupt.is_cancelled() {
            self.not_started(kind, &name, "it was not started".to_owned());
            return None;
        }
        if action != Action::Keep {
            let name = name.clone();
            self.aws.event(Event::Started { kind, name });
        }
        match work(&Step::new(self.aws, kind, &name)).await {
            Ok(made) => Some(made),
            Err(error) if error.kind == ErrorKind::Interrupted => {
                self.not_started(kind, &name, error.to_string());
                self.aws.event(Event::Stopped { kind, name });
                None
            }
            Err(error) => {
                self.failed(kind, &name, error);
                self.aws.event(Event::Failed { kind, name });
                None
            }
        }
    }

    pub fn failed(&self, kind: Kind, name: &str, error: AwsError) {
        self.report().failed.push((kind, name.to_owned(), error));
    }

    pub fn not_started(&self, kind: Kind, name: &str, why: String) {
        self.report().not_started.push((kind, name.to_owned(), why));
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
