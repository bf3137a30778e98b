//! The resources of a pipeline, one file each, all of the same shape.
//!
//! A resource may call AWS about itself only; what it needs of others reaches it as `Needs`.

pub mod bucket;
pub mod delivery_stream;
pub mod function;
pub mod log_group;
pub mod rest_api;
pub mod role;
pub mod stage;
pub mod stream;

use crate::resource::Tags;

/// The tags to set and the keys to remove to get from `have` to `want`.
fn tag_changes(want: &Tags, have: &Tags) -> (Tags, Vec<String>) {
    let set = want.iter().filter(|(key, value)| have.get(*key) != Some(value));
    let remove = have.keys().filter(|key| !want.contains_key(*key));
    (
        set.map(|(key, value)| (key.clone(), value.clone())).collect(),
        remove.cloned().collect(),
    )
}

/// Tags as they come from AWS, without those that AWS sets itself and nobody else may change.
fn tags_from<K: Into<String>, V: Into<String>>(tags: impl IntoIterator<Item = (K, V)>) -> Tags {
    tags.into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .filter(|(key, _): &(String, String)| !key.starts_with("aws:"))
        .collect()
}

/// A policy document as a value; text that is no JSON differs from every document.
fn policy_value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()))
}
