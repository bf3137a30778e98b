//! Changing how much the stream takes, how long it keeps it, and what encrypts it.

use std::cmp::Ordering;

use aws_sdk_kinesis::types::{EncryptionType, ScalingType, StreamModeDetails};

use super::Stream;
use crate::aws::AwsError;
use crate::resource::{Step, Target, ready};

impl Target<Stream> {
    pub(super) async fn switch_mode(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let mode = StreamModeDetails::builder().stream_mode(self.mode()).build()?;
        step.waiting("the stream's mode");
        let request = || {
            step.aws
                .kinesis
                .update_stream_mode()
                .stream_arn(&self.arn)
                .stream_mode_details(mode.clone())
                .send()
        };
        step.call("kinesis:UpdateStreamMode", request).await?;
        ready(self, step).await.map(drop)
    }

    /// Changes the number of shards by steps that AWS allows: at most double, at least half.
    pub(super) async fn reshard(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let Some(want) = self.state.shards else {
            return Ok(());
        };
        loop {
            let have = ready(self, step).await?.state.shards.unwrap_or(want);
            if have == want {
                return Ok(());
            }
            let next = want.clamp((have + 1) / 2, have * 2);
            step.waiting(&format!("{have} shards to become {next}"));
            let request = || {
                let call = step.aws.kinesis.update_shard_count().stream_name(&self.name);
                call.target_shard_count(next).scaling_type(ScalingType::UniformScaling).send()
            };
            step.call("kinesis:UpdateShardCount", request).await?;
        }
    }

    pub(super) async fn retain(&self, have: i32, step: &Step<'_>) -> Result<(), AwsError> {
        let (aws, want) = (step.aws, self.state.retention_hours);
        match want.cmp(&have) {
            Ordering::Equal => return Ok(()),
            Ordering::Greater => {
                let request = || {
                    let call = aws.kinesis.increase_stream_retention_period().stream_name(&self.name);
                    call.retention_period_hours(want).send()
                };
                step.call("kinesis:IncreaseStreamRetentionPeriod", request).await?;
            }
            Ordering::Less => {
                let request = || {
                    let call = aws.kinesis.decrease_stream_retention_period().stream_name(&self.name);
                    call.retention_period_hours(want).send()
                };
                step.call("kinesis:DecreaseStreamRetentionPeriod", request).await?;
            }
        }
        ready(self, step).await.map(drop)
    }

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
            step.call("kinesis:StartStreamEncryption", request).await?;
        } else {
            let request = || {
                let call = aws.kinesis.stop_stream_encryption().stream_name(&self.name);
                call.encryption_type(kms.clone()).key_id(have.unwrap_or_default()).send()
            };
            step.call("kinesis:StopStreamEncryption", request).await?;
        }
        ready(self, step).await.map(drop)
    }
}
