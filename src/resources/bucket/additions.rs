//! What somebody may have added to the bucket: copies of its objects elsewhere, and news of them.

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{
    Destination, LambdaFunctionConfiguration, QueueConfiguration, ReplicationRuleStatus, TopicConfiguration,
};

use futures_util::try_join;

use super::Bucket;
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::resource::Target;

impl Target<Bucket> {
    /// Lists the buckets to which S3 copies every new object, each with the account that then owns the copies, if it is another.
    pub(super) async fn copies(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let request = || aws.s3.get_bucket_replication().bucket(&self.name).send();
        let answer = aws.look("s3:GetReplicationConfiguration", request).await?;
        let rules = answer.and_then(|answer| answer.replication_configuration);
        let rules = rules.map(|found| found.rules).unwrap_or_default();
        let rules = rules.iter().map(|rule| {
            let copy = rule.destination().map(copy_in).unwrap_or_default();
            let is_on = rule.status() == &ReplicationRuleStatus::Enabled;
            if is_on { copy } else { format!("{copy} (disabled)") }
        });
        Ok(rules.collect())
    }

    pub(super) async fn stop_copying(&self, aws: &Aws) -> Result<(), AwsError> {
        let request = || aws.s3.delete_bucket_replication().bucket(&self.name).send();
        let deleted = aws.call("s3:PutReplicationConfiguration", request).await;
        deleted.found().map(drop)
    }

    /// Says who gets an event for objects, if anybody: loading what was delivered elsewhere may well hang on it.
    async fn notified(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let request = || {
            let call = aws.s3.get_bucket_notification_configuration();
            call.bucket(&self.name).send()
        };
        let answer = aws.look("s3:GetBucketNotification", request).await?;
        let targets = answer.as_ref().map(targets).unwrap_or_default();
        let said = || format!("events name its objects to {}", targets.join(", "));
        Ok((!targets.is_empty()).then(said).into_iter().collect())
    }

    /// Says where lists of the bucket's objects and of requests go, and what keeps objects from being deleted.
    async fn listed_or_locked(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let (s3, name) = (&aws.s3, &self.name);
        let inventories = || s3.list_bucket_inventory_configurations().bucket(name).send();
        let log = || s3.get_bucket_logging().bucket(name).send();
        let lock = || s3.get_object_lock_configuration().bucket(name).send();
        let (inventories, log, lock) = try_join!(
            aws.look("s3:GetInventoryConfiguration", inventories),
            aws.look("s3:GetBucketLogging", log),
            aws.look("s3:GetBucketObjectLockConfiguration", lock),
        )?;
        let inventories = inventories.and_then(|answer| answer.inventory_configuration_list);
        let inventories = inventories.unwrap_or_default().into_iter();
        let targets = inventories.filter_map(|it| Some(it.destination?.s3_bucket_destination?.bucket));
        let log = log.and_then(|answer| answer.logging_enabled);
        let rule = lock.and_then(|answer| answer.object_lock_configuration).and_then(|lock| lock.rule);
        let lists = targets.map(|target| format!("an inventory lists its objects in {target}"));
        let log = log.map(|log| format!("a log of requests names its objects in {}", log.target_bucket));
        let lock = rule.map(|_| "Object Lock keeps its objects longer than the spec says".to_owned());
        Ok(lists.chain(log).chain(lock).collect())
    }

    /// Says what somebody added that may well be meant.
    pub(super) async fn left_by_others(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let (notified, others) = try_join!(self.notified(aws), self.listed_or_locked(aws))?;
        Ok([notified, others].concat())
    }
}

fn copy_in(destination: &Destination) -> String {
    let bucket = destination.bucket();
    destination.account().map_or_else(|| bucket.to_owned(), |account| format!("{bucket} of {account}"))
}

fn targets(notified: &GetBucketNotificationConfigurationOutput) -> Vec<&str> {
    let topics = notified.topic_configurations().iter().map(TopicConfiguration::topic_arn);
    let queues = notified.queue_configurations().iter().map(QueueConfiguration::queue_arn);
    let functions = notified.lambda_function_configurations().iter();
    let functions = functions.map(LambdaFunctionConfiguration::lambda_function_arn);
    let bus = notified.event_bridge_configuration().map(|_| "EventBridge");
    topics.chain(queues).chain(functions).chain(bus).collect()
}
