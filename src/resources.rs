//! The resources of a pipeline, one file each, all of the same shape.
//!
//! A resource calls AWS about itself only, except that the stage grants API Gateway the permission to invoke the function. What
//! a resource needs of others reaches it as `Needs`.

pub mod alarm;
pub mod alarm_topic;
pub mod bucket;
pub mod dashboard;
pub mod database;
pub mod delivery_stream;
pub mod function;
pub mod log_group;
pub mod rest_api;
pub mod role;
pub mod stage;
pub mod stream;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;

use serde_json::{Value, json};

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::resource::{Resource, Tags};

/// Gets the tags of a resource from `have` to `want`, by the calls that set tags and remove them by key.
async fn retag(
    want: &Tags,
    have: &Tags,
    set: impl AsyncFnOnce(Tags) -> Result<(), AwsError>,
    remove: impl AsyncFnOnce(Vec<String>) -> Result<(), AwsError>,
) -> Result<(), AwsError> {
    let differing = want.iter().filter(|(key, value)| have.get(*key) != Some(value));
    let differing: Tags = differing
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let extra = have.keys().filter(|key| !want.contains_key(*key));
    let extra: Vec<_> = extra.cloned().collect();
    if !differing.is_empty() {
        set(differing).await?;
    }
    if !extra.is_empty() {
        remove(extra).await?;
    }
    Ok(())
}

/// Insists that there is nothing, before a call that would take the place of what is there instead of refusing.
async fn unless_there<R: Resource<Parent = ()>>(
    want: &R,
    aws: &Aws,
    call: &'static str,
) -> Result<(), AwsError> {
    match want.observe(aws, &()).await? {
        None => Ok(()),
        Some(_) => Err(AwsError::new(call, ErrorKind::Exists, "it exists by now")),
    }
}

/// Tags as they come from AWS, without those that AWS sets itself and nobody else may change.
fn tags_from<K: Into<String>, V: Into<String>>(tags: impl IntoIterator<Item = (K, V)>) -> Tags {
    tags.into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .filter(|(key, _): &(String, String)| !key.starts_with("aws:"))
        .collect()
}

/// A policy document as a value; text that is no JSON differs from every document.
fn policy_value(text: &str) -> Value {
    serde_json::from_str(text).map_or_else(|_| Value::String(text.to_owned()), canonical)
}

/// The one of all equivalent ways to write a policy document that we compare and send.
///
/// AWS may give back a document in another one than it got: lists in another order, a list of one as its element,
/// `"*"` as `{"AWS": "*"}`.
pub fn canonical(mut document: Value) -> Value {
    if let Some(Value::Object(_)) = document.get("Statement") {
        document["Statement"] = Value::Array(vec![document["Statement"].take()]);
    }
    let statements = document.get_mut("Statement").and_then(Value::as_array_mut);
    for statement in statements.into_iter().flatten() {
        if statement.get("Sid").is_some_and(|sid| sid == "") {
            statement.as_object_mut().map(|fields| fields.remove("Sid"));
        }
        simplify(statement);
        if statement
            .get("Principal")
            .is_some_and(|principal| *principal == json!({"AWS": "*"}))
        {
            statement["Principal"] = json!("*");
        }
    }
    document
}

/// Sorts every list of texts below a value, and makes a list of one its element.
fn simplify(value: &mut Value) {
    match value {
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            list.dedup();
            if let [only] = list.as_mut_slice() {
                *value = only.take();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(simplify),
        Value::Object(fields) => fields.values_mut().for_each(simplify),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_documents_are_equal() {
        let ours = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": ["s3:*"], "Resource": ["b", "a"],
            "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "1.1.1.1/32"]}},
        }]});
        let theirs = json!({"Version": "2012-10-17", "Statement": {
            "Sid": "", "Effect": "Deny", "Principal": {"AWS": ["*"]}, "Action": "s3:*", "Resource": ["a", "b"],
            "Condition": {"NotIpAddress": {"aws:SourceIp": ["1.1.1.1/32", "10.0.0.0/8"]}},
        }});
        assert_eq!(canonical(ours.clone()), policy_value(&theirs.to_string()));
        let other = ours.to_string().replace("Deny", "Allow");
        assert_ne!(canonical(ours), policy_value(&other));
        assert_eq!(policy_value("no JSON"), json!("no JSON"));
    }
}
