//! Tells whether the handler changed since its zip was built, without cargo, which takes half a second.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{ArtifactError, Profile};
use crate::spec::Architecture;

/// Everything that a build of the handler reads, below the workspace.
const SOURCES: [&str; 4] = ["Cargo.toml", "Cargo.lock", "handler/Cargo.toml", "handler/src"];

/// Where the zip of a build is kept.
pub(super) fn zip_path(workspace: &Path, architecture: Architecture, profile: Profile) -> PathBuf {
    let name = format!("{}-{}.zip", profile.cargo_name(), architecture.as_str());
    workspace.join("target/split-pipeline").join(name)
}

fn fingerprint_path(workspace: &Path, architecture: Architecture, profile: Profile) -> PathBuf {
    zip_path(workspace, architecture, profile).with_extension("fingerprint")
}

pub(super) fn of_sources(
    workspace: &Path,
    architecture: Architecture,
    profile: Profile,
) -> Result<String, ArtifactError> {
    let mut digest = Sha256::new();
    digest.update(format!(
        "{} {} {}\n",
        env!("CARGO_PKG_VERSION"),
        profile.cargo_name(),
        architecture.as_str()
    ));
    for source in SOURCES {
        add(&mut digest, workspace, Path::new(source))?;
    }
    Ok(hex::encode(digest.finalize()))
}

fn add(digest: &mut Sha256, workspace: &Path, source: &Path) -> Result<(), ArtifactError> {
    let path = workspace.join(source);
    let failed = |error| ArtifactError::io(&path, error);
    if !path.is_dir() {
        let bytes = std::fs::read(&path).map_err(failed)?;
        digest.update(format!("{} {}\n", source.display(), bytes.len()));
        digest.update(bytes);
        return Ok(());
    }
    let entries = std::fs::read_dir(&path).map_err(failed)?;
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names.map_err(failed)?;
    names.sort();
    names.iter().try_for_each(|name| add(digest, workspace, &source.join(name)))
}

/// Whether the zip that is there was built from these sources.
pub(super) fn is_current(
    workspace: &Path,
    architecture: Architecture,
    profile: Profile,
    fingerprint: &str,
) -> bool {
    let path = fingerprint_path(workspace, architecture, profile);
    std::fs::read_to_string(path).is_ok_and(|text| text == fingerprint)
}

/// Keeps a zip and what it was built from, each whole or not at all, whoever else does the same.
pub(super) fn store(
    workspace: &Path,
    architecture: Architecture,
    profile: Profile,
    zip: &[u8],
    fingerprint: &str,
) -> Result<(), ArtifactError> {
    let path = zip_path(workspace, architecture, profile);
    replace(&path, zip)?;
    replace(&fingerprint_path(workspace, architecture, profile), fingerprint.as_bytes())
}

fn replace(path: &Path, content: &[u8]) -> Result<(), ArtifactError> {
    let failed = |error| ArtifactError::io(path, error);
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("handler/src")).unwrap();
        for file in ["Cargo.toml", "Cargo.lock", "handler/Cargo.toml", "handler/src/lib.rs"] {
            std::fs::write(directory.path().join(file), file).unwrap();
        }
        directory
    }

    #[test]
    fn any_change_of_the_sources_changes_the_fingerprint() {
        let directory = workspace();
        let of = |architecture| of_sources(directory.path(), architecture, Profile::Deployment).unwrap();
        let before = of(Architecture::X86_64);
        assert_eq!(of(Architecture::X86_64), before);
        assert_ne!(of(Architecture::Arm64), before);
        std::fs::write(directory.path().join("handler/src/new.rs"), "").unwrap();
        let added = of(Architecture::X86_64);
        assert_ne!(added, before);
        std::fs::write(directory.path().join("handler/src/new.rs"), "x").unwrap();
        assert_ne!(of(Architecture::X86_64), added);
    }

    #[test]
    fn a_stored_zip_is_current_until_the_sources_change() {
        let directory = workspace();
        let (path, architecture, profile) = (directory.path(), Architecture::X86_64, Profile::Quick);
        assert!(!is_current(path, architecture, profile, "f"));
        store(path, architecture, profile, b"zip", "f").unwrap();
        assert!(is_current(path, architecture, profile, "f"));
        assert!(!is_current(path, architecture, profile, "g"));
        assert_eq!(std::fs::read(zip_path(path, architecture, profile)).unwrap(), b"zip");
    }
}
