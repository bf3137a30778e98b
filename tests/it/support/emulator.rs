//! A MiniStack for one test, started and stopped by the product itself.

use std::net::TcpListener;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;

use super::command::{Run, split_pipeline};

/// The account that MiniStack's root credentials belong to.
pub(crate) const ACCOUNT: &str = "000000000000";

/// A running MiniStack; stopped when dropped.
pub(crate) struct Emulator {
    pub(crate) port: u16,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        let emulator = Self { port: free_port() };
        let started = emulator.run(["local", "start"]).exits_with(0);
        assert_eq!(started.stdout.trim(), emulator.endpoint());
        emulator
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A command that finds this emulator with `--local`.
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        split_pipeline(arguments).env("SPLIT_PIPELINE_LOCAL_PORT", self.port.to_string())
    }

    /// A command on the spec, which it reads from standard input, against this emulator.
    pub(crate) fn local<'a>(&self, spec: &str, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        let arguments = ["--local", "--file", "-"].into_iter().chain(arguments);
        self.run(arguments).stdin(spec)
    }

    /// Gives a pipeline's stream, if there is one, the tags that AWS gives it as it is made; MiniStack loses those.
    pub(crate) async fn tag_stream(&self, name: &str) {
        let kinesis = aws_sdk_kinesis::Client::new(&self.sdk().await);
        let tag = kinesis.add_tags_to_stream().stream_name(name);
        let tag = tag
            .tags("managed-by", "split-pipeline")
            .tags("split-pipeline", name);
        if let Err(error) = tag.send().await {
            let error = error.into_service_error();
            assert!(error.is_resource_not_found_exception(), "{error}");
        }
    }

    /// The configuration of an SDK client for this emulator, as its root.
    pub(crate) async fn sdk(&self) -> SdkConfig {
        sdk(&self.endpoint(), "test", "test").await
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let stopped = self.run(["local", "stop"]).outcome();
        // A second panic would hide why the test failed.
        assert!(
            stopped.code == 0 || std::thread::panicking(),
            "{}",
            stopped.stderr
        );
    }
}

/// The configuration of an SDK client for an endpoint.
pub(crate) async fn sdk(endpoint: &str, id: &str, secret: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, None, None, "tests"))
        .load()
        .await
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
