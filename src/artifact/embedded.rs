//! The handlers that `build.rs` embedded when this program was built, if any.

use crate::spec::Architecture;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

pub(super) fn zip(architecture: Architecture) -> Option<&'static [u8]> {
    match architecture {
        Architecture::X86_64 => X86_64,
        Architecture::Arm64 => ARM64,
    }
}
