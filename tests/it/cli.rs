//! The commands that need neither AWS nor the emulator.

use clap::CommandFactory as _;
use split_pipeline::commands::Cli;

use crate::support::command::{root, split_pipeline};

#[test]
fn init_writes_a_spec_that_is_valid_and_refuses_to_overwrite() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| split_pipeline(arguments).directory(directory.path());
    run(&["init"]).exits_with(0);
    run(&["validate"]).exits_with(0);
    let path = directory.path().join("split-pipeline.yaml");
    let written = std::fs::read_to_string(&path).unwrap();
    let example = std::fs::read_to_string(root().join("examples/all-keys.yaml")).unwrap();
    assert_eq!(written, example);
    std::fs::write(&path, "name: mine\n").unwrap();
    run(&["init"]).exits_with(2).says("--force");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "name: mine\n");
    run(&["init", "--force"]).exits_with(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), example);
    run(&["init", "other.yaml"]).exits_with(0);
    run(&["--file", "other.yaml", "validate"]).exits_with(0);
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let schema = split_pipeline(["schema"]).exits_with(0).json();
    assert_eq!(schema["properties"]["name"]["type"], "string", "{schema}");
    for shell in ["bash", "zsh", "fish"] {
        let script = split_pipeline(["completions", shell]).exits_with(0).stdout;
        assert!(script.contains("split-pipeline") && script.contains("ephemeral"), "{shell}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn bash_completes_options_and_the_commands_of_commands() {
    let script = split_pipeline(["completions", "bash"]).exits_with(0).stdout;
    for (words, want) in [("split-pipeline plan --h", "--handler"), ("split-pipeline local sta", "start")] {
        let current = words.rsplit(' ').next().unwrap();
        let function = r"$(complete -p split-pipeline | sed 's/.* -F \([^ ]*\).*/\1/')";
        let complete = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=2; {function} split-pipeline {current} x; echo \"${{COMPREPLY[@]}}\""
        );
        let bash = std::process::Command::new("bash").args(["-c", &complete]).output().unwrap();
        let completed = String::from_utf8(bash.stdout).unwrap();
        assert!(completed.contains(want), "{words}: {completed}");
    }
}

#[test]
fn help_lists_every_command_and_every_command_has_its_own() {
    let help = split_pipeline(["--help"]).exits_with(0).stdout;
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let program = Cli::command();
    let commands: Vec<_> = program.get_subcommands().collect();
    assert!(!commands.is_empty());
    for command in commands {
        let name = command.get_name();
        assert!(help.contains(&format!("\n  {name} ")), "{name} in {help}");
        let named = [format!("`{name}`"), format!("`{name} ")];
        let mut rows = readme.lines().filter(|line| line.starts_with("| `"));
        let has_row = rows.any(|row| named.iter().any(|name| row.split('|').nth(1).unwrap().contains(name)));
        assert!(has_row, "{name} has no row in the README");
        let about = command.get_about().unwrap().to_string();
        let own = split_pipeline([name, "--help"]).exits_with(0).stdout;
        // Help wraps at the terminal's width.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&own).starts_with(&words(&about)), "{name}: {own}");
        assert!(own.contains(&format!("Usage: split-pipeline {name} ")), "{own}");
        assert!(own.contains("--output"), "{own}");
    }
}
