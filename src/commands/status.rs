//! `status`: what is wrong, what went through, how every resource is, and the webhook URL.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Context;
use super::session::Session;
use crate::aws::AwsError;
use crate::cli;
use crate::engine::plan::{Summary, plan, summaries};
use crate::failure::{Exit, Failure};
use crate::health::{self, Watching};
use crate::kind::Action;
use crate::pipeline::{Desired, Snapshot};
use crate::resource::{Adoption, Phase};
use crate::resources::{alarm, alarm_topic};
use crate::results::{self, AlarmState, Detail, Metrics, NewestObject, State, Traffic};
use crate::spec::TopicArn;
use crate::undelivered::newest::NEWEST_PREFIXES;
use crate::undelivered::{self, Undelivered};
use crate::{objects, prefixes, traffic};

/// How often `--watch` looks again.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// CloudWatch has a value a minute, and asking costs money.
const MEASURE_EVERY: Duration = Duration::from_mins(1);

pub(super) async fn run(context: &Context, args: &cli::Status) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    session.mind_log_retention(args.since);
    let mut measured = None;
    loop {
        let status = look(&session, args, &mut measured).await?;
        if args.watch {
            context.ui.clear_screen();
        }
        context.ui.result(&status)?;
        if !args.watch {
            return Ok(if status.healthy { Exit::Done } else { Exit::Differs });
        }
        context
            .unless_interrupted(tokio::time::sleep(WATCH_EVERY))
            .await?;
    }
}

async fn look(
    session: &Session,
    args: &cli::Status,
    measured: &mut Option<(Instant, Metrics)>,
) -> Result<results::Status, Failure> {
    let mut want = session.desired(session.code_to_compare(args.handler.as_deref())?);
    let (have, watching, traffic) = futures_util::join!(
        session.observe(&want),
        session.context.unless_interrupted(watching(session, &want)),
        session
            .context
            .unless_interrupted(traffic(session, args.since, measured)),
    );
    let (have, watching, traffic) = (have?, watching??, traffic??);
    let looking = undelivered(session, &want, &have);
    let undelivered = session.context.unless_interrupted(looking).await??;
    undelivered::keep_as_is(&have, &mut want);
    let webhook_url = session.open_url(&have);
    let rotating = have.rest_api.as_ref().is_some_and(|api| api.id.old.is_some());
    let plan = plan(&want, have, Adoption::Refuse);
    let summaries = summaries(&want, &plan);
    let resources: Vec<_> = summaries.into_iter().map(resource).collect();
    let problems = health::problems(&session.spec, &resources, &watching, &undelivered, &traffic);
    Ok(results::Status {
        name: session.spec.name.to_string(),
        region: session.aws.region.clone(),
        time: SystemTime::now(),
        detail: if args.watch {
            Detail::Differing
        } else {
            Detail::Every
        },
        healthy: !problems.iter().any(|problem| problem.serious),
        problems,
        webhook_url,
        rotating,
        resources,
        alarms: watching.alarms,
        undelivered,
        traffic,
    })
}

/// What was answered 200 and is not delivered; an absent pipeline has nothing.
async fn undelivered(session: &Session, want: &Desired, have: &Snapshot) -> Result<Undelivered, AwsError> {
    let gaps = undelivered::gaps(&session.aws, want, have).await?;
    if have.bucket.is_none() {
        return Ok(Undelivered::of_gaps(&gaps));
    }
    Undelivered::look(&session.aws, &session.spec, &session.names, &gaps).await
}

/// What the alarms say that the spec asks for, and whom they do not reach.
async fn watching(session: &Session, want: &Desired) -> Result<Watching, AwsError> {
    let wanted = want.alarms.iter().filter(|alarm| alarm.is_wanted());
    let names: Vec<_> = wanted.map(|alarm| alarm.name.clone()).collect();
    if names.is_empty() {
        return Ok(Watching::default());
    }
    let users = session.spec.monitoring.topic_arn.as_ref().map(TopicArn::as_str);
    let (found, unconfirmed, lost_topic) = futures_util::try_join!(
        alarm::describe(&session.aws, &names),
        want.alarm_topic.unconfirmed(&session.aws),
        lost_topic(session, users),
    )?;
    let alarms = found.into_iter().map(|alarm| AlarmState {
        state: alarm
            .state_value
            .map_or_else(String::new, |state| state.as_str().to_owned()),
        name: alarm.alarm_name.unwrap_or_default(),
        why: alarm.state_reason.unwrap_or_default(),
    });
    Ok(Watching {
        alarms: alarms.collect(),
        unconfirmed,
        lost_topic,
    })
}

/// The user's own topic, if it is known not to be there.
async fn lost_topic(session: &Session, topic: Option<&str>) -> Result<Option<String>, AwsError> {
    let Some(topic) = topic else { return Ok(None) };
    // SNS knows topics of its own region alone.
    let is_lost = session.topic_is_near().is_err() || !alarm_topic::is_there(&session.aws, topic).await?;
    Ok(is_lost.then(|| topic.to_owned()))
}

/// What went through in a span, from the logs, CloudWatch and the bucket.
async fn traffic(
    session: &Session,
    since: Duration,
    measured: &mut Option<(Instant, Metrics)>,
) -> Result<Traffic, AwsError> {
    let (aws, names) = (&session.aws, &session.names);
    let metrics = async {
        match measured.take().filter(|(when, _)| when.elapsed() < MEASURE_EVERY) {
            Some(fresh) => Ok(fresh),
            None => Ok((Instant::now(), traffic::metrics::read(aws, names, since).await?)),
        }
    };
    let (mut traffic, fresh, newest) =
        futures_util::try_join!(traffic::read(aws, names, since), metrics, newest(session, since))?;
    traffic.metrics = fresh.1.clone();
    traffic.newest_object = newest;
    *measured = Some(fresh);
    Ok(traffic)
}

/// The newest object of the span, where the prefix says where to look.
async fn newest(session: &Session, since: Duration) -> Result<Option<NewestObject>, AwsError> {
    let (prefix, now) = (session.spec.delivery.prefix.as_str(), SystemTime::now());
    if prefixes::of(prefix, now).is_err() {
        return Ok(None);
    }
    let bucket = session.names.bucket(&session.spec);
    let from = now.checked_sub(since).unwrap_or(UNIX_EPOCH);
    let latest = prefixes::between(prefix, from, now);
    for prefix in latest.iter().rev().take(NEWEST_PREFIXES) {
        let Some((object, at)) = objects::newest(&session.aws, &bucket, prefix).await? else {
            continue;
        };
        return Ok(Some(NewestObject {
            bytes: object
                .size()
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
            key: object.key.unwrap_or_default(),
            age_seconds: now.duration_since(at).unwrap_or_default().as_secs(),
        }));
    }
    Ok(None)
}

fn resource(summary: Summary) -> results::Resource {
    let state = match (&summary.phase, summary.action) {
        (None, _) => State::Missing,
        _ if summary.owner.is_foreign() => State::Foreign,
        (Some(Phase::Failed(_)), _) => State::Failed,
        (Some(Phase::Pending(_) | Phase::Deleting), _) => State::Pending,
        (Some(Phase::Ready), Action::Keep) => State::Ok,
        (Some(Phase::Ready), _) => State::Drifted,
    };
    let why = match &summary.phase {
        Some(Phase::Failed(why) | Phase::Pending(why)) => Some(why.clone()),
        Some(_) => summary.reason,
        None => None,
    };
    let drift = if state == State::Missing {
        Vec::new()
    } else {
        summary.fields
    };
    results::Resource {
        kind: summary.kind,
        name: summary.name,
        id: summary.id,
        state,
        why,
        drift,
        left_alone: summary.left_alone,
    }
}
