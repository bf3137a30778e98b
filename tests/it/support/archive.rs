//! Deployment zips that are not for running.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

/// The machines of an ELF header.
pub(crate) const X86_64: u8 = 62;
pub(crate) const ARM64: u8 = 183;

/// The one that the emulator runs functions on: this machine.
pub(crate) const NATIVE: u8 = if cfg!(target_arch = "aarch64") { ARM64 } else { X86_64 };

/// A zip with this as its `bootstrap`.
pub(crate) fn zip_of(bootstrap: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", options).unwrap();
    archive.write_all(bootstrap).unwrap();
    archive.finish().unwrap().into_inner()
}

/// A file that has a zip whose `bootstrap` is an ELF header for a machine and nothing else.
pub(crate) fn header_only(machine: u8) -> tempfile::NamedTempFile {
    let mut elf = [0u8; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 3;
    elf[18] = machine;
    elf[20] = 1;
    elf[52] = 64;
    elf[54] = 56;
    elf[58] = 64;
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    std::fs::write(file.path(), zip_of(&elf)).unwrap();
    file
}
