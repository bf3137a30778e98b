//! What lies in a bucket.

use std::collections::HashSet;
use std::io::Read as _;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::{StreamExt as _, stream};

/// Longer than any delivery of an emulator takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many objects are read at once.
const CONCURRENT_READS: usize = 16;

/// The keys below a prefix.
pub(crate) async fn keys(config: &SdkConfig, bucket: &str, prefix: &str) -> Vec<String> {
    let request = client(config).list_objects_v2().bucket(bucket).prefix(prefix);
    let mut pages = request.into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    keys
}

/// Every line of the objects below a prefix, sorted, once they are all there as `complete` says.
pub(crate) async fn lines(
    config: &SdkConfig,
    bucket: &str,
    prefix: &str,
    complete: impl Fn(&[String]) -> bool,
) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut read_already = HashSet::new();
    let mut lines = Vec::new();
    loop {
        let mut keys = keys(config, bucket, prefix).await;
        keys.retain(|key| read_already.insert(key.clone()));
        let texts = stream::iter(keys).map(async |key| read(config, bucket, &key).await);
        let texts: Vec<_> = texts.buffer_unordered(CONCURRENT_READS).collect().await;
        lines.extend(texts.iter().flat_map(|text| text.lines()).map(str::to_owned));
        if complete(&lines) || Instant::now() > deadline {
            lines.sort();
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What an object is.
pub(crate) async fn bytes(config: &SdkConfig, bucket: &str, key: &str) -> Bytes {
    let call = client(config).get_object().bucket(bucket).key(key);
    let object = call.send().await.unwrap();
    object.body.collect().await.unwrap().into_bytes()
}

async fn read(config: &SdkConfig, bucket: &str, key: &str) -> String {
    let bytes = bytes(config, bucket, key).await;
    if !bytes.starts_with(b"\x1f\x8b") {
        // MiniStack's Firehose does not compress.
        return String::from_utf8(bytes.to_vec()).unwrap();
    }
    let mut text = String::new();
    MultiGzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    text
}

fn client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}
