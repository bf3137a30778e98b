//! The credentials that open the emulator's gate: random for each start, in a file that only the user can read.
//!
//! Must not be part of any message or of a process's environment or command line.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::random;

/// The access key id that MiniStack takes for its account's root.
const ACCESS_KEY_ID: &str = "test";

/// The secret access key; MiniStack does not verify root's signatures, so the session token alone is secret.
const SECRET_ACCESS_KEY: &str = "test";

const TOKEN_BYTES: usize = 32;

/// What stands before the session token in the file.
const TOKEN: &str = "aws_session_token = ";

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    session_token: String,
}

impl Credentials {
    /// Creates credentials that nobody can guess.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let session_token = random::hex(TOKEN_BYTES)?;
        Ok(Self { session_token })
    }

    pub fn access_key_id(&self) -> &'static str {
        ACCESS_KEY_ID
    }

    pub fn secret_access_key(&self) -> &'static str {
        SECRET_ACCESS_KEY
    }

    /// The session token, which the gate compares.
    pub fn session_token(&self) -> &str {
        &self.session_token
    }

    /// Writes the credentials as a file that AWS's tools read (`AWS_SHARED_CREDENTIALS_FILE`).
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        // A file that is there keeps its permissions.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "[default]")?;
        writeln!(file, "aws_access_key_id = {ACCESS_KEY_ID}")?;
        writeln!(file, "aws_secret_access_key = {SECRET_ACCESS_KEY}")?;
        writeln!(file, "{TOKEN}{}", self.session_token)
    }

    /// Reads the credentials of the last start; none if the emulator was not started or the file is damaged.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let token = text.lines().find_map(|line| line.strip_prefix(TOKEN))?;
        let is_whole = token.len() == 2 * TOKEN_BYTES;
        is_whole.then(|| Self { session_token: token.to_owned() })
    }

    /// Whether `proof` shows that a server knows the session token: HMAC-SHA256 of a nonce, in hexadecimal digits.
    pub(super) fn verify(&self, nonce: &str, proof: &str) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.session_token.as_bytes()) else {
            return false;
        };
        mac.update(nonce.as_bytes());
        hex::decode(proof).is_ok_and(|proof| mac.verify_slice(&proof).is_ok())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn credentials_are_random_and_only_their_user_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        // As an attacker, or an earlier version, may have left it.
        fs::write(&path, "").unwrap();
        assert_eq!(Credentials::read(&path), None);
        let credentials = Credentials::random().unwrap();
        credentials.write(&path).unwrap();
        assert_eq!(Credentials::read(&path), Some(credentials.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(credentials, Credentials::random().unwrap());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 2]).unwrap();
        assert_eq!(Credentials::read(&path), None);
    }

    #[test]
    fn a_proof_is_an_hmac_of_the_nonce() {
        // RFC 4231, test case 2.
        let credentials = Credentials { session_token: "Jefe".to_owned() };
        let (nonce, proof) = (
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        assert!(credentials.verify(nonce, proof));
        assert!(!credentials.verify("another nonce", proof));
        assert!(!credentials.verify(nonce, ""));
        assert!(!credentials.verify(nonce, "no digits"));
        assert!(!format!("{credentials:?}").contains("Jefe"));
    }
}
