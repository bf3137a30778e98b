//! Chooses the command that compiles the handler for a processor: natively on the same processor, otherwise with an installed
//! cross-compiler.

use std::path::PathBuf;

use super::{ArtifactError, PACKAGE, Profile};
use crate::programs;
use crate::spec::Architecture;

/// The glibc to build against when cross-compiling; Lambda's `provided.al2023` has it.
const GLIBC: &str = "2.34";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuildCommand {
    pub(super) arguments: Vec<String>,
    /// Where the binary ends below the target directory, where cargo's messages do not say.
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compiler {
    /// Plain cargo: the binary runs here as it runs on Lambda.
    Native,
    Zigbuild,
    CargoLambda,
}

impl BuildCommand {
    /// The best way to compile for `architecture` on this machine.
    pub(super) fn of(architecture: Architecture, profile: Profile) -> Result<Self, ArtifactError> {
        let has = |tool: &str| programs::find(tool).is_some();
        let compiler = compiler(std::env::consts::OS, std::env::consts::ARCH, architecture, has);
        let compiler = compiler.ok_or(ArtifactError::CannotCross(architecture))?;
        Ok(command(compiler, architecture, profile))
    }

    /// The way to compile for a glibc that is older than this machine's, if there is one here.
    pub(super) fn for_older_glibc(architecture: Architecture, profile: Profile) -> Option<Self> {
        let zigbuild = programs::find("cargo-zigbuild").is_some();
        zigbuild.then(|| command(Compiler::Zigbuild, architecture, profile))
    }
}

fn compiler(
    os: &str,
    arch: &str,
    architecture: Architecture,
    has: impl Fn(&str) -> bool,
) -> Option<Compiler> {
    let native = os == "linux" && arch == rust_arch(architecture);
    if native {
        Some(Compiler::Native)
    } else if has("cargo-zigbuild") {
        Some(Compiler::Zigbuild)
    } else if has("cargo-lambda") {
        Some(Compiler::CargoLambda)
    } else {
        None
    }
}

fn command(compiler: Compiler, architecture: Architecture, profile: Profile) -> BuildCommand {
    let name = profile.cargo_name();
    let arch = rust_arch(architecture);
    let (mut arguments, output): (Vec<String>, _) = match compiler {
        Compiler::Native => (words(&["build"]), None),
        Compiler::Zigbuild => {
            (words(&["zigbuild", "--target", &format!("{arch}-unknown-linux-gnu.{GLIBC}")]), None)
        }
        Compiler::CargoLambda => {
            let flag = if architecture == Architecture::Arm64 { "--arm64" } else { "--x86-64" };
            (words(&["lambda", "build", flag]), Some("lambda/bootstrap/bootstrap".into()))
        }
    };
    arguments.extend(words(&["--bin", "bootstrap", "--profile", name]));
    // Without a package, cargo resolves features for the whole workspace, as it did for the CLI itself: the
    // dependencies that it compiled then are used again.
    if profile == Profile::Deployment || compiler != Compiler::Native {
        arguments.extend(words(&["--package", PACKAGE]));
    }
    if output.is_none() {
        arguments.push("--message-format=json-render-diagnostics".to_owned());
    }
    BuildCommand { arguments, output }
}

fn rust_arch(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    }
}

pub(super) fn cross_hints(architecture: Architecture) -> Vec<String> {
    let target = format!("{}-unknown-linux-gnu", rust_arch(architecture));
    let native = std::env::consts::ARCH;
    vec![
        format!("`cargo install cargo-zigbuild && pip install ziglang && rustup target add {target}`"),
        "or build it on such a machine (`split-pipeline build`) and deploy it with --handler ZIP".to_owned(),
        format!("or set `handler.architecture` to this machine's, which is {native}"),
    ]
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_follows_from_the_machine_and_its_tools() {
        use Architecture::{Arm64, X86_64};
        let none = |_: &str| false;
        let zig = |tool: &str| tool == "cargo-zigbuild";
        let lambda = |tool: &str| tool == "cargo-lambda";
        let both = |_: &str| true;
        assert_eq!(compiler("linux", "x86_64", X86_64, none), Some(Compiler::Native));
        assert_eq!(compiler("linux", "aarch64", Arm64, both), Some(Compiler::Native));
        assert_eq!(compiler("linux", "x86_64", Arm64, none), None);
        assert_eq!(compiler("linux", "x86_64", Arm64, both), Some(Compiler::Zigbuild));
        assert_eq!(compiler("linux", "x86_64", Arm64, lambda), Some(Compiler::CargoLambda));
        assert_eq!(compiler("macos", "aarch64", Arm64, zig), Some(Compiler::Zigbuild));
        assert_eq!(compiler("macos", "aarch64", Arm64, none), None);
    }

    #[test]
    fn the_commands_are_cargos() {
        let line =
            |compiler, architecture, profile| command(compiler, architecture, profile).arguments.join(" ");
        assert_eq!(
            line(Compiler::Native, Architecture::X86_64, Profile::Deployment),
            "build --bin bootstrap --profile handler --package split-pipeline-handler \
             --message-format=json-render-diagnostics"
        );
        assert_eq!(
            line(Compiler::Zigbuild, Architecture::Arm64, Profile::Deployment),
            "zigbuild --target aarch64-unknown-linux-gnu.2.34 --bin bootstrap --profile handler \
             --package split-pipeline-handler --message-format=json-render-diagnostics"
        );
        assert_eq!(
            line(Compiler::CargoLambda, Architecture::Arm64, Profile::Deployment),
            "lambda build --arm64 --bin bootstrap --profile handler --package split-pipeline-handler"
        );
        assert!(!line(Compiler::Native, Architecture::X86_64, Profile::Quick).contains("--package"));
    }
}
