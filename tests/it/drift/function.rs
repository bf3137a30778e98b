//! What is done by hand to the function.

use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, DeadLetterConfig, Environment, EphemeralStorage, FileSystemConfig, FunctionCode,
    FunctionUrlAuthType, LayerVersionContentInput, LogFormat, LoggingConfig, PackageType, Runtime,
    TracingConfig, TracingMode, VpcConfig,
};

use super::{Drift, NAME};
use crate::support::archive::zip_of;

pub(super) struct Clients {
    lambda: aws_sdk_lambda::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { lambda: aws_sdk_lambda::Client::new(config) }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.settings();
        drifts.extend(self.additions());
        drifts
    }

    fn settings(&self) -> Vec<Drift<'_>> {
        let lambda = &self.lambda;
        vec![
            Drift::new(
                "function",
                [
                    "environment.MORE",
                    "environment.SPLIT_PIPELINE_BUCKET",
                    "environment.SPLIT_PIPELINE_NUMBER_FIELDS",
                    "environment.SPLIT_PIPELINE_RECORD_KIB",
                    "environment.SPLIT_PIPELINE_STREAM",
                    "memory_mib",
                    "role",
                    "runtime",
                    "timeout_seconds",
                ],
                ["PUT /2015-03-31/functions/it-drift/configuration"],
                async move {
                    let variables = Environment::builder().variables("MORE", "1").build();
                    let call = lambda.update_function_configuration().function_name(NAME);
                    let call = call.runtime(Runtime::Providedal2).environment(variables);
                    let call = call.memory_size(128).timeout(3);
                    let role = "arn:aws:iam::000000000000:role/it-drift-delivery-us-east-1";
                    call.role(role).send().await.unwrap();
                },
            ),
            Drift::new(
                "function",
                ["architecture", "code_sha256"],
                ["PUT /2015-03-31/functions/it-drift/code"],
                async move {
                    let call = lambda.update_function_code().function_name(NAME);
                    let call =
                        call.architectures(Architecture::Arm64).zip_file(Blob::new(zip_of(b"#!/bin/sh\n")));
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "function",
                ["reserved_concurrency"],
                ["PUT /2017-10-31/functions/it-drift/concurrency"],
                async move {
                    let call = lambda.delete_function_concurrency().function_name(NAME);
                    call.send().await.unwrap();
                },
            ),
            Drift::new("function", ["tags.team"], ["POST /2017-03-31/tags/*"], async move {
                let call = lambda.untag_resource().tag_keys("team");
                let arn = "arn:aws:lambda:us-east-1:000000000000:function:it-drift";
                call.resource(arn).send().await.unwrap();
            }),
            Drift::new(
                "function",
                ["package", "code_sha256", "runtime", "reserved_concurrency", "stage: invoke_permission"],
                [
                    "DELETE /2015-03-31/functions/it-drift",
                    "POST /2015-03-31/functions",
                    "PUT /2017-10-31/functions/it-drift/concurrency",
                    "POST /2015-03-31/functions/it-drift/policy",
                ],
                self.an_image_instead(),
            ),
        ]
    }

    /// Makes a function of a container image in place of the one of a zip.
    async fn an_image_instead(&self) {
        let function = self.lambda.get_function().function_name(NAME).send().await.unwrap();
        let had = function.configuration().unwrap();
        let call = self.lambda.delete_function().function_name(NAME);
        call.send().await.unwrap();
        let image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/somebodys:latest";
        let call = self.lambda.create_function().function_name(NAME);
        let call = call
            .package_type(PackageType::Image)
            .code(FunctionCode::builder().image_uri(image).build())
            .role(had.role().unwrap())
            .set_architectures(had.architectures.clone())
            .set_memory_size(had.memory_size())
            .set_timeout(had.timeout())
            .set_tags(function.tags().cloned());
        let variables = had.environment().unwrap().variables().cloned();
        let call = call.environment(Environment::builder().set_variables(variables).build());
        call.send().await.unwrap();
    }

    fn additions(&self) -> Vec<Drift<'_>> {
        let lambda = &self.lambda;
        vec![
            Drift::new(
                "function",
                [
                    "dead_letter_target",
                    "environment_key",
                    "ephemeral_storage_mib",
                    "file_systems",
                    "layers",
                    "log_format",
                    "log_group",
                    "network",
                    "tracing",
                ],
                ["PUT /2015-03-31/functions/it-drift/configuration"],
                self.other_than_by_default(),
            ),
            Drift::new("function", ["urls"], ["DELETE /2021-10-31/functions/it-drift/url"], async move {
                let call = lambda.create_function_url_config().function_name(NAME);
                call.auth_type(FunctionUrlAuthType::None).send().await.unwrap();
            }),
        ]
    }

    async fn other_than_by_default(&self) {
        let code = LayerVersionContentInput::builder().zip_file(Blob::new(zip_of(b"#!/bin/sh\n")));
        let call = self.lambda.publish_layer_version().layer_name("spy");
        let layer = call.content(code.build()).send().await.unwrap();
        let access_point =
            "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000";
        let files =
            FileSystemConfig::builder().arn(access_point).local_mount_path("/mnt/all").build().unwrap();
        let network = VpcConfig::builder().subnet_ids("subnet-0").security_group_ids("sg-0");
        let log = LoggingConfig::builder().log_format(LogFormat::Json).log_group("/somebodys");
        let dead = DeadLetterConfig::builder().target_arn("arn:aws:sqs:us-east-1:000000000000:somebodys");
        let call = self.lambda.update_function_configuration().function_name(NAME);
        let call = call
            .layers(layer.layer_version_arn().unwrap())
            .file_system_configs(files)
            .vpc_config(network.build())
            .logging_config(log.build())
            .dead_letter_config(dead.build())
            .kms_key_arn("arn:aws:kms:us-east-1:000000000000:key/somebodys")
            .tracing_config(TracingConfig::builder().mode(TracingMode::Active).build())
            .ephemeral_storage(EphemeralStorage::builder().size(10_240).build().unwrap());
        call.send().await.unwrap();
    }
}
