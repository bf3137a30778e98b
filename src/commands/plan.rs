//! `plan`: shows what `up` would do.

use super::Context;
use super::session::Session;
use crate::aws::ErrorKind;
use crate::cli;
use crate::engine::plan::Summary;
use crate::failure::{Exit, Failure};
use crate::kind::Action;
use crate::proposal::Proposal;
use crate::resource::Adoption;
use crate::results::{self, Change};
use crate::undelivered::Undelivered;

pub(super) async fn run(context: &Context, args: &cli::Plan) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    session.topic_is_near()?;
    let want = session.desired(session.code_to_compare(args.handler.as_deref())?);
    let proposing = Proposal::look(&session.aws, &session.spec, want, Adoption::Refuse);
    let proposal = context.unless_interrupted(proposing).await??;
    let looking = Undelivered::look(&session.aws, &session.spec, &session.names, &proposal.gaps);
    let undelivered = match context.unless_interrupted(looking).await? {
        // What `up` would do can be shown all the same.
        Err(error) if error.kind == ErrorKind::Denied => {
            context
                .ui
                .warn(&format!("could not look for spilled impressions: {error}"));
            Undelivered::of_gaps(&proposal.gaps)
        }
        looked => looked?,
    };
    for warning in undelivered.warnings() {
        context.ui.warn(&warning);
    }
    let changes: Vec<_> = proposal
        .summaries()
        .into_iter()
        .filter(|one| one.action != Action::Keep)
        .map(change)
        .collect();
    let differs = args.check && !changes.is_empty();
    context.ui.result(&results::Plan {
        name: session.spec.name.to_string(),
        changes,
        undelivered,
    })?;
    Ok(if differs { Exit::Differs } else { Exit::Done })
}

fn change(summary: Summary) -> Change {
    let Summary {
        kind,
        name,
        action,
        fields,
        owner,
        caution,
        reason,
        ..
    } = summary;
    let foreign = owner
        .is_foreign()
        .then(|| "foreign: `up --adopt` takes it over".to_owned());
    Change {
        kind,
        name,
        action,
        fields,
        notes: reason.into_iter().chain(foreign).chain(caution).collect(),
    }
}
