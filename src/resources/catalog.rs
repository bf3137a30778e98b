//! The Glue database and table by which Firehose converts to Parquet, and which queries read.

use database::Database;
use table::Table;

use crate::aws::{Aws, AwsError};
use crate::resource::{Observed, Resource as _, Target};

pub mod database;
pub mod table;

/// Looks at a database and its table, whether the spec asks for them or not.
pub async fn look(
    aws: &Aws,
    database: &Target<Database>,
    table: &Target<Table>,
) -> Result<(Option<Observed<Database>>, Option<Observed<Table>>), AwsError> {
    futures_util::try_join!(Database::observe(database, aws), Table::observe(table, aws))
}
