//! `plan`: shows what `up` would do.

use std::fmt::Write as _;
use std::path::PathBuf;

use anstyle::Style;
use clap::ValueHint;
use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::aws::ErrorKind;
use crate::engine::plan::Summary;
use crate::failure::{Exit, Failure};
use crate::kind::{Action, Kind};
use crate::proposal::Proposal;
use crate::resource::{Adoption, FieldChange};
use crate::ui::{ADD, BOLD, CHANGE, REMOVE, Show, clean, clean_block, show_fields, value};
use crate::undelivered::Undelivered;

/// Show what `up` would do, field by field; changes nothing
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline plan
  split-pipeline plan --check --output json   # in CI: exit code 3 if anything would change")]
pub struct Args {
    /// Exit with 3 if anything would change
    #[arg(long)]
    check: bool,
    /// Compare with this deployment zip of the handler
    #[arg(long, value_name = "ZIP", value_hint = ValueHint::FilePath)]
    handler: Option<PathBuf>,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        session.topic_is_near()?;
        let want = session.desired(session.code_to_compare(self.handler.as_deref())?);
        let proposing = Proposal::look(&session.aws, &session.spec, want, Adoption::Refuse);
        let proposal = context.unless_interrupted(proposing).await??;
        let looking = Undelivered::look(&session.aws, &session.spec, &session.names, &proposal.gaps);
        let undelivered = match context.unless_interrupted(looking).await? {
            // What `up` would do can be shown all the same.
            Err(error) if error.kind == ErrorKind::Denied => {
                context.ui.warn(&format!("could not look for spilled impressions: {error}"));
                Undelivered::of_gaps(&proposal.gaps)
            }
            looked => looked?,
        };
        for warning in undelivered.warnings() {
            context.ui.warn(&warning);
        }
        let changes: Vec<_> =
            proposal.summaries().into_iter().filter(|one| one.action != Action::Keep).map(change).collect();
        let differs = self.check && !changes.is_empty();
        context.ui.result(&PlanResult { name: session.spec.name.to_string(), changes, undelivered })?;
        Ok(if differs { Exit::Differs } else { Exit::Done })
    }
}

#[derive(Debug, Serialize)]
struct PlanResult {
    name: String,
    /// What would be done, without what is as it should be.
    changes: Vec<ResourceChange>,
    undelivered: Undelivered,
}

#[derive(Debug, Serialize)]
struct ResourceChange {
    kind: Kind,
    name: String,
    action: Action,
    fields: Vec<FieldChange>,
    /// Why it is replaced or refused, and what `up` asks about.
    notes: Vec<String>,
}

impl Show for PlanResult {
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
        if self.changes.iter().any(|change| change.action != Action::Create && !change.fields.is_empty()) {
            let _ = writeln!(text, "Each field: what there is → what the spec says.");
        }
        text
    }
}

fn show_change(text: &mut String, change: &ResourceChange) {
    let (style, sign, word) = match change.action {
        Action::Create => (ADD, "+", "create"),
        Action::Update => (CHANGE, "~", "update"),
        Action::Replace => (REMOVE, "±", "replace"),
        Action::Adopt => (CHANGE, "»", "adopt"),
        Action::Refuse => (REMOVE, "!", "in the way"),
        Action::Delete => (REMOVE, "-", "delete"),
        Action::Keep => (Style::new(), " ", "keep"),
    };
    let _ = writeln!(text, "{style}{sign}{style:#} {:<18} {} ({word})", change.kind, clean(&change.name));
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

fn change(summary: Summary) -> ResourceChange {
    let Summary { kind, name, action, fields, owner, caution, reason, .. } = summary;
    let foreign = owner.is_foreign().then(|| "foreign: `up --adopt` takes it over".to_owned());
    ResourceChange {
        kind,
        name,
        action,
        fields,
        notes: reason.into_iter().chain(foreign).chain(caution).collect(),
    }
}
