//! A CloudWatch dashboard.
//!
//! Its tags are in its own text as well, where they are read from: a dashboard that was made before AWS let them have tags
//! has no others.

use serde::Serialize;
use serde_json::{Value, json};

use super::alarm::sdk_tags;
use super::metric::{Metric, PERIOD_SECONDS};
use super::{Blueprint, unless_there};
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::kind::Kind;
use crate::names::{Names, Tags};
use crate::resource::{Changes, Existence, Observed, Resource, Step, TagChanges, Target};
use crate::spec::Spec;

mod export;
mod grants;

pub const KIND: Kind = Kind::new("dashboard");

#[derive(Clone, Copy, Debug)]
pub struct Dashboard;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// What it shows, below the text that names its owner.
    pub widgets: Vec<Value>,
}

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Dashboard> {
    let Blueprint { spec, names, .. } = blueprint;
    let state = State { widgets: widgets(spec, names) };
    Target {
        existence: Existence::wanted_if(spec.monitoring.dashboard),
        ..blueprint.target(KIND, (names.dashboard(), names.dashboard_arn()), state, ())
    }
}

/// How wide and high a graph is, of a dashboard that is 24 wide.
const GRAPH: (u32, u32) = (12, 6);

/// Where the graphs start, below the text that names the owner.
const TOP: u32 = 2;

fn widgets(spec: &Spec, names: &Names) -> Vec<Value> {
    let webhook = |name| Metric::webhook(name, spec, names);
    let function = |name| Metric::function(name, names);
    let handler = |name| Metric::handler(name, names);
    let graphs = [
        ("Impressions", vec![handler("received"), handler("delivered")]),
        ("Set aside", vec![handler("spilled"), handler("rejected")]),
        ("Requests, and those that failed", vec![webhook("Count"), webhook("4XXError"), webhook("5XXError")]),
        ("Function errors and throttles", vec![function("Errors"), function("Throttles")]),
        ("Behind the stream, ms", vec![Metric::iterator_age(names)]),
        ("Oldest record not in S3, s", vec![Metric::freshness(names)]),
    ];
    let graphs = (0..).zip(graphs).map(|(index, (title, metrics))| {
        let metrics: Vec<_> = metrics.iter().map(graphed).collect();
        json!({
            "type": "metric",
            "x": (index % 2) * GRAPH.0, "y": TOP + (index / 2) * GRAPH.1,
            "width": GRAPH.0, "height": GRAPH.1,
            "properties": {
                "title": title, "region": names.region(), "view": "timeSeries",
                "period": PERIOD_SECONDS, "metrics": metrics,
            },
        })
    });
    graphs.collect()
}

/// A metric as dashboards have it: namespace, name, each dimension's name and value, then how it is shown.
fn graphed(metric: &Metric) -> Value {
    let mut parts = vec![json!(metric.namespace), json!(metric.name)];
    for (name, value) in &metric.dimensions {
        parts.extend([json!(name), json!(value)]);
    }
    parts.push(json!({ "stat": metric.statistic }));
    Value::Array(parts)
}

impl Resource for Dashboard {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || aws.cloudwatch.get_dashboard().dashboard_name(&want.name).send();
        let answer = aws.call("cloudwatch:GetDashboard", request).await.found()?;
        Ok(answer.map(|answer| {
            let (tags, widgets) = parse(answer.dashboard_body().unwrap_or_default());
            Observed::ready(want.arn.clone(), State { widgets }, tags)
        }))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        unless_there(want, step.aws, "cloudwatch:PutDashboard").await?;
        want.put(step).await?;
        Ok(want.created(want.arn.clone(), want.state.clone()))
    }

    async fn update(
        want: &Target<Self>,
        _have: &Observed<Self>,
        _changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        want.put(step).await?;
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.cloudwatch.delete_dashboards();
            call.dashboard_names(&want.name).send()
        };
        let deleted = step.aws.call("cloudwatch:DeleteDashboards", request).await;
        deleted.found().map(drop)
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        _tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        want.put(step).await
    }
}

impl Target<Dashboard> {
    async fn put(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let body = body(&self.tags, &self.state.widgets).to_string();
        let request = || {
            let call = step.aws.cloudwatch.put_dashboard().dashboard_name(&self.name);
            call.dashboard_body(&body).set_tags(Some(sdk_tags(&self.tags))).send()
        };
        step.call("cloudwatch:PutDashboard", request).await.map(drop)
    }
}

const TAGS: &str = "Tags: ";

/// The whole of a dashboard: a text that names its owner, above what it shows.
fn body(tags: &Tags, widgets: &[Value]) -> Value {
    let markdown = format!(
        "Made by [split-pipeline]({}), which undoes what is changed by hand.\n\n{TAGS}`{}`",
        env!("CARGO_PKG_REPOSITORY"),
        json!(tags)
    );
    let owner = json!({
        "type": "text", "x": 0, "y": 0, "width": 24, "height": 2,
        "properties": { "markdown": markdown },
    });
    let widgets: Vec<_> = std::iter::once(&owner).chain(widgets).collect();
    json!({ "widgets": widgets })
}

/// The tags and the other widgets of a dashboard; no tags where its text does not name them.
fn parse(body: &str) -> (Tags, Vec<Value>) {
    let mut body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut widgets = match body["widgets"].take() {
        Value::Array(widgets) => widgets,
        _ => Vec::new(),
    };
    let tags = widgets.iter().enumerate().find_map(|(index, widget)| {
        let markdown = widget["properties"]["markdown"].as_str()?;
        let line = markdown.lines().find_map(|line| line.strip_prefix(TAGS))?;
        Some((index, serde_json::from_str(line.trim_matches('`')).ok()?))
    });
    match tags {
        Some((index, tags)) => {
            widgets.remove(index);
            (tags, widgets)
        }
        None => (Tags::new(), widgets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashboard_names_its_tags_in_its_own_text() {
        let tags = Tags::from([("team".to_owned(), "growth & `co`".to_owned())]);
        let widgets = vec![json!({"type": "metric"})];
        let text = body(&tags, &widgets).to_string();
        assert_eq!(parse(&text), (tags, widgets.clone()));
        let others = json!({"widgets": widgets}).to_string();
        assert_eq!(parse(&others), (Tags::new(), widgets));
        assert_eq!(parse("no JSON"), (Tags::new(), Vec::new()));
    }
}
