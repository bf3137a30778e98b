//! `build`: builds the handler and writes the deployment zip.

use std::path::PathBuf;

use clap::ValueHint;
use serde::Serialize;

use super::session::{read_spec, workspace};
use super::{Context, Invocation};
use crate::artifact::{self, Profile};
use crate::failure::{Exit, Failure, FailureKind};
use crate::progress::{Event, Progress as _};
use crate::spec::Architecture;
use crate::ui::Show;

/// Build the handler and write the deployment zip
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline build --arch arm64 --out dist/handler-arm64.zip")]
pub struct Args {
    /// The processor to build for; default: the spec's, else `x86_64`
    #[arg(long, value_name = "ARCH", value_parser = architecture)]
    arch: Option<Architecture>,
    /// Where to write the zip
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let architecture = match self.arch {
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
        let path = self.out.clone().unwrap_or(default);
        std::fs::write(&path, &built.zip)
            .map_err(|error| Failure::new(FailureKind::Io, format!("{}: {error}", path.display())))?;
        let (bytes, code_sha256) = (built.zip.len(), built.sha256);
        context.done(&BuildResult { path, architecture: architecture.as_str(), code_sha256, bytes })
    }
}

#[derive(Debug, Serialize)]
struct BuildResult {
    path: PathBuf,
    architecture: &'static str,
    /// Base64 of its SHA-256, as Lambda reports it.
    code_sha256: String,
    bytes: usize,
}

impl Show for BuildResult {
    fn text(&self) -> String {
        format!("{}\n", self.path.display())
    }
}

fn architecture(text: &str) -> Result<Architecture, String> {
    [Architecture::X86_64, Architecture::Arm64]
        .into_iter()
        .find(|architecture| architecture.as_str() == text)
        .ok_or_else(|| "must be x86_64 or arm64".to_owned())
}
