//! Tells which program answers on the emulator's port, and whether it is the emulator that this user started.
//!
//! Must not send the credentials: another user may have bound the port first.

use std::time::Duration;

use reqwest::redirect::Policy;
use serde::Deserialize;

use super::credentials::Credentials;
use crate::random;

/// Longer than a busy emulator needs, shorter than a user waits.
const TIMEOUT: Duration = Duration::from_secs(5);

const NONCE_BYTES: usize = 16;

const LONGEST_ANSWER: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Nothing,
    /// Something that does not know the credentials of the last start.
    SomethingElse,
    Emulator(String),
}

#[derive(Deserialize)]
struct HealthAnswer {
    version: String,
    proof: String,
}

/// Asks what answers at an endpoint, and for a proof that it knows the credentials.
pub(super) async fn ask(endpoint: &str, credentials: Option<&Credentials>) -> Health {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(Policy::none())
        // Plain HTTP on this machine: the system's root certificates need not be read.
        .tls_certs_only([])
        .build();
    let (Ok(client), Ok(nonce)) = (client, random::hex(NONCE_BYTES)) else {
        return Health::Nothing;
    };
    let url = format!("{endpoint}/_split-pipeline/health?nonce={nonce}");
    match client.get(url).send().await {
        Ok(answer) => read(&start_of(answer).await, &nonce, credentials),
        Err(error) if error.is_connect() => Health::Nothing,
        Err(_) => Health::SomethingElse,
    }
}

async fn start_of(mut answer: reqwest::Response) -> Vec<u8> {
    let mut start = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        start.extend_from_slice(&chunk);
        if start.len() > LONGEST_ANSWER {
            break;
        }
    }
    start
}

fn read(text: &[u8], nonce: &str, credentials: Option<&Credentials>) -> Health {
    match (serde_json::from_slice::<HealthAnswer>(text), credentials) {
        (Ok(answer), Some(credentials)) if credentials.verify(nonce, &answer.proof) => {
            Health::Emulator(answer.version)
        }
        _ => Health::SomethingElse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proof_makes_an_emulator() {
        let credentials = Credentials::random().unwrap();
        let answer = r#"{"version":"1.5.33","proof":"00"}"#;
        for (text, credentials) in [
            (answer, Some(&credentials)),
            (answer, None),
            ("<html>", Some(&credentials)),
            ("{}", Some(&credentials)),
        ] {
            let health = read(text.as_bytes(), "nonce", credentials);
            assert_eq!(health, Health::SomethingElse, "{text}");
        }
    }
}
