//! Streams Split impressions into your own S3 bucket, with one command.
//!
//! How data flows:
//!
//! ```text
//! YAML ──spec──▶ Spec ──want──▶ Desired ─┐
//!                                        ├─plan──▶ Plan ──apply──▶ Report, webhook URL
//! AWS  ─────────observe───────▶ Snapshot ┘
//! ```
//!
//! Left of `apply`, nothing changes anything. [`spec`], [`names`], each kind's `want`, and the plan are pure; observing only reads.
//! [`engine`] applies and destroys by the calls of each kind; [`rotate`], [`replay`] and [`undelivered`] change what their headers say. No other
//! module changes AWS.
//! `status` is observe and plan, `up` is observe, plan and apply, `plan` is `up` without its last step.
//!
//! [`pipeline`] has the one list of a pipeline's resources, and the one graph of what needs what. A kind of resource is a room
//! in [`resources`]: its state, what the spec asks of it, its calls, its permissions, its form in other tools. [`engine`] walks
//! the list without knowing any kind; [`resource`] is what all kinds have in common. A command is a file in [`commands`].
//!
//! The other modules have a domain each, with its own result types, and know no command:
//! [`aws`] (clients, error classes, retries, waits), [`artifact`] (the handler's zip), [`local`] (the emulator), [`smoke`], [`replay`],
//! [`undelivered`] (impressions that no delivery stream delivered), [`proposal`] (what `up` would do), [`health`], [`traffic`], [`logs`],
//! [`estimate`], [`athena`], [`export`] (writers for other tools), [`objects`], [`rows`], [`table`], [`prefixes`], [`junit`].
//! [`ui`] prints; it knows the result of no command. Leaves: [`kind`], [`access`], [`progress`], [`foreign`] (text of others made
//! harmless), [`moment`], [`ownership`], [`programs`], [`random`], [`log_events`], [`failure`] and [`cli`].

#![allow(missing_docs, reason = "the insides of a program: a comment that repeats a name helps nobody")]

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
