//! Terraform, with its provider from a directory: nothing is downloaded.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aws_config::SdkConfig;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use serde_json::{Value, json};
use split_pipeline::export::Format;

use super::{
    SECRET, differences, everything, everything_as_parquet, exported, handler, ours_leave_it_alone,
    posted_impressions_reach_the_bucket, specs,
};
use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::inventory;
use crate::support::objects;

/// Names the directory with the provider.
const PLUGINS: &str = "SPLIT_PIPELINE_TF_PLUGINS";

/// Where the provider is unless that says otherwise.
const USUAL_PLUGINS: &str = "/opt/tf-plugins";

/// What MiniStack's S3 and credentials need of the provider.
const PROVIDER: &str = "provider \"aws\" {\n  s3_use_path_style           = true\n  \
    skip_credentials_validation = true\n  skip_metadata_api_check     = true\n}\n";

/// What MiniStack does not keep of what it is told: a stream's first tags, and the extension of delivered objects.
const FORGOTTEN: [(&str, &str); 2] = [
    ("aws_kinesis_stream", "[tags, tags_all]"),
    (
        "aws_kinesis_firehose_delivery_stream",
        "[extended_s3_configuration[0].file_extension, extended_s3_configuration[0].custom_time_zone]",
    ),
];

const APPLY: [&str; 4] = ["apply", "-auto-approve", "-input=false", "-no-color"];

/// Exits with 2 where there is something to do.
const PLAN: [&str; 4] = ["plan", "-detailed-exitcode", "-input=false", "-no-color"];

/// A root module in a directory, for an emulator.
struct Module {
    program: PathBuf,
    directory: tempfile::TempDir,
    place: Place,
    handler: PathBuf,
}

/// Where Terraform calls AWS; nowhere, if it only checks the text.
#[derive(Default)]
struct Place {
    endpoint: String,
    credentials_file: PathBuf,
}

impl Place {
    fn of(emulator: &Emulator) -> Self {
        Self { endpoint: emulator.endpoint(), credentials_file: emulator.credentials_file() }
    }
}

impl Module {
    fn new(program: PathBuf, plugins: &Path, text: &str, place: Place, handler: &Path) -> Self {
        let module =
            Self { program, directory: tempfile::tempdir().unwrap(), place, handler: handler.to_owned() };
        module.write_pipeline(text);
        let mirror = format!("filesystem_mirror {{\n path = \"{}\"\n }}", plugins.display());
        module.write("terraform.rc", &format!("provider_installation {{\n {mirror}\n}}\n"));
        module
    }

    /// Puts a pipeline in place of the one that is there.
    fn write_pipeline(&self, text: &str) {
        self.write("main.tf", text);
        self.write("override.tf", &(PROVIDER.to_owned() + &forgotten(text)));
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("AWS_") || name.starts_with("TF_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env("TF_CLI_CONFIG_FILE", self.directory.path().join("terraform.rc"))
            .env("TF_VAR_handler_zip", &self.handler)
            .env("TF_VAR_secret_path", SECRET)
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ENDPOINT_URL", &self.place.endpoint)
            .env("AWS_SHARED_CREDENTIALS_FILE", &self.place.credentials_file)
            .output()
            .unwrap()
    }

    /// Runs it, insists on its exit code, and gives what it printed.
    #[track_caller]
    fn exits_with(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
        stdout
    }
}

/// What a plan says that has something to change in its alarms alone, which the emulator describes in full in CBOR, but not in the
/// provider's protocol.
fn only(alarms: usize) -> String {
    format!("Plan: 0 to add, {alarms} to change, 0 to destroy.")
}

/// Lets Terraform overlook what the emulator does not keep.
fn forgotten(text: &str) -> String {
    let resources = text.lines().filter(|line| line.starts_with("resource \""));
    let overlooked = resources.filter_map(|line| {
        let (_, what) = FORGOTTEN.iter().find(|(kind, _)| line.contains(&format!("\"{kind}\"")))?;
        Some(format!("{line}\n  lifecycle {{\n    ignore_changes = {what}\n  }}\n}}\n"))
    });
    overlooked.collect()
}

/// Makes the absence of Terraform or its provider a failure, where a run must not skip these tests.
const REQUIRED: &str = "SPLIT_PIPELINE_REQUIRE_TERRAFORM";

/// Terraform and the directory with its provider, if this machine has both.
#[track_caller]
fn installed() -> Option<(PathBuf, PathBuf)> {
    let plugins = std::env::var_os(PLUGINS).map_or_else(|| USUAL_PLUGINS.into(), PathBuf::from);
    let terraform = which::which("terraform").ok();
    let found = terraform.filter(|_| plugins.is_dir());
    if found.is_none() {
        let plugins = plugins.display();
        let missing = format!("terraform is not on PATH, or {plugins} ({PLUGINS}) does not exist");
        assert!(std::env::var_os(REQUIRED).is_none_or(|value| value != "1"), "{missing}");
        let skipped = format!("\nSKIPPED, NOT TESTED: {missing}\n");
        // Not by `eprintln!`, which nobody sees of a test that passes.
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    found.map(|terraform| (terraform, plugins))
}

#[test]
fn every_text_is_valid_and_laid_out_as_terraform_does() {
    let Some((terraform, plugins)) = installed() else {
        return;
    };
    let module = Module::new(terraform, &plugins, "", Place::default(), Path::new(""));
    module.exits_with(0, &["init", "-input=false", "-no-color"]);
    let hostile = json!({"name": "it-hostile", "delivery": {"prefix": "a/${file(\"x\")}/%{ if true }%${file(\"x\")}$${b}\"\\}/'/"},
        "handler": {"fields": ["key", "%${file(\"x\")}\"\\"]}});
    for (name, spec) in specs().into_iter().chain([("it-hostile".to_owned(), hostile.to_string())]) {
        module.write_pipeline(&exported(&spec, Format::Terraform));
        let layout = module.exits_with(0, &["fmt", "-check", "-diff", "main.tf"]);
        assert_eq!(layout, "", "{name}");
        module.exits_with(0, &["validate", "-no-color"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terraform_makes_a_pipeline_that_delivers_and_has_nothing_left_to_do() {
    const NAME: &str = "it-terraform";
    let Some((terraform, plugins)) = installed() else {
        return;
    };
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let empty = inventory::of(&config).await;
    let handler = handler().await;
    let text_of = |spec: &Value| {
        let exported = emulator.local(&spec.to_string(), ["export", "terraform"]);
        exported.exits_with(0).stdout
    };
    let mut spec = everything(NAME);
    let with_alarms = text_of(&spec);
    spec["monitoring"]["alarms"] = false.into();
    spec["monitoring"]["emails"] = json!([]);
    let text = text_of(&spec);
    let module = Module::new(terraform, &plugins, &text, Place::of(&emulator), handler.path());
    module.exits_with(0, &["init", "-input=false", "-no-color"]);
    module.exits_with(0, &APPLY);
    module.exits_with(0, &PLAN);
    let url = module.exits_with(0, &["output", "-raw", "webhook_url"]);
    ours_leave_it_alone(&emulator, &spec.to_string());
    posted_impressions_reach_the_bucket(&emulator, &spec, &url).await;
    module.exits_with(0, &PLAN);

    module.write_pipeline(&with_alarms);
    module.exits_with(0, &APPLY);
    assert_eq!(differences(&emulator, &everything(NAME).to_string(), handler.path()), [].into());
    let plan = module.exits_with(2, &PLAN);
    assert!(plan.contains(&only(8)), "{plan}");

    let spec = everything_as_parquet(NAME);
    module.write_pipeline(&text_of(&spec));
    module.exits_with(0, &APPLY);
    assert_eq!(differences(&emulator, &spec.to_string(), handler.path()), [].into());
    let plan = module.exits_with(2, &PLAN);
    assert!(plan.contains(&only(9)), "{plan}");
    posted_impressions_reach_the_bucket(&emulator, &spec, &url).await;

    delete_objects(&config, &format!("{NAME}-{ACCOUNT}-us-east-1")).await;
    module.exits_with(0, &["destroy", "-auto-approve", "-input=false", "-no-color"]);
    assert_eq!(inventory::of(&config).await, empty);
}

/// Terraform deletes the bucket only if it is empty.
async fn delete_objects(config: &SdkConfig, bucket: &str) {
    let keys = objects::keys(config, bucket, "").await;
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    let object = |key| ObjectIdentifier::builder().key(key).build().unwrap();
    let objects = keys.into_iter().map(object).collect();
    let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
    let call = s3.delete_objects().bucket(bucket).delete(delete);
    call.send().await.unwrap();
}
