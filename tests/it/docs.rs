//! The documentation, held to the product: the spec's reference follows from the schema, example specs are valid, and
//! commands run. Blocks of output (`text`) are not compared.
//!
//! `SPLIT_PIPELINE_WRITE_DOCS=1` writes anew what says what a key means (`docs/keys.rs`). Other tables and figures are in
//! `docs/tables.rs`.

use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};
use split_pipeline::commands::Cli;
use split_pipeline::spec::Spec;

use crate::support::archive::{ARM64, X86_64, header_only};
use crate::support::command::{Outcome, root, split_pipeline};
use crate::support::emulator::Emulator;

mod keys;
mod tables;

fn pages() -> Vec<PathBuf> {
    let of = |directory: &Path| {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let mut pages = of(root());
    pages.extend(of(&root().join("docs")));
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    assert!(pages.len() >= 5, "{pages:?}");
    pages
}

/// The blocks of code of one language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = page.split(fence.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The arguments of every call of ours in a text, as a shell would have them.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap().trim();
        let ours = ["cargo run --release -- ", "cargo run -- ", "split-pipeline "];
        let Some(call) = ours.iter().find_map(|start| line.split_once(start)).filter(|(before, _)| {
            // Otherwise it is part of a name or a path.
            before.is_empty() || before.ends_with([' ', '(', '"'])
        }) else {
            continue;
        };
        let call = call.1.split(['|', '>', ')', ';']).next().unwrap();
        let words = call.split_whitespace().map(|word| word.trim_matches('\'').to_owned());
        commands.push(words.collect());
    }
    commands
}

#[track_caller]
fn parses(command: &[String], about: &str) {
    let words = std::iter::once("split-pipeline".to_owned()).chain(command.iter().cloned());
    if let Err(error) = Cli::try_parse_from(words) {
        assert!(!error.use_stderr(), "{about}: split-pipeline {}\n{error}", command.join(" "));
    }
}

#[test]
fn every_example_of_a_help_text_is_a_command_that_there_is() {
    let program = Cli::command();
    let mut tried = 0;
    for command in program.get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for example in commands(&help) {
            parses(&example, command.get_name());
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn every_example_spec_in_the_docs_is_valid() {
    let mut tried = 0;
    for path in pages() {
        for block in blocks(&std::fs::read_to_string(&path).unwrap(), "yaml") {
            let parsed = Spec::parse(&block, &path.display().to_string());
            assert!(parsed.is_ok(), "{}\n{block}", parsed.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried > 0);
}

/// Whether an example is only parsed: `--follow` and `--watch` run until they are interrupted, and have tests of their own;
/// `build` compiles for minutes, and for another processor.
fn is_only_parsed(command: &[String]) -> bool {
    let words = ["--follow", "--watch", "build"];
    command.iter().any(|word| words.contains(&word.as_str()))
}

/// Where the examples are run: an emulator, and a directory with a spec.
struct Place {
    emulator: Emulator,
    scratch: tempfile::TempDir,
    handler: tempfile::NamedTempFile,
}

impl Place {
    fn new() -> Self {
        let machine = if cfg!(target_arch = "aarch64") { ARM64 } else { X86_64 };
        let place = Self {
            emulator: Emulator::start(),
            scratch: tempfile::tempdir().unwrap(),
            handler: header_only(machine),
        };
        let spec = "name: it-docs\ndelivery: {buffer_seconds: 0}\n";
        std::fs::write(place.scratch.path().join("split-pipeline.yaml"), spec).unwrap();
        place
    }

    /// Makes what an example starts from: a pipeline, a rotation in progress, a deployment zip.
    fn prepare_for(&self, command: &[String]) {
        self.run(&["up".to_owned()]);
        if command.iter().any(|word| word == "--revoke") {
            self.run(&["rotate".to_owned()]);
        }
        let is_zip = |word: &&String| Path::new(word).extension().is_some_and(|it| it == "zip");
        for zip in command.iter().filter(is_zip) {
            std::fs::copy(self.handler.path(), self.scratch.path().join(zip)).unwrap();
        }
    }

    /// Runs a command on the emulator, with the answers that a user would give.
    fn run(&self, command: &[String]) -> Outcome {
        let mut words = command.to_vec();
        let one_of = |names: &[&str]| command.first().is_some_and(|first| names.contains(&first.as_str()));
        let offline = ["init", "validate", "schema", "completions", "man", "help"];
        for (option, wanted) in [
            ("--local", !one_of(&offline)),
            ("--yes", one_of(&["up", "down"])),
            ("--force", one_of(&["init"])),
        ] {
            if wanted && !words.iter().any(|word| word == option) {
                words.push(option.to_owned());
            }
        }
        let examples = format!("{}/examples/", root().display());
        let words = words.iter().map(|word| word.replace("examples/", &examples));
        split_pipeline(words)
            .env("SPLIT_PIPELINE_LOCAL_PORT", self.emulator.port.to_string())
            .directory(self.scratch.path())
            .outcome()
    }
}

#[test]
fn every_example_of_the_docs_that_ends_by_itself_is_run() {
    let place = Place::new();
    let (mut tried, mut failures) = (Vec::new(), Vec::new());
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for command in blocks(&page, "sh").iter().flat_map(|block| commands(block)) {
            parses(&command, &path.display().to_string());
            if is_only_parsed(&command) || tried.contains(&command) {
                continue;
            }
            place.prepare_for(&command);
            let outcome = place.run(&command);
            // `status` and `plan --check` say that something differs, which is no failure of theirs.
            if !matches!(outcome.code, 0 | 3) {
                let (path, command) = (path.display(), command.join(" "));
                failures
                    .push(format!("{path}: split-pipeline {command}: {}\n{}", outcome.code, outcome.stderr));
            }
            tried.push(command);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(tried.len() > 10, "{tried:?}");
}
