//! `down`: deletes what `up` made.

use std::fmt::Write as _;

use indicatif::HumanBytes;

use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::aws::ErrorKind;
use crate::engine::Report;
use crate::engine::destroy::{Data, Destroyed, Kept, destroy};
use crate::failure::{Exit, Failure, FailureKind};
use crate::kind::Kind;
use crate::objects;
use crate::progress::{Event, Progress as _};
use crate::replay::Place;
use crate::ui::Confirmation;
use crate::ui::{BOLD, REMOVE, Show, clean, clean_block};
use crate::undelivered::{self, Drained, Draining, KnownGaps, Undelivered};

/// Delete what `up` made; the data stays unless told otherwise
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline down
  split-pipeline down --purge-data            # the impressions too")]
pub struct Args {
    /// Confirm the deletion
    #[arg(long)]
    yes: bool,
    /// Delete the bucket too, with every impression in it
    #[arg(long)]
    purge_data: bool,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open_to_delete(context).await?;
        if session.spec.protect {
            let message = "the spec protects this pipeline; nothing was deleted";
            return Err(Failure::new(FailureKind::Conflict, message)
                .hint("`protect: false` in the spec lets `down` go on"));
        }
        let data = if self.purge_data { Data::Purge } else { Data::Keep };
        if !self.yes {
            agree(&session, data).await?;
        }
        let result = take_down(&session, data).await;
        if data == Data::Keep || session.spec.delivery.existing_bucket {
            warn_of_spilled(&session).await;
        }
        context.done(&result?)
    }
}

#[derive(Debug, Serialize)]
pub(super) struct DownResult {
    name: String,
    deleted: Vec<Deleted>,
    kept: Vec<Kept>,
    /// How many impressions were copied from the stream to the bucket before the stream was deleted.
    copied: usize,
}

#[derive(Debug, Serialize)]
struct Deleted {
    kind: Kind,
    name: String,
}

impl Show for DownResult {
    fn text(&self) -> String {
        let mut text = String::new();
        for deleted in &self.deleted {
            let _ = writeln!(text, "{REMOVE}-{REMOVE:#} {:<18} {}", deleted.kind, clean(&deleted.name));
        }
        for kept in &self.kept {
            let (name, why) = (clean(&kept.name), clean_block(&kept.why, 4));
            let _ = writeln!(text, "  {:<18} {name} kept: {why}", kept.kind);
        }
        if self.copied > 0 {
            let impressions = if self.copied == 1 { "impression" } else { "impressions" };
            let _ = writeln!(
                text,
                "  copied {} {impressions} from the stream to the bucket: they may have been undelivered",
                self.copied
            );
        }
        let _ = writeln!(
            text,
            "{BOLD}{}:{BOLD:#} {} deleted, {} kept",
            self.name,
            self.deleted.len(),
            self.kept.len()
        );
        text
    }
}

/// Says which spilled impressions stay in the bucket, where only another `up` and `replay` deliver them.
async fn warn_of_spilled(session: &Session) {
    let (aws, spec, names) = (&session.aws, &session.spec, &session.names);
    let none = KnownGaps::default();
    let looking = Undelivered::look(aws, spec, names, &none);
    let ui = &session.context.ui;
    match session.context.unless_interrupted(looking).await {
        Ok(Ok(left)) => {
            for (message, _) in left.problems() {
                ui.warn(&format!(
                    "{message}; `down` keeps these objects: run `split-pipeline up` and then `split-pipeline replay` to \
                     deliver them"
                ));
            }
        }
        Ok(Err(error)) if error.kind == ErrorKind::Interrupted => {}
        Ok(Err(error)) => ui.warn(&format!("could not look for spilled impressions: {error}")),
        Err(_interrupted) => {}
    }
}

/// Deletes everything that is the pipeline's.
pub(super) async fn take_down(session: &Session, data: Data) -> Result<DownResult, Failure> {
    let want = session.desired(None);
    let have = session.observe(&want).await?;
    let (have, unseen) = have.with_former_table(&session.aws, &want).await?;
    let place = Place::new(&session.spec, &session.names);
    let undelivered = match data {
        Data::Purge => None,
        Data::Keep => {
            let looking = undelivered::unproven(&session.aws, &want, &have);
            session.context.unless_interrupted(looking).await??
        }
    };
    let draining = Draining::new(&want, &place, undelivered);
    let Destroyed { report, kept } = destroy(&session.aws, &want, have, data, &draining).await;
    let drained = draining.drained();
    if !report.is_complete() {
        return Err(incomplete(report, drained));
    }
    let deleted = report.done.into_iter().map(|done| Deleted { kind: done.kind, name: done.name });
    Ok(DownResult {
        name: session.spec.name.to_string(),
        deleted: deleted.collect(),
        kept: kept.into_iter().chain(unseen).collect(),
        copied: match drained {
            Drained::Yes { copied } => copied,
            Drained::NotAsked | Drained::No => 0,
        },
    })
}

/// The failure of an incomplete `down`, and what to do if the stream was kept because of undelivered impressions.
fn incomplete(report: Report, drained: Drained) -> Failure {
    let failure = Failure::of_report("down", report);
    if drained != Drained::No || failure.kind == FailureKind::Interrupted {
        return failure;
    }
    failure
        .hint("run `split-pipeline replay --stream --since TIME` to copy the impressions in the stream to S3, then run `split-pipeline down` again")
        .hint("run `split-pipeline down --purge-data` to delete the stream and all other data")
}

async fn agree(session: &Session, data: Data) -> Result<(), Failure> {
    let (name, account, region) = (&session.spec.name, &session.aws.account, &session.aws.region);
    let bucket = session.names.bucket(&session.spec);
    let what = match data {
        Data::Purge if session.spec.delivery.existing_bucket => {
            format!(
                "the bucket {bucket} is yours and stays, and undelivered impressions in the stream are deleted"
            )
        }
        Data::Keep => format!("the bucket {bucket} and its impressions stay"),
        Data::Purge => {
            let what = contents(session, &bucket).await?;
            format!(
                "the bucket {bucket} goes too, WITH EVERYTHING IN IT: {what}; undelivered impressions in the stream are deleted too"
            )
        }
    };
    let question =
        format!("Delete the pipeline {name} in account {account}, region {region}; {what}. Go on?");
    match session.context.ask(&question).await? {
        Confirmation::Yes => Ok(()),
        Confirmation::No => Err(Failure::new(FailureKind::Declined, "nothing was deleted")),
        Confirmation::NobodyThere => {
            let message = format!(
                "`down` always asks, and there is no terminal to ask; nothing was deleted\n{question}"
            );
            Err(Failure::new(FailureKind::Usage, message).hint("--yes agrees to it"))
        }
    }
}

/// What a bucket holds, in numbers, for whoever is about to delete it.
async fn contents(session: &Session, bucket: &str) -> Result<String, Failure> {
    let counting = format!("counting the objects in {bucket}");
    session.context.ui.event(Event::Working(counting));
    let count = objects::count(&session.aws, bucket);
    let count = session.context.unless_interrupted(count).await??;
    let (objects, bytes) = (count.objects, HumanBytes(count.bytes));
    Ok(format!("{objects} objects, {bytes}"))
}
