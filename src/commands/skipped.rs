//! The objects that a command left alone, as its warning or failure names them.

use crate::objects::Skipped;

/// How many objects a message names.
const MOST_SHOWN: usize = 20;

/// A message with each object and why, as many as a screen takes.
pub(super) fn with_skipped(mut message: String, skipped: &[Skipped]) -> String {
    for Skipped { key, why } in skipped.iter().take(MOST_SHOWN) {
        message = format!("{message}\n{key}: {why}");
    }
    if let Some(more @ 1..) = skipped.len().checked_sub(MOST_SHOWN) {
        message = format!("{message}\nand {more} more; `--output json` lists all of them");
    }
    message
}
