//! One smoke test: posts a batch as Split does, and looks into the bucket until every impression is found or time is over.

use std::time::{Duration, Instant};

use super::post::Header;
use super::{Batch, Poster, Search, SearchArea, SmokeError, SmokeReport};
use crate::aws::Aws;
use crate::progress::Event;

/// The shortest and longest time between two looks into the bucket.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Posts a batch to a webhook and finds it again, as the lines that its impressions become.
pub async fn send_and_find(
    aws: &Aws,
    url: &str,
    batch: &Batch,
    area: SearchArea,
    lines: &[String],
    timeout: Duration,
) -> Result<SmokeReport, SmokeError> {
    let bucket = area.bucket.clone();
    let mut search = Search::start(aws, area, lines).await.map_err(SmokeError::Search)?;
    let started = Instant::now();
    aws.event(Event::Working(format!("posting {} impressions", batch.len())));
    let mut poster = Poster::new(url)?;
    post_all(&mut poster, batch).await?;
    if poster.rejected > 0 {
        let (rejected, all) = (poster.rejected, batch.len());
        return Err(SmokeError::Rejected { rejected, all, bucket });
    }
    let mut delay = LOOK_AGAIN.0;
    loop {
        aws.event(Event::Working("waiting for delivery to S3".to_owned()));
        search.look(aws).await.map_err(SmokeError::Search)?;
        if search.is_complete() || started.elapsed() + delay > timeout {
            break;
        }
        tokio::time::sleep(delay).await;
        delay = delay.mul_f64(1.5).min(LOOK_AGAIN.1);
    }
    let mut report = SmokeReport {
        sent: batch.len(),
        webhook_ms: poster.slowest.as_millis(),
        delivery_ms: started.elapsed().as_millis(),
        ..SmokeReport::default()
    };
    search.report(&mut report);
    Ok(report)
}

async fn post_all(poster: &mut Poster, batch: &Batch) -> Result<(), SmokeError> {
    poster.test_button().await?;
    for (body, header) in batch.bodies().iter().zip([Header::Absent, Header::Present].into_iter().cycle()) {
        poster.gzipped(body, header).await?;
    }
    Ok(())
}
