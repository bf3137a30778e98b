//! A CloudWatch dashboard.
//!
//! Its tags are in its own text as well, where they are read from: a dashboard that was made before AWS let them have tags
//! has no others.

use serde::Serialize;
use serde_json::{Value, json};

use super::alarm::sdk_tags;
use super::unless_there;
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

/// A dashboard as it should be.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Whether the spec asks for it.
    pub wanted: bool,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// What it shows, below the text that names its owner.
    pub widgets: Vec<Value>,
}

impl Resource for Dashboard {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Dashboard,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent((): &()) {}

    fn wanted(&self) -> bool {
        self.wanted
    }

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || aws.cloudwatch.get_dashboard().dashboard_name(&self.name).send();
        let answer = aws.call("cloudwatch:GetDashboard", request).await.found()?;
        Ok(answer.map(|answer| {
            let (tags, widgets) = parse(answer.dashboard_body().unwrap_or_default());
            Observed {
                id: self.arn.clone(),
                state: State { widgets },
                tags,
                phase: Phase::Ready,
            }
        }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        unless_there(self, step.aws, "cloudwatch:PutDashboard").await?;
        self.put(step).await?;
        Ok(Observed {
            id: self.arn.clone(),
            state: self.state.clone(),
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, _have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        self.put(step).await?;
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.cloudwatch.delete_dashboards();
            call.dashboard_names(&self.name).send()
        };
        let deleted = step.aws.call("cloudwatch:DeleteDashboards", request).await;
        deleted.found().map(drop)
    }
}

impl Dashboard {
    async fn put(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let body = body(&self.tags, &self.state.widgets).to_string();
        let request = || {
            let call = step.aws.cloudwatch.put_dashboard().dashboard_name(&self.name);
            call.dashboard_body(&body)
                .set_tags(Some(sdk_tags(&self.tags)))
                .send()
        };
        let put = async || step.aws.call("cloudwatch:PutDashboard", request).await;
        step.settle(put).await.map(drop)
    }
}

/// What starts the line that names a dashboard's tags.
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
