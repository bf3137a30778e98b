//! Finds the sources of the handler, and trusts only the user's own: a build runs their code.

use std::path::{Path, PathBuf};

use super::PACKAGE;
use crate::ownership::first_foreign;

/// What cargo and rustup read, and run code of, below the workspace.
const BUILT: [&str; 8] = [
    "",
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "src",
    "handler",
    "handler/Cargo.toml",
    "target",
];

/// What cargo and rustup read in every directory above the workspace (Cargo book: "Configuration"; rustup book:
/// "Overrides").
const INHERITED: [&str; 4] = [
    ".cargo/config",
    ".cargo/config.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
];

/// The sources of the handler, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The workspace that has them.
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
        Self::among(above.chain([built_in]), first_foreign::<Vec<_>>)
    }

    fn among<'a>(
        places: impl Iterator<Item = &'a Path>,
        first_foreign: impl Fn(Vec<PathBuf>) -> Option<PathBuf>,
    ) -> Self {
        let mut sources = Self::default();
        for place in places.filter(|place| holds_handler(place)) {
            match first_foreign(read_by_a_build(place)) {
                None => {
                    sources.workspace = Some(place.to_owned());
                    return sources;
                }
                Some(foreign) => {
                    sources.foreign.get_or_insert(foreign);
                }
            }
        }
        sources
    }
}

fn holds_handler(path: &Path) -> bool {
    std::fs::read_to_string(path.join("handler/Cargo.toml"))
        .is_ok_and(|manifest| manifest.contains(&format!("name = \"{PACKAGE}\"")))
}

/// Everything whose owner can run code in a build of this workspace.
fn read_by_a_build(workspace: &Path) -> Vec<PathBuf> {
    let built = BUILT.iter().map(|path| workspace.join(path));
    let inherited = workspace
        .ancestors()
        .flat_map(|directory| INHERITED.iter().map(move |path| directory.join(path)));
    built.chain(inherited).collect()
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
        Sources::among(places.iter().copied(), |paths| {
            paths.into_iter().find(|path| path == foreign)
        })
    }

    #[test]
    fn another_users_workspace_is_passed_over_and_named() {
        let (theirs, ours, none) = (workspace(), workspace(), tempfile::tempdir().unwrap());
        let (theirs, ours) = (theirs.path(), ours.path());
        let places = [none.path(), theirs, ours];
        let foreign = [
            theirs.join(""),
            theirs.join("handler/Cargo.toml"),
            theirs.join("build.rs"),
            theirs.join(".cargo/config.toml"),
            theirs.join("target"),
        ];
        for foreign in foreign {
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
}
