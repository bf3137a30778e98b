//! `moto_server`, an emulator by other people: what works with both is less likely to lean on either's quirks.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::emulator::free_port;
use super::python::installed;

/// The version that these tests were written with.
const VERSION: &str = "5.2.5";

/// A running `moto_server`; ended when dropped.
pub(crate) struct Moto {
    pub(crate) endpoint: String,
    process: Child,
}

impl Moto {
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let process =
            Command::new(installed("moto", &[&format!("moto[server]=={VERSION}")]).join("bin/python"))
                .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
        let moto = Self { endpoint, process };
        let deadline = Instant::now() + Duration::from_mins(1);
        while reqwest::get(format!("{}/moto-api/", moto.endpoint)).await.is_err() {
            assert!(Instant::now() < deadline, "moto_server does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
