//! The command line. The doc comments are the help texts.
//!
//! Must not do anything, nor know defaults of the spec.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::export::Format;
use crate::spec::{Architecture, Region};

mod examples;

/// Split (Harness FME) impressions into your own S3, with one command.
#[derive(Clone, Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The spec; `-` reads standard input
    #[arg(
        short,
        long,
        global = true,
        value_name = "PATH",
        value_hint = ValueHint::FilePath,
        default_value = "split-pipeline.yaml"
    )]
    pub file: PathBuf,
    /// Run against the local emulator instead of AWS: no account, no credentials, no Docker
    #[arg(long, global = true, conflicts_with_all = ["endpoint_url", "profile"])]
    pub local: bool,
    /// An AWS-compatible endpoint for every service
    #[arg(long, global = true, value_name = "URL", value_parser = endpoint)]
    pub endpoint_url: Option<String>,
    /// A profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// The AWS region; overrides the spec's
    #[arg(long, global = true, value_name = "NAME", value_parser = region)]
    pub region: Option<String>,
    /// The format of the result on standard output
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Log every AWS call with its latency to standard error
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// No progress on standard error
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// The format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Write a commented starter spec
    #[command(after_help = examples::INIT)]
    Init(Init),
    /// Check the spec offline, and report every problem at once
    Validate,
    /// Show what `up` would do, field by field; changes nothing
    #[command(after_help = examples::PLAN)]
    Plan(Plan),
    /// Make AWS match the spec, and print the webhook URL
    #[command(after_help = examples::UP)]
    Up(Up),
    /// Show what is wrong and what to do, traffic, each resource's state and the webhook URL; exits with 3 if something is wrong
    #[command(after_help = examples::STATUS)]
    Status(Status),
    /// Print the webhook URL alone
    Url,
    /// Send a batch as Split does, wait until every impression is in S3, report latency and loss
    #[command(after_help = examples::SMOKE)]
    Smoke(Smoke),
    /// Delete what `up` made; the data stays unless told otherwise
    #[command(after_help = examples::DOWN)]
    Down(Down),
    /// Build the handler and write the deployment zip
    #[command(after_help = examples::BUILD)]
    Build(Build),
    /// Send impressions that were spilled to S3 again; with --stream, copy what the stream still keeps to S3
    #[command(after_help = examples::REPLAY)]
    Replay(Replay),
    /// Show the handler's log and the delivery stream's errors, newest last
    #[command(after_help = examples::LOGS)]
    Logs(Logs),
    /// Say what a rate of impressions needs and costs: shards, headroom to every limit, money by service
    #[command(after_help = examples::ESTIMATE)]
    Estimate(Estimate),
    /// Print `CREATE EXTERNAL TABLE` for Athena, with partition projection, and example queries
    #[command(after_help = examples::ATHENA)]
    Athena,
    /// Print the same pipeline for Terraform or CloudFormation
    #[command(after_help = examples::EXPORT)]
    Export(Export),
    /// Give the webhook a new secret path; the old one works until it is revoked
    #[command(after_help = examples::ROTATE)]
    Rotate(Rotate),
    /// Print the IAM policy that whoever runs `up`, `status`, `down` and `smoke` needs
    #[command(after_help = examples::PERMISSIONS)]
    Permissions(Permissions),
    /// Print the spec's JSON Schema, for editors
    #[command(after_help = examples::SCHEMA)]
    Schema,
    /// Start, stop or look at the local emulator
    #[command(after_help = examples::LOCAL)]
    Local(Local),
    /// Print a completion script
    #[command(after_help = examples::COMPLETIONS)]
    Completions(Completions),
    /// Print the manual page, or that of one command
    #[command(after_help = examples::MAN)]
    Man(Man),
}

/// Options of `init`.
#[derive(Args, Clone, Debug)]
pub struct Init {
    /// Where to write it; default: what `--file` says
    #[arg(value_hint = ValueHint::FilePath)]
    pub path: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

/// Options of `plan`.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// Exit with 3 if anything would change
    #[arg(long)]
    pub check: bool,
    /// Compare with this deployment zip of the handler
    #[arg(long, value_name = "ZIP", value_hint = ValueHint::FilePath)]
    pub handler: Option<PathBuf>,
}

/// Options of `up`.
#[derive(Args, Clone, Debug)]
pub struct Up {
    /// Confirm changes that replace or shrink a resource, or may delete or hide existing data
    #[arg(long)]
    pub yes: bool,
    /// Take over resources of the right name that are not tagged as this pipeline's
    #[arg(long)]
    pub adopt: bool,
    /// Deploy this zip of the handler instead of building one
    #[arg(long, value_name = "ZIP", value_hint = ValueHint::FilePath)]
    pub handler: Option<PathBuf>,
    /// The longest that the whole command may take; what is under way then is finished, and nothing new is started
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = some_time)]
    pub timeout: Duration,
}

/// Options of `status`.
#[derive(Args, Clone, Debug)]
pub struct Status {
    /// Look again every few seconds, until interrupted
    #[arg(long)]
    pub watch: bool,
    /// Compare with this deployment zip of the handler
    #[arg(long, value_name = "ZIP", value_hint = ValueHint::FilePath)]
    pub handler: Option<PathBuf>,
    /// The span to report traffic for
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = span)]
    pub since: Duration,
}

/// Options of `smoke`.
#[derive(Args, Clone, Debug)]
pub struct Smoke {
    /// Make a pipeline of its own for this, and always take it down again, data included
    #[arg(long)]
    pub ephemeral: bool,
    /// How many impressions to send
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: u32,
    /// The longest to wait for delivery
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = some_time)]
    pub timeout: Duration,
    /// Send the JSON array of impressions in this file instead
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "count")]
    pub payload: Option<PathBuf>,
    /// Write the outcome as JUnit XML, for CI systems
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
}

/// Options of `down`.
#[derive(Args, Clone, Debug)]
pub struct Down {
    /// Confirm the deletion
    #[arg(long)]
    pub yes: bool,
    /// Delete the bucket too, with every impression in it
    #[arg(long)]
    pub purge_data: bool,
}

/// Options of `build`.
#[derive(Args, Clone, Debug)]
pub struct Build {
    /// The processor to build for; default: the spec's, else `x86_64`
    #[arg(long, value_name = "ARCH", value_parser = architecture)]
    pub arch: Option<Architecture>,
    /// Where to write the zip
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}

/// Options of `replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Copy what the stream still keeps to S3, for a time when the delivery stream was away
    #[arg(long, requires = "since")]
    pub stream: bool,
    /// Copy what came in since then: a time such as 2026-01-31T13:00:00Z, or a span such as 2h before now
    #[arg(long, value_name = "TIME", requires = "stream", value_parser = moment)]
    pub since: Option<SystemTime>,
    /// Copy what came in before then; default: now
    #[arg(long, value_name = "TIME", requires = "stream", value_parser = moment)]
    pub until: Option<SystemTime>,
}

/// Options of `logs`.
#[derive(Args, Clone, Debug)]
pub struct Logs {
    /// Go on showing new lines, until interrupted
    #[arg(long)]
    pub follow: bool,
    /// How far back to start
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = span)]
    pub since: Duration,
}

/// Options of `estimate`.
#[derive(Args, Clone, Debug)]
pub struct Estimate {
    /// Impressions a second; without it, what the running pipeline receives
    #[arg(long, group = "rate", value_name = "N", value_parser = rate, allow_negative_numbers = true)]
    pub per_second: Option<f64>,
    /// Impressions a day
    #[arg(long, group = "rate", value_name = "N", value_parser = rate, allow_negative_numbers = true)]
    pub per_day: Option<f64>,
    /// With a rate: how many environments post to the webhook, each every 10 seconds
    #[arg(long, requires = "rate", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub environments: u32,
    /// How far back to look at the running pipeline
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = some_time)]
    pub since: Duration,
}

/// Options of `export`.
#[derive(Args, Clone, Debug)]
pub struct Export {
    /// The tool to print it for
    #[arg(value_enum)]
    pub format: Format,
}

impl Command {
    /// Whether the command goes on until it is interrupted, which is then how it ends and no failure.
    pub fn is_endless(&self) -> bool {
        match self {
            Self::Status(status) => status.watch,
            Self::Logs(logs) => logs.follow,
            _ => false,
        }
    }
}

/// Options of `man`.
#[derive(Args, Clone, Debug)]
pub struct Man {
    /// The command, such as `up` or `local start`
    pub command: Vec<String>,
}

/// Options of `rotate`.
#[derive(Args, Clone, Debug)]
pub struct Rotate {
    /// Take the old path away
    #[arg(long)]
    pub revoke: bool,
}

/// Options of `permissions`.
#[derive(Args, Clone, Debug)]
pub struct Permissions {
    /// Only for these commands; default: up, status, down and smoke
    #[arg(long = "for", value_name = "COMMAND", value_enum, value_delimiter = ',')]
    commands: Vec<Permitted>,
    /// For the pipelines that `smoke --ephemeral` makes, which have names of their own
    #[arg(long)]
    pub ephemeral: bool,
}

impl Permissions {
    /// The commands that are to be permitted.
    pub fn commands(&self) -> &[Permitted] {
        match self.commands.as_slice() {
            [] => &[
                Permitted::Up,
                Permitted::Status,
                Permitted::Down,
                Permitted::Smoke,
            ],
            some => some,
        }
    }
}

/// A command that a policy permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Permitted {
    /// `up`.
    Up,
    /// `status` and `plan`.
    Status,
    /// `down`.
    Down,
    /// `smoke`; with --ephemeral, together with `up` and `down`.
    Smoke,
    /// `replay`.
    Replay,
}

/// Options of `local`.
#[derive(Args, Clone, Debug)]
pub struct Local {
    /// What to do.
    #[command(subcommand)]
    pub command: LocalCommand,
}

/// What to do with the local emulator.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum LocalCommand {
    /// Start it in the background, unless it runs
    Start,
    /// Stop it; its state goes with it
    Stop,
    /// Say whether it runs, and where
    Status,
}

/// Options of `completions`.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

fn endpoint(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.trim_matches('/').is_empty() => Ok(text.to_owned()),
        _ => Err("must be a URL such as http://127.0.0.1:4566".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e12 => Ok(rate),
        _ => Err("must be a number above 0".to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "must be a span such as 30m or 24h".to_owned())
}

fn region(text: &str) -> Result<String, String> {
    Region::new(text).map(|region| region.to_string())
}

fn some_time(text: &str) -> Result<Duration, String> {
    match span(text)? {
        time if !time.is_zero() => Ok(time),
        _ => Err("must be more than nothing".to_owned()),
    }
}

fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(moment) = humantime::parse_rfc3339_weak(text) {
        return Ok(moment);
    }
    let ago = humantime::parse_duration(text)
        .map_err(|_| "must be a time such as 2026-01-31T13:00:00Z, or a span such as 2h".to_owned())?;
    SystemTime::now()
        .checked_sub(ago)
        .ok_or_else(|| "is before all time".to_owned())
}

fn architecture(text: &str) -> Result<Architecture, String> {
    [Architecture::X86_64, Architecture::Arm64]
        .into_iter()
        .find(|architecture| architecture.as_str() == text)
        .ok_or_else(|| "must be x86_64 or arm64".to_owned())
}
