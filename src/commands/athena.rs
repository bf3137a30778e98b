//! `athena`: prints a table's definition and example queries for the delivered data.

use std::fmt::Write as _;

use super::session::Session;
use super::{Context, Invocation};
use crate::athena::{Sql, sql};
use crate::failure::{Exit, Failure, FailureKind};
use crate::foreign;
use crate::ui::Show;

/// Print `CREATE EXTERNAL TABLE` for Athena, with partition projection, and example queries
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline athena > table.sql")]
pub struct Args;

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        let sql = sql(&session.spec, &session.names).map_err(|error| {
            Failure::new(FailureKind::Spec, error.to_string())
                .hint("`gzip` or `none`, and a prefix of dates and fixed text, can be queried")
        })?;
        context.done(&sql)
    }
}

impl Show for Sql {
    fn text(&self) -> String {
        let mut text = match &self.create {
            Some(create) => format!("-- Athena runs one statement at a time: this one first.\n{create}\n"),
            None => {
                format!("-- `up` has made the table {}. Athena runs one statement at a time.\n", self.table)
            }
        };
        for query in &self.queries {
            let _ = write!(text, "\n-- {}\n{}\n", foreign::line(query.about), query.sql);
        }
        text
    }
}
