//! Streams Split impressions into your own S3 bucket, with one command.
//!
//! How data flows:
//!
//! ```text
//! YAML ──spec──▶ Spec ──desired──▶ Desired ─┐
//!                                           ├─plan──▶ Plan ──apply──▶ webhook URL
//! AWS  ──────────observe─────────▶ Snapshot ┘
//! ```
//!
//! What is left of `apply` changes nothing. [`spec`], [`names`], [`desired`] and [`plan`] are pure; [`observe`] only reads.
//! [`apply`], [`destroy`], [`rotate`] and [`replay`] are the only modules that change AWS; [`smoke`] only posts to the webhook.
//! `status` is observe + plan, `up` is observe + plan + apply, `plan` is `up` without its last step: one engine, and one
//! definition of what a resource should look like.
//!
//! Modules in reading order: [`cli`] and [`commands`] (what the user asks for), [`spec`], [`names`], [`desired`],
//! [`resource`] (what all resources have in common) and [`resources`] (each of them), [`observe`], [`plan`],
//! [`apply`], [`destroy`], [`rotate`], [`aws`] (clients, error classes, waiting), [`artifact`] (the handler's zip), [`local`] (the
//! emulator), [`smoke`], [`junit`], [`replay`], [`undelivered`] (what no delivery stream delivered), [`proposal`] (what `up` would do), [`prefixes`], [`objects`], [`log_events`], [`traffic`], [`health`], [`logs`], [`estimate`],
//! [`athena`], [`export`] (the same pipeline for other tools), [`random`], [`foreign`] (text of others made
//! harmless), [`moment`], [`ownership`], [`programs`],
//! [`progress`] and [`ui`] (what the user sees).

#![allow(
    missing_docs,
    reason = "the insides of a program: a comment that repeats a name helps nobody"
)]

pub mod access;
pub mod artifact;
pub mod athena;
pub mod aws;
pub mod cli;
pub mod commands;
pub mod engine;
pub mod estimate;
pub mod export;
pub mod failure;
pub mod foreign;
pub mod health;
pub mod junit;
pub mod kind;
pub mod local;
pub mod log_events;
pub mod logs;
pub mod moment;
pub mod names;
pub mod objects;
pub mod ownership;
pub mod pipeline;
pub mod prefixes;
pub mod programs;
pub mod progress;
pub mod proposal;
pub mod random;
pub mod replay;
pub mod resource;
pub mod resources;
pub mod rotate;
pub mod rows;
pub mod smoke;
pub mod spec;
pub mod table;
pub mod traffic;
pub mod ui;
pub mod undelivered;

#[cfg(test)]
#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
