//! `status`: what is wrong, what went through, how every resource is, and the webhook URL.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::ValueHint;
use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::aws::AwsError;
use crate::cli::span;
use crate::engine::plan::{plan, summaries};
use crate::failure::{Exit, Failure};
use crate::health::{self, AlarmState, Finding, ResourceHealth, Watching};
use crate::pipeline::Desired;
use crate::pipeline::Snapshot;
use crate::resource::Adoption;
use crate::resources::{alarm, alarm_topic};
use crate::spec::TopicArn;
use crate::traffic::metrics::Metrics;
use crate::traffic::{self, Traffic};
use crate::undelivered::{self, Undelivered};

mod text;

/// How often `--watch` looks again.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// CloudWatch has a value a minute, and asking costs money.
const MEASURE_EVERY: Duration = Duration::from_mins(1);

/// Show what is wrong and what to do, traffic, each resource's state and the webhook URL; exits with 3 if something is wrong
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline status --since 24h
  split-pipeline status --watch")]
pub struct Args {
    /// Look again every few seconds, until interrupted
    #[arg(long)]
    watch: bool,
    /// Compare with this deployment zip of the handler
    #[arg(long, value_name = "ZIP", value_hint = ValueHint::FilePath)]
    handler: Option<PathBuf>,
    /// The span to report traffic for
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = span)]
    since: Duration,
}

impl Invocation for Args {
    fn is_endless(&self) -> bool {
        self.watch
    }

    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        session.mind_log_retention(self.since);
        let mut measured = None;
        loop {
            let status = look(&session, self, &mut measured).await?;
            if self.watch {
                context.ui.clear_screen();
            }
            context.ui.result(&status)?;
            if !self.watch {
                return Ok(if status.healthy { Exit::Done } else { Exit::Differs });
            }
            context.unless_interrupted(tokio::time::sleep(WATCH_EVERY)).await?;
        }
    }
}

#[derive(Debug, Serialize)]
struct StatusResult {
    name: String,
    region: String,
    #[serde(serialize_with = "crate::moment::as_rfc3339")]
    time: SystemTime,
    #[serde(skip)]
    detail: Detail,
    /// Whether every resource is as it should be, every batch was stored, Firehose reports no errors, and no alarm goes off.
    healthy: bool,
    /// What is wrong or worth knowing, the worst first.
    problems: Vec<Finding>,
    /// The URL to paste into Split; absent where there is none.
    webhook_url: Option<String>,
    /// Whether the URL before works too, until `rotate --revoke`.
    rotating: bool,
    resources: Vec<ResourceHealth>,
    alarms: Vec<AlarmState>,
    undelivered: Undelivered,
    traffic: Traffic,
}

/// How much people are told of the resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Every,
    /// Those that are not as they should be.
    Differing,
}

async fn look(
    session: &Session,
    args: &Args,
    measured: &mut Option<(Instant, Metrics)>,
) -> Result<StatusResult, Failure> {
    let mut want = session.desired(session.code_to_compare(args.handler.as_deref())?);
    let (have, watching, traffic) = futures_util::join!(
        session.observe(&want),
        session.context.unless_interrupted(watching(session, &want)),
        session.context.unless_interrupted(traffic(session, args.since, measured)),
    );
    let (have, watching, traffic) = (have?, watching??, traffic??);
    let looking = undelivered(session, &want, &have);
    let undelivered = session.context.unless_interrupted(looking).await??;
    undelivered::keep_as_is(&have, &mut want);
    let webhook_url = session.open_url(have.webhook());
    let rotating = have.is_rotating();
    let summaries = summaries(&want, &plan(&want, have, Adoption::Refuse));
    let resources: Vec<_> = summaries.into_iter().map(ResourceHealth::from).collect();
    let problems = health::problems(&session.spec, &resources, &watching, &undelivered, &traffic);
    Ok(StatusResult {
        name: session.spec.name.to_string(),
        region: session.aws.region.clone(),
        time: SystemTime::now(),
        detail: if args.watch { Detail::Differing } else { Detail::Every },
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
        state: alarm.state_value.map_or_else(String::new, |state| state.as_str().to_owned()),
        name: alarm.alarm_name.unwrap_or_default(),
        why: alarm.state_reason.unwrap_or_default(),
    });
    Ok(Watching { alarms: alarms.collect(), unconfirmed, lost_topic })
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
    let bucket = names.bucket(&session.spec);
    let newest = traffic::newest_object(aws, &bucket, session.spec.delivery.prefix.as_str(), since);
    let (mut traffic, fresh, newest) =
        futures_util::try_join!(traffic::read(aws, names, since), metrics, newest)?;
    traffic.metrics = fresh.1.clone();
    traffic.newest_object = newest;
    *measured = Some(fresh);
    Ok(traffic)
}
