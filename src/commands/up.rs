//! `up`: makes AWS match the spec.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::Context;
use super::session::Session;
use crate::apply::{Applied, apply};
use crate::aws::wait::TAGGING;
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::cli;
use crate::desired::Desired;
use crate::failure::{Exit, Failure, FailureKind};
use crate::objects;
use crate::observe::observe;
use crate::plan::{Plan, Summary};
use crate::progress::Event;
use crate::resource::{Action, Adoption, Kind, Owner, Phase};
use crate::results::{self, Made};
use crate::rows::PARQUET_EXTENSION;
use crate::spec::{Format as DeliveryFormat, Spec};
use crate::ui::Answer;

/// How long to wait between two looks for tags.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub(super) async fn run(context: &Context, args: &cli::Up) -> Result<Exit, Failure> {
    let work = async |context: Context| up(&context, args).await;
    context.within(args.timeout, work).await
}

async fn up(context: &Context, args: &cli::Up) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let adoption = if args.adopt {
        Adoption::Allow
    } else {
        Adoption::Refuse
    };
    let consent = if args.yes { Consent::Given } else { Consent::Ask };
    let result = bring_up(&session, args.handler.as_deref(), adoption, consent).await?;
    context.ui.result(&result)?;
    context.ui.note(&next_steps(&session, &result.webhook_url));
    if to_be_confirmed(&session.spec, &result) {
        context
            .ui
            .note("\nAWS mails every new address in `monitoring.emails` a link; alarms reach it once that is followed.");
    }
    Ok(Exit::Done)
}

/// Whether the user has agreed to replacing and shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Beforehand.
    Given,
    /// Has to be asked.
    Ask,
}

/// Builds the handler, compares, asks where there is something to ask, and applies.
pub(super) async fn bring_up(
    session: &Session,
    handler: Option<&Path>,
    adoption: Adoption,
    consent: Consent,
) -> Result<results::Up, Failure> {
    let started = Instant::now();
    session.topic_is_near()?;
    let code = session.code_to_deploy(handler).await?;
    let want = session.desired(Some(code));
    let deciding = decide(&session.aws, &want, adoption);
    let plan = session.context.unless_interrupted(deciding).await??;
    let summaries = plan.summaries(&want);
    refuse(&summaries)?;
    if consent == Consent::Ask {
        let mut questions = questions(&summaries);
        let looking = other_format(session, &want, &plan);
        questions.extend(session.context.unless_interrupted(looking).await??);
        if !questions.is_empty() {
            agree(session, &questions.join("\n")).await?;
        }
    }
    let gap = gap(&plan);
    let applied = converge(&session.aws, &want, plan, adoption, consent).await;
    let up = outcome(session, applied, started)?;
    if gap == Gap::Possible {
        session.context.ui.warn(&gap_warning(&session.spec));
    }
    Ok(up)
}

/// Whether the stream may hold what no delivery stream delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    Possible,
}

/// A new delivery stream starts at the newest record of a stream that has taken some before, if the webhook was open.
fn gap(plan: &Plan) -> Gap {
    let was_open = plan.stream.have.is_some() && plan.stage.have.is_some();
    match plan.delivery_stream.action {
        Action::Create | Action::Replace if was_open => Gap::Possible,
        _ => Gap::None,
    }
}

fn gap_warning(spec: &Spec) -> String {
    let now = DateTime::from(SystemTime::now()).fmt(Format::DateTime);
    format!(
        "the delivery stream was made anew, and starts at the newest record: what the stream took before {}, since the \
         last one was there, is not in S3; the stream keeps it for {hours} hours, and `split-pipeline replay --stream --since TIME` fetches it",
        now.unwrap_or_default(),
        hours = spec.stream.retention_hours.get()
    )
}

/// Looks at what is there and decides what to do about it; looks again while something has no tags at all.
async fn decide(aws: &Aws, want: &Desired, adoption: Adoption) -> Result<Plan, Failure> {
    let deadline = Instant::now() + TAGGING;
    loop {
        let have = Box::pin(observe(aws, want))
            .await
            .map_err(Failure::of_observation)?;
        let plan = Plan::new(want, have, adoption);
        let in_the_way = |one: &Summary| one.action == Action::Refuse && one.owner == Owner::Unknown;
        let summaries = plan.summaries(want);
        let Some(untagged) = summaries.into_iter().find(in_the_way) else {
            return Ok(plan);
        };
        if Instant::now() > deadline {
            return Ok(plan);
        }
        let Summary { kind, name, .. } = untagged;
        aws.event(Event::Working(format!(
            "{kind} {name} has no tags: looking again for its owner's"
        )));
        aws.pause(LOOK_AGAIN).await?;
    }
}

/// Applies the plan, and once more if what it built on was taken away meanwhile: by another `up`, or a `down`.
async fn converge(aws: &Aws, want: &Desired, plan: Plan, adoption: Adoption, consent: Consent) -> Applied {
    let first = Box::pin(apply(aws, want, plan)).await;
    if !first.report.lost_something() || aws.interrupt.is_cancelled() {
        return first;
    }
    aws.event(Event::Working(
        "something was taken away meanwhile: looking again".to_owned(),
    ));
    let Ok(plan) = decide(aws, want, adoption).await else {
        return first;
    };
    let summaries = plan.summaries(want);
    let unasked = consent == Consent::Ask && !questions(&summaries).is_empty();
    if unasked || refuse(&summaries).is_err() {
        // What the user has to see first is left to the next run.
        return first;
    }
    let mut second = Box::pin(apply(aws, want, plan)).await;
    second.report.remember(&first.report);
    second
}

fn outcome(session: &Session, applied: Applied, started: Instant) -> Result<results::Up, Failure> {
    let Applied { report, webhook } = applied;
    let Some((api, path)) = webhook.filter(|_| report.is_complete()) else {
        return Err(Failure::of_report("up", report));
    };
    let made = report.done.into_iter().map(|done| Made {
        kind: done.kind,
        name: done.name,
        id: done.id,
        action: done.action.done(),
    });
    Ok(results::Up {
        name: session.spec.name.to_string(),
        region: session.aws.region.clone(),
        account: session.aws.account.clone(),
        webhook_url: session.url(&api, &path),
        resources: made.collect(),
        elapsed_ms: started.elapsed().as_millis(),
    })
}

/// Stops before anything is changed where something is in the way.
fn refuse(summaries: &[Summary]) -> Result<(), Failure> {
    let refused: Vec<_> = summaries
        .iter()
        .filter(|summary| summary.action == Action::Refuse)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        FailureKind::Conflict,
        "nothing was changed, since something is in the way",
    );
    for summary in &refused {
        let why = summary.reason.as_deref().unwrap_or_default();
        failure.message = format!("{}\n{} {}: {why}", failure.message, summary.kind, summary.name);
    }
    if refused.iter().any(|summary| summary.owner.is_foreign()) {
        failure = failure.hint("--adopt takes over what fits, or choose another `name` in the spec");
    }
    Err(failure)
}

/// What the user has to agree to: whatever is replaced or shrinks.
fn questions(summaries: &[Summary]) -> Vec<String> {
    let replaced = summaries
        .iter()
        // What AWS could not make never worked, and has nothing to lose.
        .filter(|summary| !matches!(summary.phase, Some(Phase::Failed(_))))
        .filter(|summary| summary.action == Action::Replace)
        .map(|summary| {
            let why = summary.reason.as_deref().unwrap_or_default();
            format!("{} {} is replaced: {why}", summary.kind, summary.name)
        });
    let cautions = summaries.iter().filter_map(|summary| summary.caution.clone());
    replaced.chain(cautions).collect()
}

/// What the user has to agree to where a delivery stream would deliver to where it did not before, and there is something in
/// another format.
async fn other_format(session: &Session, want: &Desired, plan: &Plan) -> Result<Option<String>, AwsError> {
    let had = plan.delivery_stream.have.as_ref();
    let had = had.filter(|_| plan.delivery_stream.action != Action::Replace);
    let goes_on = had.is_some_and(|had| had.state.prefix == want.delivery_stream.state.prefix);
    if goes_on || plan.bucket.have.is_none() {
        return Ok(None);
    }
    let delivery = &session.spec.delivery;
    let prefix = delivery.prefix.fixed_part();
    let keys = match objects::first(&session.aws, &want.bucket.name, prefix).await {
        // Who may not look is not asked.
        Err(error) if error.kind == ErrorKind::Denied => return Ok(None),
        keys => keys?.into_iter().filter(|key| !key.ends_with('/')),
    };
    let mut keys = keys.filter(|key| delivery.prefix.has(key, &delivery.error_prefix));
    let is_parquet = delivery.format == DeliveryFormat::Parquet;
    let other = keys.find(|key| key.ends_with(PARQUET_EXTENSION) != is_parquet);
    Ok(other.map(|key| {
        let format = if is_parquet { "Parquet" } else { "JSON" };
        format!(
            "delivery stream {}: delivers {format} to where there is {key}, and no table can read both: another `delivery.prefix` \
             keeps them apart",
            want.delivery_stream.name
        )
    }))
}

async fn agree(session: &Session, questions: &str) -> Result<(), Failure> {
    let question = format!("{questions}\nGo on?");
    match session.context.ask(&question).await? {
        Answer::Yes => Ok(()),
        Answer::No => Err(Failure::new(FailureKind::Declined, "nothing was changed")),
        Answer::NobodyThere => {
            let message = format!(
                "this needs your agreement, and there is no terminal to ask; nothing was changed\n{questions}"
            );
            Err(Failure::new(FailureKind::Usage, message).hint("--yes agrees to it"))
        }
    }
}

/// Whether there are new e-mail subscriptions, which count only once their owners have said so.
fn to_be_confirmed(spec: &Spec, up: &results::Up) -> bool {
    let is_new = |made: &Made| made.kind == Kind::AlarmTopic && made.action != Action::Keep.done();
    !spec.monitoring.emails.is_empty() && up.resources.iter().any(is_new)
}

fn next_steps(session: &Session, url: &str) -> String {
    let paste = if session.aws.is_emulator() {
        "Split cannot reach this URL, since it is an emulator's. On AWS, you paste it into Split (Harness FME):"
    } else {
        "Paste this URL into Split (Harness FME):"
    };
    format!(
        "\n{paste}\n  \
         1. FME Settings → Integrations → Webhooks → Add (older accounts: Admin settings → Integrations →\n     \
         Outgoing Webhook (Impressions))\n  \
         2. choose the environments, paste the URL, press Test, then Save\n\n\
         Or try it at once:\n  \
         echo '[{{\"key\":\"user-1\",\"split\":\"my-flag\",\"treatment\":\"on\",\"time\":1700000000000}}]' | gzip | \\\n    \
         curl -sS --data-binary @- -H 'Content-Type: application/json' '{url}'"
    )
}
