//! The documentation, held to the product: the spec's reference follows from the schema, example specs are valid, and
//! commands run. Blocks of output (`text`) are not compared.
//!
//! `SPLIT_PIPELINE_WRITE_DOCS=1` writes the reference anew. Tables and figures are in `docs/tables.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};
use serde_json::Value;
use split_pipeline::commands::Cli;
use split_pipeline::spec::Spec;

use crate::support::archive::{ARM64, X86_64, header_only};
use crate::support::command::{Outcome, root, split_pipeline};
use crate::support::emulator::Emulator;

mod tables;

const HEAD: &str = "# The spec\n\n\
    <!-- Written from the schema by `SPLIT_PIPELINE_WRITE_DOCS=1 cargo test --test it -- docs`. -->\n\n\
    `name: my-impressions` is a whole spec: every other key has a default. A key that does not exist is an error, with the line \
    and\nthe nearest that does. `split-pipeline init` writes a spec that has every key, and `split-pipeline schema` prints the \
    JSON Schema\nthat this page is made of, for editors.\n";

fn reference(schema: &Value) -> String {
    let properties = schema["properties"].as_object().unwrap();
    let section = |value: &Value| {
        let path = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        path.and_then(|path| schema.pointer(path)).cloned()
    };
    let mut page = HEAD.to_owned();
    table(
        &mut page,
        "",
        properties.iter().filter(|(_, value)| section(value).is_none()),
    );
    for (key, value) in properties {
        let Some(section) = section(value) else { continue };
        let _ = write!(
            page,
            "\n## `{key}`\n\n{}\n",
            value["description"].as_str().unwrap()
        );
        table(&mut page, key, section["properties"].as_object().unwrap());
    }
    page
}

fn table<'a>(page: &mut String, section: &str, keys: impl IntoIterator<Item = (&'a String, &'a Value)>) {
    *page += "\n| key | allowed | default | meaning |\n|---|---|---|---|\n";
    for (key, value) in keys {
        let key = if section.is_empty() {
            key.clone()
        } else {
            format!("{section}.{key}")
        };
        let default = match &value["default"] {
            Value::Null => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let meaning = value["description"].as_str().unwrap().replace('\n', " ");
        let _ = writeln!(page, "| `{key}` | {} | {default} | {meaning} |", allowed(value));
    }
}

/// What a value may be, in words.
fn allowed(value: &Value) -> String {
    let quoted = |values: &Vec<Value>| {
        let values: Vec<_> = values
            .iter()
            .map(|value| format!("`{value}`").replace('"', ""))
            .collect();
        values.join(", ")
    };
    if let Some(choices) = value["oneOf"].as_array() {
        return quoted(&choices.iter().map(|choice| choice["const"].clone()).collect());
    }
    if let Some(choices) = value["enum"].as_array() {
        return quoted(choices);
    }
    if let Some(choices) = value["anyOf"].as_array() {
        let choices: Vec<_> = choices.iter().map(allowed).collect();
        return choices.join(", or ");
    }
    if !value["const"].is_null() {
        return quoted(&vec![value["const"].clone()]);
    }
    let kinds = match &value["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let names = kinds.iter().map(|kind| match kind.as_str().unwrap() {
        "integer" => format!("{}–{}", value["minimum"], value["maximum"]),
        "boolean" => "`true`, `false`".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "keys and values".to_owned(),
        "null" => "`null`".to_owned(),
        _ => "text".to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_reference_of_the_spec_follows_from_its_schema() {
    let path = root().join("docs/spec.md");
    let want = reference(&Spec::schema());
    if std::env::var_os("SPLIT_PIPELINE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let have = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        have == want,
        "docs/spec.md is not what the schema says: SPLIT_PIPELINE_WRITE_DOCS=1 writes it anew"
    );
}

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
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The arguments of every call of ours in a text, as a shell would have them.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap().trim();
        let ours = ["cargo run --release -- ", "cargo run -- ", "split-pipeline "];
        let Some(call) = ours
            .iter()
            .find_map(|start| line.split_once(start))
            .filter(|(before, _)| {
                // Otherwise it is part of a name or a path.
                before.is_empty() || before.ends_with([' ', '(', '"'])
            })
        else {
            continue;
        };
        let call = call.1.split(['|', '>', ')', ';']).next().unwrap();
        let words = call
            .split_whitespace()
            .map(|word| word.trim_matches('\'').to_owned());
        commands.push(words.collect());
    }
    commands
}

#[track_caller]
fn parses(command: &[String], about: &str) {
    let words = std::iter::once("split-pipeline".to_owned()).chain(command.iter().cloned());
    if let Err(error) = Cli::try_parse_from(words) {
        assert!(
            !error.use_stderr(),
            "{about}: split-pipeline {}\n{error}",
            command.join(" ")
        );
    }
}

#[test]
fn every_example_of_a_help_text_is_a_command_that_there_is() {
    let program = Cli::command();
    let mut tried = 0;
    for command in program.get_subcommands() {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
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
        let machine = if cfg!(target_arch = "aarch64") {
            ARM64
        } else {
            X86_64
        };
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
        let one_of = |names: &[&str]| {
            command
                .first()
                .is_some_and(|first| names.contains(&first.as_str()))
        };
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
                failures.push(format!(
                    "{path}: split-pipeline {command}: {}\n{}",
                    outcome.code, outcome.stderr
                ));
            }
            tried.push(command);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(tried.len() > 10, "{tried:?}");
}
