//! Finds the sources of the handler, and trusts only the user's own: a build runs their code.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::PACKAGE;
use crate::ownership::{first_foreign, foreign_directory};

/// What cargo reads and runs of the workspace, with all that is below.
const BUILT: [&str; 5] = ["Cargo.toml", "Cargo.lock", "build.rs", "src", "handler"];

/// Where cargo writes what it runs later.
const TARGET: &str = "target";

/// What cargo and rustup read in every directory above the workspace (Cargo book: "Configuration"; rustup book:
/// "Overrides").
const INHERITED: [&str; 5] =
    [".cargo", ".cargo/config", ".cargo/config.toml", "rust-toolchain", "rust-toolchain.toml"];

const LONGEST_MANIFEST: u64 = 64 << 10;

/// The sources of the handler, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub workspace: Option<PathBuf>,
    /// A file or directory on the way that another user owns or can change, for which its workspace was passed over.
    pub foreign: Option<PathBuf>,
}

impl Sources {
    /// Looks for the handler's sources above the current directory, then where this program was built.
    pub fn find() -> Self {
        let here = std::env::current_dir().ok();
        let above = here.iter().flat_map(|here| here.ancestors());
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::among(above.chain([built_in]), |workspace| {
            foreign_directory(workspace).or_else(|| first_foreign(read_by_a_build(workspace)))
        })
    }

    fn among<'a>(places: impl Iterator<Item = &'a Path>, foreign: impl Fn(&Path) -> Option<PathBuf>) -> Self {
        let mut sources = Self::default();
        for place in places.filter(|place| manifest(place).is_file()) {
            // Before anything is read: another user's file may be endless.
            if let Some(foreign) = foreign(place) {
                sources.foreign.get_or_insert(foreign);
            } else if holds_handler(place) {
                sources.workspace = Some(place.to_owned());
                break;
            }
        }
        sources
    }
}

fn manifest(workspace: &Path) -> PathBuf {
    workspace.join("handler/Cargo.toml")
}

fn holds_handler(workspace: &Path) -> bool {
    let Ok(file) = File::open(manifest(workspace)) else {
        return false;
    };
    let mut text = String::new();
    let read = file.take(LONGEST_MANIFEST).read_to_string(&mut text);
    read.is_ok() && text.contains(&format!("name = \"{PACKAGE}\""))
}

/// Everything whose owner can run code in a build of this workspace.
fn read_by_a_build(workspace: &Path) -> Vec<PathBuf> {
    let inherited =
        workspace.ancestors().flat_map(|directory| INHERITED.iter().map(move |path| directory.join(path)));
    let mut paths: Vec<_> = inherited.chain([workspace.join(TARGET)]).collect();
    for path in BUILT {
        add(&mut paths, workspace.join(path));
    }
    paths
}

/// Adds a path and all that is below it, but for what cargo wrote.
fn add(paths: &mut Vec<PathBuf>, path: PathBuf) {
    let entries = fs::read_dir(&path).into_iter().flatten().filter_map(Result::ok);
    let below: Vec<_> = entries.filter(|entry| entry.file_name() != TARGET).collect();
    paths.push(path);
    for entry in below {
        add(paths, entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("handler")).unwrap();
        let manifest = format!("[package]\nname = \"{PACKAGE}\"\n");
        std::fs::write(directory.path().join("handler/Cargo.toml"), manifest).unwrap();
        directory
    }

    /// The sources among these places, where one path belongs to another user.
    fn found(places: &[&Path], foreign: &Path) -> Sources {
        Sources::among(places.iter().copied(), |workspace| {
            let paths = read_by_a_build(workspace);
            paths.into_iter().find(|path| path == foreign)
        })
    }

    #[test]
    fn another_users_workspace_is_passed_over_and_named() {
        let (theirs, ours, none) = (workspace(), workspace(), tempfile::tempdir().unwrap());
        let (theirs, ours) = (theirs.path(), ours.path());
        let places = [none.path(), theirs, ours];
        fs::create_dir(theirs.join("handler/src")).unwrap();
        fs::write(theirs.join("handler/src/lib.rs"), "").unwrap();
        for foreign in
            ["handler/Cargo.toml", "handler/src/lib.rs", "build.rs", ".cargo/config.toml", "target"]
        {
            let foreign = theirs.join(foreign);
            let sources = found(&places, &foreign);
            assert_eq!(sources.workspace.as_deref(), Some(ours));
            assert_eq!(sources.foreign, Some(foreign));
        }
        let sources = found(&[theirs], &theirs.join("src"));
        assert_eq!(sources.workspace, None);
        assert_eq!(found(&places, none.path()).workspace.as_deref(), Some(theirs));
    }

    #[test]
    fn what_cargo_reads_above_a_workspace_counts_as_well() {
        let workspace = workspace();
        let above = workspace.path().parent().unwrap();
        for foreign in [above.join(".cargo/config.toml"), above.join("rust-toolchain")] {
            let sources = found(&[workspace.path()], &foreign);
            assert_eq!((sources.workspace, sources.foreign), (None, Some(foreign)));
        }
    }

    #[test]
    fn a_workspace_that_others_can_exchange_is_passed_over() {
        let workspace = workspace();
        let path = workspace.path().canonicalize().unwrap();
        let sources = Sources::among([path.as_path()].into_iter(), foreign_directory);
        assert_eq!(sources.workspace.as_ref(), Some(&path));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let sources = Sources::among([path.as_path()].into_iter(), foreign_directory);
        assert_eq!((sources.workspace, sources.foreign), (None, Some(path)));
    }

    #[test]
    fn another_users_manifest_is_named_and_not_read() {
        let theirs = workspace();
        // Whoever reads it sees that it has no handler.
        fs::write(manifest(theirs.path()), "[package]").unwrap();
        let find = |foreign: Option<PathBuf>| {
            let places = [theirs.path()];
            Sources::among(places.into_iter(), |_| foreign.clone())
        };
        assert_eq!(find(None), Sources::default());
        let foreign = theirs.path().to_owned();
        assert_eq!(find(Some(foreign.clone())).foreign, Some(foreign));
    }

    #[test]
    fn a_manifest_that_is_no_regular_file_is_not_read() {
        let workspace = workspace();
        // A FIFO has no end.
        let none = tempfile::tempdir().unwrap();
        fs::create_dir(none.path().join("handler")).unwrap();
        let fifo = std::process::Command::new("mkfifo").arg(manifest(none.path())).status();
        assert!(fifo.unwrap().success());
        let places = [none.path(), workspace.path()];
        let sources = Sources::among(places.into_iter(), |_| None);
        assert_eq!(sources.workspace.as_deref(), Some(workspace.path()));
    }
}
