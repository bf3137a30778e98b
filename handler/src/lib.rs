//! The webhook's Lambda function: Split impressions to Kinesis, without losing one.
//!
//! ```text
//! event ─decode→ JSON text ─elements→ impressions ─pack→ records ─deliver→ Kinesis
//!                               └→ rejected ─┐                    └→ undelivered ─┐
//!                                            └──────────────spill─────────────────┴→ S3
//! ```
//!
//! What holds throughout: an answer of 200 means that every element is in Kinesis or S3; no text of an impression gets
//! into an answer or a log line; nothing panics on what a sender sends. Left of `deliver` nothing calls AWS.

pub mod settings;

pub mod webhook;

pub mod event;

pub mod budget;
mod characters;
pub mod decode;
pub mod elements;
pub mod fields;
pub mod memory;
mod plain;
pub mod rejected;

pub mod pack;
pub mod request;

pub mod deliver;
pub mod spill;

pub mod aws;
pub mod log;

#[cfg(test)]
mod testing;
