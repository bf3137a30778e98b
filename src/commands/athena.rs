//! `athena`: prints a table's definition and example queries for the delivered data.

use super::Context;
use super::session::Session;
use crate::athena::sql;
use crate::failure::{Exit, Failure, FailureKind};
use crate::results::{self, Query};

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let sql = sql(&session.spec, &session.names).map_err(|error| {
        Failure::new(FailureKind::Spec, error.to_string())
            .hint("`gzip` or `none`, and a prefix of dates and fixed text, can be queried")
    })?;
    let queries = sql.queries.into_iter().map(|(about, sql)| Query { about, sql });
    context.ui.result(&results::Athena {
        table: sql.table,
        create: sql.create,
        queries: queries.collect(),
    })?;
    Ok(Exit::Done)
}
