//! What answers on the emulator's port.

use std::time::Duration;

use serde::Deserialize;

/// Longer than a busy emulator needs, shorter than a user waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What answers on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing listens.
    Nothing,
    /// Something that is not MiniStack.
    SomethingElse,
    /// MiniStack.
    MiniStack {
        /// Its version.
        version: String,
        /// Whether it enforces IAM.
        auth: bool,
    },
}

#[derive(Deserialize)]
struct Answer {
    version: String,
    auth: String,
}

/// Asks what answers at an endpoint.
pub(super) async fn ask(endpoint: &str) -> Health {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build();
    let Ok(client) = client else {
        return Health::Nothing;
    };
    let answer = match client.get(format!("{endpoint}/_ministack/health")).send().await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return Health::Nothing,
        Err(_) => return Health::SomethingElse,
    };
    let text = answer.text().await.unwrap_or_default();
    read(&text)
}

fn read(text: &str) -> Health {
    match serde_json::from_str::<Answer>(text) {
        Ok(answer) => Health::MiniStack {
            version: answer.version,
            auth: answer.auth == "enabled",
        },
        Err(_) => Health::SomethingElse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_version_and_enforcement() {
        let on = r#"{"services":{},"auth":"enabled","edition":"light","version":"1.5.33"}"#;
        assert_eq!(
            read(on),
            Health::MiniStack {
                version: "1.5.33".into(),
                auth: true
            }
        );
        let off = r#"{"auth":"disabled","version":"1.5.33"}"#;
        assert_eq!(
            read(off),
            Health::MiniStack {
                version: "1.5.33".into(),
                auth: false
            }
        );
        assert_eq!(read("<html>"), Health::SomethingElse);
        assert_eq!(read("{}"), Health::SomethingElse);
    }
}
