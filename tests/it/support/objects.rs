//! What lies in a bucket.

use std::io::Read as _;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use flate2::read::MultiGzDecoder;

/// Longer than any delivery of an emulator takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// The keys below a prefix.
pub(crate) async fn keys(config: &SdkConfig, bucket: &str, prefix: &str) -> Vec<String> {
    let request = client(config).list_objects_v2().bucket(bucket).prefix(prefix);
    let listed = request.send().await.unwrap();
    let keys = listed
        .contents()
        .iter()
        .map(|object| object.key().unwrap().to_owned());
    keys.collect()
}

/// Every line of the objects below a prefix, sorted, once there are `count`.
pub(crate) async fn lines(config: &SdkConfig, bucket: &str, prefix: &str, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut lines = Vec::new();
        for key in keys(config, bucket, prefix).await {
            lines.extend(read(config, bucket, &key).await.lines().map(str::to_owned));
        }
        if lines.len() >= count || Instant::now() > deadline {
            lines.sort();
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn read(config: &SdkConfig, bucket: &str, key: &str) -> String {
    let object = client(config)
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .unwrap();
    let bytes = object.body.collect().await.unwrap().into_bytes();
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
