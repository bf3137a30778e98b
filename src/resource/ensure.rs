//! Carries out the decision for one resource and waits until AWS has finished.

use super::{
    Changes, Decision, Described, Observed, Phase, Resource, Step, TagChanges, Target, differences, is_ours,
};
use crate::aws::wait::{SETTLING, TAGGING};
use crate::aws::{AwsError, ErrorKind, Look};
use crate::kind::Action;
use crate::names::Tags;

pub async fn ensure<R: Resource>(
    want: &Target<R>,
    decision: Decision<R>,
    step: &Step<'_>,
) -> Result<R::Id, AwsError> {
    let Decision { have, action, reason, .. } = decision;
    let (have, step) = match (have, action) {
        (_, Action::Refuse | Action::Delete) => {
            let why = reason.unwrap_or_else(|| "it is in the way".to_owned());
            return Err(AwsError::new("up", ErrorKind::Unusable, why));
        }
        (Some(have), Action::Keep | Action::Update | Action::Adopt) => (have, *step),
        (Some(have), Action::Create | Action::Replace) => {
            R::delete(want, &have.id, step).await?;
            (create(want, step).await?, step.just_created())
        }
        (None, _) => (create(want, step).await?, step.just_created()),
    };
    let have =
        if matches!(have.phase, Phase::Pending(_)) { again(want, have.tags, &step).await? } else { have };
    if want.is_users() {
        return Ok(have.id);
    }
    change(want, have, &step).await
}

/// Changes the tags and fields in which an existing resource differs.
pub(super) async fn change<R: Resource>(
    want: &Target<R>,
    have: Observed<R>,
    step: &Step<'_>,
) -> Result<R::Id, AwsError> {
    let changes = Changes::new(differences(want, &have));
    retag(want, &have, step).await?;
    if changes.is_empty() {
        return Ok(have.id);
    }
    R::update(want, &have, &changes, step).await
}

async fn retag<R: Resource>(want: &Target<R>, have: &Observed<R>, step: &Step<'_>) -> Result<(), AwsError> {
    let mut set = want.tags.clone();
    set.retain(|key, value| have.tags.get(key) != Some(value));
    let removed = have.tags.keys().filter(|key| !want.tags.contains_key(*key));
    let removed: Vec<_> = removed.cloned().collect();
    if set.is_empty() && removed.is_empty() {
        return Ok(());
    }
    R::retag(want, &have.id, &TagChanges { set, removed }, step).await
}

/// Creates one resource. If it exists by now, its tags say whether it is the pipeline's: the answer to an earlier call may have
/// been lost, or another `up` may have been faster.
async fn create<R: Resource>(want: &Target<R>, step: &Step<'_>) -> Result<Observed<R>, AwsError> {
    let exists = match R::create(want, step).await {
        Err(error) if error.kind == ErrorKind::Exists => error,
        created => return created,
    };
    let look = async || {
        Ok(match R::observe(want, step.aws).await? {
            Some(have) if is_ours(&want.tags, &have.tags) => Look::Ready(Some(have)),
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
async fn again<R: Resource>(want: &Target<R>, tags: Tags, step: &Step<'_>) -> Result<Observed<R>, AwsError> {
    let described = ready(want, step).await?;
    let whole = R::observe(want, step.aws).await?;
    let described = whole.map_or(described, Observed::untagged);
    // The tags may have changed while it was waited for, but whose it is was decided before.
    Ok(described.tagged(tags))
}

/// Waits until a resource can be used and changed.
pub async fn ready<R: Resource>(want: &Target<R>, step: &Step<'_>) -> Result<Described<R>, AwsError> {
    look_until(want, step, "ready", |have| match have {
        Some(have) if have.phase == Phase::Ready => Ok(Look::Ready(have)),
        other => pending(other.as_ref()),
    })
    .await
}

/// Waits until a resource that is being deleted is gone.
pub async fn gone<R: Resource>(want: &Target<R>, step: &Step<'_>) -> Result<(), AwsError> {
    look_until(want, step, "gone", |have| match have {
        None => Ok(Look::Ready(())),
        other => pending(other.as_ref()),
    })
    .await
}

/// Waits until AWS is done with creating or changing a resource, however that ended.
pub async fn settled<R: Resource>(want: &Target<R>, step: &Step<'_>) -> Result<(), AwsError> {
    look_until(want, step, "settled", |have| match have {
        Some(have) if matches!(have.phase, Phase::Pending(_)) => pending(Some(&have)),
        _ => Ok(Look::Ready(())),
    })
    .await
}

async fn look_until<R: Resource, T>(
    want: &Target<R>,
    step: &Step<'_>,
    state: &str,
    judge: impl Fn(Option<Described<R>>) -> Result<Look<T>, AwsError>,
) -> Result<T, AwsError> {
    let what = format!("{} {} to be {state}", want.kind, want.name);
    let look = async || {
        let look = judge(R::describe(want, step.aws).await?)?;
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
