//! Defines every name, ARN and tag of a pipeline: all follow from its name, account, partition and region.
//!
//! Must not look anything up.

use std::collections::BTreeMap;

use crate::spec::Spec;
pub use crate::spec::{GAPS_TAG, OWNERSHIP_TAGS};

pub type Tags = BTreeMap<String, String>;

const MANAGED_BY: &str = OWNERSHIP_TAGS[0];
const PIPELINE: &str = OWNERSHIP_TAGS[1];

#[derive(Clone, Debug)]
pub struct Names {
    name: String,
    account: String,
    partition: String,
    region: String,
}

impl Names {
    pub fn new(name: &str, account: &str, partition: &str, region: &str) -> Self {
        Self {
            name: name.into(),
            account: account.into(),
            partition: partition.into(),
            region: region.into(),
        }
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    /// The partition, such as `aws`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// The bucket: the spec's, else one that is unique because it holds account and region.
    pub fn bucket(&self, spec: &Spec) -> String {
        spec.delivery.bucket.as_ref().map_or_else(
            || format!("{}-{}-{}", self.name, self.account, self.region),
            |bucket| bucket.as_str().to_owned(),
        )
    }

    pub fn bucket_arn(&self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition)
    }

    pub fn stream(&self) -> String {
        self.name.clone()
    }

    pub fn stream_arn(&self) -> String {
        self.arn("kinesis", &format!("stream/{}", self.name))
    }

    /// The role that Firehose assumes. Role names are per account, so the region is part of them.
    pub fn delivery_role(&self) -> String {
        format!("{}-delivery-{}", self.name, self.region)
    }

    pub fn function_role(&self) -> String {
        format!("{}-handler-{}", self.name, self.region)
    }

    pub fn delivery_role_arn(&self, spec: &Spec) -> String {
        self.role_arn(spec, &self.delivery_role())
    }

    pub fn function_role_arn(&self, spec: &Spec) -> String {
        self.role_arn(spec, &self.function_role())
    }

    fn role_arn(&self, spec: &Spec, role: &str) -> String {
        let path = spec.iam.role_path.as_str();
        format!("arn:{}:iam::{}:role{path}{role}", self.partition, self.account)
    }

    pub fn function(&self) -> String {
        self.name.clone()
    }

    pub fn function_arn(&self) -> String {
        self.arn("lambda", &format!("function:{}", self.name))
    }

    pub fn function_log_group(&self) -> String {
        format!("/aws/lambda/{}", self.name)
    }

    pub fn delivery_log_group(&self) -> String {
        format!("/aws/kinesisfirehose/{}", self.name)
    }

    pub fn delivery_log_stream(&self) -> String {
        "S3Delivery".to_owned()
    }

    pub fn log_group_arn(&self, group: &str) -> String {
        self.arn("logs", &format!("log-group:{group}"))
    }

    pub fn delivery_stream(&self) -> String {
        self.name.clone()
    }

    pub fn delivery_stream_arn(&self) -> String {
        self.arn("firehose", &format!("deliverystream/{}", self.name))
    }

    /// The Glue database of the table; Athena takes no hyphen in its name.
    pub fn database(&self) -> String {
        self.name.replace('-', "_")
    }

    pub fn database_arn(&self) -> String {
        self.arn("glue", &format!("database/{}", self.database()))
    }

    /// The Glue table of what is delivered, as it is called within its database.
    pub fn table_in_database(&self) -> String {
        "impressions".to_owned()
    }

    pub fn table(&self) -> String {
        format!("{}.{}", self.database(), self.table_in_database())
    }

    pub fn table_arn(&self) -> String {
        self.any_table_arn(&self.table_in_database())
    }

    pub fn any_table_arn(&self, table: &str) -> String {
        self.arn("glue", &format!("table/{}/{table}", self.database()))
    }

    /// The ARN of every function of the pipeline's database, which Glue deletes with it.
    pub fn any_database_function_arn(&self) -> String {
        self.arn("glue", &format!("userDefinedFunction/{}/*", self.database()))
    }

    /// The ARN of the catalog that all databases are in, which Glue checks besides them.
    pub fn catalog_arn(&self) -> String {
        self.arn("glue", "catalog")
    }

    pub fn alarm(&self, about: &str) -> String {
        format!("{}-{about}", self.name)
    }

    pub fn alarm_arn(&self, alarm: &str) -> String {
        self.arn("cloudwatch", &format!("alarm:{alarm}"))
    }

    pub fn alarm_topic(&self) -> String {
        format!("{}-alarms", self.name)
    }

    pub fn alarm_topic_arn(&self) -> String {
        self.arn("sns", &self.alarm_topic())
    }

    /// The dashboard. Dashboards are per account, so the region is part of the name.
    pub fn dashboard(&self) -> String {
        format!("{}-{}", self.name, self.region)
    }

    pub fn dashboard_arn(&self) -> String {
        format!("arn:{}:cloudwatch::{}:dashboard/{}", self.partition, self.account, self.dashboard())
    }

    /// The REST API. Its name is not unique; it is found by its tags.
    pub fn api(&self) -> String {
        self.name.clone()
    }

    /// The ARN by which a REST API is tagged.
    pub fn api_arn(&self, api: &str) -> String {
        self.api_gateway_arn(&format!("/restapis/{api}"))
    }

    pub fn stage_arn(&self, api: &str, stage: &str) -> String {
        format!("{}/stages/{stage}", self.api_arn(api))
    }

    pub fn integration_uri(&self) -> String {
        format!(
            "arn:{}:apigateway:{}:lambda:path/2015-03-31/functions/{}/invocations",
            self.partition,
            self.region,
            self.function_arn()
        )
    }

    /// The requests that may invoke the function: `POST` on the paths of one stage of one API.
    pub fn invoke_source(&self, api: &str, stage: &str) -> String {
        self.arn("execute-api", &format!("{api}/{stage}/POST/*"))
    }

    /// The ARN of something in API Gateway, by its path.
    pub fn api_gateway_arn(&self, path: &str) -> String {
        format!("arn:{}:apigateway:{}::{path}", self.partition, self.region)
    }

    /// The ARN of every key of this account and region, for policies that name a key by its alias.
    pub fn any_key_arn(&self) -> String {
        self.arn("kms", "key/*")
    }

    pub fn service_host(&self, service: &str) -> String {
        format!("{service}.{}.amazonaws.com", self.region)
    }

    /// The tags of everything in the pipeline: the user's and ours.
    pub fn tags(&self, users: &Tags) -> Tags {
        let mut tags = users.clone();
        tags.insert(MANAGED_BY.to_owned(), "split-pipeline".to_owned());
        tags.insert(PIPELINE.to_owned(), self.name.clone());
        tags
    }

    /// The tags of the same pipeline in another tool's hands: not ours, so that `up` and `down` leave it alone.
    pub fn tags_of(tool: &str, ours: &Tags) -> Tags {
        let mut tags = ours.clone();
        tags.insert(MANAGED_BY.to_owned(), tool.to_owned());
        tags
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account)
    }
}

/// What an alarm of a pipeline is about: its name without the pipeline's.
pub fn alarm_about<'a>(pipeline: &str, alarm: &'a str) -> &'a str {
    let about = alarm.strip_prefix(pipeline).and_then(|about| about.strip_prefix('-'));
    about.unwrap_or(alarm)
}

pub fn webhook_url(
    endpoint: Option<&str>,
    region: &str,
    partition: &str,
    api: &str,
    stage: &str,
    path: &str,
) -> String {
    if let Some(endpoint) = endpoint {
        return format!("{endpoint}/restapis/{api}/{stage}/_user_request_/{path}");
    }
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{api}.execute-api.{region}.{suffix}/{stage}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_name_account_and_region() {
        let names = Names::new("flags", "123456789012", "aws", "eu-west-1");
        assert_eq!(names.stream_arn(), "arn:aws:kinesis:eu-west-1:123456789012:stream/flags");
        assert_eq!(names.delivery_role(), "flags-delivery-eu-west-1");
        assert_eq!(
            names.invoke_source("abc", "prod"),
            "arn:aws:execute-api:eu-west-1:123456789012:abc/prod/POST/*"
        );
        assert_eq!(names.stage_arn("abc", "prod"), "arn:aws:apigateway:eu-west-1::/restapis/abc/stages/prod");
    }

    #[test]
    fn an_alarm_is_about_what_its_name_ends_in() {
        let names = Names::new("flags", "123456789012", "aws", "eu-west-1");
        assert_eq!(alarm_about("flags", &names.alarm("iterator-age")), "iterator-age");
        assert_eq!(alarm_about("flags", "other"), "other");
    }

    #[test]
    fn the_longest_names_fit_the_limits_of_aws() {
        let longest = "n".repeat(crate::spec::LONGEST_NAME);
        let names = Names::new(&longest, "123456789012", "aws", "ap-southeast-2");
        // IAM: 64 characters; S3: 63.
        assert!(names.delivery_role().len() <= 64 && names.function_role().len() <= 64);
        assert!(format!("{longest}-123456789012-ap-southeast-2").len() <= 63);
    }

    #[test]
    fn webhook_urls_are_aws_or_the_emulators() {
        assert_eq!(
            webhook_url(None, "eu-west-1", "aws", "abc", "prod", "s"),
            "https://abc.execute-api.eu-west-1.amazonaws.com/prod/s"
        );
        assert_eq!(
            webhook_url(Some("http://127.0.0.1:4566"), "eu-west-1", "aws", "abc", "prod", "s"),
            "http://127.0.0.1:4566/restapis/abc/prod/_user_request_/s"
        );
    }
}
