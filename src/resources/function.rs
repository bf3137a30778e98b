//! The Lambda function behind the webhook.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Concurrency, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus,
    PackageType, Runtime, State as Lifecycle,
};
use serde::Serialize;
use split_pipeline_handler::settings::{HandlerSettings, KeptFields};

use super::{Blueprint, signed, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::foreign;
use crate::kind::Kind;
use crate::names::Names;
use crate::resource::{
    Changes, Described, Observed, Phase, Replacement, Resource, Step, TagChanges, Target, ready,
};
use crate::spec::{FieldsSpec, Spec};
use crate::table::number_fields;

mod access;
mod change;
mod defaults;
mod export;
mod grants;

pub use access::Url;
pub use defaults::FunctionDefaults;

/// What Lambda calls the custom runtime that our binary is.
pub const RUNTIME: &str = "provided.al2023";

/// What such a runtime starts, and so the name of our binary in the zip.
pub const HANDLER: &str = "bootstrap";

pub const KIND: Kind = Kind::new("function");

#[derive(Clone, Copy, Debug)]
pub struct Function;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How the code is deployed: `Zip`.
    pub package: String,
    pub runtime: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Base64 of the SHA-256 of the deployment zip; absent where ours is not known.
    pub code_sha256: Option<String>,
    pub role: String,
    pub memory_mib: i32,
    /// The longest an invocation may take.
    pub timeout_seconds: i32,
    pub environment: BTreeMap<String, String>,
    pub reserved_concurrency: Option<i32>,
    #[serde(flatten)]
    pub defaults: FunctionDefaults,
    /// URLs of its own: none should exist.
    pub urls: Vec<Url>,
    /// Why AWS gave up the last change, if it did.
    pub failed_update: Option<String>,
    /// What somebody published of it; not compared.
    #[serde(skip)]
    pub published: Vec<String>,
}

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Function> {
    let Blueprint { spec, names, .. } = blueprint;
    let (zip, code_sha256) = blueprint.code.clone().map(|code| (code.zip, code.sha256)).unzip();
    let handler = &spec.handler;
    let state = State {
        package: "Zip".to_owned(),
        runtime: RUNTIME.to_owned(),
        architecture: blueprint.platform.architecture.as_str().to_owned(),
        code_sha256,
        role: names.function_role_arn(spec),
        memory_mib: signed(handler.memory_mib.get()),
        timeout_seconds: signed(handler.timeout_seconds.get()),
        environment: settings(spec, names).to_env(),
        reserved_concurrency: handler.reserved_concurrency.map(|reserved| signed(reserved.get())),
        defaults: FunctionDefaults::of_function(&names.function()),
        urls: Vec::new(),
        failed_update: None,
        published: Vec::new(),
    };
    blueprint.target(KIND, (names.function(), names.function_arn()), state, zip)
}

fn settings(spec: &Spec, names: &Names) -> HandlerSettings {
    HandlerSettings {
        stream: names.stream(),
        bucket: names.bucket(spec),
        record_kib: spec.handler.record_kib.get(),
        number_fields: number_fields(spec),
        fields: kept_fields(&spec.handler.fields),
    }
}

/// The spec's list of fields as the handler has it.
pub fn kept_fields(fields: &FieldsSpec) -> KeptFields {
    match fields {
        FieldsSpec::All => KeptFields::All,
        FieldsSpec::Keep(fields) => KeptFields::Keep(fields.clone()),
    }
}

impl Resource for Function {
    type State = State;
    type Id = String;
    /// The deployment zip, if there is a handler to deploy.
    type Extra = Option<Arc<Vec<u8>>>;

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let (found, urls, published) =
            futures_util::try_join!(want.find(aws), want.urls(aws), want.published(aws))?;
        Ok(found.map(|mut found| {
            found.state.urls = urls;
            found.state.published = published;
            found
        }))
    }

    async fn describe(want: &Target<Self>, aws: &Aws) -> Result<Option<Described<Self>>, AwsError> {
        Ok(want.find(aws).await?.map(Observed::untagged))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let zip = want.zip()?;
        let request = || {
            let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
            let call = step.aws.lambda.create_function().function_name(&want.name);
            let call = call.runtime(Runtime::from(want.state.runtime.as_str())).handler(HANDLER);
            let call = call.architectures(want.architecture()).code(code).role(&want.state.role);
            let call = call.memory_size(want.state.memory_mib).timeout(want.state.timeout_seconds);
            let call = call.description("Puts Split impressions to Kinesis; made by split-pipeline");
            call.environment(want.environment())
                .set_tags(Some(want.tags.clone().into_iter().collect()))
                .send()
        };
        step.call("lambda:CreateFunction", request).await?;
        Ok(ready(want, step).await?.tagged(want.tags.clone()))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        want.delete_urls(&have.state.urls, step).await?;
        if changes.has_others_than(&change::APART) {
            want.update_configuration(&have.state, step).await?;
        }
        if changes.has_any(&["code_sha256", "architecture"]) {
            want.update_code(step).await?;
        }
        if changes.has("reserved_concurrency") {
            want.reserve(step.aws).await?;
        }
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.lambda.delete_function().function_name(&want.name).send();
        step.remove("lambda:DeleteFunction", request).await
    }

    fn left_alone(have: &State) -> &[String] {
        &have.published
    }

    fn replacement(want: &Target<Self>, have: &State) -> Option<Replacement> {
        (have.package != want.state.package).then(|| {
            Replacement::Recreate("its code is a container image, which cannot become a zip".to_owned())
        })
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let request = || {
                let call = step.aws.lambda.tag_resource().resource(&want.arn);
                call.set_tags(Some(set.clone().into_iter().collect())).send()
            };
            step.call("lambda:TagResource", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.lambda.untag_resource().resource(&want.arn);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("lambda:UntagResource", request).await?;
        }
        Ok(())
    }
}

impl Target<Function> {
    /// Looks at it, but for ways to it that take calls of their own.
    async fn find(&self, aws: &Aws) -> Result<Option<Observed<Function>>, AwsError> {
        let call = "lambda:GetFunction";
        let request = || aws.lambda.get_function().function_name(&self.name).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let config = answer.configuration().ok_or_else(|| AwsError::incomplete(call, "configuration"))?;
        if let Some(error) = answer.tags_error() {
            // Without its tags, our own function would look like somebody else's.
            return Err(AwsError::new("lambda:ListTags", ErrorKind::Denied, error.message()));
        }
        let tags = answer.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
        Ok(Some(Observed {
            id: self.arn.clone(),
            state: self.state_of(config, &answer),
            tags: tags_from(tags),
            phase: phase_of(config),
        }))
    }

    fn state_of(&self, config: &FunctionConfiguration, answer: &GetFunctionOutput) -> State {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let variables = config.environment().and_then(|environment| environment.variables());
        State {
            package: text(config.package_type().map(PackageType::as_str)),
            runtime: text(config.runtime().map(Runtime::as_str)),
            architecture: text(config.architectures().first().map(Architecture::as_str)),
            // Where there is no code to compare with, any will do.
            code_sha256: self.state.code_sha256.as_ref().map(|_| text(config.code_sha256())),
            role: text(config.role()),
            memory_mib: config.memory_size().unwrap_or_default(),
            timeout_seconds: config.timeout().unwrap_or_default(),
            environment: variables.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            reserved_concurrency: answer.concurrency().and_then(Concurrency::reserved_concurrent_executions),
            defaults: FunctionDefaults::read(&self.name, config),
            urls: Vec::new(),
            failed_update: failed_update(config),
            published: Vec::new(),
        }
    }

    fn architecture(&self) -> Architecture {
        Architecture::from(self.state.architecture.as_str())
    }

    fn environment(&self) -> Environment {
        Environment::builder()
            .set_variables(Some(self.state.environment.clone().into_iter().collect()))
            .build()
    }

    fn zip(&self) -> Result<&[u8], AwsError> {
        let zip = self.extra.as_ref().ok_or_else(|| {
            AwsError::new("lambda:CreateFunction", ErrorKind::Other, "there is no handler to deploy")
        })?;
        Ok(zip.as_slice())
    }
}

fn failed_update(config: &FunctionConfiguration) -> Option<String> {
    let failed = config.last_update_status() == Some(&LastUpdateStatus::Failed);
    let reason = config.last_update_status_reason();
    failed.then(|| foreign::line(reason.unwrap_or("Lambda could not update it, and does not say why")))
}

fn phase_of(config: &FunctionConfiguration) -> Phase {
    if config.state() == Some(&Lifecycle::Failed) {
        let why = config.state_reason().unwrap_or("Lambda could not create it, and does not say why");
        return Phase::Failed(foreign::line(why));
    }
    if config.state() == Some(&Lifecycle::Pending) {
        return Phase::Pending("Pending".to_owned());
    }
    if config.last_update_status() == Some(&LastUpdateStatus::InProgress) {
        return Phase::Pending("InProgress".to_owned());
    }
    Phase::Ready
}
