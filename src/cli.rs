//! The global options, and how options of more than one command are read. The doc comments are the help texts.
//!
//! Must not do anything, nor know defaults of the spec. Each command's own arguments are with the command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ColorChoice, ValueEnum, ValueHint};

use crate::spec::Region;

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

fn endpoint(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.trim_matches('/').is_empty() => Ok(text.to_owned()),
        _ => Err("must be a URL such as http://127.0.0.1:4566".to_owned()),
    }
}

fn region(text: &str) -> Result<String, String> {
    Region::new(text).map(|region| region.to_string())
}

pub(crate) fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "must be a span such as 30m or 24h".to_owned())
}

pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    match span(text)? {
        time if !time.is_zero() => Ok(time),
        _ => Err("must be more than nothing".to_owned()),
    }
}
