//! Clients whose requests end in this process: serialized, signed, and answered as Kinesis does.

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use split_pipeline_handler::aws::Clients;

/// Accepts every record.
#[derive(Debug)]
struct Accept;

impl HttpConnector for Accept {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let records = memchr::memmem::find_iter(body, b"\"PartitionKey\"").count();
        let result = r#"{"SequenceNumber":"49543463076548007577105092703039560359975228518395012686","ShardId":"shardId-000000000000"}"#;
        let results = vec![result; records].join(",");
        let answer = format!(r#"{{"FailedRecordCount":0,"Records":[{results}]}}"#);
        let status = http::StatusCode::OK.into();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}

fn connector() -> SharedHttpClient {
    http_client_fn(|_, _| SharedHttpConnector::new(Accept))
}

/// The handler's clients, but for what is behind them.
pub(crate) fn clients() -> Clients {
    let credentials =
        Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", Some("token".to_owned()), None, "bench");
    let kinesis = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials.clone())
        .http_client(connector());
    let s3 = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials)
        .http_client(connector());
    Clients {
        kinesis: aws_sdk_kinesis::Client::from_conf(kinesis.build()),
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
    }
}
