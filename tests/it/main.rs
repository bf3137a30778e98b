//! The tests of the whole: the real binary against real emulators, in one test binary, since linking the AWS SDKs
//! takes its time.
//!
//! MiniStack is started by the product itself (`split-pipeline local start`), an instance for each test, on a port of
//! its own and with IAM enforced.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod athena;
mod bad_input;
mod build;
mod cli;
mod conflicts;
mod deployer;
mod docs;
mod draining;
mod drift;
mod ephemeral;
mod every_key;
mod examples;
mod export;
mod faults;
mod foreign;
mod gaps;
mod gate;
mod held;
mod interruption;
mod kills;
mod left_alone;
mod linter;
mod load;
mod local;
mod loss;
mod not_yet;
mod parquet;
mod permissions;
mod pipeline;
mod promises;
mod races;
mod replay;
mod rotation;
mod running;
mod second_emulator;
mod secrets;
mod silent_input;
mod support;
mod watched;
mod webhook;
