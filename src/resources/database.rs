//! The Glue database that has the pipeline's table, and whatever tables and views its users add.

use aws_sdk_glue::types::DatabaseInput;
use serde::Serialize;

use super::{retag, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome as _};
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

/// A database as it should be.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its ARN, by which it is tagged.
    pub arn: String,
    /// Whether the spec asks for it.
    pub wanted: bool,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared: a database is nothing but its name and tags.
#[derive(Clone, Debug, Serialize)]
pub struct State {}

impl Resource for Database {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Database,
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
        let request = || aws.glue.get_database().name(&self.name).send();
        let found = aws.call("glue:GetDatabase", request).await.found()?;
        if found.is_none() {
            return Ok(None);
        }
        let tags = || aws.glue.get_tags().resource_arn(&self.arn).send();
        let tags = aws.call("glue:GetTags", tags).await.found()?;
        Ok(tags.map(|tags| Observed {
            id: self.arn.clone(),
            state: State {},
            tags: tags_from(tags.tags.unwrap_or_default()),
            phase: Phase::Ready,
        }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let input = DatabaseInput::builder().name(&self.name).build()?;
        let request = || {
            let call = step.aws.glue.create_database().database_input(input.clone());
            call.set_tags(Some(self.tags.clone().into_iter().collect()))
                .send()
        };
        let create = async || step.aws.call("glue:CreateDatabase", request).await;
        step.settle(create).await?;
        Ok(Observed {
            id: self.arn.clone(),
            state: State {},
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        let glue = &step.aws.glue;
        let set = async |tags: Tags| {
            let request = || {
                let call = glue.tag_resource().resource_arn(&self.arn);
                call.set_tags_to_add(Some(tags.clone().into_iter().collect()))
                    .send()
            };
            step.aws.call("glue:TagResource", request).await.map(drop)
        };
        let remove = async |keys: Vec<String>| {
            let request = || {
                let call = glue.untag_resource().resource_arn(&self.arn);
                call.set_tags_to_remove(Some(keys.clone())).send()
            };
            step.aws.call("glue:UntagResource", request).await.map(drop)
        };
        retag(&self.tags, &have.tags, set, remove).await?;
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        // Glue would delete them too, without a word.
        let others = self.tables(step.aws).await?;
        if !others.is_empty() {
            let why = format!(
                "database {} has tables or views that are not the pipeline's ({}): drop them, or move them to another database",
                self.name,
                others.join(", ")
            );
            return Err(AwsError::new("glue:DeleteDatabase", ErrorKind::Unusable, why));
        }
        let request = || step.aws.glue.delete_database().name(&self.name).send();
        let delete = async || step.aws.call("glue:DeleteDatabase", request).await.found();
        step.settle(delete).await.map(drop)
    }
}

impl Database {
    /// The names of the tables and views that are in it.
    pub async fn tables(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let request = || {
                let call = aws.glue.get_tables().database_name(&self.name);
                call.set_next_token(token.clone()).send()
            };
            let Some(page) = aws.call("glue:GetTables", request).await.found()? else {
                return Ok(names);
            };
            names.extend(page.table_list().iter().map(|table| table.name().to_owned()));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(names);
            }
        }
    }
}
