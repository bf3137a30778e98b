//! What is wrong with a pipeline or worth knowing, out of what `status` found; each with what to do about it.
//!
//! Pure: values in, values out.

use serde::Serialize;
use split_pipeline_handler::spill::SPILL_PREFIX;

use crate::engine::plan::Summary;
use crate::kind::{Action, Kind};
use crate::names::alarm_about;
use crate::resource::{FieldChange, Phase};
use crate::resources::alarm::{LATE_SECONDS, what_to_do};
use crate::spec::Spec;
use crate::traffic::Traffic;
use crate::undelivered::Undelivered;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub serious: bool,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlarmState {
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    pub why: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct ResourceHealth {
    pub kind: Kind,
    pub name: String,
    /// What AWS calls it; absent where it is missing.
    pub id: Option<String>,
    pub state: Condition,
    /// Why it is so, where there is more to say: what AWS gives for a failure, what it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub drift: Vec<FieldChange>,
    /// What somebody added that `up` does not change; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    Ok,
    Missing,
    /// There, but different.
    Drifted,
    Pending,
    /// AWS could not make it.
    Failed,
    /// Somebody else's.
    Foreign,
}

impl From<Summary> for ResourceHealth {
    fn from(summary: Summary) -> Self {
        let state = match (&summary.phase, summary.action) {
            (None, _) => Condition::Missing,
            _ if summary.owner.is_foreign() => Condition::Foreign,
            (Some(Phase::Failed(_)), _) => Condition::Failed,
            (Some(Phase::Pending(_) | Phase::Deleting), _) => Condition::Pending,
            (Some(Phase::Ready), Action::Keep) => Condition::Ok,
            (Some(Phase::Ready), _) => Condition::Drifted,
        };
        let why = match &summary.phase {
            Some(Phase::Failed(why) | Phase::Pending(why)) => Some(why.clone()),
            Some(_) => summary.reason,
            None => None,
        };
        let drift = if state == Condition::Missing { Vec::new() } else { summary.fields };
        Self {
            kind: summary.kind,
            name: summary.name,
            id: summary.id,
            state,
            why,
            drift,
            left_alone: summary.left_alone,
        }
    }
}

/// What is known of the alarms that the spec asks for, and of whom they reach.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    pub alarms: Vec<AlarmState>,
    pub unconfirmed: Vec<String>,
    pub lost_topic: Option<String>,
}

pub fn problems(
    spec: &Spec,
    resources: &[ResourceHealth],
    watching: &Watching,
    undelivered: &Undelivered,
    traffic: &Traffic,
) -> Vec<Finding> {
    let all_missing = resources.iter().all(|it| it.state == Condition::Missing);
    if all_missing {
        return vec![serious("it is not there".to_owned(), "`split-pipeline up` makes it")];
    }
    let mut problems = of_alarms(spec, &watching.alarms);
    problems.extend(watching.lost_topic.iter().map(|topic| {
        serious(
            format!("alarms reach nobody: there is no topic {topic}"),
            "`monitoring.topic_arn` has to be the ARN of a topic that is there, in the pipeline's region",
        )
    }));
    let undelivered = undelivered.problems().into_iter();
    problems.extend(undelivered.map(|(message, hint)| serious(message, &hint)));
    problems.extend(of_resources(resources));
    problems.extend(of_additions(resources));
    problems.extend(watching.unconfirmed.iter().map(|address| {
        notable(
            format!("alarms do not reach {address} yet"),
            "AWS has mailed a link to it that has to be followed within two days; after that, `split-pipeline up` asks again",
        )
    }));
    problems.extend(of_traffic(traffic));
    problems.extend(of_delivery(spec, traffic));
    problems.sort_by_key(|problem| !problem.serious);
    problems
}

fn serious(message: String, hint: &str) -> Finding {
    Finding { serious: true, message, hint: hint.to_owned() }
}

fn notable(message: String, hint: &str) -> Finding {
    Finding { serious: false, ..serious(message, hint) }
}

fn of_resources(resources: &[ResourceHealth]) -> Vec<Finding> {
    let states = [
        (Condition::Failed, "could not be made", "`split-pipeline up` makes it anew"),
        (Condition::Missing, "is missing", "`split-pipeline up` makes it"),
        (
            Condition::Foreign,
            "is not tagged as this pipeline's",
            "`split-pipeline up --adopt` takes it over; or choose another `name`",
        ),
        (
            Condition::Drifted,
            "is not as the spec says",
            "see below what differs; `split-pipeline up` repairs it",
        ),
        (Condition::Pending, "is being changed by AWS", "look again in a minute"),
    ];
    let problems = states.iter().filter_map(|(state, what, hint)| {
        let names: Vec<_> = resources
            .iter()
            .filter(|resource| resource.state == *state)
            .map(|resource| format!("{} {}", resource.kind, resource.name))
            .collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(serious(format!("{one} {what}"), hint)),
            [first, rest @ ..] => {
                let more = rest.len();
                Some(serious(format!("{first} {what}, and so {} {more} more", are(more)), hint))
            }
        }
    });
    problems.collect()
}

/// What somebody added to a resource of ours, for whoever reads this to judge.
fn of_additions(resources: &[ResourceHealth]) -> impl Iterator<Item = Finding> {
    let additions =
        resources.iter().flat_map(|resource| resource.left_alone.iter().map(move |what| (resource, what)));
    additions.map(|(resource, what)| {
        notable(
            format!("{} {}: {what}", resource.kind, resource.name),
            "`split-pipeline up` does not change this: remove it by hand if nobody needs it",
        )
    })
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn of_alarms(spec: &Spec, alarms: &[AlarmState]) -> Vec<Finding> {
    let going_off = alarms.iter().filter(|alarm| alarm.state == "ALARM");
    let problems = going_off.map(|alarm| {
        let about = alarm_about(spec.name.as_str(), &alarm.name);
        serious(
            format!("alarm {} is going off: {}", alarm.name, alarm.why),
            &format!("what to do: {}", what_to_do(about)),
        )
    });
    problems.collect()
}

fn some(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How often something happened, what it was, and what to do about it.
type Occurrence = (u64, String, &'static str);

fn of_traffic(traffic: &Traffic) -> Vec<Finding> {
    let is_some = |(count, ..): &Occurrence| *count > 0;
    let failures = failures(traffic).into_iter().filter(is_some);
    let set_aside = set_aside(traffic).into_iter().filter(is_some);
    let failures = failures.map(|(_, message, hint)| serious(message, hint));
    failures.chain(set_aside.map(|(_, message, hint)| notable(message, hint))).collect()
}

fn failures(traffic: &Traffic) -> [Occurrence; 2] {
    let (failed, errors) = (traffic.failed_batches, traffic.delivery_errors);
    [
        (
            failed,
            format!("{} failed, so Split had to send it again", some(failed, "batch", "batches")),
            "`split-pipeline logs` says why",
        ),
        (
            errors,
            format!("Firehose reported {} when it delivered", some(errors, "error", "errors")),
            "`split-pipeline logs` says why; what could not be delivered is below `delivery.error_prefix`",
        ),
    ]
}

/// What was not taken, or not where it belongs.
fn set_aside(traffic: &Traffic) -> [Occurrence; 4] {
    let throttles = traffic.metrics.throttles.unwrap_or_default();
    let (spilled, refused, rejected) = (traffic.spilled, traffic.refused_batches, traffic.rejected);
    [
        (
            throttles,
            format!("Lambda refused {}, since too many were running", some(throttles, "call", "calls")),
            "raise `handler.reserved_concurrency`, or the account's limit",
        ),
        (
            spilled,
            format!(
                "the stream refused {}, set aside in {SPILL_PREFIX}",
                some(spilled, "impression", "impressions")
            ),
            "`split-pipeline replay` sends them again; `split-pipeline logs` says why, often too few of `stream.shards`",
        ),
        (
            refused,
            format!(
                "{}: not JSON, or too large",
                some(refused, "body was no batch", "bodies were no batches")
            ),
            "`split-pipeline logs` says which; does something else than Split know the URL?",
        ),
        (
            rejected,
            some(rejected, "element was no impression", "elements were no impressions"),
            "what was rejected is in rejected/ in the bucket, as it came in",
        ),
    ]
}

fn of_delivery(spec: &Spec, traffic: &Traffic) -> Vec<Finding> {
    let mut problems = Vec::new();
    let late = u64::from(LATE_SECONDS);
    let metrics = &traffic.metrics;
    if let Some(age) = metrics.iterator_age_ms.map(|ms| ms / 1000).filter(|age| *age >= late) {
        problems.push(notable(
            format!("the delivery stream is {} minutes behind the stream", age / 60),
            "`split-pipeline logs` says whether it fails; it loses nothing for `stream.retention_hours`",
        ));
    }
    let buffer = u64::from(spec.delivery.buffer_seconds.get());
    if let Some(age) = metrics.freshness_seconds.filter(|age| *age >= buffer + late) {
        problems.push(notable(
            format!("the oldest record that is not in S3 is {} minutes old", age / 60),
            "`split-pipeline logs` says whether the delivery fails",
        ));
    }
    if traffic.batches == 0 {
        problems.push(notable(
            "nobody has sent anything in this time".to_owned(),
            "paste the webhook URL into Split; `split-pipeline smoke` tries the whole way",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::bucket;
    use crate::resources::function;
    use crate::resources::stream;
    use crate::resources::webhook::stage;
    use crate::traffic::metrics::Metrics;

    fn spec() -> Spec {
        Spec::parse("name: abc\n", "test").unwrap().spec
    }

    fn resource(kind: Kind, state: Condition) -> ResourceHealth {
        ResourceHealth {
            kind,
            name: "it".to_owned(),
            id: None,
            state,
            why: None,
            drift: Vec::new(),
            left_alone: Vec::new(),
        }
    }

    fn messages(problems: &[Finding]) -> Vec<&str> {
        problems.iter().map(|problem| problem.message.as_str()).collect()
    }

    #[test]
    fn the_worst_comes_first_and_like_things_together() {
        let resources = [
            resource(bucket::KIND, Condition::Ok),
            resource(stream::KIND, Condition::Drifted),
            resource(function::KIND, Condition::Missing),
            resource(stage::KIND, Condition::Missing),
        ];
        let alarm = AlarmState {
            name: "abc-spilled".to_owned(),
            state: "ALARM".to_owned(),
            why: "1 is over 0".to_owned(),
        };
        let watching = Watching { alarms: vec![alarm], ..Watching::default() };
        let traffic = Traffic { batches: 9, spilled: 7, delivery_errors: 1, ..Traffic::default() };
        let problems = problems(&spec(), &resources, &watching, &Undelivered::default(), &traffic);
        let want = [
            "alarm abc-spilled is going off: 1 is over 0",
            "function it is missing, and so is 1 more",
            "stream it is not as the spec says",
            "Firehose reported 1 error when it delivered",
            "the stream refused 7 impressions, set aside in spill/",
        ];
        assert_eq!(messages(&problems), want);
        let serious = problems.iter().filter(|problem| problem.serious).count();
        assert_eq!(serious, 4);
    }

    #[test]
    fn what_is_late_is_said_only_beyond_what_the_buffer_explains() {
        let resources = [resource(bucket::KIND, Condition::Ok)];
        let at = |age: u64, freshness: u64| {
            let metrics = Metrics {
                iterator_age_ms: Some(age * 1000),
                freshness_seconds: Some(freshness),
                ..Metrics::default()
            };
            let traffic = Traffic { batches: 1, metrics, ..Traffic::default() };
            problems(&spec(), &resources, &Watching::default(), &Undelivered::default(), &traffic).len()
        };
        assert_eq!([at(599, 899), at(600, 899), at(600, 900)], [0, 1, 2]);
    }

    #[test]
    fn silence_and_absence_are_said() {
        let nothing = Traffic::default();
        let one = problems(
            &spec(),
            &[resource(bucket::KIND, Condition::Ok)],
            &Watching {
                unconfirmed: vec!["a@example.com".to_owned()],
                lost_topic: Some("arn:aws:sns:t".to_owned()),
                ..Watching::default()
            },
            &Undelivered::default(),
            &nothing,
        );
        assert_eq!(
            messages(&one),
            [
                "alarms reach nobody: there is no topic arn:aws:sns:t",
                "alarms do not reach a@example.com yet",
                "nobody has sent anything in this time"
            ]
        );
        assert_eq!(one.iter().filter(|problem| problem.serious).count(), 1);
        let absent = problems(
            &spec(),
            &[resource(bucket::KIND, Condition::Missing)],
            &Watching::default(),
            &Undelivered::default(),
            &nothing,
        );
        assert_eq!(messages(&absent), ["it is not there"]);
        assert!(absent[0].serious);
    }
}
