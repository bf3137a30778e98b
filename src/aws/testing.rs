//! Clients for unit tests: Kinesis and S3, API Gateway, Firehose or Lambda answer as rules say, and no other service is there.

use std::sync::Arc;

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

/// Clients of which Firehose's calls are answered by the first rule that matches.
pub(crate) fn firehose(rules: &[&Rule]) -> Aws {
    let firehose = aws_sdk_firehose::config::Builder::from(&config()).interceptor(answers(rules));
    Aws {
        firehose: aws_sdk_firehose::Client::from_conf(firehose.build()),
        ..aws(&[], &[])
    }
}

/// Clients of which Lambda's calls are answered by the first rule that matches.
pub(crate) fn lambda(rules: &[&Rule]) -> Aws {
    let lambda = aws_sdk_lambda::config::Builder::from(&config()).interceptor(answers(rules));
    Aws {
        lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
        ..aws(&[], &[])
    }
}

/// Clients of which API Gateway's calls are answered by the first rule that matches.
pub(crate) fn apigateway(rules: &[&Rule]) -> Aws {
    let apigateway = aws_sdk_apigateway::config::Builder::from(&config()).interceptor(answers(rules));
    Aws {
        apigateway: aws_sdk_apigateway::Client::from_conf(apigateway.build()),
        ..aws(&[], &[])
    }
}

/// Clients of which Kinesis's and S3's calls are answered by the first rule that matches.
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

fn answers(rules: &[&Rule]) -> MockResponseInterceptor {
    rules.iter().fold(
        MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny),
        |answers, rule| answers.with_rule(rule),
    )
}
