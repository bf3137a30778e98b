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

use super::{retag, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::foreign;
use crate::resource::{About, Described, Kind, Observed, Phase, Replacement, Resource, Step, Tags, ready};

mod access;
mod change;
mod defaults;

pub use access::Url;
pub use defaults::Defaults;

/// What Lambda calls the custom runtime that our binary is.
pub const RUNTIME: &str = "provided.al2023";

/// What such a runtime starts, and so the name of our binary in the zip.
pub const HANDLER: &str = "bootstrap";

/// The function as it should be.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The deployment zip; absent where there is none to compare with or to deploy.
    pub zip: Option<Arc<Vec<u8>>>,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How the code is deployed: `Zip`.
    pub package: String,
    /// The runtime.
    pub runtime: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Base64 of the SHA-256 of the deployment zip; absent where ours is not known.
    pub code_sha256: Option<String>,
    /// The execution role.
    pub role: String,
    /// Memory.
    pub memory_mib: i32,
    /// The longest an invocation may take.
    pub timeout_seconds: i32,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Concurrency set apart for it.
    pub reserved_concurrency: Option<i32>,
    /// Settings that stay as Lambda has them.
    #[serde(flatten)]
    pub defaults: Defaults,
    /// URLs of its own: none should exist.
    pub urls: Vec<Url>,
    /// Why AWS gave up the last change, if it did.
    pub failed_update: Option<String>,
    /// What somebody published of it; not compared.
    #[serde(skip)]
    pub published: Vec<String>,
}

impl Resource for Function {
    type State = State;
    type Id = String;
    type Parent = ();
    /// The role to assume, with its policy.
    type Needs = String;

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Function,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent(_role: &String) {}

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        let (found, urls, published) =
            futures_util::try_join!(self.find(aws), self.urls(aws), self.published(aws))?;
        Ok(found.map(|mut found| {
            found.state.urls = urls;
            found.state.published = published;
            found
        }))
    }

    async fn describe(&self, aws: &Aws, (): &()) -> Result<Option<Described<Self>>, AwsError> {
        Ok(self.find(aws).await?.map(Observed::untagged))
    }

    async fn create(&self, _role: &String, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let zip = self.zip()?;
        let create = async || {
            let request = || {
                let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
                let call = step.aws.lambda.create_function().function_name(&self.name);
                let call = call
                    .runtime(Runtime::from(self.state.runtime.as_str()))
                    .handler(HANDLER);
                let call = call
                    .architectures(self.architecture())
                    .code(code)
                    .role(&self.state.role);
                let call = call
                    .memory_size(self.state.memory_mib)
                    .timeout(self.state.timeout_seconds);
                let call = call.description("Puts Split impressions to Kinesis; made by split-pipeline");
                call.environment(self.environment())
                    .set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            };
            step.aws.call("lambda:CreateFunction", request).await
        };
        step.settle(create).await?;
        Ok(ready(self, &(), step).await?.tagged(self.tags.clone()))
    }

    async fn update(
        &self,
        have: &Observed<Self>,
        _role: &String,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        let (had, want) = (&have.state, &self.state);
        self.delete_urls(&had.urls, step).await?;
        if self.configuration_differs(had) {
            self.update_configuration(had, step).await?;
        }
        if had.code_sha256 != want.code_sha256 || had.architecture != want.architecture {
            self.update_code(step).await?;
        }
        if had.reserved_concurrency != want.reserved_concurrency {
            self.reserve(step.aws).await?;
        }
        self.retag(&have.tags, step.aws).await?;
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.lambda.delete_function().function_name(&self.name).send();
        let delete = async || step.aws.call("lambda:DeleteFunction", request).await.found();
        step.settle(delete).await.map(drop)
    }

    fn left_alone<'a>(&self, have: &'a State) -> &'a [String] {
        &have.published
    }

    fn replacement(&self, have: &State) -> Option<Replacement> {
        (have.package != self.state.package).then(|| {
            Replacement::Recreate("its code is a container image, which cannot become a zip".to_owned())
        })
    }
}

impl Function {
    /// Looks at it, but for ways to it that take calls of their own.
    async fn find(&self, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let call = "lambda:GetFunction";
        let request = || aws.lambda.get_function().function_name(&self.name).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let config = answer
            .configuration()
            .ok_or_else(|| AwsError::incomplete(call, "configuration"))?;
        if let Some(error) = answer.tags_error() {
            // Without its tags, our own function would look like somebody else's.
            return Err(AwsError::new(
                "lambda:ListTags",
                ErrorKind::Denied,
                error.message(),
            ));
        }
        let tags = answer
            .tags()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()));
        Ok(Some(Observed {
            id: self.arn.clone(),
            state: self.state_of(config, &answer),
            tags: tags_from(tags),
            phase: phase_of(config),
        }))
    }

    fn state_of(&self, config: &FunctionConfiguration, answer: &GetFunctionOutput) -> State {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let variables = config
            .environment()
            .and_then(|environment| environment.variables());
        State {
            package: text(config.package_type().map(PackageType::as_str)),
            runtime: text(config.runtime().map(Runtime::as_str)),
            architecture: text(config.architectures().first().map(Architecture::as_str)),
            // Where there is no code to compare with, any will do.
            code_sha256: self
                .state
                .code_sha256
                .as_ref()
                .map(|_| text(config.code_sha256())),
            role: text(config.role()),
            memory_mib: config.memory_size().unwrap_or_default(),
            timeout_seconds: config.timeout().unwrap_or_default(),
            environment: variables
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            reserved_concurrency: answer
                .concurrency()
                .and_then(Concurrency::reserved_concurrent_executions),
            defaults: Defaults::read(&self.name, config),
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
        let zip = self.zip.as_ref().ok_or_else(|| {
            AwsError::new(
                "lambda:CreateFunction",
                ErrorKind::Other,
                "there is no handler to deploy",
            )
        })?;
        Ok(zip.as_slice())
    }

    async fn retag(&self, have: &Tags, aws: &Aws) -> Result<(), AwsError> {
        let set = async |tags: Tags| {
            let request = || {
                let call = aws.lambda.tag_resource().resource(&self.arn);
                call.set_tags(Some(tags.clone().into_iter().collect())).send()
            };
            aws.call("lambda:TagResource", request).await.map(drop)
        };
        let remove = async |keys: Vec<String>| {
            let request = || {
                let call = aws.lambda.untag_resource().resource(&self.arn);
                call.set_tag_keys(Some(keys.clone())).send()
            };
            aws.call("lambda:UntagResource", request).await.map(drop)
        };
        retag(&self.tags, have, set, remove).await
    }
}

fn failed_update(config: &FunctionConfiguration) -> Option<String> {
    let failed = config.last_update_status() == Some(&LastUpdateStatus::Failed);
    let reason = config.last_update_status_reason();
    failed.then(|| foreign::line(reason.unwrap_or("Lambda could not update it, and does not say why")))
}

fn phase_of(config: &FunctionConfiguration) -> Phase {
    if config.state() == Some(&Lifecycle::Failed) {
        let why = config
            .state_reason()
            .unwrap_or("Lambda could not create it, and does not say why");
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
