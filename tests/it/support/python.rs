//! Programs from the Python Package Index that the tests run, each in an environment of its own.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use super::command::cache;

/// Python that gives a client of a service of the emulator whose endpoint is the first argument; its credentials file is in
/// the environment.
pub(crate) const CLIENT_OF: &str = r#"
import sys
import botocore.session

def client_of(service):
    return botocore.session.Session().create_client(service, region_name="us-east-1", endpoint_url=sys.argv[1])
"#;

/// An environment that has these packages; installed once.
pub(crate) fn installed(name: &str, packages: &[&str]) -> PathBuf {
    std::fs::create_dir_all(cache()).unwrap();
    let lock = File::create(cache().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    // Other versions are another environment.
    let versions = packages.join("-").replace(['[', ']', '='], "_");
    let environment = cache().join(versions);
    let complete = environment.join("complete");
    if !complete.exists() {
        let python = ["-m", "venv", "--clear"];
        run(Command::new("python3").args(python).arg(&environment));
        let install = ["-m", "pip", "install", "--quiet"];
        run(Command::new(environment.join("bin/python")).args(install).args(packages));
        File::create(complete).unwrap();
    }
    environment
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}
