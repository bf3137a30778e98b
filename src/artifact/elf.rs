//! Checks that a binary runs on Lambda: the right processor, and no newer glibc than Lambda's.

use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::{FileHeader, SectionTable};
use object::{Endianness, ReadRef};

use crate::spec::Architecture;

/// The version in `provided.al2023` (Amazon Linux 2023).
const LAMBDA_GLIBC: (u32, u32) = (2, 34);

#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("it is no executable for 64-bit Linux")]
    NotElf(#[source] object::read::Error),
    #[error("it is for {have}, and the function's processor is {}", wanted.as_str())]
    Machine { have: &'static str, wanted: Architecture },
    #[error("it needs {needed}, and Lambda has glibc {}.{}", LAMBDA_GLIBC.0, LAMBDA_GLIBC.1)]
    Glibc { needed: String },
}

/// Checks that `binary` runs on Lambda with `architecture`.
pub(super) fn check(binary: &[u8], architecture: Architecture) -> Result<(), Unfit> {
    let header = FileHeader64::<Endianness>::parse(binary).map_err(Unfit::NotElf)?;
    let endian = header.endian().map_err(Unfit::NotElf)?;
    let machine = match architecture {
        Architecture::X86_64 => EM_X86_64,
        Architecture::Arm64 => EM_AARCH64,
    };
    let have = header.e_machine(endian);
    if have != machine {
        let have = match have {
            EM_X86_64 => "x86_64",
            EM_AARCH64 => "arm64",
            _ => "another processor",
        };
        return Err(Unfit::Machine { have, wanted: architecture });
    }
    let sections = header.sections(endian, binary).map_err(Unfit::NotElf)?;
    match newest_glibc(&sections, endian, binary).map_err(Unfit::NotElf)? {
        Some(version) if version > LAMBDA_GLIBC => {
            Err(Unfit::Glibc { needed: format!("GLIBC_{}.{}", version.0, version.1) })
        }
        _ => Ok(()),
    }
}

/// The newest glibc symbol version that the dynamic linker would look for.
fn newest_glibc<'data, R: ReadRef<'data>>(
    sections: &SectionTable<'data, FileHeader64<Endianness>, R>,
    endian: Endianness,
    data: R,
) -> object::read::Result<Option<(u32, u32)>> {
    let Some((mut needs, link)) = sections.gnu_verneed(endian, data)? else {
        return Ok(None);
    };
    let strings = sections.strings(endian, data, link)?;
    let mut newest = None;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            newest = newest.max(glibc_version(version.name(endian, strings)?));
        }
    }
    Ok(newest)
}

fn glibc_version(name: &[u8]) -> Option<(u32, u32)> {
    let version = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's own executable: a real dynamic binary of this machine.
    fn own_binary() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    fn own_architecture() -> (Architecture, Architecture) {
        match std::env::consts::ARCH {
            "aarch64" => (Architecture::Arm64, Architecture::X86_64),
            _ => (Architecture::X86_64, Architecture::Arm64),
        }
    }

    #[test]
    fn a_binary_of_another_processor_is_refused() {
        let (own, other) = own_architecture();
        assert!(!matches!(check(&own_binary(), own), Err(Unfit::Machine { .. } | Unfit::NotElf(_))));
        assert!(matches!(check(&own_binary(), other), Err(Unfit::Machine { .. })));
    }

    #[test]
    fn the_newest_glibc_of_a_real_binary_is_found() {
        let binary = own_binary();
        let header = FileHeader64::<Endianness>::parse(&*binary).unwrap();
        let endian = header.endian().unwrap();
        let sections = header.sections(endian, &*binary).unwrap();
        assert!(newest_glibc(&sections, endian, &*binary).unwrap() >= Some((2, 2)));
    }

    #[test]
    fn a_newer_glibc_than_lambdas_is_refused() {
        let (own, _) = own_architecture();
        let mut binary = own_binary();
        let newest = b"GLIBC_2.34\0";
        let at = binary.windows(newest.len()).position(|window| window == newest).unwrap();
        binary[at..at + newest.len()].copy_from_slice(b"GLIBC_2.39\0");
        match check(&binary, own) {
            Err(Unfit::Glibc { needed }) => assert_eq!(needed, "GLIBC_2.39"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn broken_files_are_refused() {
        let (own, _) = own_architecture();
        let binary = own_binary();
        assert!(matches!(check(b"", own), Err(Unfit::NotElf(_))));
        assert!(matches!(check(b"#!/bin/sh\n", own), Err(Unfit::NotElf(_))));
        for length in [4, 16, 63, 64, 100, binary.len() / 2] {
            assert!(check(&binary[..length], own).is_err(), "{length}");
        }
    }

    #[test]
    fn versions_are_read_as_numbers() {
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version(b"GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc_version(b"GCC_3.0"), None);
        assert_eq!(glibc_version(b"GLIBC_PRIVATE"), None);
    }
}
