//! Results as text for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::clean::clean;
use crate::resource::{Action, FieldChange};
use crate::results::{
    Build, Change, Down, Init, Local, Permissions, Plan, Replay, Rotate, Smoke, State, Status, Text, Up, Url,
    Validate,
};

const ADD: Style = AnsiColor::Green.on_default();
const CHANGE: Style = AnsiColor::Yellow.on_default();
const REMOVE: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();

/// The longest value that a plan shows in full.
const LONGEST_VALUE: usize = 160;

/// Shows a result to people.
pub trait Show {
    /// The result as text, with its last newline.
    fn text(&self) -> String;
}

impl Show for Up {
    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

impl Show for Url {
    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

impl Show for Rotate {
    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

impl Show for Permissions {
    fn text(&self) -> String {
        format!("{:#}\n", self.policy)
    }
}

impl Show for Plan {
    fn text(&self) -> String {
        if self.changes.is_empty() {
            return format!("{}: everything is as the spec says\n", self.name);
        }
        let mut text = String::new();
        for change in &self.changes {
            show_change(&mut text, change);
        }
        let count = |action| {
            self.changes
                .iter()
                .filter(|change| change.action == action)
                .count()
        };
        let _ = writeln!(
            text,
            "{BOLD}{}:{BOLD:#} {} to create, {} to update, {} to replace, {} to adopt, {} in the way",
            self.name,
            count(Action::Create),
            count(Action::Update),
            count(Action::Replace),
            count(Action::Adopt),
            count(Action::Refuse),
        );
        text
    }
}

fn show_change(text: &mut String, change: &Change) {
    let (style, sign, word) = match change.action {
        Action::Create => (ADD, "+", "create"),
        Action::Update => (CHANGE, "~", "update"),
        Action::Replace => (REMOVE, "±", "replace"),
        Action::Adopt => (CHANGE, "»", "adopt"),
        Action::Refuse => (REMOVE, "!", "in the way"),
        Action::Delete => (REMOVE, "-", "delete"),
        Action::Keep => (Style::new(), " ", "keep"),
    };
    let _ = writeln!(
        text,
        "{style}{sign}{style:#} {:<18} {} ({word})",
        change.kind, change.name
    );
    for note in &change.notes {
        let _ = writeln!(text, "    {}", clean(note));
    }
    if change.action == Action::Create {
        let is_set = |field: &&FieldChange| !field.want.is_null() && field.want != serde_json::json!([]);
        for field in change.fields.iter().filter(is_set) {
            let _ = writeln!(text, "    {}: {}", clean(&field.path), value(&field.want));
        }
    } else {
        show_fields(text, &change.fields);
    }
}

fn show_fields(text: &mut String, fields: &[FieldChange]) {
    for field in fields {
        let _ = writeln!(
            text,
            "    {}: {} → {}",
            clean(&field.path),
            value(&field.have),
            value(&field.want)
        );
    }
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = clean(&text);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Show for Status {
    fn text(&self) -> String {
        let mut text = String::new();
        for resource in &self.resources {
            let (style, word) = match resource.state {
                State::Ok => (ADD, "ok"),
                State::Missing => (REMOVE, "missing"),
                State::Drifted => (CHANGE, "drifted"),
                State::Pending => (CHANGE, "pending"),
                State::Failed => (REMOVE, "failed"),
                State::Foreign => (REMOVE, "foreign"),
            };
            let _ = writeln!(
                text,
                "{style}{word:<8}{style:#} {:<18} {}",
                resource.kind, resource.name
            );
            if let Some(why) = &resource.why {
                let _ = writeln!(text, "    {}", clean(why));
            }
            if resource.state != State::Missing {
                show_fields(&mut text, &resource.drift);
            }
        }
        let traffic = &self.traffic;
        let span = humantime::format_duration(std::time::Duration::from_secs(traffic.since_seconds));
        let _ = writeln!(
            text,
            "last {span}: {} batches ({} failed, {} refused), {} received, {} delivered, {} spilled, {} rejected, {} retried, \
             {} delivery errors",
            traffic.batches,
            traffic.failed_batches,
            traffic.refused_batches,
            traffic.received,
            traffic.delivered,
            traffic.spilled,
            traffic.rejected,
            traffic.retried,
            traffic.delivery_errors,
        );
        let _ = writeln!(text, "webhook: {}", self.webhook_url.as_deref().unwrap_or("none"));
        if self.rotating {
            let _ = writeln!(
                text,
                "         the URL before works too, until `split-pipeline rotate --revoke`"
            );
        }
        let _ = writeln!(
            text,
            "{BOLD}{}:{BOLD:#} {}",
            self.name,
            if self.healthy { "healthy" } else { "not healthy" }
        );
        text
    }
}

impl Show for Down {
    fn text(&self) -> String {
        let mut text = String::new();
        for deleted in &self.deleted {
            let _ = writeln!(text, "{REMOVE}-{REMOVE:#} {:<18} {}", deleted.kind, deleted.name);
        }
        for kept in &self.kept {
            let _ = writeln!(text, "  {:<18} {} kept: {}", kept.kind, kept.name, kept.why);
        }
        let _ = writeln!(
            text,
            "{BOLD}{}:{BOLD:#} {} deleted, {} kept",
            self.name,
            self.deleted.len(),
            self.kept.len()
        );
        text
    }
}

impl Show for Smoke {
    fn text(&self) -> String {
        format!(
            "sent {}, delivered {}, missing {}, duplicated {}\n\
             slowest answer {} ms, {} after {} ms\n\
             bucket {}, {} objects\n",
            self.sent,
            self.delivered,
            self.missing,
            self.duplicated,
            self.webhook_ms,
            if self.missing == 0 {
                "all delivered"
            } else {
                "given up"
            },
            self.delivery_ms,
            self.bucket,
            self.objects.len(),
        )
    }
}

impl Show for Replay {
    fn text(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        format!(
            "{} impressions {would}sent again, {} {would}copied to S3, {} objects, bucket {}\n",
            self.delivered,
            self.copied,
            self.objects.len(),
            self.bucket,
        )
    }
}

impl Show for Validate {
    fn text(&self) -> String {
        format!("{}: the spec is valid\n", self.name)
    }
}

impl Show for Init {
    fn text(&self) -> String {
        format!("{}\n", self.path.display())
    }
}

impl Show for Build {
    fn text(&self) -> String {
        format!("{}\n", self.path.display())
    }
}

impl Show for Local {
    fn text(&self) -> String {
        match &self.endpoint {
            Some(endpoint) if self.running => format!("{endpoint}\n"),
            Some(endpoint) => format!("stopped {endpoint}\n"),
            None => "not running\n".to_owned(),
        }
    }
}

impl Show for Text {
    fn text(&self) -> String {
        match &self.0 {
            Value::String(text) => text.clone(),
            other => serde_json::to_string_pretty(other).unwrap_or_default() + "\n",
        }
    }
}
