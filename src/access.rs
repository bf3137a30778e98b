//! What a command has to be allowed, as statements of a policy.
//!
//! Each kind lists its actions in `Permitted::grants` (a table's stand in its database's list, a stage's in its API's); `smoke` and `replay`
//! have their own. `tests/it/deployer.rs` removes each action in turn and expects a command to fail.

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Up,
    /// Only look.
    Status,
    Down,
    Smoke,
    /// Send impressions again, or copy them.
    Replay,
}

/// The REST APIs that a policy is about. AWS chooses an API's id, so a policy that is written before cannot name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestApis {
    /// All of the region: the pipeline has none yet, or nobody knows.
    OfRegion,
    WithIds(Vec<String>),
}

/// The actions that looking at, creating or changing, and deleting some resources takes.
#[derive(Debug, Default)]
pub struct Grant {
    pub sid: &'static str,
    pub resources: Vec<String>,
    pub look: &'static [&'static str],
    pub make: &'static [&'static str],
    pub delete: &'static [&'static str],
}

impl Grant {
    /// The statement for these purposes, if they need any of the actions.
    pub fn statement(&self, purposes: &[Purpose]) -> Option<Value> {
        let mut actions = self.look.to_vec();
        if purposes.contains(&Purpose::Up) {
            actions.extend(self.make);
        }
        if purposes.contains(&Purpose::Down) {
            actions.extend(self.delete);
        }
        actions.sort_unstable();
        actions.dedup();
        (!actions.is_empty()).then(|| allow_on(self.sid, &actions, &self.resources))
    }
}

pub fn allow(sid: &str, actions: &[&str], resource: &str) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource })
}

pub fn allow_on(sid: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources })
}
