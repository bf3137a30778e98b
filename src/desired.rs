//! From the spec to what every resource should look like.
//!
//! Owns the choices that are not the user's: policies, runtime, file extensions. Pure: values in, values out.

use std::sync::Arc;

use serde_json::Value;
use split_pipeline_handler::settings::{Fields, Settings};

use crate::names::Names;
use crate::resource::{Kind, Tags};
use crate::resources::alarm::Alarm;
use crate::resources::alarm_topic::AlarmTopic;
use crate::resources::bucket::{self, Bucket, Lifecycle, Ownership, PublicAccess};
use crate::resources::dashboard::Dashboard;
use crate::resources::database::Database;
use crate::resources::delivery_stream::{self, DeliveryStream};
use crate::resources::function::{self, Defaults, Function, RUNTIME};
use crate::resources::log_group::{self, LogGroup};
use crate::resources::rest_api::RestApi;
use crate::resources::role::Role;
use crate::resources::stage::Stage;
use crate::resources::stream::{self, Stream};
use crate::resources::table::Table;
use crate::rows::PARQUET_EXTENSION;
use crate::spec::{
    Architecture, BucketEncryption, Compression, Format, KeptFields, Spec, StreamEncryption, StreamMode,
};
use crate::table::number_fields;

mod catalog;
mod deployer;
mod monitoring;
mod policies;
#[cfg(test)]
pub(crate) mod testing;
mod webhook;

pub use deployer::{Purpose, RestApis, policy as deployer_policy};
pub(crate) use monitoring::{LATE_SECONDS, Metric, alarms_wanted, what_to_do};

/// The alias of the KMS key that AWS manages for Kinesis.
const AWS_MANAGED_KEY: &str = "alias/aws/kinesis";

/// After how many days S3 drops what a deleted object leaves behind in a bucket that keeps, or kept, versions.
const EXPIRE_VERSIONS_DAYS: i32 = 1;

/// After how many days S3 drops the parts of uploads that were never finished.
const ABORT_UPLOADS_DAYS: i32 = 7;

/// The handler to deploy.
#[derive(Clone, Debug)]
pub struct Code {
    /// The deployment zip.
    pub zip: Arc<Vec<u8>>,
    /// Base64 of its SHA-256.
    pub sha256: String,
}

/// Every resource of a pipeline as it should be.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The bucket.
    pub bucket: Bucket,
    /// The stream.
    pub stream: Stream,
    /// The delivery stream's role.
    pub delivery_role: Role,
    /// The function's role.
    pub function_role: Role,
    /// The function's log group.
    pub function_log_group: LogGroup,
    /// The delivery stream's log group.
    pub delivery_log_group: LogGroup,
    /// The database of the table.
    pub database: Database,
    /// The table of what is delivered.
    pub table: Table,
    /// The delivery stream.
    pub delivery_stream: DeliveryStream,
    /// The function.
    pub function: Function,
    /// The REST API.
    pub rest_api: RestApi,
    /// The stage.
    pub stage: Stage,
    /// The topic that alarms go to.
    pub alarm_topic: AlarmTopic,
    /// Every alarm that there can be.
    pub alarms: Vec<Alarm>,
    /// The dashboard.
    pub dashboard: Dashboard,
}

/// What the pipeline runs on, where the spec alone does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The processor that the function has.
    pub architecture: Architecture,
    /// How AWS is reached.
    pub transport: Transport,
}

/// How AWS, or what stands in for it, is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTPS, as AWS always is.
    Tls,
    /// Plain HTTP, as emulators are.
    Plain,
}

impl Desired {
    /// What `spec` asks for. Without `code` there is nothing to deploy, and any deployed code is right.
    pub fn new(spec: &Spec, names: &Names, platform: Platform, code: Option<Code>) -> Self {
        let users = spec
            .tags
            .iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let tags = names.tags(&users);
        let rest_api = webhook::rest_api(spec, names, &tags);
        Self {
            bucket: bucket(spec, names, platform.transport, &tags),
            stream: stream(spec, names, &tags),
            delivery_role: Role {
                kind: Kind::DeliveryRole,
                name: names.delivery_role(),
                arn: names.delivery_role_arn(spec),
                state: policies::delivery_role(spec, names),
                tags: tags.clone(),
            },
            function_role: Role {
                kind: Kind::FunctionRole,
                name: names.function_role(),
                arn: names.function_role_arn(spec),
                state: policies::function_role(spec, names),
                tags: tags.clone(),
            },
            function_log_group: log_group(
                Kind::FunctionLogGroup,
                names.function_log_group(),
                None,
                spec,
                names,
                &tags,
            ),
            delivery_log_group: log_group(
                Kind::DeliveryLogGroup,
                names.delivery_log_group(),
                Some(names.delivery_log_stream()),
                spec,
                names,
                &tags,
            ),
            database: catalog::database(spec, names, &tags),
            table: catalog::table(spec, names),
            delivery_stream: delivery_stream(spec, names, &tags),
            function: function(spec, names, platform.architecture, code, &tags),
            stage: webhook::stage(spec, names, &tags),
            alarm_topic: monitoring::topic(spec, names, &tags),
            alarms: monitoring::alarms(spec, names, &tags),
            dashboard: monitoring::dashboard(spec, names, &tags),
            rest_api,
        }
    }
}

fn bucket(spec: &Spec, names: &Names, transport: Transport, tags: &Tags) -> Bucket {
    let name = names.bucket(spec);
    let expire_days = spec.delivery.expire_days.map(|days| signed(days.get()));
    let state = bucket::State {
        public_access: PublicAccess::blocked(),
        policy: policies::tls_only(&names.bucket_arn(&name), transport),
        encryption: Some(bucket_encryption(&spec.delivery.encryption)),
        versioning: spec.delivery.versioning,
        object_ownership: Some("BucketOwnerEnforced".to_owned()),
        lifecycle: Lifecycle {
            expire_days,
            expire_prefix: expire_days.map(|_| spec.delivery.prefix.fixed_part().to_owned()),
            expire_versions_days: expire_days.map(|_| EXPIRE_VERSIONS_DAYS),
            abort_uploads_days: Some(ABORT_UPLOADS_DAYS),
            other_rules: Vec::new(),
        },
        copies: Vec::new(),
        left_alone: Vec::new(),
        holds_expirable: false,
    };
    let ownership = if spec.delivery.existing_bucket {
        Ownership::User
    } else {
        Ownership::Pipeline
    };
    Bucket {
        name,
        ownership,
        state,
        tags: tags.clone(),
    }
}

fn bucket_encryption(encryption: &BucketEncryption) -> bucket::Encryption {
    match encryption {
        BucketEncryption::S3Managed => bucket::Encryption {
            algorithm: "AES256".to_owned(),
            key: None,
            bucket_key: None,
        },
        BucketEncryption::Key(key) => bucket::Encryption {
            algorithm: "aws:kms".to_owned(),
            key: Some(key.clone()),
            // One call to KMS for many objects instead of one for each.
            bucket_key: Some(true),
        },
    }
}

fn stream(spec: &Spec, names: &Names, tags: &Tags) -> Stream {
    let (mode, shards) = match spec.stream.mode {
        StreamMode::Provisioned => ("PROVISIONED", Some(signed(spec.stream.shards()))),
        StreamMode::OnDemand => ("ON_DEMAND", None),
    };
    let state = stream::State {
        mode: mode.to_owned(),
        shards,
        retention_hours: signed(spec.stream.retention_hours.get()),
        encryption_key: match &spec.stream.encryption {
            StreamEncryption::AwsManaged => Some(AWS_MANAGED_KEY.to_owned()),
            StreamEncryption::Key(key) => Some(key.clone()),
            StreamEncryption::None => None,
        },
        policy: Value::Null,
        shard_metrics: Vec::new(),
        readers: Vec::new(),
        created: None,
    };
    Stream {
        name: names.stream(),
        arn: names.stream_arn(),
        state,
        tags: tags.clone(),
    }
}

fn log_group(
    kind: Kind,
    name: String,
    log_stream: Option<String>,
    spec: &Spec,
    names: &Names,
    tags: &Tags,
) -> LogGroup {
    let retention_days = Some(signed(spec.handler.log_retention_days.get()));
    let arn = names.log_group_arn(&name);
    LogGroup {
        kind,
        name,
        arn,
        state: log_group::State {
            retention_days,
            log_stream,
            left_alone: Vec::new(),
            age_days: None,
        },
        tags: tags.clone(),
    }
}

fn delivery_stream(spec: &Spec, names: &Names, tags: &Tags) -> DeliveryStream {
    let (compression, extension) = match (spec.delivery.format, spec.delivery.compression) {
        // Parquet is compressed within.
        (Format::Parquet, _) => ("UNCOMPRESSED", PARQUET_EXTENSION),
        (Format::Json, Compression::Gzip) => ("GZIP", ".ndjson.gz"),
        (Format::Json, Compression::Snappy) => ("Snappy", ".ndjson.snappy"),
        (Format::Json, Compression::Zip) => ("ZIP", ".ndjson.zip"),
        (Format::Json, Compression::None) => ("UNCOMPRESSED", ".ndjson"),
    };
    let role = names.delivery_role_arn(spec);
    let state = delivery_stream::State {
        source: names.stream_arn(),
        source_role: role.clone(),
        bucket: names.bucket_arn(&names.bucket(spec)),
        role,
        prefix: spec.delivery.prefix.as_str().to_owned(),
        error_prefix: spec.delivery.error_prefix.as_str().to_owned(),
        compression: compression.to_owned(),
        file_extension: Some(extension.to_owned()),
        buffer_mib: signed(spec.delivery.buffer_mib.get()),
        buffer_seconds: signed(spec.delivery.buffer_seconds.get()),
        processors: Vec::new(),
        conversion: catalog::conversion(spec, names),
        error_log: Some((names.delivery_log_group(), names.delivery_log_stream())),
        backup: None,
        encryption_key: None,
        time_zone: delivery_stream::TIME_ZONE.to_owned(),
    };
    DeliveryStream {
        name: names.delivery_stream(),
        arn: names.delivery_stream_arn(),
        state,
        tags: tags.clone(),
    }
}

fn function(
    spec: &Spec,
    names: &Names,
    architecture: Architecture,
    code: Option<Code>,
    tags: &Tags,
) -> Function {
    let (zip, code_sha256) = code.map(|code| (code.zip, code.sha256)).unzip();
    let state = function::State {
        package: "Zip".to_owned(),
        runtime: RUNTIME.to_owned(),
        architecture: architecture.as_str().to_owned(),
        code_sha256,
        role: names.function_role_arn(spec),
        memory_mib: signed(spec.handler.memory_mib.get()),
        timeout_seconds: signed(spec.handler.timeout_seconds.get()),
        environment: settings(spec, names).to_env(),
        reserved_concurrency: spec
            .handler
            .reserved_concurrency
            .map(|reserved| signed(reserved.get())),
        defaults: Defaults::of_function(&names.function()),
        urls: Vec::new(),
        failed_update: None,
        published: Vec::new(),
    };
    Function {
        name: names.function(),
        arn: names.function_arn(),
        zip,
        state,
        tags: tags.clone(),
    }
}

/// The handler's settings.
fn settings(spec: &Spec, names: &Names) -> Settings {
    Settings {
        stream: names.stream(),
        bucket: names.bucket(spec),
        record_kib: spec.handler.record_kib.get(),
        number_fields: number_fields(spec),
        fields: kept_fields(&spec.handler.fields),
    }
}

/// The spec's list of fields as the handler has it.
pub fn kept_fields(fields: &KeptFields) -> Fields {
    match fields {
        KeptFields::All => Fields::All,
        KeptFields::Keep(fields) => Fields::Keep(fields.clone()),
    }
}

/// A number of the spec as the SDK wants it; the spec's limits are far below what would not fit.
fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
