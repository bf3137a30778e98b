//! `build`: builds the handler and writes the deployment zip.

use super::Context;
use super::session::{read_spec, workspace};
use crate::artifact::{self, Profile};
use crate::cli;
use crate::failure::{Exit, Failure, FailureKind};
use crate::progress::{Event, Progress as _};
use crate::results;
use crate::spec::Architecture;

pub(super) async fn run(context: &Context, args: &cli::Build) -> Result<Exit, Failure> {
    let architecture = match args.arch {
        Some(architecture) => architecture,
        None if context.global.file.as_os_str() == "-" || context.global.file.exists() => {
            read_spec(context).await?.handler.architecture
        }
        None => Architecture::default(),
    };
    let workspace = workspace()?;
    let progress = |what: &str| context.ui.event(Event::Working(what.to_owned()));
    let build = artifact::build(&workspace, architecture, Profile::Deployment, &progress);
    let built = context.unless_interrupted(build).await??;
    let default = artifact::file_name(architecture.as_str()).into();
    let path = args.out.clone().unwrap_or(default);
    std::fs::write(&path, &built.zip)
        .map_err(|error| Failure::new(FailureKind::Io, format!("{}: {error}", path.display())))?;
    let (bytes, code_sha256) = (built.zip.len(), built.sha256);
    context.ui.result(&results::Build {
        path,
        architecture: architecture.as_str(),
        code_sha256,
        bytes,
    })?;
    Ok(Exit::Done)
}
