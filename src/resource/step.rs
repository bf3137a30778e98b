//! Makes the calls of one resource's work, repeats those that must settle, and reports waits.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::aws::{Aws, AwsError, ErrorKind, Outcome as _};
use crate::kind::Kind;
use crate::progress::Event;

/// One resource being worked on: AWS, and a way to say what is waited for.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Where the work is done.
    pub aws: &'a Aws,
    kind: Kind,
    name: &'a str,
    age: Age,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// Since before this command.
    Old,
    /// AWS has just made it: what is not found is not there yet.
    JustCreated,
}

impl<'a> Step<'a> {
    pub fn new(aws: &'a Aws, kind: Kind, name: &'a str) -> Self {
        Self { aws, kind, name, age: Age::Old }
    }

    pub fn waiting(&self, what: &str) {
        self.aws.event(Event::Waiting { kind: self.kind, name: self.name.to_owned(), what: what.to_owned() });
    }

    /// The same step for a resource that was made a moment ago, and may not be known everywhere yet.
    #[must_use]
    pub fn just_created(self) -> Self {
        Self { age: Age::JustCreated, ..self }
    }

    /// Makes one call, and repeats it while something that it depends on has not settled yet.
    pub async fn call<T, E, F>(&self, call: &'static str, send: impl Fn() -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        self.settle(async || self.aws.call(call, &send).await).await
    }

    /// Makes one call that removes something, as `call` does; what is gone already counts as removed.
    pub async fn remove<T, E, F>(&self, call: &'static str, send: impl Fn() -> F) -> Result<(), AwsError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let remove = async || self.aws.call(call, &send).await.found();
        self.settle(remove).await.map(drop)
    }

    /// Repeats calls while something that it depends on has not settled yet.
    pub async fn settle<T>(&self, mut call: impl AsyncFnMut() -> Result<T, AwsError>) -> Result<T, AwsError> {
        let call = async || {
            call().await.map_err(|mut error| {
                if error.kind == ErrorKind::NotFound && self.age == Age::JustCreated {
                    error.kind = ErrorKind::NotYet;
                }
                error
            })
        };
        self.aws.settle(&|why| self.waiting(why), call).await
    }
}
