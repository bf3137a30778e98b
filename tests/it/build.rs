//! How the workspace is compiled: what `cargo run` compiled, `cargo test` and `cargo doc` use again.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::command::root;

/// Each package with the sets of features that it is compiled with, for the given kinds of dependencies.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none"])
        .args(["--edges", edges, "--format", "{p}|{f}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut packages = BTreeMap::<_, BTreeSet<_>>::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines() {
        // `(*)` marks a package whose dependencies are listed above, an empty line the end of a member's tree.
        if let Some((package, features)) = line.trim_end_matches(" (*)").split_once('|') {
            let features = features.to_owned();
            packages.entry(package.to_owned()).or_default().insert(features);
        }
    }
    packages
}

#[test]
fn tests_add_no_feature_to_what_the_program_is_built_of() {
    let program = features("normal,build");
    let tests = features("normal,build,dev");
    assert!(tests.len() > program.len() && program.len() > 300, "{}", program.len());
    let compiled_again: Vec<_> = program
        .iter()
        .filter(|(package, features)| tests.get(*package) != Some(features))
        .map(|(package, features)| format!("{package}: {features:?}, in tests {:?}", tests.get(package)))
        .collect();
    assert!(compiled_again.is_empty(), "{}", compiled_again.join("\n"));
}
