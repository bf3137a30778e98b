//! Provides the handler's deployment zip: given by the user, embedded in this program, left by an earlier build, or built now.
//!
//! Must not upload it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::spec::Architecture;

mod cargo;
mod compiler;
mod elf;
mod embedded;
mod fingerprint;
mod sources;
mod zip;

use compiler::BuildCommand;
pub use sources::Sources;

/// What Lambda takes directly, without a bucket in between (AWS: "Lambda quotas").
const LARGEST_ZIP: usize = 50 * 1024 * 1024;

const PACKAGE: &str = "split-pipeline-handler";

#[derive(Clone, Debug)]
pub struct Artifact {
    pub zip: Vec<u8>,
    /// Base64 of its SHA-256, as Lambda reports it.
    pub sha256: String,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Given(PathBuf),
    Embedded,
    Built(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// For AWS: small and fast, minutes to build.
    Deployment,
    /// For the emulator: the profile that the CLI itself was built with, so that dependencies are compiled once.
    Quick,
}

impl Profile {
    fn cargo_name(self) -> &'static str {
        match self {
            Self::Deployment => "handler",
            Self::Quick if cfg!(debug_assertions) => "dev",
            Self::Quick => "release",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("{path}", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is no deployment zip: {why}", path = path.display())]
    NotAZip { path: PathBuf, why: String },
    #[error("{path} is not a regular file", path = .0.display())]
    NotAFile(PathBuf),
    #[error("cargo could not be started")]
    NoCargo(#[source] std::io::Error),
    #[error("the handler could not be built:\n{0}")]
    Build(String),
    #[error("this machine cannot build the handler for {}: it needs cargo-zigbuild or cargo-lambda", .0.as_str())]
    CannotCross(Architecture),
    #[error("the handler would not run on Lambda: {0}")]
    Unfit(#[from] elf::Unfit),
    #[error("the deployment zip has {0} bytes, and Lambda takes {LARGEST_ZIP} at most")]
    TooLarge(usize),
}

impl ArtifactError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoCargo(_) => vec![
                "install Rust (https://rustup.rs), or give a built handler with --handler ZIP".to_owned(),
            ],
            Self::CannotCross(architecture) => compiler::cross_hints(*architecture),
            Self::Unfit(elf::Unfit::Glibc { .. }) => vec![
                "`cargo install cargo-zigbuild && pip install ziglang` builds for an older glibc".to_owned(),
                "or build on a system with glibc 2.34 or older, and deploy with --handler ZIP".to_owned(),
            ],
            Self::Unfit(elf::Unfit::Machine { .. }) => {
                vec!["`handler.architecture` in the spec has to be the zip's".to_owned()]
            }
            Self::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => Vec::new(),
            Self::Io { .. } | Self::NotAZip { .. } | Self::NotAFile(_) => {
                vec!["--handler takes the zip that `split-pipeline build --out FILE` writes".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// What the file of a deployment zip is called where nobody gives it another name.
pub fn file_name(architecture: &str) -> String {
    format!("handler-{architecture}.zip")
}

/// Reads and checks a deployment zip that the user gives.
pub fn given(path: &Path, architecture: Architecture) -> Result<Artifact, ArtifactError> {
    let io = |error| ArtifactError::io(path, error);
    let file = std::fs::metadata(path).map_err(io)?;
    // Anything else has no size to check beforehand, and reading it may block or never end.
    if !file.is_file() {
        return Err(ArtifactError::NotAFile(path.to_owned()));
    }
    let size = usize::try_from(file.len()).unwrap_or(usize::MAX);
    if size > LARGEST_ZIP {
        return Err(ArtifactError::TooLarge(size));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let binary = zip::unpack(&bytes)
        .map_err(|why| ArtifactError::NotAZip { path: path.to_owned(), why: why.to_string() })?;
    elf::check(&binary, architecture)?;
    finish(bytes, Origin::Given(path.to_owned()))
}

/// Gives the zip that is a part of this program, if there is one for that processor.
pub fn embedded(architecture: Architecture) -> Result<Option<Artifact>, ArtifactError> {
    let zip = embedded::zip(architecture);
    zip.map(|zip| finish(zip.to_vec(), Origin::Embedded)).transpose()
}

/// Reads the zip that the last build left, if there was one. Never builds.
pub fn newest(
    workspace: &Path,
    architecture: Architecture,
    profile: Profile,
) -> Result<Option<Artifact>, ArtifactError> {
    let path = fingerprint::zip_path(workspace, architecture, profile);
    match std::fs::read(&path) {
        Ok(bytes) => finish(bytes, Origin::Built(path)).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ArtifactError::io(&path, error)),
    }
}

/// Builds the zip, unless nothing changed since the last build.
pub async fn build(
    workspace: &Path,
    architecture: Architecture,
    profile: Profile,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Artifact, ArtifactError> {
    let fingerprint = fingerprint::of_sources(workspace, architecture, profile)?;
    if fingerprint::is_current(workspace, architecture, profile, &fingerprint)
        && let Some(artifact) = newest(workspace, architecture, profile)?
    {
        return Ok(artifact);
    }
    let binary = compile(workspace, architecture, profile, progress).await?;
    progress("packing the handler");
    let zipped = zip::pack(&binary, profile).map_err(|error| ArtifactError::io(workspace, error))?;
    let path = fingerprint::zip_path(workspace, architecture, profile);
    let artifact = finish(zipped, Origin::Built(path))?;
    fingerprint::store(workspace, architecture, profile, &artifact.zip, &fingerprint)?;
    Ok(artifact)
}

/// Compiles the binary, against an older glibc if this machine's is too new for Lambda and there is a way.
async fn compile(
    workspace: &Path,
    architecture: Architecture,
    profile: Profile,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Vec<u8>, ArtifactError> {
    let compile = async |target: BuildCommand| {
        let path = cargo::build(workspace, &target, profile, progress).await?;
        std::fs::read(&path).map_err(|error| ArtifactError::io(&path, error))
    };
    let binary = compile(BuildCommand::of(architecture, profile)?).await?;
    let too_new = match elf::check(&binary, architecture) {
        Ok(()) => return Ok(binary),
        // The emulator runs it here, with the glibc that it was built with.
        Err(elf::Unfit::Glibc { .. }) if profile == Profile::Quick => return Ok(binary),
        Err(too_new @ elf::Unfit::Glibc { .. }) => too_new,
        Err(unfit) => return Err(unfit.into()),
    };
    let target = BuildCommand::for_older_glibc(architecture, profile).ok_or(too_new)?;
    let binary = compile(target).await?;
    elf::check(&binary, architecture)?;
    Ok(binary)
}

fn finish(zip: Vec<u8>, origin: Origin) -> Result<Artifact, ArtifactError> {
    if zip.len() > LARGEST_ZIP {
        return Err(ArtifactError::TooLarge(zip.len()));
    }
    let sha256 = STANDARD.encode(Sha256::digest(&zip));
    Ok(Artifact { zip, sha256, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_read() {
        for path in ["/dev/null", "/"] {
            let refused = given(Path::new(path), Architecture::X86_64).unwrap_err();
            assert_eq!(refused.to_string(), format!("{path} is not a regular file"));
        }
    }
}
