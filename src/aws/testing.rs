//! Clients for unit tests, whose services answer by rules, and a record of their calls.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client};
use tokio_util::sync::CancellationToken;

use super::{Aws, RetryConfig};
use crate::progress::{Event, Progress};

struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}

/// What clients reported, in order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Event>>>);

impl Progress for Seen {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Seen {
    /// The same clients, which report here.
    pub(crate) fn by(aws: Aws) -> (Aws, Self) {
        let seen = Self::default();
        let progress = Arc::new(seen.clone());
        (Aws { progress, ..aws }, seen)
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        let events = self.events().into_iter();
        let call = |event| match event {
            Event::Call { call, .. } => Some(call),
            _ => None,
        };
        events.filter_map(call).collect()
    }

    pub(crate) fn changes(&self) -> Vec<&'static str> {
        let looks = [":Describe", ":Get", ":Head", ":List"];
        let is_change = |call: &&str| !looks.iter().any(|look| call.contains(look));
        self.calls().into_iter().filter(is_change).collect()
    }
}

/// Clients of Kinesis and S3 whose calls are answered by the first rule that matches. No other service is there.
pub(crate) fn aws(kinesis: &[&Rule], s3: &[&Rule]) -> Aws {
    let config = config();
    let kinesis = aws_sdk_kinesis::config::Builder::from(&config).interceptor(answers(kinesis));
    let s3 = aws_sdk_s3::config::Builder::from(&config).interceptor(answers(s3));
    Aws {
        apigateway: aws_sdk_apigateway::Client::new(&config),
        cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
        firehose: aws_sdk_firehose::Client::new(&config),
        glue: aws_sdk_glue::Client::new(&config),
        iam: aws_sdk_iam::Client::new(&config),
        kinesis: aws_sdk_kinesis::Client::from_conf(kinesis.build()),
        lambda: aws_sdk_lambda::Client::new(&config),
        logs: aws_sdk_cloudwatchlogs::Client::new(&config),
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        sns: aws_sdk_sns::Client::new(&config),
        account: "123456789012".to_owned(),
        partition: "aws".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: None,
        interrupt: CancellationToken::new(),
        progress: Arc::new(Silent),
        repetitions: Arc::default(),
    }
}

/// Clients of every service whose calls are answered by the first rule that matches.
pub(crate) fn every_service(rules: &[&Rule]) -> Aws {
    let config = config();
    macro_rules! client {
        ($service:ident) => {
            $service::Client::from_conf(
                $service::config::Builder::from(&config).interceptor(answers(rules)).build(),
            )
        };
    }
    Aws {
        apigateway: client!(aws_sdk_apigateway),
        cloudwatch: client!(aws_sdk_cloudwatch),
        firehose: client!(aws_sdk_firehose),
        glue: client!(aws_sdk_glue),
        iam: client!(aws_sdk_iam),
        lambda: client!(aws_sdk_lambda),
        logs: client!(aws_sdk_cloudwatchlogs),
        sns: client!(aws_sdk_sns),
        ..aws(rules, rules)
    }
}

/// The same clients with their repetitions to spend again.
pub(crate) fn rested(aws: &Aws) -> Aws {
    Aws { repetitions: Arc::default(), ..aws.clone() }
}

fn config() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "secret", None, None, "test",
        )))
        .retry_config(RetryConfig::disabled())
        .http_client(create_mock_http_client())
        .build()
}

fn answers(rules: &[&Rule]) -> MockResponseInterceptor {
    rules.iter().fold(MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny), |answers, rule| {
        answers.with_rule(rule)
    })
}
