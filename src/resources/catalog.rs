//! What Glue's catalog has of a pipeline that delivers Parquet: the table that Firehose converts by, and its database.

pub mod database;
pub mod table;
