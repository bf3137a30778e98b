//! What results have in common as text for people: colours, values, fields that differ.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use super::clean::clean;
use crate::foreign;
use crate::resource::FieldChange;

pub(crate) const ADD: Style = AnsiColor::Green.on_default();
pub(crate) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(crate) const REMOVE: Style = AnsiColor::Red.on_default();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

const LONGEST_VALUE: usize = 160;

/// A command's result: JSON for programs, text for people.
pub trait Show: Serialize {
    /// Whether all of it is text of others, which may have a secret that is not known here.
    const OF_OTHERS: bool = false;

    /// The webhook's URLs that it is to tell; no other text of it tells a secret path.
    fn urls(&self) -> Vec<&str> {
        Vec::new()
    }

    fn text(&self) -> String;

    /// The same for whoever has it read out, or has only letters.
    fn plain(&self) -> String {
        self.text()
    }
}

/// Text that is the result as it stands: a schema, a completion script.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Verbatim(pub(crate) Value);

impl Show for Verbatim {
    fn text(&self) -> String {
        match &self.0 {
            Value::String(text) => text.clone(),
            other => foreign::json(&serde_json::to_string_pretty(other).unwrap_or_default()) + "\n",
        }
    }
}

pub(crate) fn show_fields(text: &mut String, fields: &[FieldChange]) {
    for field in fields {
        let (have, want) = (value(&field.have), value(&field.want));
        let _ = writeln!(text, "    {}: {have} → {want}", clean(&field.path));
    }
}

/// A field's value on one line, cut if it is long.
pub(crate) fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = clean(&text);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
