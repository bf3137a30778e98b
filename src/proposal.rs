//! What `up` would do: the one place where a look at AWS, the gaps to keep and the questions to ask come together.
//!
//! `up` carries a proposal out, `plan` shows it. Only reads AWS.

use std::time::{Duration, Instant};

use crate::aws::wait::TAGGING;
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::engine::observe::observe;
use crate::engine::plan::{Summary, plan, summaries};
use crate::failure::Failure;
use crate::kind::Action;
use crate::pipeline::{Desired, Plan};
use crate::progress::Event;
use crate::resource::{Adoption, Owner};
use crate::resources::delivery_stream::NO_TABLE;
use crate::rows::PARQUET_EXTENSION;
use crate::spec::{Format, Spec};
use crate::undelivered::KnownGaps;
use crate::{objects, undelivered};

const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What `up` would do to a pipeline.
pub struct Proposal {
    pub want: Desired,
    pub plan: Plan,
    /// The gaps of which the stream still holds something.
    pub gaps: KnownGaps,
}

impl Proposal {
    /// Looks at AWS and decides; looks again while a resource has no tags at all, since another `up` may just have
    /// created it.
    pub async fn look(
        aws: &Aws,
        spec: &Spec,
        mut want: Desired,
        adoption: Adoption,
    ) -> Result<Self, Failure> {
        let deadline = Instant::now() + TAGGING;
        loop {
            let have = Box::pin(observe(aws, &want)).await.map_err(Failure::of_observation)?;
            let gaps = undelivered::gaps(aws, &want, &have).await?;
            undelivered::keep(&gaps.gaps, &have, &mut want);
            let mut plan = plan(&want, have, adoption);
            let is_untagged = |one: &Summary| one.action == Action::Refuse && one.owner == Owner::Unknown;
            let untagged = summaries(&want, &plan).into_iter().find(is_untagged);
            let Some(Summary { kind, name, .. }) = untagged.filter(|_| Instant::now() <= deadline) else {
                let mixed = mixed_formats(aws, spec, &want, &plan).await?;
                plan.delivery_stream.caution = plan.delivery_stream.caution.or(mixed);
                return Ok(Self { want, plan, gaps });
            };
            aws.event(Event::Working(format!("{kind} {name} has no tags: looking again for its owner's")));
            aws.pause(LOOK_AGAIN).await?;
        }
    }

    /// Every decision, in the order in which data flows.
    pub fn summaries(&self) -> Vec<Summary> {
        summaries(&self.want, &self.plan)
    }
}

/// What to confirm before a delivery stream delivers to a prefix that is new to it and has objects in another format.
async fn mixed_formats(
    aws: &Aws,
    spec: &Spec,
    want: &Desired,
    plan: &Plan,
) -> Result<Option<String>, AwsError> {
    let had = plan.delivery_stream.have.as_ref();
    let had = had.filter(|_| plan.delivery_stream.action != Action::Replace);
    let continues = had.is_some_and(|had| had.state.prefix == want.delivery_stream.state.prefix);
    if continues || plan.bucket.have.is_none() {
        return Ok(None);
    }
    let delivery = &spec.delivery;
    let keys = match objects::first(aws, &want.bucket.name, delivery.prefix.fixed_part()).await {
        // Without the right to look, nothing is asked.
        Err(error) if error.kind == ErrorKind::Denied => return Ok(None),
        keys => keys?.into_iter().filter(|key| !key.ends_with('/')),
    };
    let mut keys = keys.filter(|key| delivery.prefix.has(key, &delivery.error_prefix));
    let is_parquet = delivery.format == Format::Parquet;
    let other = keys.find(|key| key.ends_with(PARQUET_EXTENSION) != is_parquet);
    Ok(other.map(|key| {
        let format = if is_parquet { "Parquet" } else { "JSON" };
        format!(
            "delivery stream {}: would deliver {format} beside {key}, and {NO_TABLE}: choose another \
             `delivery.prefix` to keep them apart",
            want.delivery_stream.name
        )
    }))
}

#[cfg(test)]
mod tests;
