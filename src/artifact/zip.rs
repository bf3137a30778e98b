//! Packs and unpacks the deployment zip: one executable `bootstrap`. The same binary gives the same bytes.

use std::io::{self, Cursor, Read as _, Write as _};

use ::zip::result::ZipError;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::Profile;

const ENTRY: &str = "bootstrap";

/// The largest binary that Lambda unpacks (AWS: "Lambda quotas", 250 MB).
const LARGEST_BINARY: u64 = 250 * 1024 * 1024;

pub(super) fn pack(binary: &[u8], profile: Profile) -> io::Result<Vec<u8>> {
    let level = match profile {
        Profile::Deployment => 9,
        Profile::Quick => 1,
    };
    // A fixed time, or no two zips would be the same.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(ENTRY, options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

/// Takes the binary out of a zip; it must be executable.
pub(super) fn unpack(zip: &[u8]) -> Result<Vec<u8>, ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    let entry = archive.by_name(ENTRY)?;
    if entry.unix_mode().is_none_or(|mode| mode & 0o111 == 0) {
        return Err(ZipError::Io(io::Error::other("its `bootstrap` is not executable")));
    }
    let size = entry.size();
    if size > LARGEST_BINARY {
        let message =
            format!("its `bootstrap` would have {size} bytes, and Lambda unpacks {LARGEST_BINARY} at most");
        return Err(ZipError::Io(io::Error::other(message)));
    }
    // A size that is not true must not fill the memory.
    let mut binary = Vec::new();
    let read = entry.take(size + 1).read_to_end(&mut binary)?;
    if u64::try_from(read) != Ok(size) {
        let message = "its `bootstrap` has another size than it says";
        return Err(ZipError::Io(io::Error::other(message)));
    }
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_zip() {
        let binary = b"some binary".repeat(1000);
        for profile in [Profile::Deployment, Profile::Quick] {
            let zip = pack(&binary, profile).unwrap();
            assert_eq!(zip, pack(&binary, profile).unwrap());
            assert_eq!(unpack(&zip).unwrap(), binary);
        }
    }

    #[test]
    fn what_is_no_deployment_zip_is_refused() {
        let mut other = ZipWriter::new(Cursor::new(Vec::new()));
        other.start_file("main", SimpleFileOptions::default()).unwrap();
        let mut not_executable = ZipWriter::new(Cursor::new(Vec::new()));
        not_executable.start_file(ENTRY, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
        for bytes in [
            b"no zip".to_vec(),
            Vec::new(),
            other.finish().unwrap().into_inner(),
            not_executable.finish().unwrap().into_inner(),
        ] {
            assert!(unpack(&bytes).is_err());
        }
    }
}
