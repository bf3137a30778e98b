//! Sending again what the handler set aside in S3. An object goes only after all of it is stored elsewhere.

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use flate2::read::MultiGzDecoder;
use split_pipeline_handler::deliver::deliver;
use split_pipeline_handler::elements::stored;
use split_pipeline_handler::pack::{pack, requests};
use split_pipeline_handler::request::Bodies;
use split_pipeline_handler::spill::SPILL_PREFIX;
use tokio::time::Instant;

use super::{Mode, NDJSON_GZ, Place, ReplayError};
use crate::aws::Aws;
use crate::objects;
use crate::progress::Event;
use crate::results::Replay;

/// How long one object's impressions are sent again: a shard takes 1 MB a second, and an object has some 20.
const SENDING: Duration = Duration::from_mins(2);

/// Sends every spilled impression again, or says which those are.
pub async fn replay(aws: &Aws, place: &Place, mode: Mode) -> Result<Replay, ReplayError> {
    let mut result = Replay {
        name: place.name.clone(),
        dry_run: mode == Mode::DryRun,
        bucket: place.bucket.clone(),
        ..Replay::default()
    };
    // Their keys start with the day, so the oldest come first.
    let spilled = objects::list(aws, &place.bucket, SPILL_PREFIX).await?;
    for (index, object) in spilled.iter().enumerate() {
        aws.go_on()?;
        let key = object.key().unwrap_or_default();
        let progress = format!(
            "sending spilled objects again: {} of {}",
            index + 1,
            spilled.len()
        );
        aws.event(Event::Working(progress));
        let ndjson = read(aws, place, key).await?;
        send(aws, place, mode, key, &ndjson, &mut result).await?;
        if mode == Mode::Do {
            let request = || aws.s3.delete_object().bucket(&place.bucket).key(key).send();
            aws.call("s3:DeleteObject", request).await?;
        }
        result.objects.push(key.to_owned());
    }
    Ok(result)
}

async fn send(
    aws: &Aws,
    place: &Place,
    mode: Mode,
    key: &str,
    ndjson: &str,
    result: &mut Replay,
) -> Result<(), ReplayError> {
    let impressions = stored(ndjson);
    let packed = pack(&impressions, place.record_kib, &place.number_fields);
    result.delivered += impressions.len() - packed.oversized.len();
    if !packed.oversized.is_empty() {
        // No record holds them, so they are put where they would have been delivered.
        let name = key.trim_start_matches(SPILL_PREFIX).replace('/', "-");
        let name = format!("oversized-{}", name.trim_end_matches(NDJSON_GZ));
        let lines = packed.oversized.join("\n") + "\n";
        let now = SystemTime::now();
        let written = place.put(now, &name, lines.as_bytes(), mode, aws).await?;
        result.copied += written.copied;
        result.misfits += written.misfits;
    }
    if mode == Mode::DryRun {
        return Ok(());
    }
    let deadline = Instant::now() + SENDING;
    let (bodies, requests) = (Bodies::default(), requests(packed.records));
    let sent = deliver(&aws.kinesis, &bodies, &place.stream, requests, deadline).await;
    if sent.undelivered.is_empty() {
        return Ok(());
    }
    Err(ReplayError::Undelivered {
        key: key.to_owned(),
        left: sent
            .undelivered
            .iter()
            .map(|record| record.impressions.len())
            .sum(),
        why: sent.error.unwrap_or_default(),
    })
}

async fn read(aws: &Aws, place: &Place, key: &str) -> Result<String, ReplayError> {
    let request = || aws.s3.get_object().bucket(&place.bucket).key(key).send();
    let object = aws.call("s3:GetObject", request).await?;
    let broken = |source| ReplayError::Object {
        key: key.to_owned(),
        source,
    };
    let bytes = object.body.collect().await;
    let bytes = bytes.map_err(|error| broken(std::io::Error::other(error)))?;
    let mut ndjson = String::new();
    MultiGzDecoder::new(&*bytes.into_bytes())
        .read_to_string(&mut ndjson)
        .map_err(broken)?;
    Ok(ndjson)
}
