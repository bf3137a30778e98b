//! Results as text for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::clean::{clean, clean_block};
use crate::foreign;
use crate::kind::Action;
use crate::resource::FieldChange;
use crate::results::{
    Athena, Build, Change, Down, Estimate, Export, Init, Local, Permissions, Plan, Prices, Replay, Rotate,
    Sizing, Smoke, Text, Up, Url, Validate,
};

pub(super) const ADD: Style = AnsiColor::Green.on_default();
pub(super) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(super) const REMOVE: Style = AnsiColor::Red.on_default();
pub(super) const BOLD: Style = Style::new().bold();

/// The longest value that a plan shows in full.
const LONGEST_VALUE: usize = 160;

/// Shows a result to people.
pub trait Show {
    /// Whether all of it is text of others, which may have a secret that is not known here.
    const OF_OTHERS: bool = false;

    /// The webhook's URLs that it is to tell; no other text of it tells a secret path.
    fn urls(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The result as text, with its last newline.
    fn text(&self) -> String;

    /// The same for whoever has it read out, or has only letters.
    fn plain(&self) -> String {
        self.text()
    }
}

impl Show for Up {
    fn urls(&self) -> Vec<&str> {
        vec![&self.webhook_url]
    }

    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

impl Show for Url {
    fn urls(&self) -> Vec<&str> {
        vec![&self.webhook_url]
    }

    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

impl Show for Athena {
    fn text(&self) -> String {
        let mut text = match &self.create {
            Some(create) => format!("-- Athena runs one statement at a time: this one first.\n{create}\n"),
            None => format!(
                "-- `up` has made the table {}. Athena runs one statement at a time.\n",
                self.table
            ),
        };
        for query in &self.queries {
            let _ = write!(text, "\n-- {}\n{}\n", foreign::line(query.about), query.sql);
        }
        text
    }
}

impl Show for Export {
    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Show for Estimate {
    fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:.1} impressions a second, {:.1} million a month",
            self.per_second,
            self.impressions_a_month / 1e6
        );
        let _ = writeln!(text, "{} in a post", number(self.impressions_a_post));
        let _ = writeln!(text, "{}", sizing(&self.sizing));
        let _ = writeln!(text, "{} objects a day in S3\n", self.objects_per_day);
        for limit in &self.limits {
            let style = match limit.share {
                share if share > 1.0 => REMOVE,
                share if share > 0.7 => CHANGE,
                _ => Style::new(),
            };
            let (used, allowed) = (number(limit.used), number(limit.allowed));
            let share = limit.share * 100.0;
            let _ = writeln!(
                text,
                "{style}{share:>6.1} %{style:#} {}: {used} of {allowed}",
                limit.limit
            );
        }
        for problem in &self.problems {
            let _ = writeln!(text, "{REMOVE}does not fit{REMOVE:#} {problem}");
        }
        let _ = writeln!(text, "\n{:<12} {:>12} {:>12}", "$ a month", "packed", "unpacked");
        for cost in &self.monthly {
            let _ = writeln!(
                text,
                "{:<12} {:>12.2} {:>12.2}",
                cost.service, cost.packed, cost.unpacked
            );
        }
        let (packed, unpacked) = (self.total_packed, self.total_unpacked);
        let _ = writeln!(
            text,
            "{BOLD}{:<12} {packed:>12.2} {unpacked:>12.2}{BOLD:#}",
            "together"
        );
        let Prices {
            region,
            as_of,
            source,
        } = &self.prices;
        let _ = writeln!(
            text,
            "\nList prices of {region}, {as_of}, without free tiers and discounts ({source}). `packed` is \
             `handler.record_kib` above 0, `unpacked` one record an impression."
        );
        text
    }
}

fn sizing(sizing: &Sizing) -> String {
    let needed = sizing.shards_needed;
    let plural = if needed > 1.0 { "s" } else { "" };
    match sizing.shards {
        None => format!("on demand; {needed} shard{plural} would take it"),
        Some(shards) => {
            let advice = if sizing.on_demand_is_cheaper {
                "; `stream.mode: on_demand` would cost less"
            } else {
                ""
            };
            format!("needs {needed} shard{plural}, and the spec has {shards}{advice}")
        }
    }
}

/// A number for people to read.
fn number(number: f64) -> String {
    if number >= 1e6 {
        format!("{:.1} M", number / 1e6)
    } else if number >= 10.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

impl Show for Rotate {
    fn urls(&self) -> Vec<&str> {
        let old = self.old_webhook_url.as_deref();
        old.into_iter().chain([self.webhook_url.as_str()]).collect()
    }

    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

impl Show for Permissions {
    fn text(&self) -> String {
        foreign::json(&format!("{:#}\n", self.policy))
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
        let counts = [
            (Action::Create, "to create"),
            (Action::Update, "to update"),
            (Action::Replace, "to replace"),
            (Action::Adopt, "to adopt"),
            (Action::Delete, "to delete"),
            (Action::Refuse, "in the way"),
        ];
        let counts = counts.iter().filter_map(|(action, words)| {
            let same = self.changes.iter().filter(|change| change.action == *action);
            let count = same.count();
            (count > 0).then(|| format!("{count} {words}"))
        });
        let counts = counts.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "{BOLD}{}:{BOLD:#} {counts}", self.name);
        if self
            .changes
            .iter()
            .any(|change| change.action != Action::Create && !change.fields.is_empty())
        {
            let _ = writeln!(text, "Each field: what there is → what the spec says.");
        }
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
        change.kind,
        clean(&change.name)
    );
    for note in &change.notes {
        let _ = writeln!(text, "    {}", clean_block(note, 4));
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

pub(super) fn show_fields(text: &mut String, fields: &[FieldChange]) {
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

impl Show for Down {
    fn text(&self) -> String {
        let mut text = String::new();
        for deleted in &self.deleted {
            let _ = writeln!(
                text,
                "{REMOVE}-{REMOVE:#} {:<18} {}",
                deleted.kind,
                clean(&deleted.name)
            );
        }
        for kept in &self.kept {
            let (name, why) = (clean(&kept.name), clean_block(&kept.why, 4));
            let _ = writeln!(text, "  {:<18} {name} kept: {why}", kept.kind);
        }
        if self.copied > 0 {
            let impressions = if self.copied == 1 {
                "impression"
            } else {
                "impressions"
            };
            let _ = writeln!(
                text,
                "  copied {} {impressions} from the stream to the bucket: they may have been undelivered",
                self.copied
            );
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
        let outcome = match (self.spilled, self.missing) {
            (0, 0) => "all delivered",
            (_, 0) => "not all delivered",
            _ => "given up",
        };
        format!(
            "sent {}, delivered {}, spilled {}, missing {}, duplicated {}\n\
             slowest answer {} ms, {outcome} after {} ms\n\
             bucket {}, {} objects\n",
            self.sent,
            self.delivered,
            self.spilled,
            self.missing,
            self.duplicated,
            self.webhook_ms,
            self.delivery_ms,
            self.bucket,
            self.objects.len(),
        )
    }
}

impl Show for Replay {
    fn text(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let misfits = match self.misfits {
            0 => String::new(),
            count => format!(", {count} that do not fit the table {would}put under the error prefix"),
        };
        let skipped = match self.skipped.len() {
            0 => String::new(),
            count => format!(", {count} skipped"),
        };
        format!(
            "{} impressions {would}sent again, {} {would}copied to S3{misfits}, {} objects{skipped}, bucket {}\n",
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
            other => foreign::json(&serde_json::to_string_pretty(other).unwrap_or_default()) + "\n",
        }
    }
}
