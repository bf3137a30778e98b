//! Posting as Split does: gzipped JSON, and after another answer than 200 once more, 300 ms later.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::SmokeError;
use crate::objects::lines::gzip;

/// When Split tries again (Harness: "Webhook for Impressions").
const RETRY_AFTER: Duration = Duration::from_millis(300);

/// API Gateway answers within 29 s, whatever the function does.
const TIMEOUT: Duration = Duration::from_secs(35);

/// How long a webhook that was just made may refuse (its stage, and the permission to invoke the function, spread).
const OPENING: Duration = Duration::from_mins(1);

pub struct Poster {
    client: reqwest::Client,
    url: String,
    pub slowest: Duration,
    pub rejected: u64,
}

impl Poster {
    pub fn new(url: &str) -> Result<Self, SmokeError> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(SmokeError::Unreachable)?;
        Ok(Self { client, url: url.to_owned(), slowest: Duration::ZERO, rejected: 0 })
    }

    /// Posts a body gzipped, with `Content-Encoding: gzip` or without: which of the two Split's traffic meets is not
    /// documented, and API Gateway inflates the one and not the other.
    pub async fn gzipped(&mut self, body: &str, header: Header) -> Result<(), SmokeError> {
        // Writing to memory cannot fail.
        let body = gzip(body.as_bytes()).unwrap_or_default();
        self.post(body, header, "a gzipped batch").await
    }

    /// Presses the test button until it answers 200: a webhook that was just made may not be known everywhere yet.
    pub async fn until_open(&mut self) -> Result<(), SmokeError> {
        let deadline = Instant::now() + OPENING;
        loop {
            match self.test_button().await {
                Err(_) if Instant::now() < deadline => {}
                answer => return answer,
            }
        }
    }

    /// Posts what Split's test button may send: nothing to take, and yet an answer of 200.
    pub async fn test_button(&mut self) -> Result<(), SmokeError> {
        for body in ["[]", "{}", ""] {
            self.post(body.as_bytes().to_vec(), Header::Absent, "an empty batch").await?;
        }
        Ok(())
    }

    async fn post(&mut self, body: Vec<u8>, header: Header, what: &'static str) -> Result<(), SmokeError> {
        match self.once(body.clone(), header, what).await {
            Err(_) => {
                tokio::time::sleep(RETRY_AFTER).await;
                self.once(body, header, what).await
            }
            ok => ok,
        }
    }

    async fn once(&mut self, body: Vec<u8>, header: Header, what: &'static str) -> Result<(), SmokeError> {
        let mut request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json").body(body);
        if header == Header::Present {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let started = Instant::now();
        let answer = request.send().await.map_err(without_url)?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(without_url)?;
        self.slowest = self.slowest.max(started.elapsed());
        if status != 200 {
            return Err(SmokeError::Refused { status, what, body });
        }
        let counts: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        self.rejected += counts["rejected"].as_u64().unwrap_or_default();
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    Present,
    Absent,
}

/// The URL is a secret; an error goes to logs.
fn without_url(error: reqwest::Error) -> SmokeError {
    SmokeError::Unreachable(error.without_url())
}
