//! From a text to a spec, or to every problem that the text has.
//!
//! Owns the loop that finds all problems, and the rules that span several keys. It must not hold a rule about one
//! value, which is its type's.

use serde_path_to_error::Segment;

use super::fault::{Fault, FaultKind, FaultPlace};
use super::problem::{SpecError, SpecProblem, hint, nearest};
use super::tree::{Content, Entry, Node, PathStep};
use super::{BucketName, Compression, DeliverySpec, FieldsSpec, Format, Spec, StreamMode, ephemeral, yaml};

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
    let fail = |problems| SpecError { origin: origin.to_owned(), problems };
    // Some editors start a file with a byte order mark, which is no part of its text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut tree, mut problems) = yaml::read(text).map_err(|problem| fail(vec![problem]))?;
    problems.truncate(MAX_PROBLEMS);
    let Some(spec) = read_spec(text, &mut tree, &mut problems) else {
        return Err(fail(in_order(problems)));
    };
    let mut rules = Rules { tree: &tree, problems };
    if reserved == ReservedName::Refused {
        rules.check_names(&spec);
    }
    rules.check_delivery(&spec.delivery);
    if spec.delivery.format == Format::Parquet {
        rules.check_parquet(&spec.delivery);
    }
    rules.check_monitoring(&spec);
    if rules.problems.is_empty() {
        Ok(finish(&tree, origin, spec))
    } else {
        Err(fail(in_order(rules.problems)))
    }
}

/// Sorts problems as the text goes, and says so if there may be more.
fn in_order(mut problems: Vec<SpecProblem>) -> Vec<SpecProblem> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    if problems.len() >= MAX_PROBLEMS
        && let Some(last) = problems.last_mut()
    {
        last.hint = Some(format!("there may be more problems: no more than {MAX_PROBLEMS} are looked for"));
    }
    problems
}

/// Reads the spec from the tree again and again, and takes out a fault each time, until it can be read.
fn read_spec(text: &str, tree: &mut Node, problems: &mut Vec<SpecProblem>) -> Option<Spec> {
    loop {
        let error = match serde_path_to_error::deserialize::<_, Spec>(&*tree) {
            Ok(spec) => return Some(spec),
            Err(error) => error,
        };
        let path = original_path(tree, error.path());
        let fault = error.into_inner();
        // A list whose elements were all bad is not also too short.
        let follows_from_another =
            tree.get(&path).is_some_and(Node::has_gaps) && fault.place == FaultPlace::Value;
        let is_missing_name = matches!(fault.kind, FaultKind::MissingKey(_));
        if is_missing_name || !follows_from_another {
            let at = if path.is_empty() { yaml::start(text) } else { tree.locate(&path, fault.place) };
            let problem = SpecProblem::new(at, &path, fault.to_string());
            problems.push(SpecProblem { hint: hint(&path, &fault.kind), ..problem });
        }
        if problems.len() >= MAX_PROBLEMS || !take_out(tree, &path, &fault) {
            return None;
        }
    }
}

/// Turns the path that serde took into one in the text's own terms.
fn original_path(tree: &Node, path: &serde_path_to_error::Path) -> Vec<PathStep> {
    let mut steps = Vec::new();
    for segment in path {
        let step = match segment {
            Segment::Map { key } => PathStep::Key(key.clone()),
            Segment::Seq { index } => {
                PathStep::Index(tree.get(&steps).map_or(*index, |list| list.original_index(*index)))
            }
            // A choice is a value of its own, not a step below one.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        steps.push(step);
    }
    steps
}

/// Takes a fault out of the tree, so that the next one shows; tells whether that can be done.
fn take_out(tree: &mut Node, path: &[PathStep], fault: &Fault) -> bool {
    let any_name = || Content::Text(ANY_NAME.to_owned());
    if let (FaultKind::MissingKey(key), [], Content::Map(entries)) = (&fault.kind, path, &mut tree.content) {
        let at = tree.at;
        entries.push(Entry { key: (*key).to_owned(), key_at: at, node: Node { at, content: any_name() } });
        return true;
    }
    let Some(node) = tree.get_mut(path).filter(|node| !path.is_empty() && !node.is_gone()) else {
        return false;
    };
    let is_name = matches!(path, [PathStep::Key(key)] if key == "name");
    node.content = if is_name { any_name() } else { Content::Gone };
    true
}

/// The rules that no value can tell alone.
struct Rules<'a> {
    tree: &'a Node,
    problems: Vec<SpecProblem>,
}

impl Rules<'_> {
    fn complain(&mut self, keys: &[&str], message: impl Into<String>) {
        let path = steps(keys);
        let at = self.tree.locate(&path, FaultPlace::Value);
        self.problems.push(SpecProblem::new(at, &path, message));
    }

    /// Finds names that the policy for ephemeral pipelines would match.
    fn check_names(&mut self, spec: &Spec) {
        let bucket = spec.delivery.bucket.as_ref().map(BucketName::as_str);
        let names: [(&[&str], _); 2] =
            [(&["name"], Some(spec.name.as_str())), (&["delivery", "bucket"], bucket)];
        for (keys, name) in names {
            if let Some((message, hint)) = name.and_then(ephemeral::problem) {
                let path = steps(keys);
                let at = self.tree.locate(&path, FaultPlace::Value);
                self.problems.push(SpecProblem::new(at, &path, message).hinted(hint));
            }
        }
    }

    fn check_delivery(&mut self, delivery: &DeliverySpec) {
        if delivery.expire_days.is_some()
            && let Some(other) = delivery.prefix.covers(&delivery.error_prefix)
        {
            let message = format!(
                "would delete what is below `{other}` as well: `delivery.prefix` must start with another text"
            );
            self.complain(&["delivery", "expire_days"], message);
        }
        if !delivery.existing_bucket {
            return;
        }
        // A bucket that is in the text, but bad, is a problem already.
        let bucket = self.tree.get(&steps(&["delivery", "bucket"]));
        if bucket.is_none_or(|bucket| bucket.content == Content::Null) {
            let message = "needs `delivery.bucket`, which says what bucket that is";
            self.complain(&["delivery", "existing_bucket"], message);
        }
        let never_changed = "cannot go with `existing_bucket: true`: an existing bucket is never changed";
        if delivery.expire_days.is_some() {
            self.complain(&["delivery", "expire_days"], never_changed);
        }
        if delivery.versioning {
            self.complain(&["delivery", "versioning"], never_changed);
        }
    }

    /// Checks what Firehose asks of a delivery that it converts, and that its table can be told its partitions.
    fn check_parquet(&mut self, delivery: &DeliverySpec) {
        if delivery.compression == Compression::Zip {
            let message = "must be `gzip`, `snappy` or `none` where `delivery.format` is `parquet`";
            self.complain(&["delivery", "compression"], message);
        }
        if delivery.buffer_mib.get() < PARQUET_BUFFER_MIB {
            let message = format!(
                "must be at least {PARQUET_BUFFER_MIB} where `delivery.format` is `parquet`; `delivery.buffer_seconds` delivers \
                 earlier"
            );
            self.complain(&["delivery", "buffer_mib"], message);
        }
        if delivery.prefix.folders().contains("!{firehose:") {
            let message = "cannot have folders of `!{firehose:random-string}` where `delivery.format` is `parquet`: its table \
                could not tell what partitions there are";
            self.complain(&["delivery", "prefix"], message);
        }
        if let Some(other) = delivery.prefix.shares_folder_with(&delivery.error_prefix) {
            let message = format!(
                "must have a folder to itself where `delivery.format` is `parquet`: its table would have what is below \
                 `{other}` as well"
            );
            self.complain(&["delivery", "prefix"], message);
        }
    }

    /// Checks that whoever is to be told of alarms can be.
    fn check_monitoring(&mut self, spec: &Spec) {
        let monitoring = &spec.monitoring;
        let (emails, topic_arn) = (["monitoring", "emails"], ["monitoring", "topic_arn"]);
        if !monitoring.emails.is_empty() && monitoring.topic_arn.is_some() {
            let message = "cannot go with `monitoring.topic_arn`: subscribe the addresses to that topic, which is yours";
            self.complain(&emails, message);
        }
        if let (Some(region), Some(topic)) = (&spec.region, &monitoring.topic_arn)
            && topic.region() != region.as_str()
        {
            let message = "must be of a topic in the pipeline's region, where CloudWatch can reach it";
            self.complain(&topic_arn, message);
        }
        if monitoring.alarms {
            return;
        }
        let alarms = "needs `monitoring.alarms: true`: without alarms there is nothing to tell anybody";
        if !monitoring.emails.is_empty() {
            self.complain(&emails, alarms);
        }
        if monitoring.topic_arn.is_some() {
            self.complain(&topic_arn, alarms);
        }
    }
}

/// The least that Firehose gathers to convert, and the default of every format ("Enable record format conversion" in its guide).
pub(super) const PARQUET_BUFFER_MIB: u32 = 64;

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
fn finish(tree: &Node, origin: &str, mut spec: Spec) -> Parsed {
    let mut warnings = Vec::new();
    let mut warn = |path: Vec<PathStep>, place: FaultPlace, message: &str| {
        let problem = SpecProblem::new(tree.locate(&path, place), &path, message);
        warnings.push(format!("{origin}:{problem}"));
    };
    if spec.stream.mode == StreamMode::OnDemand {
        if spec.stream.shards.take().is_some() {
            warn(
                steps(&["stream", "shards"]),
                FaultPlace::Key,
                "ignored, as a stream with `mode: on_demand` has no shards to choose",
            );
        }
    } else if spec.stream.shards.is_none() {
        spec.stream.shards = super::StreamSpec::default().shards;
    }
    if !spec.webhook.secret_path {
        warn(
            steps(&["webhook", "secret_path"]),
            FaultPlace::Value,
            "the URL can be guessed, and Split signs nothing: whoever finds it can add impressions",
        );
    }
    if let FieldsSpec::Keep(fields) = &spec.handler.fields {
        for (index, field) in fields.iter().enumerate() {
            if let Some(name) = misspelt_field(field) {
                let mut path = steps(&["handler", "fields"]);
                path.push(PathStep::Index(index));
                let message = format!("Split has no field `{field}`; did you mean `{name}`?");
                warn(path, FaultPlace::Value, &message);
            }
        }
    }
    Parsed { spec, warnings }
}

/// The field of Split's that a name is close to but not the same as; other names may be of fields to come.
fn misspelt_field(field: &str) -> Option<&'static str> {
    nearest(field, &IMPRESSION_FIELDS).filter(|name| *name != field)
}

fn steps(keys: &[&str]) -> Vec<PathStep> {
    keys.iter().map(|key| PathStep::Key((*key).to_owned())).collect()
}
