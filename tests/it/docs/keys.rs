//! What the docs and the starter spec say of the spec's keys, written from the schema: the reference, the README's table, and
//! the example that has every key, which `init` writes.

use std::fmt::Write as _;

use serde_json::Value;
use split_pipeline::spec::Spec;

use crate::support::command::root;

/// Holds a file to what follows from the schema.
#[track_caller]
fn holds(file: &str, want: &str) {
    let path = root().join(file);
    if std::env::var_os("SPLIT_PIPELINE_WRITE_DOCS").is_some() {
        std::fs::write(&path, want).unwrap();
    }
    let have = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = have.lines().zip(want.lines()).position(|(have, want)| have != want);
    assert!(
        have == want,
        "{file} is not what the schema says, from line {}: `SPLIT_PIPELINE_WRITE_DOCS=1 cargo test --test it -- docs` writes it",
        differs.map_or(0, |line| line + 1)
    );
}

/// A section; the keys of the top level are in the first one, which has no name.
#[derive(Default)]
struct Section {
    name: String,
    about: String,
    keys: Vec<(String, Value)>,
}

fn sections() -> Vec<Section> {
    let schema = Spec::schema();
    let mut sections = vec![Section::default()];
    for (path, value) in Spec::keys() {
        let (name, key) = path.split_once('.').unwrap_or(("", &path));
        if sections.last().unwrap().name != name {
            sections.push(Section {
                name: name.to_owned(),
                about: meaning(&schema["properties"][name]),
                keys: Vec::new(),
            });
        }
        sections.last_mut().unwrap().keys.push((key.to_owned(), value));
    }
    sections
}

fn meaning(value: &Value) -> String {
    value["description"].as_str().unwrap().replace('\n', " ")
}

/// What stands before the first period that ends a sentence.
fn first_sentence(meaning: &str) -> &str {
    let end = meaning.split_once(". ").map_or(meaning, |(first, _)| first);
    end.trim_end_matches('.')
}

/// What a value may be, in words.
fn allowed(value: &Value) -> String {
    let quoted = |values: &[Value]| {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`").replace('"', "")).collect();
        values.join(", ")
    };
    if let Some(choices) = choices(value) {
        return quoted(&choices);
    }
    if let Some(choices) = value["anyOf"].as_array() {
        let choices: Vec<_> = choices.iter().map(allowed).collect();
        return choices.join(", or ");
    }
    if !value["const"].is_null() {
        return quoted(&[value["const"].clone()]);
    }
    let kinds = match &value["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let names = kinds.iter().map(|kind| match kind.as_str().unwrap() {
        "integer" => span(value).unwrap(),
        "boolean" => "`true`, `false`".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "keys and values".to_owned(),
        "null" => "`null`".to_owned(),
        _ => "text".to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn choices(value: &Value) -> Option<Vec<Value>> {
    let named = value["oneOf"].as_array();
    let named = named.map(|choices| choices.iter().map(|choice| choice["const"].clone()).collect());
    named.or_else(|| value["enum"].as_array().cloned())
}

/// The bounds of a whole number.
fn span(value: &Value) -> Option<String> {
    let bounds = (value["minimum"].as_u64()?, value["maximum"].as_u64()?);
    Some(format!("{}–{}", bounds.0, bounds.1))
}

fn dotted(section: &str, key: &str) -> String {
    format!("{section}.{key}").trim_start_matches('.').to_owned()
}

/// A default as a table shows it; nothing where there is none.
fn default(value: &Value) -> String {
    match &value["default"] {
        Value::Null => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

const REFERENCE: &str = "# The spec\n\n\
    <!-- Written from the schema by `SPLIT_PIPELINE_WRITE_DOCS=1 cargo test --test it -- docs`. -->\n\n\
    `name: my-impressions` is a whole spec: every other key has a default. A key that does not exist is an error, with the line \
    and\nthe nearest that does. `split-pipeline init` writes a spec that has every key, and `split-pipeline schema` prints the \
    JSON Schema\nthat this page is made of, for editors.\n";

#[test]
fn the_reference_of_the_spec_follows_from_its_schema() {
    let mut page = REFERENCE.to_owned();
    for Section { name, about, keys } in sections() {
        if !name.is_empty() {
            let _ = write!(page, "\n## `{name}`\n\n{about}\n");
        }
        page += "\n| key | allowed | default | meaning |\n|---|---|---|---|\n";
        for (key, value) in keys {
            let (key, allowed) = (dotted(&name, &key), allowed(&value));
            let _ = writeln!(page, "| `{key}` | {allowed} | {} | {} |", default(&value), meaning(&value));
        }
    }
    holds("docs/spec.md", &page);
}

#[test]
fn the_readme_has_every_key_with_its_default() {
    let mut table = String::new();
    for (key, value) in Spec::keys() {
        let meaning = meaning(&value);
        // A default that is not a value is said in words.
        let in_words = meaning.split_once(" Default: ").map(|(_, words)| first_sentence(words));
        let default = in_words.map_or_else(|| default(&value), str::to_owned);
        let span = span(&value).map_or(String::new(), |span| format!("; {span}"));
        let _ = writeln!(table, "| `{key}` | {default} | {}{span} |", first_sentence(&meaning));
    }
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let head = "| key | default | meaning |\n|---|---|---|\n";
    let (before, after) = page.split_once(head).unwrap();
    let (_, after) = after.split_once("\n\n").unwrap();
    holds("README.md", &format!("{before}{head}{table}\n{after}"));
}

const EXAMPLE: &str = "\
# For whoever wants every choice in view: all keys, each with its default. Only `name` is needed;
# delete what you do not change. `split-pipeline validate` checks the file, `split-pipeline plan` shows
# what it would do, and `split-pipeline up` does it.
";

/// Writes a comment of lines that are not too long.
fn comment(page: &mut String, indent: &str, text: &str) {
    let mut line = format!("{indent}#");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > 110 {
            let _ = writeln!(page, "{line}");
            line = format!("{indent}#");
        }
        line.extend([" ", word]);
    }
    let _ = writeln!(page, "{line}");
}

/// A value as YAML; JSON is YAML, and some texts need no quotes.
fn yaml(value: &Value) -> String {
    let is_plain =
        |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/".contains(&byte));
    value.as_str().filter(is_plain).map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn the_example_with_all_keys_follows_from_the_schema() {
    let mut page = EXAMPLE.to_owned();
    for Section { name, about, keys } in sections() {
        let indent = if name.is_empty() { "" } else { "  " };
        if !name.is_empty() {
            page.push('\n');
            comment(&mut page, "", &about);
            let _ = writeln!(page, "{name}:");
        }
        for (key, value) in keys {
            if name.is_empty() {
                page.push('\n');
            }
            comment(&mut page, indent, &meaning(&value));
            if span(&value).is_some() || choices(&value).is_some() {
                comment(&mut page, indent, &format!("Allowed: {}.", allowed(&value)));
            }
            let default = match key.as_str() {
                "name" => "split-impressions".to_owned(),
                _ => yaml(&value["default"]),
            };
            let _ = writeln!(page, "{indent}{key}: {default}");
        }
    }
    holds("examples/all-keys.yaml", &page);
}
