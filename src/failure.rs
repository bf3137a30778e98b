//! What a command fails with, as its user sees it: a kind, a message, hints, an exit code.
//!
//! The edge of the CLI: every module's error ends here and nowhere else.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;

use split_pipeline_handler::spill::REJECTED_PREFIX;

use crate::artifact::ArtifactError;
use crate::aws::{AwsError, ErrorKind};
use crate::engine::Report;
use crate::foreign::whole_chain;
use crate::local::LocalError;
use crate::replay::{ReplayError, delete_hint};
use crate::smoke::SmokeError;
use crate::spec::SpecError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// Something differs from the spec, and the command was to find that out.
    Differs,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differs => 3,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The command line is wrong, or asks for something that needs an answer nobody can give.
    Usage,
    Declined,
    /// The spec is wrong or cannot be read.
    Spec,
    Credentials,
    Aws,
    /// Something of somebody else's is in the way.
    Conflict,
    Build,
    Local,
    /// The smoke test lost impressions or could not send them.
    Smoke,
    Replay,
    TimedOut,
    Interrupted,
    Io,
}

#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// What failed and why; several lines where several things failed.
    pub message: String,
    pub hints: Vec<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    fn of<H: Into<String>>(
        kind: FailureKind,
        error: &(dyn Error + 'static),
        hints: impl IntoIterator<Item = H>,
    ) -> Self {
        hints.into_iter().fold(Self::new(kind, whole_chain(error)), Self::hint)
    }

    /// Adds a hint, unless it is there already.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Puts what was attempted before what went wrong.
    #[must_use]
    pub fn context(mut self, attempt: &str) -> Self {
        self.message = format!("{attempt}: {}", self.message);
        self
    }

    /// The same failure, as one of a command that ran out of time.
    #[must_use]
    pub fn timed_out(self, limit: Duration) -> Self {
        let kind = FailureKind::TimedOut;
        let limit = humantime::format_duration(limit);
        Self { kind, ..self }.context(&format!("time ran out after {limit}"))
    }

    pub fn code(&self) -> u8 {
        match self.kind {
            FailureKind::Usage | FailureKind::Spec => 2,
            FailureKind::Interrupted => 130,
            _ => 1,
        }
    }

    /// The failed AWS calls of a look at a pipeline's resources as one failure.
    pub fn of_observation(errors: Vec<AwsError>) -> Self {
        let mut failures = errors.into_iter().map(Self::from);
        let Some(mut first) = failures.next() else {
            return Self::new(FailureKind::Aws, "an AWS call failed");
        };
        for other in failures {
            // The same refusal of every service, or none of them reached, is one problem and not ten.
            let why = |message: &str| message.split_once(": ").map(|(_call, why)| why.to_owned());
            let credentials =
                other.kind == FailureKind::Credentials && first.kind == FailureKind::Credentials;
            if !credentials && why(&other.message) != why(&first.message) {
                first.message = format!("{}\n{}", first.message, other.message);
            }
            first = other.hints.into_iter().fold(first, Self::hint);
        }
        first.context("looking at what is there")
    }

    /// What a report of an incomplete `up` or `down` says: what was done, what failed, what was not started.
    pub fn of_report(command: &str, report: Report) -> Self {
        let failed = report.failed.len();
        let kind = if failed > 0 { FailureKind::Aws } else { FailureKind::Interrupted };
        let mut failure = Self::new(kind, format!("`{command}` is not complete"));
        for (kind, name, error) in report.failed {
            let part = Self::from(error);
            failure.message = format!("{}\nfailed: {kind} {name}: {}", failure.message, part.message);
            failure = part.hints.into_iter().fold(failure, Self::hint);
        }
        for (kind, name, why) in &report.not_started {
            failure.message = format!("{}\nnot done: {kind} {name}: {why}", failure.message);
        }
        let done: Vec<_> = report.done.iter().map(|done| done.kind.as_str()).collect();
        let done = if done.is_empty() { "nothing".to_owned() } else { done.join(", ") };
        failure.message = format!("{}\ndone: {done}", failure.message);
        failure.hint(format!("running `{command}` again is safe: it goes on where this one stopped"))
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        let kind = match error.kind {
            ErrorKind::Credentials => FailureKind::Credentials,
            ErrorKind::TimedOut => FailureKind::TimedOut,
            ErrorKind::Interrupted => FailureKind::Interrupted,
            _ => FailureKind::Aws,
        };
        Self::of(kind, &error, error.hints())
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        let message = error.to_string();
        let of = |source: AwsError| Self { message, ..Self::from(source) };
        match error {
            ReplayError::Aws(source) => Self::from(source),
            ReplayError::Stopped { source, .. } => of(source)
                .hint("run `split-pipeline replay` again: it continues with the objects that are left"),
            ReplayError::NotDeleted { bucket, key, source } => of(source).hint(delete_hint(&bucket, &key)),
            ReplayError::Copy(source) => {
                of(source).hint("run the same command again: the same span gives the same objects")
            }
        }
    }
}

impl From<SmokeError> for Failure {
    fn from(error: SmokeError) -> Self {
        let failure = Self::new(FailureKind::Smoke, whole_chain(&error));
        match error {
            SmokeError::Search(source) => Self::from(source).context("looking for the impressions in S3"),
            SmokeError::Refused { status: 403, .. } => {
                failure.hint("this machine's address may not be in `webhook.allow_cidrs`")
            }
            SmokeError::Rejected { bucket, .. } => {
                failure.hint(format!("they are below `{REJECTED_PREFIX}` in {bucket}, each with the reason"))
            }
            _ => failure,
        }
    }
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        let hints = error.problems.iter().filter_map(|problem| problem.hint.clone());
        hints.fold(Self::new(FailureKind::Spec, error.to_string()), Self::hint)
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        Self::of(FailureKind::Build, &error, error.hints())
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        Self::of(FailureKind::Local, &error, error.hints())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_replay_ends_as_the_interrupted_do() {
        let error = ReplayError::Stopped {
            done: 0,
            all: 2,
            source: AwsError::new("replay", ErrorKind::Interrupted, "interrupted"),
        };
        let failure = Failure::from(error);
        assert_eq!((failure.kind, failure.code()), (FailureKind::Interrupted, 130));
        assert!(failure.message.starts_with("stopped after 0 of 2 spilled objects: "), "{}", failure.message);
    }

    #[test]
    fn a_command_to_paste_has_its_values_quoted() {
        let error = ReplayError::NotDeleted {
            bucket: "b".to_owned(),
            key: "spill/a'; rm -rf ~ #\u{202e}".to_owned(),
            source: AwsError::new("s3:DeleteObject", ErrorKind::Denied, "no"),
        };
        let hints = Failure::from(error).hints;
        let command = r"`aws s3 rm $'s3://b/spill/a\047; rm -rf ~ #\342\200\256'` deletes it";
        assert!(hints.iter().any(|hint| hint.starts_with(command)), "{hints:?}");
    }
}
