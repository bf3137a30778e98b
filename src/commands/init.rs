//! `init`: writes a commented starter spec.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::ValueHint;
use serde::Serialize;

use super::{Context, Invocation};
use crate::failure::{Exit, Failure, FailureKind};
use crate::ui::Show;

/// The starter is the example that has every key, so it cannot fall behind.
const STARTER: &str = include_str!("../../examples/all-keys.yaml");

/// Write a commented starter spec
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline init
  split-pipeline init pipelines/impressions.yaml")]
pub struct Args {
    /// Where to write it; default: what `--file` says
    #[arg(value_hint = ValueHint::FilePath)]
    path: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let path = self.path.as_ref().unwrap_or(&context.global.file);
        let mut options = File::options();
        options.write(true);
        if self.force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let written = options.open(path).and_then(|mut file| file.write_all(STARTER.as_bytes()));
        written.map_err(|error| {
            let failure = Failure::new(FailureKind::Io, format!("{}: {error}", path.display()));
            if error.kind() == ErrorKind::AlreadyExists {
                return Failure { kind: FailureKind::Usage, ..failure }.hint("--force overwrites it");
            }
            if error.kind() == ErrorKind::NotFound {
                return failure.hint("the directory has to be there: `mkdir -p` makes it");
            }
            failure
        })?;
        context.ui.result(&InitResult { path: path.clone() })?;
        context
            .ui
            .note("next: edit it, then `split-pipeline plan` shows what `split-pipeline up` would make");
        Ok(Exit::Done)
    }
}

#[derive(Debug, Serialize)]
struct InitResult {
    path: PathBuf,
}

impl Show for InitResult {
    fn text(&self) -> String {
        format!("{}\n", self.path.display())
    }
}
