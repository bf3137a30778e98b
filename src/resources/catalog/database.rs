//! The Glue database that has the pipeline's table, and whatever tables and views its users add.

use aws_sdk_glue::types::DatabaseInput;
use serde::Serialize;

use crate::aws::{Aws, AwsError, ErrorKind, Outcome as _};
use crate::kind::Kind;
use crate::resource::{Changes, Existence, Observed, Resource, Step, TagChanges, Target};
use crate::resources::{Blueprint, tags_from};
use crate::spec::Format;

mod export;
mod grants;

pub const KIND: Kind = Kind::new("database");

#[derive(Clone, Copy, Debug)]
pub struct Database;

/// What is compared: a database is nothing but its name and tags.
#[derive(Clone, Debug, Serialize)]
pub struct State {}

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Database> {
    let names = blueprint.names;
    Target {
        existence: Existence::wanted_if(blueprint.spec.delivery.format == Format::Parquet),
        ..blueprint.target(KIND, (names.database(), names.database_arn()), State {}, ())
    }
}

impl Resource for Database {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || aws.glue.get_database().name(&want.name).send();
        let found = aws.call("glue:GetDatabase", request).await.found()?;
        if found.is_none() {
            return Ok(None);
        }
        let tags = || aws.glue.get_tags().resource_arn(&want.arn).send();
        let tags = aws.call("glue:GetTags", tags).await.found()?;
        Ok(tags.map(|tags| {
            Observed::ready(want.arn.clone(), State {}, tags_from(tags.tags.unwrap_or_default()))
        }))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let input = DatabaseInput::builder().name(&want.name).build()?;
        let request = || {
            let call = step.aws.glue.create_database().database_input(input.clone());
            call.set_tags(Some(want.tags.clone().into_iter().collect())).send()
        };
        step.call("glue:CreateDatabase", request).await?;
        Ok(want.created(want.arn.clone(), State {}))
    }

    async fn update(
        want: &Target<Self>,
        _have: &Observed<Self>,
        _changes: &Changes,
        _step: &Step<'_>,
    ) -> Result<String, AwsError> {
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        // Glue would delete them too, without a word.
        let others = want.tables(step.aws).await?;
        if !others.is_empty() {
            let why = format!(
                "database {} has tables or views that are not the pipeline's ({}): drop them, or move them to another database",
                want.name,
                others.join(", ")
            );
            return Err(AwsError::new("glue:DeleteDatabase", ErrorKind::Unusable, why));
        }
        let request = || step.aws.glue.delete_database().name(&want.name).send();
        step.remove("glue:DeleteDatabase", request).await
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let request = || {
                let call = step.aws.glue.tag_resource().resource_arn(&want.arn);
                call.set_tags_to_add(Some(set.clone().into_iter().collect())).send()
            };
            step.call("glue:TagResource", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.glue.untag_resource().resource_arn(&want.arn);
                call.set_tags_to_remove(Some(removed.clone())).send()
            };
            step.call("glue:UntagResource", request).await?;
        }
        Ok(())
    }

    fn is_looked_for(want: &Target<Self>) -> bool {
        want.is_wanted()
    }

    async fn used_by_others(want: &Target<Self>, aws: &Aws) -> Option<String> {
        // What fails here fails again, and is reported, when the database is to be deleted.
        let others = want.tables(aws).await.unwrap_or_default();
        let why = || {
            let others = others.join(", ");
            format!("it has tables or views that are not the pipeline's: {others}")
        };
        (!others.is_empty()).then(why)
    }
}

impl Target<Database> {
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
