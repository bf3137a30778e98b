//! Applies a plan, and looks once more if something was deleted meanwhile.

use super::apply::{Follow, apply};
use super::{Decided, Report, Resources};
use crate::aws::Aws;
use crate::progress::Event;

/// Applies `plan`. If what a resource needed is gone since the look, takes a second plan from `look_again` and applies it,
/// unless that gives none: then the user has to see it first, and it is left to the next run.
pub async fn converge<L: Resources, F: Follow>(
    aws: &Aws,
    want: L,
    plan: L::Each<Decided>,
    follow: impl Fn(&L) -> F,
    look_again: impl AsyncFnOnce(L) -> Option<(L, L::Each<Decided>)>,
) -> Report {
    let first = Box::pin(apply(aws, &want, plan, &follow(&want))).await;
    if !first.lost_something() || aws.interrupt.is_cancelled() {
        return first;
    }
    aws.event(Event::Working("something was taken away meanwhile: looking again".to_owned()));
    let Some((want, plan)) = look_again(want).await else {
        return first;
    };
    let mut second = Box::pin(apply(aws, &want, plan, &follow(&want))).await;
    second.remember(&first);
    second
}
