//! Handles one invocation: takes the batch, delivers or spills it, and answers the sender.
//!
//! Must not answer 200 before every element is stored. Must not write the log: the caller has the line.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use thiserror::Error;
use tokio::time::Instant;

use crate::aws::Clients;
use crate::budget::BatchBudget;
use crate::decode::Decoder;
use crate::deliver::deliver;
use crate::elements::{Elements, Impression, parse_within};
use crate::event::{ProxyEvent, Response};
use crate::log::{Level, Line, milliseconds};
use crate::memory::Memory;
use crate::pack::{hold_records, pack_within, requests};
use crate::refusal::Refusal;
use crate::request::Bodies;
use crate::settings::{HandlerSettings, LambdaFunction};
use crate::spill::{SpillError, SpillTarget};

/// The most time that is kept back for writing to S3 when Kinesis fails: compressing tens of MiB on a fraction of a
/// core, and a retry.
const SPILL_RESERVE: Duration = Duration::from_secs(8);

/// The part of the remaining time that is kept back when there is little.
const SPILL_RESERVE_PART: f64 = 0.4;

/// The webhook: settings, clients and buffers, made once.
pub struct Webhook {
    settings: HandlerSettings,
    clients: Clients,
    function: LambdaFunction,
    /// Absent while a batch is decoded in it, and before the first.
    decoder: Mutex<Option<Decoder>>,
    bodies: Bodies,
    started: AtomicBool,
}

/// A handled invocation.
#[derive(Debug)]
pub struct Handled {
    /// The answer to the sender.
    pub response: Response,
    /// The line for the log.
    pub line: Line,
}

/// Why a batch is not answered 200. The texts are what the sender is told.
#[derive(Debug, Error)]
enum BatchFailure {
    #[error("the event is not an API Gateway proxy event")]
    Event,
    #[error(transparent)]
    Decode(#[from] Refusal),
    #[error("not every impression could be stored: Kinesis: {kinesis}; S3: {s3}")]
    Spill { kinesis: String, s3: SpillError },
    #[error("not every element that is no impression could be stored: S3: {s3}")]
    Rejected { s3: SpillError },
}

impl BatchFailure {
    fn status(&self) -> u16 {
        match self {
            Self::Event => 400,
            Self::Decode(error) => error.status(),
            Self::Spill { .. } | Self::Rejected { .. } => 500,
        }
    }
}

impl Webhook {
    /// Makes the webhook of one pipeline.
    pub fn new(settings: HandlerSettings, clients: Clients, function: LambdaFunction) -> Self {
        Self {
            settings,
            clients,
            function,
            decoder: Mutex::default(),
            bodies: Bodies::default(),
            started: AtomicBool::new(false),
        }
    }

    /// Takes the batch in an API Gateway proxy event, or says why not.
    ///
    /// Returns by `deadline`, but for the time to decode and compress, which nothing interrupts.
    pub async fn handle(&self, event: &RawValue, request_id: &str, deadline: Instant) -> Handled {
        let started = Instant::now();
        let mut line = Line::batch(&self.function.name, request_id);
        line.cold_start = u8::from(!self.started.swap(true, Ordering::Relaxed));
        let mut decoder = self.decoder().take().unwrap_or_default();
        let taken = self.take(event, &mut decoder, deadline, &mut line).await;
        self.decoder().replace(decoder);
        let response = match taken {
            Ok(()) => Response::taken(&line),
            Err(failure) => {
                let error = failure.to_string();
                let response = Response::refused(failure.status(), &error);
                line.error = Some(error);
                response
            }
        };
        line.status = response.status_code;
        line.level = level(&line);
        line.elapsed_ms = milliseconds(started.elapsed());
        Handled { response, line }
    }

    fn decoder(&self) -> MutexGuard<'_, Option<Decoder>> {
        self.decoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(
        &self,
        event: &RawValue,
        decoder: &mut Decoder,
        deadline: Instant,
        line: &mut Line,
    ) -> Result<(), BatchFailure> {
        let memory = Memory::beside_event(self.function.memory_mib, event.get().len());
        let read_by = deadline - storing_reserve(deadline);
        let mut budget = BatchBudget::of_batch(memory, self.settings.record_kib, read_by);
        let event = ProxyEvent::read(event).ok_or(BatchFailure::Event)?;
        line.bytes_in = event.body().len();
        let text = decoder.decode_within(event.body(), event.encoding(), &mut budget)?;
        line.bytes_inflated = text.len();
        let elements = self.split(text, &mut budget)?;
        line.received = elements.impressions.len() + elements.rejected.len();
        // The SDK's futures take some 20 KB, which would be moved with every caller's.
        Box::pin(self.store(elements, &mut budget, deadline, line)).await
    }

    fn split<'a>(&self, text: &'a str, budget: &mut BatchBudget) -> Result<Elements<'a>, Refusal> {
        let HandlerSettings { record_kib, number_fields, fields, .. } = &self.settings;
        let record = hold_records(&mut budget.memory, text.len(), *record_kib, number_fields)?;
        parse_within(text, fields, budget, record)
    }

    /// Stores impressions and rejected elements side by side, so that trouble with one does not hold up the other.
    async fn store(
        &self,
        elements: Elements<'_>,
        budget: &mut BatchBudget,
        deadline: Instant,
        line: &mut Line,
    ) -> Result<(), BatchFailure> {
        let request_id = line.request_id.clone();
        let spill = SpillTarget {
            s3: &self.clients.s3,
            bucket: &self.settings.bucket,
            pipeline: &self.function.name,
            request_id: &request_id,
            deadline,
        };
        let Elements { mut impressions, rejected } = elements;
        let count = rejected.len();
        let (impressions, rejected) = tokio::join!(
            self.store_impressions(&mut impressions, budget, spill, line),
            spill.store_rejected(rejected),
        );
        if rejected.is_ok() {
            line.rejected = count;
        }
        impressions?;
        rejected.map_err(|s3| BatchFailure::Rejected { s3 })
    }

    async fn store_impressions(
        &self,
        impressions: &mut [Impression<'_>],
        budget: &mut BatchBudget,
        spill: SpillTarget<'_>,
        line: &mut Line,
    ) -> Result<(), BatchFailure> {
        let count = impressions.len();
        let HandlerSettings { record_kib, number_fields, .. } = &self.settings;
        let packed = pack_within(impressions, *record_kib, number_fields, budget);
        let mut records = 0;
        let delivery = deliver(
            &self.clients.kinesis,
            &self.bodies,
            &self.settings.stream,
            requests(packed.records.inspect(|_| records += 1)),
            spill.deadline - spill_reserve(spill.deadline),
        )
        .await;
        line.records = records;
        line.delivered = delivery.delivered;
        line.retried = delivery.retried;
        line.put_records_ms = delivery.latencies;
        line.error.clone_from(&delivery.error);
        let stored = spill.store_impressions(&delivery.undelivered, &packed.oversized);
        if let Err(s3) = stored.await {
            // Without an error from Kinesis, only what no record can hold was to be spilled.
            let kinesis = delivery.error.unwrap_or_else(|| "too large".to_owned());
            return Err(BatchFailure::Spill { kinesis, s3 });
        }
        line.spilled = count - delivery.delivered;
        Ok(())
    }
}

/// Returns how long before `deadline` a batch is given up that is not yet understood: it takes as long to store as to read.
fn storing_reserve(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()) / 2
}

/// Returns how long before `deadline` Kinesis is given up for S3.
fn spill_reserve(deadline: Instant) -> Duration {
    let remaining = deadline.saturating_duration_since(Instant::now());
    remaining.mul_f64(SPILL_RESERVE_PART).min(SPILL_RESERVE)
}

fn level(line: &Line) -> Level {
    match line.status {
        200 if line.spilled + line.rejected == 0 => Level::Info,
        500.. => Level::Error,
        _ => Level::Warn,
    }
}

#[cfg(test)]
mod tests;
