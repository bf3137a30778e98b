//! From a text to a spec, or to every problem that the text has.
//!
//! Owns the loop that finds all problems, and the rules that span several keys. It must not hold a rule about one
//! value, which is its type's.

use serde_path_to_error::Segment;

use super::fault::{Fault, FaultKind, Place};
use super::locate::locate;
use super::problem::{Problem, SpecError, hint, nearest};
use super::tree::{Node, Step};
use super::{Compression, Fields, Format, Spec, StreamMode, ephemeral, yaml};

/// After so many problems, more of them help nobody, and finding each costs a walk through the text.
const MAX_PROBLEMS: usize = 50;

/// Stands in for a bad name, so that the other problems can be found.
const ANY_NAME: &str = "any-name";

/// A spec, and what its author may not have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The spec.
    pub spec: Spec,
    /// Warnings, one line each, in the form of problems.
    pub warnings: Vec<String>,
}

/// What becomes of a name that only an ephemeral pipeline may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReservedName {
    /// It is a problem.
    Refused,
    /// It is as good as another.
    Allowed,
}

/// Parses a spec.
pub(super) fn parse(text: &str, origin: &str, reserved: ReservedName) -> Result<Parsed, SpecError> {
    let fail = |problems| SpecError {
        origin: origin.to_owned(),
        problems,
    };
    // Some editors start a file with a byte order mark, which is no part of its text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (tree, bad_keys) = yaml::read(text).map_err(|problem| fail(vec![problem]))?;
    let bad_keys = bad_keys.into_iter().take(MAX_PROBLEMS);
    let mut problems: Vec<Problem> = bad_keys
        .map(|bad| Problem::new(locate(text, &bad.path, bad.place), &bad.path, bad.message))
        .collect();
    let (tree, spec) = read_spec(text, tree, &mut problems);
    if let Some(spec) = &spec {
        if reserved == ReservedName::Refused {
            problems.extend(check_names(text, spec));
        }
        problems.extend(check_together(text, spec, &tree));
        problems.extend(check_parquet(text, spec));
        problems.extend(check_monitoring(text, spec));
    }
    match spec {
        Some(spec) if problems.is_empty() => Ok(finish(text, origin, spec)),
        _ => Err(fail(in_order(problems))),
    }
}

/// Sorts problems as the text goes, and says so if there may be more.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    if problems.len() >= MAX_PROBLEMS
        && let Some(last) = problems.last_mut()
    {
        last.hint = Some(format!(
            "there may be more problems: no more than {MAX_PROBLEMS} are looked for"
        ));
    }
    problems
}

/// Reads the spec from the tree again and again, and takes out a fault each time, until it can be read.
fn read_spec(text: &str, mut tree: Node, problems: &mut Vec<Problem>) -> (Node, Option<Spec>) {
    loop {
        let error = match serde_path_to_error::deserialize::<_, Spec>(&tree) {
            Ok(spec) => return (tree, Some(spec)),
            Err(error) => error,
        };
        let path = original_path(&tree, error.path());
        let fault = error.into_inner();
        // A list whose elements were all bad is not also too short.
        let follows_from_another = tree.get(&path).is_some_and(Node::has_gaps) && fault.place == Place::Value;
        let is_missing_name = matches!(fault.kind, FaultKind::MissingKey(_));
        if is_missing_name || !follows_from_another {
            problems.push(explain(text, &path, &fault));
        }
        if problems.len() >= MAX_PROBLEMS || !take_out(&mut tree, &path, &fault) {
            return (tree, None);
        }
    }
}

/// Turns the path that serde took into one in the text's own terms.
fn original_path(tree: &Node, path: &serde_path_to_error::Path) -> Vec<Step> {
    let mut steps = Vec::new();
    for segment in path {
        let step = match segment {
            Segment::Map { key } => Step::Key(key.clone()),
            Segment::Seq { index } => Step::Index(
                tree.get(&steps)
                    .map_or(*index, |list| list.original_index(*index)),
            ),
            // A choice is a value of its own, not a step below one.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        steps.push(step);
    }
    steps
}

/// Takes a fault out of the tree, so that the next one shows; tells whether that can be done.
fn take_out(tree: &mut Node, path: &[Step], fault: &Fault) -> bool {
    let is_name = matches!(path, [Step::Key(key)] if key == "name");
    match (&fault.kind, tree) {
        (FaultKind::MissingKey(key), Node::Map(entries)) if path.is_empty() => {
            entries.push(((*key).to_owned(), Node::Text(ANY_NAME.to_owned())));
            true
        }
        (_, tree) if !path.is_empty() => match tree.get_mut(path) {
            Some(node) if *node != Node::Gone => {
                *node = if is_name {
                    Node::Text(ANY_NAME.to_owned())
                } else {
                    Node::Gone
                };
                true
            }
            _ => false,
        },
        _ => false,
    }
}

fn explain(text: &str, path: &[Step], fault: &Fault) -> Problem {
    let problem = Problem::new(locate(text, path, fault.place), path, fault.to_string());
    Problem {
        hint: hint(path, &fault.kind),
        ..problem
    }
}

/// Finds names that the policy for ephemeral pipelines would match.
fn check_names(text: &str, spec: &Spec) -> impl Iterator<Item = Problem> {
    let bucket = spec.delivery.bucket.as_ref();
    let bucket = bucket.map(|bucket| (steps(&["delivery", "bucket"]), bucket.as_str()));
    let names = [(steps(&["name"]), spec.name.as_str())].into_iter().chain(bucket);
    names.filter_map(|(path, name)| {
        let (message, hint) = ephemeral::problem(name)?;
        Some(Problem::new(locate(text, &path, Place::Value), &path, message).hinted(hint))
    })
}

/// Checks what no value can tell alone.
fn check_together(text: &str, spec: &Spec, tree: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let delivery = &spec.delivery;
    let mut complain = |key: &str, message: &str| {
        let path = steps(&["delivery", key]);
        problems.push(Problem::new(locate(text, &path, Place::Value), &path, message));
    };
    if delivery.expire_days.is_some()
        && let Some(other) = delivery.prefix.covers(&delivery.error_prefix)
    {
        complain(
            "expire_days",
            &format!(
                "would delete what is below `{other}` as well: `delivery.prefix` must start with another text"
            ),
        );
    }
    if !delivery.existing_bucket {
        return problems;
    }
    // A bucket that is in the text, but bad, is a problem already.
    if tree
        .get(&steps(&["delivery", "bucket"]))
        .is_none_or(|bucket| *bucket == Node::Null)
    {
        complain(
            "existing_bucket",
            "needs `delivery.bucket`, which says what bucket that is",
        );
    }
    let never_changed = "cannot go with `existing_bucket: true`: an existing bucket is never changed";
    if delivery.expire_days.is_some() {
        complain("expire_days", never_changed);
    }
    if delivery.versioning {
        complain("versioning", never_changed);
    }
    problems
}

/// The least that Firehose gathers to convert ("Enable record format conversion" in its guide).
const PARQUET_BUFFER_MIB: u32 = 64;

/// Checks what Firehose asks of a delivery that it converts, and that its table can be told its partitions.
fn check_parquet(text: &str, spec: &Spec) -> Vec<Problem> {
    let delivery = &spec.delivery;
    let mut problems = Vec::new();
    if delivery.format != Format::Parquet {
        return problems;
    }
    let mut complain = |key: &str, message: &str| {
        let path = steps(&["delivery", key]);
        problems.push(Problem::new(locate(text, &path, Place::Value), &path, message));
    };
    if delivery.compression == Compression::Zip {
        complain(
            "compression",
            "must be `gzip`, `snappy` or `none` where `delivery.format` is `parquet`",
        );
    }
    if delivery.buffer_mib.get() < PARQUET_BUFFER_MIB {
        complain(
            "buffer_mib",
            "must be at least 64 where `delivery.format` is `parquet`; `delivery.buffer_seconds` delivers earlier",
        );
    }
    if delivery.prefix.folders().contains("!{firehose:") {
        complain(
            "prefix",
            "cannot have folders of `!{firehose:random-string}` where `delivery.format` is `parquet`: its table could not tell \
             what partitions there are",
        );
    }
    if let Some(other) = delivery.prefix.shares_folder_with(&delivery.error_prefix) {
        let message = format!(
            "must have a folder to itself where `delivery.format` is `parquet`: its table would have what is below `{other}` as well"
        );
        complain("prefix", &message);
    }
    problems
}

/// Checks that whoever is to be told of alarms can be.
fn check_monitoring(text: &str, spec: &Spec) -> Vec<Problem> {
    let monitoring = &spec.monitoring;
    let mut problems = Vec::new();
    let mut complain = |key: &str, message: &str| {
        let path = steps(&["monitoring", key]);
        problems.push(Problem::new(locate(text, &path, Place::Value), &path, message));
    };
    if !monitoring.emails.is_empty() && monitoring.topic_arn.is_some() {
        complain(
            "emails",
            "cannot go with `monitoring.topic_arn`: subscribe the addresses to that topic, which is yours",
        );
    }
    if let (Some(region), Some(topic)) = (&spec.region, &monitoring.topic_arn)
        && topic.region() != region.as_str()
    {
        complain(
            "topic_arn",
            "must be of a topic in the pipeline's region, where CloudWatch can reach it",
        );
    }
    if monitoring.alarms {
        return problems;
    }
    let alarms = "needs `monitoring.alarms: true`: without alarms there is nothing to tell anybody";
    if !monitoring.emails.is_empty() {
        complain("emails", alarms);
    }
    if monitoring.topic_arn.is_some() {
        complain("topic_arn", alarms);
    }
    problems
}

/// The fields of an impression (Harness: "Webhook for Impressions").
pub const IMPRESSION_FIELDS: [&str; 14] = [
    "key",
    "split",
    "environmentId",
    "environmentName",
    "treatment",
    "time",
    "bucketingKey",
    "label",
    "machineName",
    "machineIp",
    "splitVersionNumber",
    "sdk",
    "sdkVersion",
    "properties",
];

/// Gathers the warnings, and leaves no shards where they have no meaning.
fn finish(text: &str, origin: &str, mut spec: Spec) -> Parsed {
    let mut warnings = Vec::new();
    let mut warn = |path: Vec<Step>, place: Place, message: &str| {
        let problem = Problem::new(locate(text, &path, place), &path, message);
        warnings.push(format!("{origin}:{problem}"));
    };
    if spec.stream.mode == StreamMode::OnDemand {
        if spec.stream.shards.take().is_some() {
            warn(
                steps(&["stream", "shards"]),
                Place::Key(0),
                "ignored, as a stream with `mode: on_demand` has no shards to choose",
            );
        }
    } else if spec.stream.shards.is_none() {
        spec.stream.shards = super::Stream::default().shards;
    }
    if !spec.webhook.secret_path {
        warn(
            steps(&["webhook", "secret_path"]),
            Place::Value,
            "the URL can be guessed, and Split signs nothing: whoever finds it can add impressions",
        );
    }
    if let Fields::Keep(fields) = &spec.handler.fields {
        for (index, field) in fields.iter().enumerate() {
            if let Some(name) = misspelt_field(field) {
                let mut path = steps(&["handler", "fields"]);
                path.push(Step::Index(index));
                let message = format!("Split has no field `{field}`; did you mean `{name}`?");
                warn(path, Place::Value, &message);
            }
        }
    }
    Parsed { spec, warnings }
}

/// The field of Split's that a name is close to but not the same as; other names may be of fields to come.
fn misspelt_field(field: &str) -> Option<&'static str> {
    nearest(field, &IMPRESSION_FIELDS).filter(|name| *name != field)
}

fn steps(keys: &[&str]) -> Vec<Step> {
    keys.iter().map(|key| Step::Key((*key).to_owned())).collect()
}
