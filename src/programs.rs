//! Finds the programs that split-pipeline runs, and keeps secrets out of their environment.
//!
//! Must not find a program in the current directory, which may be another user's.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

const AWS: &str = "AWS_";

/// Finds a program in the absolute directories of `PATH`.
///
/// An empty or relative entry means the current directory, or one below it.
pub fn find(name: &str) -> Option<PathBuf> {
    find_in(name, &env::var_os("PATH")?)
}

fn find_in(name: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| which::which_in(name, Some(directory), Path::new("/")).ok())
}

/// The names of the environment's variables that a program does not get which has no business with AWS.
pub fn aws_variables() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(AWS.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_absolute_directories_alone() {
        let sh = find_in("sh", OsStr::new(".::usr/bin:/bin")).unwrap();
        assert_eq!(sh, Path::new("/bin/sh"));
        assert_eq!(find_in("sh", OsStr::new(".:bin:")), None);
        assert_eq!(find_in("sh", OsStr::new("")), None);
    }
}
