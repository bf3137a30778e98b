//! The webhook: a REST API, and the stage within it that opens it to the world.

pub mod rest_api;
pub mod stage;
