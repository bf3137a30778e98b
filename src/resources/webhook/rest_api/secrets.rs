//! The secret paths of an API: the one that is valid, and while they are changed the one before.
//!
//! They are kept in the API's own description, so that there is no state elsewhere, and every `up` that works on an API
//! makes the same path. Who may read the API's paths may read it, and so may who reads AWS's record of calls.

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::progress::Event;

/// Random bytes in a secret path: 128 bits cannot be guessed.
const SECRET_BYTES: usize = 16;

const DESCRIPTION: &str = "Split impressions; made by split-pipeline for the path /";

/// What stands between the valid path and the one before.
const REVOCABLE: &str = ", and until it is revoked /";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The valid path; absent where the description is not ours.
    pub current: Option<String>,
    /// The path before, while it works too.
    pub old: Option<String>,
}

impl Secrets {
    /// A new secret and no old one, hidden from now on.
    pub(super) fn generate(aws: &Aws) -> Result<Self, AwsError> {
        let secrets = Self::fresh(None)?;
        secrets.hide(aws);
        Ok(secrets)
    }

    /// A new secret beside the one before.
    pub(super) fn fresh(old: Option<String>) -> Result<Self, AwsError> {
        let current = Some(generate()?);
        Ok(Self { current, old })
    }

    /// Keeps these out of everything that is shown from now on.
    pub(super) fn hide(&self, aws: &Aws) {
        hide(self.current.iter().chain(&self.old).map(String::as_str), aws);
    }

    pub(super) fn read(description: &str) -> Self {
        let Some(paths) = description.strip_prefix(DESCRIPTION) else {
            return Self::default();
        };
        let (current, old) =
            paths.split_once(REVOCABLE).map_or((paths, None), |(current, old)| (current, Some(old)));
        let secret = |path: &str| is_secret(path).then(|| path.to_owned());
        Self { current: secret(current), old: old.and_then(secret) }
    }

    pub(super) fn description(&self) -> String {
        let current = self.current.as_deref().unwrap_or_default();
        let old = self.old.as_ref().map(|old| format!("{REVOCABLE}{old}"));
        format!("{DESCRIPTION}{current}{}", old.unwrap_or_default())
    }

    /// A new path, the valid one becoming the old one; both are hidden from now on.
    pub(super) fn rotated(valid: &str, aws: &Aws) -> Result<Self, AwsError> {
        let secrets = Self::fresh(Some(valid.to_owned()))?;
        secrets.hide(aws);
        Ok(secrets)
    }

    /// The same without the old path.
    pub(super) fn revoked(&self) -> Self {
        Self { current: self.current.clone(), old: None }
    }
}

/// Tells whether a path has the form of a secret path.
pub fn is_secret(path: &str) -> bool {
    path.len() == SECRET_BYTES * 2 && path.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Keeps the secret ones of these paths out of everything that is shown from now on.
pub(super) fn hide<'a>(paths: impl Iterator<Item = &'a str>, aws: &Aws) {
    for path in paths.filter(|path| is_secret(path)) {
        aws.event(Event::Secret(path.to_owned()));
    }
}

fn generate() -> Result<String, AwsError> {
    crate::random::hex(SECRET_BYTES).map_err(|error| {
        let message = format!("the operating system gives no random bytes: {error}");
        AwsError::new("random", ErrorKind::Other, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert!(is_secret(&one) && is_secret(&other));
        assert_ne!(one, other);
        assert!(!is_secret("impressions"));
        assert!(crate::export::MAKE_SECRET.ends_with(&format!(" {SECRET_BYTES}")));
    }

    #[test]
    fn a_description_keeps_them() {
        let first = Secrets::fresh(None).unwrap();
        assert_eq!(Secrets::read(&first.description()), first);
        let rotated = Secrets::fresh(first.current.clone()).unwrap();
        assert_ne!(rotated.current, first.current);
        assert_eq!(rotated.old, first.current);
        assert_eq!(Secrets::read(&rotated.description()), rotated);
        assert_eq!(Secrets::read(&rotated.revoked().description()), rotated.revoked());
        assert_eq!(Secrets::read("somebody's own API"), Secrets::default());
        assert_eq!(Secrets::read(&format!("{DESCRIPTION}guessable")), Secrets::default());
    }
}
