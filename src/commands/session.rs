//! What most commands start with: the spec, the emulator if asked for, AWS, and the handler's code.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::input::Input;
use crate::artifact::{self, Artifact, ArtifactError, Origin, Profile, Sources};
use crate::aws::{Aws, ConnectOptions, Credentials};
use crate::engine::observe::observe;
use crate::failure::{Failure, FailureKind};
use crate::local;
use crate::names::{Names, webhook_url};
use crate::pipeline::{Desired, Snapshot};
use crate::progress::{Event, Progress as _};
use crate::resources::webhook::OpenWebhook;
use crate::resources::{Blueprint, Code, Platform, Transport};
use crate::spec::{Architecture, MAX_BYTES, Parsed, Spec, SpecError, TopicArn};

/// The region of the emulator, where nothing else names one.
const LOCAL_REGION: &str = "us-east-1";

/// A spec and the account and region that it is for.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) context: Context,
    pub(super) spec: Spec,
    pub(super) aws: Aws,
    pub(super) names: Names,
}

impl Session {
    /// Reads the spec and connects to AWS, or to the emulator.
    pub(super) async fn open(context: &Context) -> Result<Self, Failure> {
        let spec = read_spec(context).await?;
        Self::connect(context, spec).await
    }

    /// The same for a pipeline that is to be deleted, which may be an ephemeral one that was left behind.
    pub(super) async fn open_to_delete(context: &Context) -> Result<Self, Failure> {
        let spec = read_spec_with(context, Spec::parse_to_delete).await?;
        Self::connect(context, spec).await
    }

    async fn connect(context: &Context, spec: Spec) -> Result<Self, Failure> {
        let target = target(context, &spec).await?;
        let connect = Aws::connect(&target, Arc::clone(&context.ui) as _, context.interrupt.clone());
        let aws = context.unless_interrupted(connect).await??;
        let names = Names::new(spec.name.as_str(), &aws.account, &aws.partition, &aws.region);
        Ok(Self { context: context.clone(), spec, aws, names })
    }

    /// The processor that the function runs on; the emulator runs it on this machine.
    pub(super) fn architecture(&self) -> Architecture {
        match std::env::consts::ARCH {
            _ if !self.context.global.local => self.spec.handler.architecture,
            "aarch64" => Architecture::Arm64,
            _ => Architecture::X86_64,
        }
    }

    fn transport(&self) -> Transport {
        match &self.aws.endpoint {
            Some(endpoint) if endpoint.starts_with("http://") => Transport::Plain,
            _ => Transport::Tls,
        }
    }

    fn profile(&self) -> Profile {
        if self.aws.is_emulator() { Profile::Quick } else { Profile::Deployment }
    }

    /// The handler to deploy: the given zip, else the embedded one, else the workspace's, built if its sources changed.
    pub(super) async fn code_to_deploy(&self, given: Option<&Path>) -> Result<Code, Failure> {
        let architecture = self.architecture();
        let artifact = if let Some(artifact) = self.ready_made(given)? {
            artifact
        } else {
            let workspace = workspace()?;
            let progress = |what: &str| self.context.ui.event(Event::Working(what.to_owned()));
            let build = artifact::build(&workspace, architecture, self.profile(), &progress);
            self.context.unless_interrupted(build).await??
        };
        self.context.ui.event(Event::Working(format!("the handler is the one {}", origin(&artifact))));
        Ok(code(artifact))
    }

    /// The handler that needs no building: the given zip, else the embedded one.
    fn ready_made(&self, given: Option<&Path>) -> Result<Option<Artifact>, ArtifactError> {
        match given {
            Some(path) => artifact::given(path, self.architecture()).map(Some),
            None => artifact::embedded(self.architecture()),
        }
    }

    /// The handler to compare with: the given zip, else the embedded one, else the newest that was built. Never builds.
    pub(super) fn code_to_compare(&self, given: Option<&Path>) -> Result<Option<Code>, Failure> {
        let architecture = self.architecture();
        let artifact = if let Some(artifact) = self.ready_made(given)? {
            Some(artifact)
        } else if let Some(workspace) = Sources::find().workspace {
            artifact::newest(&workspace, architecture, self.profile())?
        } else {
            None
        };
        if artifact.is_none() {
            self.context.ui.warn("no handler has been built here, so the deployed code is not compared");
        }
        Ok(artifact.map(code))
    }

    /// What the spec asks for, with this code.
    pub(super) fn desired(&self, code: Option<Code>) -> Desired {
        Desired::new(&self.blueprint(code))
    }

    pub(super) fn blueprint(&self, code: Option<Code>) -> Blueprint<'_> {
        let platform = Platform { architecture: self.architecture(), transport: self.transport() };
        Blueprint::new(&self.spec, &self.names, platform, code)
    }

    /// Insists that the user's topic is where alarms can reach it, before anything is made; an emulator has no other regions.
    pub(super) fn topic_is_near(&self) -> Result<(), Failure> {
        let region = self.aws.region.as_str();
        let topic = self.spec.monitoring.topic_arn.as_ref();
        match topic.map(TopicArn::region) {
            Some(other) if other != region && !self.aws.is_emulator() => {
                let message = format!("`monitoring.topic_arn` is in {other}, and the pipeline in {region}");
                Err(Failure::new(FailureKind::Spec, message)
                    .hint("CloudWatch tells topics of its own region alone"))
            }
            _ => Ok(()),
        }
    }

    /// Says so where a look at the logs goes further back than they do.
    pub(super) fn mind_log_retention(&self, since: Duration) {
        let days = self.spec.handler.log_retention_days.get();
        if since > Duration::from_hours(24) * days {
            let note = format!(
                "logs are kept for {days} days (`handler.log_retention_days`), and nothing before is counted"
            );
            self.context.ui.note(&note);
        }
    }

    pub(super) async fn observe(&self, want: &Desired) -> Result<Snapshot, Failure> {
        let observed = self.context.unless_interrupted(Box::pin(observe(&self.aws, want))).await?;
        observed.map_err(Failure::of_observation)
    }

    /// The webhook's URL for an API and its path.
    pub(super) fn url(&self, api: &str, path: &str) -> String {
        let (endpoint, stage) = (self.aws.endpoint.as_deref(), self.spec.webhook.stage.as_str());
        webhook_url(endpoint, &self.aws.region, &self.aws.partition, api, stage, path)
    }

    /// The URL of a webhook that is open: its API has its path, and its stage is there.
    pub(super) fn open_url(&self, webhook: Option<OpenWebhook>) -> Option<String> {
        let OpenWebhook { api, stage } = webhook?;
        (stage == self.spec.webhook.stage.as_str()).then_some(())?;
        Some(self.url(&api.api, &api.route?.path))
    }
}

/// Reads and checks the spec; its warnings go to the user.
pub(super) async fn read_spec(context: &Context) -> Result<Spec, Failure> {
    read_spec_with(context, Spec::parse).await
}

async fn read_spec_with(
    context: &Context,
    parse: impl Fn(&str, &str) -> Result<Parsed, SpecError>,
) -> Result<Spec, Failure> {
    let input = Input::at(&context.global.file);
    let origin = input.name();
    // One byte more than allowed tells a text that is too long without reading all of it.
    let limit = u64::try_from(MAX_BYTES + 1).unwrap_or(u64::MAX);
    let bytes = context.read(&input, limit).await?.map_err(|error| {
        Failure::new(FailureKind::Spec, format!("{origin}: the spec cannot be read: {error}"))
            .hint("`split-pipeline init` writes a starter spec; --file names another one")
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(FailureKind::Spec, format!("{origin}: the spec is not UTF-8 text, from byte {at} on"))
    })?;
    let parsed = parse(&text, &origin)?;
    for warning in &parsed.warnings {
        context.ui.warn(warning);
    }
    Ok(parsed.spec)
}

/// Where and as whom to call AWS; starts the emulator if it is asked for.
async fn target(context: &Context, spec: &Spec) -> Result<ConnectOptions, Failure> {
    let global = &context.global;
    let region =
        global.region.clone().or_else(|| spec.region.as_ref().map(|region| region.as_str().to_owned()));
    if !global.local {
        return Ok(ConnectOptions {
            profile: global.profile.clone(),
            region,
            endpoint: global.endpoint_url.clone(),
            credentials: None,
        });
    }
    let progress = |what: &str| context.ui.event(Event::Working(what.to_owned()));
    let emulator = context.unless_interrupted(local::ensure(&progress)).await??;
    Ok(ConnectOptions {
        profile: None,
        region: region.or_else(|| Some(LOCAL_REGION.to_owned())),
        endpoint: Some(emulator.endpoint),
        credentials: Some(credentials(&emulator.credentials)),
    })
}

fn credentials(root: &local::Credentials) -> Credentials {
    let token = Some(root.session_token().to_owned());
    Credentials::new(root.access_key_id(), root.secret_access_key(), token, None, "split-pipeline")
}

fn code(artifact: Artifact) -> Code {
    Code { zip: Arc::new(artifact.zip), sha256: artifact.sha256 }
}

fn origin(artifact: &Artifact) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = |path: &Path| path.strip_prefix(&here).unwrap_or(path).display().to_string();
    match &artifact.origin {
        Origin::Given(path) => format!("given as {}", shown(path)),
        Origin::Embedded => "embedded in this program".to_owned(),
        Origin::Built(path) => format!("built as {}", shown(path)),
    }
}

/// The workspace to build the handler in.
pub(super) fn workspace() -> Result<PathBuf, Failure> {
    let sources = Sources::find();
    sources.workspace.ok_or_else(|| {
        let failure = Failure::new(FailureKind::Build, "no handler to deploy: handler sources not found");
        let failure =
            failure.hint("run this in a clone of split-pipeline, or give a built handler with --handler ZIP");
        match sources.foreign {
            None => failure,
            Some(path) => failure.hint(format!(
                "{} belongs to another user, or everyone can change it: code in it is not run",
                path.display()
            )),
        }
    })
}
