//! What happens while a command runs, as values: the engine reports events, `ui` shows them.
//!
//! Owns the event types and the trait that receives them. Must not print or decide.

use std::sync::Arc;
use std::time::Duration;

use crate::kind::{Action, Kind};

#[derive(Clone, Debug)]
pub enum Event {
    /// Work outside AWS goes on: the handler's build, the emulator's start.
    Working(String),
    Started {
        /// Which resource.
        kind: Kind,
        name: String,
    },
    Waiting {
        /// Which resource.
        kind: Kind,
        name: String,
        what: String,
    },
    Finished {
        /// Which resource.
        kind: Kind,
        name: String,
        action: Action,
        elapsed: Duration,
    },
    /// A resource could not be brought to where it should be.
    Failed {
        /// Which resource.
        kind: Kind,
        name: String,
    },
    /// The user interrupted before a resource was where it should be.
    Stopped {
        /// Which resource.
        kind: Kind,
        name: String,
    },
    /// A secret path of a webhook is known from now on: it is not shown, nor written to a log.
    Secret(String),
    /// An AWS call was answered; shown with `--verbose`.
    Call {
        /// The call as an IAM action, such as `kinesis:CreateStream`.
        call: &'static str,
        elapsed: Duration,
        /// `ok` or the error code.
        outcome: String,
    },
}

/// Receives events as they happen.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

/// A shared receiver of events.
pub type SharedProgress = Arc<dyn Progress>;
