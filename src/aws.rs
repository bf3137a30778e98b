//! Builds AWS clients for one account and region from one configuration, and makes calls: credentials, endpoint, reporting of
//! every call, retries, the interrupt.
//!
//! Must not know what a resource is.

pub(crate) mod answer;
mod classify;
mod error;
mod hints;
mod retry;
#[cfg(test)]
pub(crate) mod testing;
pub mod wait;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio_util::sync::CancellationToken;

pub use self::classify::ErrorKind;
pub use self::error::{AwsError, Outcome};
use self::retry::{Attempts, RepetitionBudget};
pub use self::wait::Look;
use crate::progress::{Event, SharedProgress};
pub use aws_sdk_s3::config::Credentials;

#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    pub profile: Option<String>,
    /// The region, where it is not the AWS configuration's.
    pub region: Option<String>,
    /// An AWS-compatible endpoint for every service.
    pub endpoint: Option<String>,
    /// Credentials, where they are not the AWS configuration's.
    pub credentials: Option<Credentials>,
}

/// Clients for every service the pipeline needs, in one account and region.
#[derive(Clone)]
pub struct Aws {
    pub apigateway: aws_sdk_apigateway::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub firehose: aws_sdk_firehose::Client,
    pub glue: aws_sdk_glue::Client,
    pub iam: aws_sdk_iam::Client,
    pub kinesis: aws_sdk_kinesis::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    pub sns: aws_sdk_sns::Client,
    pub account: String,
    /// The partition, such as `aws` or `aws-cn`.
    pub partition: String,
    pub region: String,
    /// The endpoint, where it is not AWS itself.
    pub endpoint: Option<String>,
    pub interrupt: CancellationToken,
    progress: SharedProgress,
    repetitions: Arc<RepetitionBudget>,
}

impl Aws {
    /// Loads the AWS configuration and asks for the account that it belongs to.
    pub async fn connect(
        target: &ConnectOptions,
        progress: SharedProgress,
        interrupt: CancellationToken,
    ) -> Result<Self, AwsError> {
        let config = Box::pin(load(target)).await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(AwsError::new(
                "configuration",
                ErrorKind::Other,
                "no region: give `region` in the spec, --region or AWS_REGION",
            ));
        };
        let region = answer::region(&region)?;
        let endpoint = config.endpoint_url().map(|url| url.trim_end_matches('/').to_owned());
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(endpoint.is_some()).build();
        let mut aws = Self {
            apigateway: aws_sdk_apigateway::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            firehose: aws_sdk_firehose::Client::new(&config),
            glue: aws_sdk_glue::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            kinesis: aws_sdk_kinesis::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::new(&config),
            account: String::new(),
            partition: String::new(),
            region,
            endpoint,
            interrupt,
            progress,
            repetitions: Arc::default(),
        };
        aws.identify(&aws_sdk_sts::Client::new(&config)).await?;
        Ok(aws)
    }

    async fn identify(&mut self, sts: &aws_sdk_sts::Client) -> Result<(), AwsError> {
        let call = "sts:GetCallerIdentity";
        let identity = self.call(call, || sts.get_caller_identity().send()).await?;
        (self.account, self.partition) = answer::identity(call, identity.account(), identity.arn())?;
        Ok(())
    }

    /// Whether this is not AWS itself but something that speaks its protocols.
    pub fn is_emulator(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Makes one call: reports it, classifies its error, and repeats it if the failure may pass by itself.
    ///
    /// No call starts after the user interrupts, whichever step of which resource it belongs to.
    pub async fn call<T, E, F>(&self, call: &'static str, send: impl Fn() -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let mut attempts = Attempts::new(call);
        loop {
            if self.interrupt.is_cancelled() {
                return Err(wait::interrupted(format!("interrupted before {call}")));
            }
            let started = Instant::now();
            // On the heap: an SDK's future is large, and a dozen are joined at a time.
            let sent = Box::pin(send());
            let answer = async { sent.await.map_err(|error| AwsError::from_sdk(call, error)) };
            let answer = self.answer(call, answer).await;
            let outcome = match &answer {
                Ok(_) => "ok".to_owned(),
                Err(error) => error.code.clone().unwrap_or_else(|| error.message.clone()),
            };
            self.event(Event::Call { call, elapsed: started.elapsed(), outcome });
            let Err(error) = answer else { return answer };
            let Some(delay) = attempts.next(&error) else {
                return Err(error);
            };
            let delay = delay.max(self.repetitions.take(tokio::time::Instant::now()));
            if delay >= SHORTEST_REPORTED_DELAY {
                let (why, delay) = (&error.message, Duration::from_secs(delay.as_secs()));
                let again = humantime::format_duration(delay);
                self.event(Event::Working(format!("{call}: {why}; trying again in {again}")));
            }
            self.pause_for(delay, || error.to_string()).await?;
        }
    }

    /// Makes a call that looks for something that need not exist; nothing is a value.
    ///
    /// A region or an emulator may not know the call, or an emulator answers in a form that the SDK does not read: then nothing
    /// exists there. A call that is denied fails everywhere, since nobody knows what it would have found.
    pub async fn look<T, E, F>(&self, call: &'static str, send: impl Fn() -> F) -> Result<Option<T>, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match self.call(call, send).await.found() {
            Err(error) if error.is_unknown_call() => Ok(None),
            Err(error) if self.is_emulator() && error.kind == ErrorKind::Other => Ok(None),
            found => found,
        }
    }

    pub fn event(&self, event: Event) {
        self.progress.event(event);
    }

    /// The same clients with another interrupt: for a deadline, or for cleaning up after the user interrupted.
    #[must_use]
    pub fn with_interrupt(&self, interrupt: CancellationToken) -> Self {
        Self { interrupt, ..self.clone() }
    }
}

/// The user is told of a delay before a repeated call if it is at least this long.
const SHORTEST_REPORTED_DELAY: Duration = Duration::from_secs(2);

async fn load(target: &ConnectOptions) -> SdkConfig {
    // Connect and read time-outs keep a dead endpoint from holding a command for minutes; S3 and Lambda uploads
    // of a few MiB stay well below.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_mins(1))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        // `call` repeats what is worth it, and one policy over another would multiply.
        .retry_config(RetryConfig::disabled());
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &target.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &target.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(credentials) = &target.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    loader.load().await
}

#[cfg(test)]
mod tests;
