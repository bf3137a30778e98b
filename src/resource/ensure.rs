//! Carrying out a decision about one resource, whichever it is, and waiting for AWS to be done with it.

use super::{Action, Decision, Described, Observed, Phase, Resource, Step, Tags, differences, is_ours};
use crate::aws::wait::{SETTLING, TAGGING};
use crate::aws::{AwsError, ErrorKind, Look};

/// Brings one resource to where it should be, as decided.
pub async fn ensure<R: Resource>(
    want: &R,
    decision: Decision<R>,
    needs: &R::Needs,
    step: &Step<'_>,
) -> Result<R::Id, AwsError> {
    let Decision {
        have, action, reason, ..
    } = decision;
    let (have, step) = match (have, action) {
        (_, Action::Refuse | Action::Delete) => {
            let why = reason.unwrap_or_else(|| "it is in the way".to_owned());
            return Err(AwsError::new("up", ErrorKind::Unusable, why));
        }
        (Some(have), Action::Keep | Action::Update | Action::Adopt) => (have, *step),
        (Some(have), Action::Create | Action::Replace) => {
            want.delete(&have.id, step).await?;
            (make(want, needs, step).await?, step.just_created())
        }
        (None, _) => (make(want, needs, step).await?, step.just_created()),
    };
    let step = &step;
    let have = if matches!(have.phase, Phase::Pending(_)) {
        again(want, &R::parent(needs), have.tags, step).await?
    } else {
        have
    };
    if want.external() || differences(want, &have).is_empty() {
        return Ok(have.id);
    }
    want.update(&have, needs, step).await
}

/// Creates one resource. One that is there by now is ours if its tags say so: the answer to an earlier call may have
/// been lost, or another `up` may have been faster.
async fn make<R: Resource>(want: &R, needs: &R::Needs, step: &Step<'_>) -> Result<Observed<R>, AwsError> {
    let exists = match want.create(needs, step).await {
        Err(error) if error.kind == ErrorKind::Exists => error,
        made => return made,
    };
    let parent = R::parent(needs);
    let look = async || {
        Ok(match want.observe(step.aws, &parent).await? {
            Some(have) if is_ours(want.tags(), &have.tags) => Look::Ready(Some(have)),
            Some(have) if !have.tags.is_empty() => Look::Ready(None),
            Some(_) => Look::Pending("without tags".to_owned()),
            None => Look::Pending("not to be found".to_owned()),
        })
    };
    match step.aws.wait_until("its tags", TAGGING, look).await {
        Ok(Some(ours)) => Ok(ours),
        Err(error) if error.kind != ErrorKind::TimedOut => Err(error),
        _ => {
            let why = "it exists by now, and is not tagged as this pipeline's";
            Err(AwsError::new(exists.call, ErrorKind::Exists, why))
        }
    }
}

/// Waits until a resource can be used and changed, and looks at the whole of it again: what waiting looks at may be less.
async fn again<R: Resource>(
    want: &R,
    parent: &R::Parent,
    tags: Tags,
    step: &Step<'_>,
) -> Result<Observed<R>, AwsError> {
    let described = ready(want, parent, step).await?;
    let whole = want.observe(step.aws, parent).await?;
    let described = whole.map_or(described, Observed::untagged);
    // The tags may have changed while it was waited for, but whose it is was decided before.
    Ok(described.tagged(tags))
}

/// Waits until a resource can be used and changed.
pub async fn ready<R: Resource>(
    want: &R,
    parent: &R::Parent,
    step: &Step<'_>,
) -> Result<Described<R>, AwsError> {
    look_until(want, parent, step, "ready", |have| match have {
        Some(have) if have.phase == Phase::Ready => Ok(Look::Ready(have)),
        other => pending(other.as_ref()),
    })
    .await
}

/// Waits until a resource that is being deleted is gone.
pub async fn gone<R: Resource>(want: &R, parent: &R::Parent, step: &Step<'_>) -> Result<(), AwsError> {
    look_until(want, parent, step, "gone", |have| match have {
        None => Ok(Look::Ready(())),
        other => pending(other.as_ref()),
    })
    .await
}

/// Waits until AWS is done with making or changing a resource, however that ended.
pub async fn settled<R: Resource>(want: &R, parent: &R::Parent, step: &Step<'_>) -> Result<(), AwsError> {
    look_until(want, parent, step, "settled", |have| match have {
        Some(have) if matches!(have.phase, Phase::Pending(_)) => pending(Some(&have)),
        _ => Ok(Look::Ready(())),
    })
    .await
}

async fn look_until<R: Resource, T>(
    want: &R,
    parent: &R::Parent,
    step: &Step<'_>,
    state: &str,
    judge: impl Fn(Option<Described<R>>) -> Result<Look<T>, AwsError>,
) -> Result<T, AwsError> {
    let what = format!("{} {} to be {state}", want.kind(), want.name());
    let look = async || {
        let look = judge(want.describe(step.aws, parent).await?)?;
        if let Look::Pending(word) = &look {
            step.waiting(&format!("it to be {state}, and it is {word}"));
        }
        Ok(look)
    };
    step.aws.wait_until(&what, SETTLING, look).await
}

/// Says in AWS's own word where a resource is that has to be waited for; nothing comes of waiting for a failed one.
fn pending<R: Resource, T>(have: Option<&Described<R>>) -> Result<Look<T>, AwsError> {
    Ok(Look::Pending(match have.map(|have| &have.phase) {
        None => "absent".to_owned(),
        Some(Phase::Ready) => "there".to_owned(),
        Some(Phase::Pending(word)) => word.clone(),
        Some(Phase::Deleting) => "DELETING".to_owned(),
        Some(Phase::Failed(why)) => return Err(AwsError::new("AWS", ErrorKind::Unusable, why)),
    }))
}
