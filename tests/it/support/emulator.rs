//! A MiniStack for one test, started and stopped by the product itself.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;

use super::command::{Run, against, cache, split_pipeline};

/// The account that MiniStack's root credentials belong to.
pub(crate) const ACCOUNT: &str = "000000000000";

/// A running MiniStack; stopped when dropped.
pub(crate) struct Emulator {
    pub(crate) port: u16,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A MiniStack that was started with these variables in the environment.
    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Self {
        let emulator = Self { port: free_port() };
        let start = emulator.run(["local", "start"]);
        let start = variables.iter().fold(start, |run, (name, value)| run.env(name, value));
        assert_eq!(start.exits_with(0).stdout.trim(), emulator.endpoint());
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
        let tag = tag.tags("managed-by", "split-pipeline").tags("split-pipeline", name);
        if let Err(error) = tag.send().await {
            let error = error.into_service_error();
            assert!(error.is_resource_not_found_exception(), "{error}");
        }
    }

    /// The file with this emulator's credentials, in the form of AWS's tools.
    pub(crate) fn credentials_file(&self) -> PathBuf {
        credentials_file(self.port)
    }

    /// The session token that the gate before this emulator asks for.
    pub(crate) fn token(&self) -> String {
        let text = std::fs::read_to_string(self.credentials_file()).unwrap();
        let token = text.lines().find_map(|line| line.strip_prefix("aws_session_token = "));
        token.unwrap().to_owned()
    }

    /// A command on the spec, against this emulator as an endpoint, as its root.
    pub(crate) fn as_root<A: AsRef<OsStr>>(&self, spec: &str, arguments: impl IntoIterator<Item = A>) -> Run {
        let run = against(&self.endpoint(), spec, arguments);
        run.credentials("test", "test").session_token(&self.token())
    }

    /// The configuration of an SDK client for this emulator, as its root.
    pub(crate) async fn sdk(&self) -> SdkConfig {
        self.sdk_of("test").await
    }

    /// The configuration of an SDK client for this emulator, as the root of another account.
    pub(crate) async fn sdk_of(&self, account: &str) -> SdkConfig {
        sdk_with(&self.endpoint(), account, "test", Some(self.token())).await
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let stopped = self.run(["local", "stop"]).outcome();
        // A second panic would hide why the test failed.
        assert!(stopped.code == 0 || std::thread::panicking(), "{}", stopped.stderr);
    }
}

/// The file with the credentials of the emulator on a port.
pub(crate) fn credentials_file(port: u16) -> PathBuf {
    cache().join(format!("ministack-{port}.credentials"))
}

/// The configuration of an SDK client for an endpoint that takes any credentials.
pub(crate) async fn sdk(endpoint: &str) -> SdkConfig {
    sdk_with(endpoint, "test", "test", None).await
}

/// The configuration of an SDK client for an endpoint, with these credentials.
pub(crate) async fn sdk_with(endpoint: &str, id: &str, secret: &str, token: Option<String>) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, token, None, "tests"))
        .load()
        .await
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
