//! `smoke`: sends a batch as Split does and waits until every impression is delivered to S3; spilled is not delivered.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use split_pipeline_handler::spill::REJECTED_PREFIX;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::down::take_down;
use super::session::Session;
use super::up::{Consent, bring_up};
use crate::aws::AwsError;
use crate::cli;
use crate::desired::kept_fields;
use crate::destroy::Data;
use crate::failure::{Exit, Failure, FailureKind, whole_chain};
use crate::objects::{BucketOwnership, Skipped};
use crate::progress::{Event, Progress as _};
use crate::random;
use crate::resource::Adoption;
use crate::results::Smoke;
use crate::smoke::post::Header;
use crate::smoke::{Batch, Poster, Search, SearchArea, Shape, SmokeError, shortfall};
use crate::spec::{Bounded, Format, Monitoring, RUN_BYTES, Spec};
use crate::table::delivered_columns;
use crate::undelivered::DELIVERY_SLACK;
use crate::{junit, local};

/// The shortest and longest time between two looks into the bucket.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How many objects a warning names.
const MOST_SHOWN: usize = 20;

/// What to do about a payload that is none.
const PAYLOAD: &str = r#"--payload names a file such as [{"key": "user-1", "split": "my-flag"}]; without it, impressions are made up"#;

pub(super) async fn run(context: &Context, args: &cli::Smoke) -> Result<Exit, Failure> {
    let tested = Box::pin(run_test(context, args)).await;
    if args.ephemeral && context.global.local {
        let progress = |what: &str| context.ui.event(Event::Working(what.to_owned()));
        // The result of the test is what was asked for.
        if let Err(error) = local::stop_if_unshared(&progress).await {
            let failure = Failure::from(error).context("the local emulator could not be stopped");
            context.ui.warn(&failure.message);
        }
    }
    tested
}

async fn run_test(context: &Context, args: &cli::Smoke) -> Result<Exit, Failure> {
    let run = random::hex(RUN_BYTES).map_err(|error| {
        let message = format!("the operating system gives no random bytes: {error}");
        Failure::new(FailureKind::Io, message)
    })?;
    let batch = match &args.payload {
        None => Batch::made_up(args.count as usize, &run),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                let failure = Failure::new(FailureKind::Usage, format!("{}: {error}", path.display()));
                failure.hint(PAYLOAD)
            })?;
            Batch::from_json(&text).map_err(|error| {
                let failure = Failure::from(error).hint(PAYLOAD);
                Failure {
                    kind: FailureKind::Usage,
                    ..failure
                }
            })?
        }
    };
    // Opened before anything is sent: a path that cannot be written should not be found out at the end.
    let junit = args.junit.as_deref().map(create).transpose()?;
    let session = Session::open(context).await?;
    let (name, started) = (session.spec.name.to_string(), Instant::now());
    let tested = test(session, &batch, &run, args).await;
    if let Some((path, mut file)) = junit {
        let shown = tested.as_ref().map_err(|failure| context.ui.shown(failure));
        let report = junit::report(&name, shown.as_ref().copied(), started.elapsed());
        let written = file.write_all(report.as_bytes());
        written.map_err(|error| not_written(path, &error))?;
    }
    let smoke = tested?;
    context.ui.result(&smoke)?;
    match shortfall(&smoke) {
        None => Ok(Exit::Done),
        Some(shortfall) => Err(not_delivered(&smoke, &shortfall, args)),
    }
}

/// The failure of a test that did not find every impression delivered. An ephemeral pipeline is gone by now, so that nothing
/// can be looked up in it or replayed.
fn not_delivered(smoke: &Smoke, shortfall: &str, args: &cli::Smoke) -> Failure {
    let waited = humantime::format_duration(args.timeout);
    let mut failure = Failure::new(FailureKind::Smoke, shortfall);
    if smoke.missing > 0 {
        failure.message = format!("{shortfall} after {waited}");
        failure = failure
            .hint("a delivery takes up to `delivery.buffer_seconds` and about a minute more; --timeout waits longer");
    }
    if args.ephemeral {
        failure
            .message
            .push_str("; the ephemeral pipeline was taken down again");
        return failure;
    }
    if smoke.spilled > 0 {
        failure = failure
            .hint("`split-pipeline logs` shows why Kinesis did not accept them")
            .hint("run `split-pipeline replay` once it does: it sends spilled impressions again");
    }
    if smoke.missing > 0 {
        failure = failure.hint("`split-pipeline status` shows delivery errors");
    }
    failure
}

fn create(path: &Path) -> Result<(&Path, File), Failure> {
    let file = File::create(path).map_err(|error| not_written(path, &error))?;
    Ok((path, file))
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Io, format!("{}: {error}", path.display()))
}

async fn test(session: Session, batch: &Batch, run: &str, args: &cli::Smoke) -> Result<Smoke, Failure> {
    if args.ephemeral {
        let spec = ephemeral(&session.spec, run)?;
        return in_ephemeral(session.with_spec(spec), batch, args.timeout).await;
    }
    let url = open_webhook(&session).await?;
    send_and_find(&session, &url, batch, args.timeout).await
}

/// Makes a pipeline for this test alone, and takes it down again whatever happens.
async fn in_ephemeral(session: Session, batch: &Batch, timeout: Duration) -> Result<Smoke, Failure> {
    let tested = async {
        let up = async |context: Context| {
            let session = session.clone().with_interrupt(context.interrupt);
            Box::pin(bring_up(&session, None, Adoption::Refuse, Consent::Given)).await
        };
        let up = session.context.within(timeout, up).await?;
        let mut poster = Poster::new(&up.webhook_url)?;
        session.context.unless_interrupted(poster.until_open()).await??;
        send_and_find(&session, &up.webhook_url, batch, timeout).await
    }
    .await;
    let name = session.spec.name.to_string();
    // An interruption ended the test; it must not end the clean-up as well.
    let session = session.with_interrupt(CancellationToken::new());
    session
        .context
        .ui
        .event(Event::Working(format!("taking {name} down again")));
    let Err(failure) = take_down(&session, Data::Purge).await else {
        return tested.map_err(|failure| without_advice(failure, &name));
    };
    let failure = failure
        .context(&format!("{name} could not be taken down"))
        .hint(format!(
            "`echo 'name: {name}' | split-pipeline -f - down --yes --purge-data` takes it down"
        ));
    Err(match tested {
        Ok(_) => failure,
        Err(tested) => Failure {
            message: format!("{}\n{}", tested.message, failure.message),
            ..failure.hints.into_iter().fold(tested, Failure::hint)
        },
    })
}

/// A failure of a pipeline that is gone by now, of which nothing can be run again.
fn without_advice(mut failure: Failure, name: &str) -> Failure {
    if failure.kind == FailureKind::Interrupted {
        return Failure::new(
            FailureKind::Interrupted,
            format!("interrupted; {name} was taken down again"),
        );
    }
    failure
        .hints
        .retain(|hint| !hint.starts_with("running `up` again"));
    failure.message = format!("{}\n{name} was taken down again", failure.message);
    failure
}

async fn send_and_find(
    session: &Session,
    url: &str,
    batch: &Batch,
    timeout: Duration,
) -> Result<Smoke, Failure> {
    let context = &session.context;
    let mut search = start_search(session, batch, timeout).await?;
    let started = Instant::now();
    context
        .ui
        .event(Event::Working(format!("posting {} impressions", batch.len())));
    let mut poster = Poster::new(url)?;
    let posting = post_all(&mut poster, batch);
    context.unless_interrupted(posting).await??;
    if poster.rejected > 0 {
        let (rejected, all) = (poster.rejected, batch.len());
        let message = format!(
            "{rejected} of {all} elements of the payload are no impressions: objects with a `key` and a `split`"
        );
        let bucket = session.names.bucket(&session.spec);
        return Err(Failure::new(FailureKind::Smoke, message).hint(format!(
            "they are below `{REJECTED_PREFIX}` in {bucket}, each with the reason"
        )));
    }
    let mut delay = LOOK_AGAIN.0;
    loop {
        context
            .ui
            .event(Event::Working("waiting for delivery to S3".to_owned()));
        context
            .unless_interrupted(search.look(&session.aws))
            .await?
            .map_err(search_failed)?;
        if search.is_complete() || started.elapsed() + delay > timeout {
            break;
        }
        session.aws.pause(delay).await?;
        delay = delay.mul_f64(1.5).min(LOOK_AGAIN.1);
    }
    let mut result = Smoke {
        sent: batch.len(),
        webhook_ms: poster.slowest.as_millis(),
        delivery_ms: started.elapsed().as_millis(),
        ..Smoke::default()
    };
    search.report(&mut result);
    warn_of_skipped(context, &result);
    Ok(result)
}

/// Names the objects that could not be read.
fn warn_of_skipped(context: &Context, smoke: &Smoke) {
    if smoke.skipped.is_empty() {
        return;
    }
    let count = smoke.skipped.len();
    let objects = if count == 1 { "object" } else { "objects" };
    let mut warning = format!("{count} new {objects} could not be read");
    if smoke.missing > 0 {
        warning.push_str(", which may have the missing impressions");
    }
    for Skipped { key, why } in smoke.skipped.iter().take(MOST_SHOWN) {
        warning = format!("{warning}\n{key}: {why}");
    }
    if let Some(more @ 1..) = count.checked_sub(MOST_SHOWN) {
        warning = format!("{warning}\nand {more} more; `--output json` lists all of them");
    }
    context.ui.warn(&warning);
}

/// Gets ready to find a batch again, which is what it finds before anything is sent.
async fn start_search(session: &Session, batch: &Batch, timeout: Duration) -> Result<Search, Failure> {
    let (context, spec) = (&session.context, &session.spec);
    let lines = batch.lines(&kept_fields(&spec.handler.fields));
    let slowest = Duration::from_secs(spec.delivery.buffer_seconds.get().into()) + DELIVERY_SLACK;
    if timeout < slowest && !session.aws.is_emulator() {
        context.ui.warn(&format!(
            "a delivery may take up to {}, and --timeout is {}",
            humantime::format_duration(slowest),
            humantime::format_duration(timeout)
        ));
    }
    let area = SearchArea {
        pipeline: spec.name.to_string(),
        bucket: session.names.bucket(spec),
        ownership: BucketOwnership::of(spec),
        prefix: spec.delivery.prefix.as_str().to_owned(),
        gathered: slowest,
        shape: delivered_columns(spec).map_or(Shape::Lines, Shape::Rows),
    };
    let search = Search::start(&session.aws, area, &lines);
    context.unless_interrupted(search).await?.map_err(search_failed)
}

async fn post_all(poster: &mut Poster, batch: &Batch) -> Result<(), SmokeError> {
    poster.test_button().await?;
    for (body, header) in batch
        .bodies()
        .iter()
        .zip([Header::Absent, Header::Present].into_iter().cycle())
    {
        poster.gzipped(body, header).await?;
    }
    Ok(())
}

async fn open_webhook(session: &Session) -> Result<String, Failure> {
    let have = session.observe(&session.desired(None)).await?;
    session.open_url(&have).ok_or_else(|| {
        Failure::new(
            FailureKind::Smoke,
            format!("{} has no webhook here", session.spec.name),
        )
        .hint("`split-pipeline up` makes it; `smoke --ephemeral` makes one for the test alone")
    })
}

/// The spec of a pipeline for one test, with a name of its own.
fn ephemeral(spec: &Spec, run: &str) -> Result<Spec, Failure> {
    let name = spec.name.ephemeral(run).map_err(|why| {
        Failure::new(
            FailureKind::Smoke,
            format!("no name for an ephemeral pipeline: {why}"),
        )
    })?;
    Ok(Spec {
        name,
        ..ephemeral_settings(spec)
    })
}

/// What a spec says of an ephemeral pipeline: a bucket of its own, the smallest buffer, nothing that outlives
/// the test, and nobody who is told of it.
pub(super) fn ephemeral_settings(spec: &Spec) -> Spec {
    let mut spec = Spec {
        protect: false,
        monitoring: Monitoring::default(),
        ..spec.clone()
    };
    spec.delivery.bucket = None;
    spec.delivery.existing_bucket = false;
    spec.delivery.buffer_mib = match spec.delivery.format {
        Format::Json => Bounded::of::<1>(),
        Format::Parquet => Bounded::of::<64>(),
    };
    spec.delivery.buffer_seconds = Bounded::of::<0>();
    spec
}

fn search_failed(error: AwsError) -> Failure {
    Failure::from(error).context("looking for the impressions in S3")
}

impl From<SmokeError> for Failure {
    fn from(error: SmokeError) -> Self {
        let failure = Self::new(FailureKind::Smoke, whole_chain(&error));
        match error {
            SmokeError::Refused { status: 403, .. } => {
                failure.hint("this machine's address may not be in `webhook.allow_cidrs`")
            }
            _ => failure,
        }
    }
}
