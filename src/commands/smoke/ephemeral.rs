//! `smoke --ephemeral`: a pipeline that is made for one test and always taken down again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::Context;
use super::super::down::take_down;
use super::super::session::Session;
use super::super::up::{Consent, bring_up};
use super::send_and_find;
use crate::engine::destroy::Data;
use crate::failure::{Failure, FailureKind};
use crate::names::Names;
use crate::progress::{Event, Progress as _};
use crate::resource::Adoption;
use crate::smoke::{Batch, Poster, SmokeReport, ephemeral};
use crate::spec::Spec;

/// Makes a pipeline for this test alone, and takes it down again whatever happens.
pub(super) async fn test(
    session: Session,
    batch: &Batch,
    run: &str,
    timeout: Duration,
) -> Result<SmokeReport, Failure> {
    let spec = ephemeral::spec(&session.spec, run).map_err(|why| {
        Failure::new(FailureKind::Smoke, format!("no name for an ephemeral pipeline: {why}"))
    })?;
    let session = session.with_spec(spec);
    let tested = async {
        let up = async |context: Context| {
            let session = session.clone().with_interrupt(context.interrupt);
            Box::pin(bring_up(&session, None, Adoption::Refuse, Consent::Given)).await
        };
        let up = session.context.within(timeout, up).await?;
        let mut poster = Poster::new(&up.webhook_url)?;
        session.context.unless_interrupted(poster.until_open()).await??;
        send_and_find(&session, &up.webhook_url, batch, timeout).await
    }
    .await;
    let name = session.spec.name.to_string();
    // An interruption ended the test; it must not end the clean-up as well.
    let session = session.with_interrupt(CancellationToken::new());
    session.context.ui.event(Event::Working(format!("taking {name} down again")));
    let Err(failure) = take_down(&session, Data::Purge).await else {
        return tested.map_err(|failure| without_advice(failure, &name));
    };
    let failure = failure
        .context(&format!("{name} could not be taken down"))
        .hint(format!("`echo 'name: {name}' | split-pipeline -f - down --yes --purge-data` takes it down"));
    Err(match tested {
        Ok(_) => failure,
        Err(tested) => Failure {
            message: format!("{}\n{}", tested.message, failure.message),
            ..failure.hints.into_iter().fold(tested, Failure::hint)
        },
    })
}

/// A failure of a pipeline that is gone by now, of which nothing can be run again.
fn without_advice(mut failure: Failure, name: &str) -> Failure {
    if failure.kind == FailureKind::Interrupted {
        return Failure::new(FailureKind::Interrupted, format!("interrupted; {name} was taken down again"));
    }
    failure.hints.retain(|hint| !hint.starts_with("running `up` again"));
    failure.message = format!("{}\n{name} was taken down again", failure.message);
    failure
}

impl Session {
    /// The same session with another interrupt: for a deadline, or for cleaning up after the user interrupted.
    fn with_interrupt(self, interrupt: CancellationToken) -> Self {
        Self {
            aws: self.aws.with_interrupt(interrupt.clone()),
            context: Context { interrupt, ..self.context },
            ..self
        }
    }

    /// The same session for another spec.
    fn with_spec(self, spec: Spec) -> Self {
        let names = Names::new(spec.name.as_str(), &self.aws.account, &self.aws.partition, &self.aws.region);
        Self { spec, names, ..self }
    }
}
