//! Changing how much the stream takes, how long it keeps it, and what encrypts it.

use std::cmp::Ordering;

use aws_sdk_kinesis::types::{EncryptionType, ScalingType, StreamModeDetails};

use super::Stream;
use crate::aws::AwsError;
use crate::resource::{Step, ready};

impl Stream {
    /// Switches between provisioned and on-demand.
    pub(super) async fn switch_mode(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let mode = StreamModeDetails::builder().stream_mode(self.mode()).build()?;
        step.waiting("the stream's mode");
        let switch = async || {
            let request = || {
                step.aws
                    .kinesis
                    .update_stream_mode()
                    .stream_arn(&self.arn)
                    .stream_mode_details(mode.clone())
                    .send()
            };
            step.aws.call("kinesis:UpdateStreamMode", request).await
        };
        step.settle(switch).await?;
        ready(self, &(), step).await.map(drop)
    }

    /// Changes the number of shards by steps that AWS allows: at most double, at least half.
    pub(super) async fn reshard(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let Some(want) = self.state.shards else {
            return Ok(());
        };
        loop {
            let have = ready(self, &(), step).await?.state.shards.unwrap_or(want);
            if have == want {
                return Ok(());
            }
            let next = want.clamp((have + 1) / 2, have * 2);
            step.waiting(&format!("{have} shards to become {next}"));
            let reshard = async || {
                let request = || {
                    let call = step.aws.kinesis.update_shard_count().stream_name(&self.name);
                    call.target_shard_count(next)
                        .scaling_type(ScalingType::UniformScaling)
                        .send()
                };
                step.aws.call("kinesis:UpdateShardCount", request).await
            };
            step.settle(reshard).await?;
        }
    }

    /// Changes how long records are kept.
    pub(super) async fn retain(&self, have: i32, step: &Step<'_>) -> Result<(), AwsError> {
        let (aws, want) = (step.aws, self.state.retention_hours);
        match want.cmp(&have) {
            Ordering::Equal => return Ok(()),
            Ordering::Greater => {
                let request = || {
                    let call = aws
                        .kinesis
                        .increase_stream_retention_period()
                        .stream_name(&self.name);
                    call.retention_period_hours(want).send()
                };
                step.settle(async || aws.call("kinesis:IncreaseStreamRetentionPeriod", request).await)
                    .await?;
            }
            Ordering::Less => {
                let request = || {
                    let call = aws
                        .kinesis
                        .decrease_stream_retention_period()
                        .stream_name(&self.name);
                    call.retention_period_hours(want).send()
                };
                step.settle(async || aws.call("kinesis:DecreaseStreamRetentionPeriod", request).await)
                    .await?;
            }
        }
        ready(self, &(), step).await.map(drop)
    }

    /// Changes what encrypts the records.
    pub(super) async fn encrypt(&self, have: Option<&str>, step: &Step<'_>) -> Result<(), AwsError> {
        let (aws, kms) = (step.aws, EncryptionType::Kms);
        let want = self.state.encryption_key.as_deref();
        if want == have {
            return Ok(());
        }
        if let Some(key) = want {
            let request = || {
                let call = aws.kinesis.start_stream_encryption().stream_name(&self.name);
                call.encryption_type(kms.clone()).key_id(key).send()
            };
            step.settle(async || aws.call("kinesis:StartStreamEncryption", request).await)
                .await?;
        } else {
            let request = || {
                let call = aws.kinesis.stop_stream_encryption().stream_name(&self.name);
                call.encryption_type(kms.clone())
                    .key_id(have.unwrap_or_default())
                    .send()
            };
            step.settle(async || aws.call("kinesis:StopStreamEncryption", request).await)
                .await?;
        }
        ready(self, &(), step).await.map(drop)
    }
}
