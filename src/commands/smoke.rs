//! `smoke`: sends a batch as Split does and waits until every impression is delivered to S3; spilled is not delivered.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueHint;

use super::session::Session;
use super::skipped::with_skipped;
use super::{Context, Invocation};
use crate::cli::some_time;
use crate::failure::{Exit, Failure, FailureKind};
use crate::objects::BucketOwnership;
use crate::progress::{Event, Progress as _};
use crate::resources::function::kept_fields;
use crate::smoke::{self, Batch, SearchArea, Shape, SmokeReport, shortfall};
use crate::spec::RUN_BYTES;
use crate::table::delivered_columns;
use crate::ui::Show;
use crate::undelivered::DELIVERY_SLACK;
use crate::{junit, local, random};

mod ephemeral;

const PAYLOAD: &str = r#"--payload names a file such as [{"key": "user-1", "split": "my-flag"}]; without it, impressions are made up"#;

/// Send a batch as Split does, wait until every impression is in S3, report latency and loss
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline smoke --count 5000
  split-pipeline smoke --ephemeral --junit smoke.xml
  split-pipeline smoke --local --ephemeral")]
pub struct Args {
    /// Make a pipeline of its own for this, and always take it down again, data included
    #[arg(long)]
    ephemeral: bool,
    /// How many impressions to send
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// The longest to wait for delivery
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = some_time)]
    timeout: Duration,
    /// Send the JSON array of impressions in this file instead
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "count")]
    payload: Option<PathBuf>,
    /// Write the outcome as JUnit XML, for CI systems
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    junit: Option<PathBuf>,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let tested = Box::pin(run_test(context, self)).await;
        if self.ephemeral && context.global.local {
            let progress = |what: &str| context.ui.event(Event::Working(what.to_owned()));
            // The result of the test is what was asked for.
            if let Err(error) = local::stop_if_unshared(&progress).await {
                let failure = Failure::from(error).context("the local emulator could not be stopped");
                context.ui.warn(&failure.message);
            }
        }
        tested
    }
}

impl Show for SmokeReport {
    fn text(&self) -> String {
        let outcome = match (self.spilled, self.missing) {
            (0, 0) => "all delivered",
            (_, 0) => "not all delivered",
            _ => "given up",
        };
        format!(
            "sent {}, delivered {}, spilled {}, missing {}, duplicated {}\n\
             slowest answer {} ms, {outcome} after {} ms\n\
             bucket {}, {} objects\n",
            self.sent,
            self.delivered,
            self.spilled,
            self.missing,
            self.duplicated,
            self.webhook_ms,
            self.delivery_ms,
            self.bucket,
            self.objects.len(),
        )
    }
}

async fn run_test(context: &Context, args: &Args) -> Result<Exit, Failure> {
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
                Failure { kind: FailureKind::Usage, ..failure }
            })?
        }
    };
    // Opened before anything is sent: a path that cannot be written should not be found out at the end.
    let junit = args.junit.as_deref().map(create).transpose()?;
    let session = Session::open(context).await?;
    let (name, started) = (session.spec.name.to_string(), Instant::now());
    let tested = test(session, &batch, &run, args).await;
    if let Some((path, mut file)) = junit {
        let shown = tested.as_ref().map_err(|failure| context.ui.shown(failure).message);
        let outcome = shown.as_ref().copied().map_err(String::as_str);
        let report = junit::report(&name, outcome, started.elapsed());
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
fn not_delivered(smoke: &SmokeReport, shortfall: &str, args: &Args) -> Failure {
    let waited = humantime::format_duration(args.timeout);
    let mut failure = Failure::new(FailureKind::Smoke, shortfall);
    if smoke.missing > 0 {
        failure.message = format!("{shortfall} after {waited}");
        failure = failure
            .hint("a delivery takes up to `delivery.buffer_seconds` and about a minute more; --timeout waits longer");
    }
    if args.ephemeral {
        failure.message.push_str("; the ephemeral pipeline was taken down again");
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

async fn test(session: Session, batch: &Batch, run: &str, args: &Args) -> Result<SmokeReport, Failure> {
    if args.ephemeral {
        return ephemeral::test(session, batch, run, args.timeout).await;
    }
    let url = open_webhook(&session).await?;
    send_and_find(&session, &url, batch, args.timeout).await
}

/// Posts a batch and finds it again; says which objects could not be read.
async fn send_and_find(
    session: &Session,
    url: &str,
    batch: &Batch,
    timeout: Duration,
) -> Result<SmokeReport, Failure> {
    let (context, aws, spec) = (&session.context, &session.aws, &session.spec);
    let lines = batch.lines(&kept_fields(&spec.handler.fields));
    let slowest = Duration::from_secs(spec.delivery.buffer_seconds.get().into()) + DELIVERY_SLACK;
    if timeout < slowest && !aws.is_emulator() {
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
    let testing = smoke::send_and_find(aws, url, batch, area, &lines, timeout);
    let report = context.unless_interrupted(testing).await??;
    warn_of_skipped(context, &report);
    Ok(report)
}

/// Names the objects that could not be read.
fn warn_of_skipped(context: &Context, smoke: &SmokeReport) {
    if smoke.skipped.is_empty() {
        return;
    }
    let count = smoke.skipped.len();
    let objects = if count == 1 { "object" } else { "objects" };
    let mut warning = format!("{count} new {objects} could not be read");
    if smoke.missing > 0 {
        warning.push_str(", which may have the missing impressions");
    }
    context.ui.warn(&with_skipped(warning, &smoke.skipped));
}

async fn open_webhook(session: &Session) -> Result<String, Failure> {
    let have = session.observe(&session.desired(None)).await?;
    session.open_url(have.webhook()).ok_or_else(|| {
        Failure::new(FailureKind::Smoke, format!("{} has no webhook here", session.spec.name))
            .hint("`split-pipeline up` makes it; `smoke --ephemeral` makes one for the test alone")
    })
}
