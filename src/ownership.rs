//! Which files and directories belong to the user: what another user can write is neither run nor trusted.
//!
//! Must not know what the files are for.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The permissions of a private directory: its owner's alone.
const PRIVATE: u32 = 0o700;

/// The permissions that let the group and all others in.
const OTHERS: u32 = 0o077;

/// The permission that lets everyone write. A group may be the user's own, as it is by default on Debian and Ubuntu.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Why a directory is not used for the user's private files.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// The path names a file or a symbolic link.
    #[error("{path} is not a directory", path = .0.display())]
    NotADirectory(PathBuf),
    /// Another user owns the directory.
    #[error("{path} belongs to user {owner}", path = path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The owner's number.
        owner: u32,
    },
    /// The directory cannot be created, read or changed.
    #[error("{path}", path = path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Creates a directory that only the user can enter, or makes an existing one such.
///
/// # Errors
///
/// If the path is not a directory of the user's own.
pub fn private_directory(path: &Path) -> Result<(), NotPrivate> {
    let io = |source| NotPrivate::Io {
        path: path.to_owned(),
        source,
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(PRIVATE).create(path).map_err(io)?;
    let metadata = fs::symlink_metadata(path).map_err(io)?;
    if !metadata.is_dir() {
        return Err(NotPrivate::NotADirectory(path.to_owned()));
    }
    let owner = metadata.uid();
    if owner != geteuid().as_raw() {
        let path = path.to_owned();
        return Err(NotPrivate::Foreign { path, owner });
    }
    if metadata.mode() & OTHERS != 0 {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE)).map_err(io)?;
    }
    Ok(())
}

/// Returns the first of these files and directories, of those that exist, that another user owns or everyone can change.
///
/// Root's own files count as the user's, since root can change everything anyway; so do, for root, those of the user who
/// called `sudo`.
pub fn first_foreign<Paths: IntoIterator<Item = PathBuf>>(paths: Paths) -> Option<PathBuf> {
    let sudo = std::env::var("SUDO_UID").ok().and_then(|user| user.parse().ok());
    let trusted = Trusted {
        user: geteuid().as_raw(),
        sudo,
    };
    paths.into_iter().find(|path| {
        fs::metadata(path).is_ok_and(|it| !trusted.owns(it.uid()) || it.mode() & WRITABLE_BY_ALL != 0)
    })
}

/// The users whose files are trusted.
struct Trusted {
    user: u32,
    /// Who called `sudo`, as `sudo` says; only root believes it.
    sudo: Option<u32>,
}

impl Trusted {
    fn owns(&self, owner: u32) -> bool {
        owner == self.user || owner == 0 || (self.user == 0 && Some(owner) == self.sudo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_private_directory_is_the_users_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_link_or_a_file_is_not_a_private_directory() {
        let parent = tempfile::tempdir().unwrap();
        let (link, file) = (parent.path().join("link"), parent.path().join("file"));
        std::os::unix::fs::symlink(parent.path(), &link).unwrap();
        fs::write(&file, "").unwrap();
        let refused = private_directory(&link).unwrap_err();
        assert!(matches!(refused, NotPrivate::NotADirectory(path) if path == link));
        private_directory(&file).unwrap_err();
    }

    #[test]
    fn files_are_trusted_by_their_owner() {
        let trusts = |user, sudo, owner| Trusted { user, sudo }.owns(owner);
        assert!(trusts(1000, None, 1000));
        assert!(trusts(1000, None, 0));
        assert!(!trusts(1000, None, 1001));
        assert!(!trusts(1000, Some(1001), 1001));
        assert!(trusts(0, Some(1001), 1001));
        assert!(!trusts(0, None, 1001));
    }

    #[test]
    fn files_that_others_can_change_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = directory.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let (own, shared) = (file("own", 0o644), file("shared", 0o666));
        let missing = directory.path().join("missing");
        assert_eq!(first_foreign([own.clone(), missing.clone()]), None);
        assert_eq!(first_foreign([own, missing, shared.clone()]), Some(shared));
    }
}
