//! `status`: how every resource is, what went through, and the webhook URL.

use std::time::Duration;

use super::Context;
use super::session::Session;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::plan::{Plan, Summary};
use crate::resource::{Action, Adoption, Phase};
use crate::results::{self, State};
use crate::traffic;

/// How often `--watch` looks again.
const WATCH_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(context: &Context, args: &cli::Status) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    loop {
        let status = look(&session, args).await?;
        if args.watch {
            context.ui.clear_screen();
        }
        context.ui.result(&status)?;
        if !args.watch {
            return Ok(if status.healthy { Exit::Done } else { Exit::Differs });
        }
        context
            .unless_interrupted(tokio::time::sleep(WATCH_EVERY))
            .await?;
    }
}

async fn look(session: &Session, args: &cli::Status) -> Result<results::Status, Failure> {
    let want = session.desired(session.code_to_compare(args.handler.as_deref())?);
    let (have, traffic) = futures_util::join!(
        session.observe(&want),
        session
            .context
            .unless_interrupted(traffic::read(&session.aws, &session.names, args.since)),
    );
    let (have, traffic) = (have?, traffic??);
    let webhook_url = session.open_url(&have);
    let rotating = have.rest_api.as_ref().is_some_and(|api| api.id.old.is_some());
    let summaries = Plan::new(&want, have, Adoption::Refuse).summaries(&want);
    let resources: Vec<_> = summaries.into_iter().map(resource).collect();
    let all_ok = resources.iter().all(|resource| resource.state == State::Ok);
    Ok(results::Status {
        name: session.spec.name.to_string(),
        healthy: all_ok && traffic.delivery_errors == 0 && traffic.failed_batches == 0,
        webhook_url,
        rotating,
        resources,
        traffic,
    })
}

fn resource(summary: Summary) -> results::Resource {
    let state = match (&summary.phase, summary.action) {
        (None, _) => State::Missing,
        _ if summary.owner.is_foreign() => State::Foreign,
        (Some(Phase::Failed(_)), _) => State::Failed,
        (Some(Phase::Pending(_) | Phase::Deleting), _) => State::Pending,
        (Some(Phase::Ready), Action::Keep) => State::Ok,
        (Some(Phase::Ready), _) => State::Drifted,
    };
    let why = match &summary.phase {
        Some(Phase::Failed(why) | Phase::Pending(why)) => Some(why.clone()),
        Some(_) => summary.reason,
        None => None,
    };
    let drift = if state == State::Missing {
        Vec::new()
    } else {
        summary.fields
    };
    results::Resource {
        kind: summary.kind,
        name: summary.name,
        id: summary.id,
        state,
        why,
        drift,
    }
}
