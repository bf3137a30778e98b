//! Tells which files and directories belong to the user: files that another user can write are neither run nor trusted.
//!
//! Must not know the files' purpose.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid};

/// The permissions of a private directory: its owner's alone.
const PRIVATE: u32 = 0o700;

/// The permissions that let the group and all others in.
const OTHERS: u32 = 0o077;

/// The permissions that let the group, and that let all others write.
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;

/// The permission that lets only owners rename and delete what is in a directory, as in `/tmp`.
const STICKY: u32 = 0o1000;

/// Why a directory is not used for the user's private files.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    #[error("{path} is not a directory", path = .0.display())]
    NotADirectory(PathBuf),
    /// Another user owns the directory, or one above it, or can write to it.
    #[error("{path} belongs to another user, or other users can write to it", path = .0.display())]
    Foreign(PathBuf),
    #[error("{path}", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Creates a directory that only the user can enter, or makes an existing one such.
///
/// # Errors
///
/// If the path is not a directory of the user's own, or other users could write to it until now.
pub fn private_directory(path: &Path) -> Result<(), NotPrivate> {
    let io = |source| NotPrivate::Io { path: path.to_owned(), source };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(PRIVATE).create(path).map_err(io)?;
    let metadata = fs::symlink_metadata(path).map_err(io)?;
    if !metadata.is_dir() {
        return Err(NotPrivate::NotADirectory(path.to_owned()));
    }
    if let Some(foreign) = foreign_directory(path) {
        return Err(NotPrivate::Foreign(foreign));
    }
    if metadata.mode() & OTHERS != 0 {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE)).map_err(io)?;
    }
    Ok(())
}

/// Returns the first directory on the way to this one, or this one, that another user can exchange or write to.
///
/// Everyone may write to a sticky directory such as `/tmp`, and change nothing of the user's there.
pub fn foreign_directory(path: &Path) -> Option<PathBuf> {
    // Without symbolic links, since those on the way have directories of their own.
    let Ok(path) = path.canonicalize() else {
        return Some(path.to_owned());
    };
    let user = User::current();
    let above = path.ancestors().find(|above| {
        let is_above = *above != path;
        !fs::metadata(above).is_ok_and(|it| user.alone_writes(&it) || (is_above && user.is_shared(&it)))
    });
    above.map(Path::to_owned)
}

/// Returns the first of these files and directories, of those that exist, that another user owns or can write to.
///
/// Counts a symbolic link and what it leads to, and what cannot be looked at.
pub fn first_foreign<Paths: IntoIterator<Item = PathBuf>>(paths: Paths) -> Option<PathBuf> {
    let user = User::current();
    let is_foreign = |path: &PathBuf| {
        let link = fs::symlink_metadata(path);
        let target = fs::metadata(path);
        // A link may be written by everyone, to no effect.
        let link = link.map(|it| user.trusts(it.uid()));
        let target = target.map(|it| user.alone_writes(&it));
        !(is_absent_or(link) && is_absent_or(target))
    };
    paths.into_iter().find(is_foreign)
}

fn is_absent_or(found: io::Result<bool>) -> bool {
    found.unwrap_or_else(|error| error.kind() == io::ErrorKind::NotFound)
}

struct User {
    id: u32,
    group: u32,
    /// Who called `sudo`, as `sudo` says; only root believes it.
    sudo: Option<u32>,
}

impl User {
    fn current() -> Self {
        let sudo = std::env::var("SUDO_UID").ok();
        Self {
            id: geteuid().as_raw(),
            group: getegid().as_raw(),
            sudo: sudo.and_then(|user| user.parse().ok()),
        }
    }

    /// Whether this owner's files are trusted: root can change everything anyway.
    fn trusts(&self, owner: u32) -> bool {
        owner == self.id || owner == 0 || (self.id == 0 && Some(owner) == self.sudo)
    }

    /// Whether nobody else writes to a file or directory.
    ///
    /// The user's group is their own if it has their number, as on Debian, Fedora and Ubuntu; on macOS all users share theirs.
    fn alone_writes(&self, metadata: &Metadata) -> bool {
        let mode = metadata.mode();
        let is_own_group = self.group == self.id && metadata.gid() == self.group;
        let is_closed = mode & WRITABLE_BY_GROUP == 0 || is_own_group;
        self.trusts(metadata.uid()) && is_closed && mode & WRITABLE_BY_ALL == 0
    }

    /// Whether everyone writes to a directory, and nobody exchanges what is the user's there.
    fn is_shared(&self, metadata: &Metadata) -> bool {
        self.trusts(metadata.uid()) && metadata.mode() & STICKY != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_private_directory_is_the_users_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        set_mode(&path, 0o755);
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
    fn a_directory_that_others_can_write_to_or_exchange_is_not_private() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().canonicalize().unwrap();
        let path = parent.join("cache");
        // What others left there before would stay.
        private_directory(&path).unwrap();
        set_mode(&path, 0o777);
        let refused = private_directory(&path).unwrap_err();
        assert!(matches!(refused, NotPrivate::Foreign(foreign) if foreign == path));
        set_mode(&path, 0o700);
        set_mode(&parent, 0o777);
        let refused = private_directory(&path).unwrap_err();
        assert!(matches!(refused, NotPrivate::Foreign(foreign) if foreign == parent));
        set_mode(&parent, 0o1777);
        private_directory(&path).unwrap();
        assert_eq!(foreign_directory(&path.join("missing")), Some(path.join("missing")));
    }

    #[test]
    fn files_are_trusted_by_their_owner() {
        let trusts = |id, sudo, owner| User { id, group: id, sudo }.trusts(owner);
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
            set_mode(&path, mode);
            path
        };
        let (own, shared) = (file("own", 0o644), file("shared", 0o666));
        let (missing, link) = (directory.path().join("missing"), directory.path().join("link"));
        std::os::unix::fs::symlink(&shared, &link).unwrap();
        assert_eq!(first_foreign([own.clone(), missing.clone()]), None);
        assert_eq!(first_foreign([own.clone(), missing, shared.clone()]), Some(shared));
        assert_eq!(first_foreign([own.clone(), link.clone()]), Some(link));
        // A file has nothing below it, but that is not known of it.
        let below = own.join("below");
        assert_eq!(first_foreign([below.clone()]), Some(below));
    }

    #[test]
    fn a_group_is_trusted_if_it_is_the_users_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        set_mode(file.path(), 0o660);
        let metadata = fs::metadata(file.path()).unwrap();
        let (owner, group) = (metadata.uid(), metadata.gid());
        let alone_writes = |id, group| {
            let sudo = Some(owner);
            User { id, group, sudo }.alone_writes(&metadata)
        };
        assert_eq!(alone_writes(owner, group), owner == group);
        assert!(!alone_writes(owner, owner + 1) && !alone_writes(0, group + 1));
    }
}
