//! Measures a batch's way through the handler on one core: from the event's bytes to signed `PutRecords` requests,
//! beside what bounds it, inflating alone.
//!
//! `cargo bench -p split-pipeline-handler --profile handler`; `benches/handler/compare.py` runs it beside others.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has to stop")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use serde_json::value::RawValue;
use split_pipeline_handler::decode::{Decoder, Encoding};
use split_pipeline_handler::elements::parse;
use split_pipeline_handler::pack::{pack, requests};
use split_pipeline_handler::request::Bodies;
use split_pipeline_handler::settings::{HandlerSettings, KeptFields, LambdaFunction};
use split_pipeline_handler::webhook::Webhook;

mod impressions;
mod stub;

/// Impressions a batch; Lambda's 6 MB payload takes the largest only gzipped.
const SIZES: [usize; 4] = [100, 1_000, 10_000, 50_000];

fn settings() -> HandlerSettings {
    HandlerSettings {
        stream: "stream".to_owned(),
        bucket: "bucket".to_owned(),
        record_kib: 100,
        number_fields: Vec::new(),
        fields: KeptFields::All,
    }
}

fn whole_path(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap();
    let function = LambdaFunction { name: "bench".to_owned(), memory_mib: 256 };
    let webhook = Webhook::new(settings(), stub::clients(), function);
    let mut group = criterion.benchmark_group("event to PutRecords");
    for size in SIZES {
        let event = impressions::event(size);
        let event: &RawValue = serde_json::from_str(&event).unwrap();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), event, |bencher, event| {
            bencher.iter(|| {
                let deadline = (Instant::now() + Duration::from_secs(20)).into();
                let handled = runtime.block_on(webhook.handle(event, "id", deadline));
                assert_eq!(handled.line.delivered, size);
            });
        });
    }
    group.finish();
}

fn bodies(criterion: &mut Criterion) {
    bodies_of(&[], "event to bodies", criterion);
    bodies_of(&["time".to_owned()], "event to bodies for Parquet", criterion);
}

fn bodies_of(number_fields: &[String], name: &str, criterion: &mut Criterion) {
    let (mut decoder, bodies) = (Decoder::default(), Bodies::default());
    let mut group = criterion.benchmark_group(name);
    for size in SIZES {
        let event = impressions::event(size);
        write_for_others(size, &event);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &event, |bencher, event| {
            bencher.iter(|| {
                let event: Event<'_> = serde_json::from_str(event).unwrap();
                let text = decoder.decode(event.body, Encoding::Base64).unwrap();
                let mut elements = parse(text, &KeptFields::All).unwrap();
                let packed = pack(&mut elements.impressions, 100, number_fields);
                for request in requests(packed.records) {
                    black_box(bodies.write("stream", &request));
                }
            });
        });
    }
    group.finish();
}

/// What of an event the handler reads.
#[derive(Deserialize)]
struct Event<'a> {
    body: &'a str,
}

/// Writes the event where others are to read it, if any are.
fn write_for_others(size: usize, event: &str) {
    if let Some(directory) = std::env::var_os("SPLIT_PIPELINE_BENCH_EVENTS") {
        std::fs::write(Path::new(&directory).join(format!("{size}.json")), event).unwrap();
    }
}

fn inflate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gunzip alone");
    let mut inflater = libdeflater::Decompressor::new();
    for size in SIZES {
        let plain = impressions::body(size);
        let gzip = impressions::gzip(plain.as_bytes());
        let mut out = vec![0; plain.len()];
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &gzip, |bencher, gzip| {
            bencher.iter(|| black_box(inflater.gzip_decompress(gzip, &mut out).unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, inflate, bodies, whole_path);
criterion_main!(benches);
