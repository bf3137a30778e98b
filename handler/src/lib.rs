//! The webhook's Lambda function: sends Split impressions to Kinesis, without losing one.
//!
//! ```text
//! event ─decode→ JSON text ─elements→ impressions ─pack→ records ─deliver→ Kinesis
//!                               └→ rejected ─┐                    └→ undelivered ─┐
//!                                            └──────────────spill─────────────────┴→ S3
//! ```
//!
//! Invariants: an answer of 200 means that every element is in Kinesis or S3; no text of an impression gets into an answer or a
//! log line; nothing panics on what a sender sends. Left of `deliver` nothing calls AWS.

pub mod aws;
mod budget;
pub mod decode;
pub mod deliver;
pub mod elements;
pub mod event;
pub mod fields;
mod json;
pub mod log;
mod memory;
pub mod pack;
mod plain;
mod refusal;
mod rejected;
pub mod request;
pub mod settings;
pub mod spill;
pub mod webhook;

#[cfg(test)]
mod testing;
