//! What a user is told about a spec that cannot be taken.
//!
//! Owns problems, how they are shown, and the hints for keys and choices that do not exist. It must not find problems.

use std::fmt;

use super::Spec;
use super::fault::{FaultKind, shortened};
use super::tree::{PathStep, Position};

/// How alike names must be, from 0 to 1, for one to be taken for the other. Below it, even the most alike misleads.
const ALIKE: f64 = 0.8;

/// Says what is wrong with a spec: everything at once, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SpecError {
    /// The text's name, as the caller gave it.
    pub origin: String,
    /// The problems, at least one.
    pub problems: Vec<SpecProblem>,
}

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecProblem {
    /// The key, dotted; empty where it is about the text as a whole.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong and what is allowed.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.problems.iter().map(|problem| format!("{}:{problem}", self.origin)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for SpecProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl SpecProblem {
    pub(super) fn new(at: Position, path: &[PathStep], message: impl Into<String>) -> Self {
        Self { path: dotted(path), line: at.line, column: at.column, message: message.into(), hint: None }
    }

    pub(super) fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Says what to do about a fault, where that is known.
pub(super) fn hint(path: &[PathStep], fault: &FaultKind) -> Option<String> {
    match fault {
        FaultKind::UnknownKey { key, valid } => Some(hint_key(path, key, valid)),
        FaultKind::UnknownChoice { choice, valid } => nearest(choice, valid).map(did_you_mean),
        FaultKind::MissingKey(_) => Some("`name: my-impressions` is a whole spec".to_owned()),
        FaultKind::Other(message) if message.ends_with(", not null") => {
            Some("leave the key out to have its default".to_owned())
        }
        FaultKind::Other(_) => None,
    }
}

fn hint_key(path: &[PathStep], key: &str, valid: &[&str]) -> String {
    if let Some(name) = nearest(key, valid) {
        return did_you_mean(name);
    }
    if let [_, _] = path
        && Spec::schema()["properties"].get(key).is_some()
    {
        return format!("`{key}` belongs to the top level");
    }
    match section_of(key) {
        Some(section) => format!("`{key}` belongs under `{section}`"),
        None => format!("the keys here are {}", valid.join(", ")),
    }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

pub(super) fn nearest<'a>(given: &str, valid: &[&'a str]) -> Option<&'a str> {
    if let Some(exact) = valid.iter().find(|name| **name == given) {
        return Some(exact);
    }
    let given = given.to_lowercase().replace('-', "_");
    let likeness = |name: &&str| strsim::jaro_winkler(&given, name);
    let best = valid.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|name| likeness(name) > ALIKE)
}

/// Finds the section that has this key, as the schema knows it.
fn section_of(key: &str) -> Option<String> {
    let schema = Spec::schema();
    let sections = schema["$defs"].as_object()?;
    let section = sections.iter().find(|(_, section)| section["properties"].get(key).is_some());
    section.map(|(name, _)| name.to_lowercase())
}

/// Shows a path: `delivery.prefix`, `webhook.allow_cidrs[0]`.
fn dotted(path: &[PathStep]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            PathStep::Key(key) => {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.extend(shortened(key).escape_debug());
            }
            PathStep::Index(index) => shown.extend(["[", &index.to_string(), "]"]),
        }
    }
    shown
}
