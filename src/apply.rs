//! Brings AWS to where the plan says, each resource as soon as what it needs is there.
//!
//! `apply` reads as the dependency graph. A failure stops only what depends on it: everything else is finished, so
//! that nothing is left half made, and every failure is reported.

use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use futures_util::future::{FutureExt, LocalBoxFuture, Shared, join_all};
use futures_util::join;

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::desired::Desired;
use crate::moment;
use crate::plan::Plan;
use crate::progress::Event;
use crate::resource::{Action, Decision, Kind, Resource, Step, ensure};
use crate::resources::alarm::Alarm;
use crate::resources::alarm_topic::AlarmTopic;
use crate::resources::dashboard::Dashboard;
use crate::resources::rest_api::Route;
use crate::resources::{delivery_stream, stage};
use crate::undelivered;

/// A resource that is as it should be.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What AWS calls it.
    pub id: String,
    /// What was done to it.
    pub action: Action,
}

/// How an apply or a destroy went.
#[derive(Debug, Default)]
pub struct Report {
    /// What is as it should be.
    pub done: Vec<Done>,
    /// What failed, and why.
    pub failed: Vec<(Kind, String, AwsError)>,
    /// What was not started or not finished, and why: what it needs failed, the user interrupted, time ran out.
    pub not_started: Vec<(Kind, String, String)>,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.not_started.is_empty()
    }

    /// Whether something failed because what it needs was there before and is not any more.
    pub fn lost_something(&self) -> bool {
        let mut errors = self.failed.iter().map(|(_, _, error)| error.kind);
        errors.any(|kind| kind == ErrorKind::NotFound)
    }

    /// Takes over what an earlier round did to the resources that this one found as they should be, or not at all.
    pub fn remember(&mut self, earlier: &Self) {
        for done in self.done.iter_mut().filter(|done| done.action == Action::Keep) {
            let before = earlier
                .done
                .iter()
                .find(|before| before.kind == done.kind && before.id == done.id);
            done.action = before.map_or(done.action, |before| before.action);
        }
        let deleted = earlier.done.iter().filter(|done| done.action == Action::Delete);
        self.done.extend(deleted.cloned());
    }
}

/// What an apply left behind.
pub struct Applied {
    /// How it went.
    pub report: Report,
    /// The REST API's id and the webhook's path, if everything went well.
    pub webhook: Option<(String, String)>,
}

/// What becomes of a resource: what AWS calls it, or nothing where it is not as it should be.
type Making<'a, T = String> = Shared<LocalBoxFuture<'a, Option<T>>>;

/// Brings every resource to where `plan` says.
pub async fn apply(aws: &Aws, want: &Desired, plan: Plan) -> Applied {
    let run = Run::new(aws);
    let bucket = run.ensure(&want.bucket, plan.bucket, none());
    let stream = run.ensure(&want.stream, plan.stream, none());
    let database = run.ensure_optional(&want.database, plan.database, none());
    let table = run.ensure_optional(&want.table, plan.table, database);
    let delivery_role = run.ensure(&want.delivery_role, plan.delivery_role, none());
    let function_role = run.ensure(&want.function_role, plan.function_role, none());
    let delivery_logs = run.ensure(&want.delivery_log_group, plan.delivery_log_group, none());
    let function_logs = run.ensure(&want.function_log_group, plan.function_log_group, none());
    let rest_api = run.ensure(&want.rest_api, plan.rest_api, none());

    let needs = async {
        let (role, stream, bucket, log_group, table) = join!(
            delivery_role.clone(),
            stream.clone(),
            bucket.clone(),
            delivery_logs.clone(),
            table.clone()
        );
        table?;
        Some(delivery_stream::Needs {
            role: role?,
            stream: stream?,
            bucket: bucket?,
            log_group: log_group?,
        })
    };
    let delivery_stream = run.ensure(&want.delivery_stream, plan.delivery_stream, needs);

    let is_called = plan.function.have.is_some();
    let needs = function_needs(function_role, function_logs, is_called.then(|| bucket.clone()));
    let function = run.ensure(&want.function, plan.function, needs);

    // What the stream takes before the delivery stream is ACTIVE never reaches S3, so the door opens last.
    let needs = async {
        let (api, function, delivery) = join!(rest_api.clone(), function.clone(), delivery_stream.clone());
        let delivery_stream = delivery_stream::DeliveryStream::display_id(&delivery?);
        Some(stage::Needs {
            api: api?,
            function: function?,
            delivery_stream,
        })
    };
    let stage = run.ensure(&want.stage, plan.stage, needs);

    let watched = watch(&run, want, plan.alarm_topic, plan.alarms, plan.dashboard);
    let closed = close_gap(&run, want, delivery_stream.clone());
    let (stage, api, ..) = join!(
        stage,
        rest_api.clone(),
        bucket.clone(),
        stream.clone(),
        function.clone(),
        watched,
        closed
    );
    let webhook = stage
        .and(api)
        .and_then(|api| Some((api.api, api.route.map(|route: Route| route.path)?)));
    Applied {
        report: run.take_report(),
        webhook,
    }
}

/// Notes when the delivery stream started to read, whatever else fails, if nothing had delivered the stream before.
async fn close_gap(run: &Run<'_>, want: &Desired, delivery_stream: Making<'_, delivery_stream::Id>) {
    let gaps = undelivered::kept(want);
    if !gaps.is_open() {
        return;
    }
    let Some(id) = delivery_stream.await else { return };
    // It was created since this run started, by AWS's clock; this machine's may be behind.
    let now = SystemTime::now();
    let active = id.created.map_or(now, |created| {
        now.max(moment::later(created, run.started.elapsed()))
    });
    let stream = &want.stream;
    let tag = gaps.closed(active).write().unwrap_or_default();
    let step = Step::new(run.aws, stream.kind(), stream.name());
    // An interruption is no failure: the next look takes the time when the delivery stream was created.
    if let Err(error) = stream.keep_gaps(&tag, &step).await
        && error.kind != ErrorKind::Interrupted
    {
        run.report()
            .failed
            .push((stream.kind(), stream.name().to_owned(), error));
    }
}

/// What the function needs, given the bucket if it is called already: it must not be sent to spill into one that is not there.
///
/// Lambda makes a log group without retention on the first line, so ours has to be there before.
async fn function_needs(role: Making<'_>, logs: Making<'_>, bucket: Option<Making<'_>>) -> Option<String> {
    let (role, logs) = join!(role, logs);
    if let Some(bucket) = bucket {
        bucket.await?;
    }
    logs.and(role)
}

/// Brings what watches over the pipeline to where its decisions say: alarms once there is somebody to tell, and a topic goes
/// once no alarm tells it any more.
async fn watch(
    run: &Run<'_>,
    want: &Desired,
    topic: Decision<AlarmTopic>,
    alarms: Vec<Decision<Alarm>>,
    dashboard: Decision<Dashboard>,
) {
    let alarms = async |needs: Making<'_, ()>| {
        let alarms = want.alarms.iter().zip(alarms);
        let made = alarms.map(|(want, decision)| run.ensure_optional(want, decision, needs.clone()));
        join_all(made).await.into_iter().collect::<Option<()>>()
    };
    let dashboard = run.ensure_optional(&want.dashboard, dashboard, none());
    let told = async {
        if want.alarm_topic.wanted {
            let topic = run.ensure_optional(&want.alarm_topic, topic, none());
            join!(topic.clone(), alarms(topic));
        } else {
            let moved = alarms(none().boxed_local().shared());
            run.ensure_optional(&want.alarm_topic, topic, moved).await;
        }
    };
    join!(told, dashboard);
}

/// The needs of what needs nothing.
fn none() -> std::future::Ready<Option<()>> {
    std::future::ready(Some(()))
}

/// One apply under way: where outcomes are gathered.
pub(crate) struct Run<'a> {
    pub(crate) aws: &'a Aws,
    started: Instant,
    report: Mutex<Report>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(aws: &'a Aws) -> Self {
        Self {
            aws,
            started: Instant::now(),
            report: Mutex::default(),
        }
    }

    /// Hands over what has been gathered.
    pub(crate) fn take_report(&self) -> Report {
        std::mem::take(&mut self.report())
    }

    /// Ensures one resource once its needs are there; gives its id, or nothing where it is not as it should be.
    ///
    /// Boxed, since each resource's future would otherwise hold those of all that it needs.
    fn ensure<'f, R: Resource>(
        &'f self,
        want: &'f R,
        decision: Decision<R>,
        needs: impl Future<Output = Option<R::Needs>> + 'f,
    ) -> Making<'f, R::Id> {
        let ensured = async move {
            let (kind, name) = (want.kind(), want.name());
            let Some(needs) = needs.await else {
                self.not_started(kind, name, "what it needs is not there".to_owned());
                return None;
            };
            let action = decision.action;
            let work = async |step: &Step<'_>| ensure(want, decision, &needs, step).await;
            self.step(kind, name, action, work, R::display_id).await
        };
        ensured.boxed_local().shared()
    }

    /// Ensures one resource that the spec may or may not ask for, once its needs are there, or what uses it no longer does;
    /// gives whether it is as it should be, there or not.
    fn ensure_optional<'f, R: Resource>(
        &'f self,
        want: &'f R,
        decision: Decision<R>,
        needs: impl Future<Output = Option<R::Needs>> + 'f,
    ) -> Making<'f, ()> {
        if want.wanted() {
            let ensured = self.ensure(want, decision, needs);
            return ensured.map(|made| made.map(drop)).boxed_local().shared();
        }
        let deleted = async move {
            let needs = needs.await;
            let Decision { have, action, .. } = decision;
            let Some(have) = have.filter(|_| action == Action::Delete) else {
                return Some(());
            };
            let (kind, name) = (want.kind(), want.name());
            if needs.is_none() {
                self.not_started(kind, name, "what uses it is not as it should be".to_owned());
                return None;
            }
            let work = async |step: &Step<'_>| want.delete(&have.id, step).await;
            let id = |(): &()| R::display_id(&have.id);
            self.step(kind, name, action, work, id).await
        };
        deleted.boxed_local().shared()
    }

    /// Does one resource's work, unless the user interrupted before, and reports how it went.
    pub(crate) async fn step<T>(
        &self,
        kind: Kind,
        name: &str,
        action: Action,
        work: impl AsyncFnOnce(&Step<'_>) -> Result<T, AwsError>,
        id_of: impl Fn(&T) -> String,
    ) -> Option<T> {
        if self.aws.interrupt.is_cancelled() {
            self.not_started(kind, name, "it was not started".to_owned());
            return None;
        }
        if action != Action::Keep {
            self.aws.event(Event::Started {
                kind,
                name: name.to_owned(),
            });
        }
        let started = Instant::now();
        match work(&Step::new(self.aws, kind, name)).await {
            Ok(made) => {
                let elapsed = started.elapsed();
                self.aws.event(Event::Finished {
                    kind,
                    name: name.to_owned(),
                    action,
                    elapsed,
                });
                let done = Done {
                    kind,
                    name: name.to_owned(),
                    id: id_of(&made),
                    action,
                };
                self.report().done.push(done);
                Some(made)
            }
            Err(error) => {
                if error.kind == ErrorKind::Interrupted {
                    self.aws.event(Event::Stopped {
                        kind,
                        name: name.to_owned(),
                    });
                    self.not_started(kind, name, error.to_string());
                } else {
                    self.aws.event(Event::Failed {
                        kind,
                        name: name.to_owned(),
                    });
                    self.failed(kind, name, error);
                }
                None
            }
        }
    }

    pub(crate) fn failed(&self, kind: Kind, name: &str, error: AwsError) {
        self.report().failed.push((kind, name.to_owned(), error));
    }

    pub(crate) fn not_started(&self, kind: Kind, name: &str, why: String) {
        self.report().not_started.push((kind, name.to_owned(), why));
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
