//! Settings that the pipeline leaves as Lambda has them by default: another value exposes impressions or costs money.

use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder as Update;
use aws_sdk_lambda::types::{
    DeadLetterConfig, EphemeralStorage, FunctionConfiguration, Layer, LogFormat, LoggingConfig,
    TracingConfig, TracingMode, VpcConfig, VpcConfigResponse,
};
use serde::Serialize;

/// The space in `/tmp` that costs nothing.
const EPHEMERAL_STORAGE_MIB: i32 = 512;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionDefaults {
    /// Layers, whose code runs in the function and sees all that the function sees.
    pub layers: Vec<String>,
    /// Subnets and security groups, through which the function then reaches everything.
    pub network: Vec<String>,
    pub file_systems: Vec<String>,
    /// Where its lines go.
    pub log_group: String,
    /// `Text`.
    pub log_format: String,
    /// Where Lambda sends events that the function failed on.
    pub dead_letter_target: Option<String>,
    /// The KMS key that encrypts the environment variables, where it is not AWS's own.
    pub environment_key: Option<String>,
    /// `PassThrough`, or `Active` where X-Ray records invocations.
    pub tracing: String,
    /// The space in `/tmp`.
    pub ephemeral_storage_mib: i32,
}

impl FunctionDefaults {
    pub fn of_function(name: &str) -> Self {
        Self {
            layers: Vec::new(),
            network: Vec::new(),
            file_systems: Vec::new(),
            log_group: format!("/aws/lambda/{name}"),
            log_format: LogFormat::Text.as_str().to_owned(),
            dead_letter_target: None,
            environment_key: None,
            tracing: TracingMode::PassThrough.as_str().to_owned(),
            ephemeral_storage_mib: EPHEMERAL_STORAGE_MIB,
        }
    }

    /// Reads the settings of a function; what an answer leaves out is the default.
    pub(super) fn read(name: &str, config: &FunctionConfiguration) -> Self {
        let default = Self::of_function(name);
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let layers = config.layers().iter().filter_map(Layer::arn);
        let vpc = config.vpc_config();
        let subnets = vpc.map(VpcConfigResponse::subnet_ids).unwrap_or_default();
        let groups = vpc.map(VpcConfigResponse::security_group_ids).unwrap_or_default();
        let file_systems = config.file_system_configs().iter();
        let log = config.logging_config();
        let tracing = config.tracing_config().and_then(|tracing| tracing.mode());
        Self {
            layers: layers.map(str::to_owned).collect(),
            network: subnets.iter().chain(groups).cloned().collect(),
            file_systems: file_systems.map(|it| it.arn().to_owned()).collect(),
            log_group: given(log.and_then(LoggingConfig::log_group)).unwrap_or(default.log_group),
            log_format: log
                .and_then(LoggingConfig::log_format)
                .map_or(default.log_format, |format| format.as_str().to_owned()),
            dead_letter_target: given(config.dead_letter_config().and_then(DeadLetterConfig::target_arn)),
            environment_key: given(config.kms_key_arn()),
            tracing: tracing.map_or(default.tracing, |mode| mode.as_str().to_owned()),
            ephemeral_storage_mib: config
                .ephemeral_storage()
                .map_or(EPHEMERAL_STORAGE_MIB, EphemeralStorage::size),
        }
    }

    /// Adds to an update what restores the defaults where a function has other settings; AWS keeps what an update leaves out.
    pub(super) fn restore(&self, had: &Self, update: Update) -> Update {
        let network =
            VpcConfig::builder().set_subnet_ids(Some(Vec::new())).set_security_group_ids(Some(Vec::new()));
        let log = LoggingConfig::builder()
            .log_format(LogFormat::from(self.log_format.as_str()))
            .log_group(&self.log_group);
        let has_other_log = self.log_group != had.log_group || self.log_format != had.log_format;
        // Lambda's way to say that there is none.
        let no_target = DeadLetterConfig::builder().target_arn("");
        let has_target = self.dead_letter_target != had.dead_letter_target;
        let tracing = TracingConfig::builder().mode(TracingMode::from(self.tracing.as_str()));
        let storage = EphemeralStorage::builder().size(self.ephemeral_storage_mib);
        let storage = storage.build().ok();
        let has_other_storage = self.ephemeral_storage_mib != had.ephemeral_storage_mib;
        update
            .set_layers((self.layers != had.layers).then(Vec::new))
            .set_file_system_configs((self.file_systems != had.file_systems).then(Vec::new))
            .set_vpc_config((self.network != had.network).then(|| network.build()))
            .set_logging_config(has_other_log.then(|| log.build()))
            .set_dead_letter_config(has_target.then(|| no_target.build()))
            .set_kms_key_arn((self.environment_key != had.environment_key).then(String::new))
            .set_tracing_config((self.tracing != had.tracing).then(|| tracing.build()))
            .set_ephemeral_storage(storage.filter(|_| has_other_storage))
    }
}
