//! `init`: writes a commented starter spec.

use std::fs::File;
use std::io::{ErrorKind, Write as _};

use super::Context;
use crate::cli;
use crate::failure::{Exit, Failure, FailureKind};
use crate::results;

/// The starter is the example that has every key, so it cannot fall behind.
const STARTER: &str = include_str!("../../examples/all-keys.yaml");

pub(super) fn run(context: &Context, args: &cli::Init) -> Result<Exit, Failure> {
    let path = args.path.as_ref().unwrap_or(&context.global.file);
    let mut options = File::options();
    options.write(true);
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(STARTER.as_bytes()));
    written.map_err(|error| {
        let failure = Failure::new(FailureKind::Io, format!("{}: {error}", path.display()));
        if error.kind() == ErrorKind::AlreadyExists {
            return Failure {
                kind: FailureKind::Usage,
                ..failure
            }
            .hint("--force overwrites it");
        }
        if error.kind() == ErrorKind::NotFound {
            return failure.hint("the directory has to be there: `mkdir -p` makes it");
        }
        failure
    })?;
    context.ui.result(&results::Init { path: path.clone() })?;
    context
        .ui
        .note("next: edit it, then `split-pipeline plan` shows what `split-pipeline up` would make");
    Ok(Exit::Done)
}
