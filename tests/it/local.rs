//! The start of the local emulator, on machines that have less than others.

use crate::support::emulator::Emulator;

#[test]
fn the_emulator_starts_without_root_certificates() {
    // The health check is plain HTTP: to read the system's certificates for it takes longer than the check itself.
    let nothing = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let emulator = Emulator::start_with(&nothing);
    let status = emulator.run(["local", "status", "--output", "json"]);
    let status = nothing.iter().fold(status, |run, (name, value)| run.env(name, value));
    assert_eq!(status.exits_with(0).json()["running"], true);
}
