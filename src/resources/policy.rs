//! Policy documents: their one form, and the statements that several kinds have.

use serde_json::{Value, json};

use crate::access::allow;
use crate::names::Names;
use crate::spec::{BucketEncryption, Spec, StreamEncryption};

pub(crate) fn document(statements: &[Value]) -> Value {
    canonical(json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// What a role needs of the user's own keys: the stream's, and the bucket's.
pub(crate) fn use_own_keys(spec: &Spec, names: &Names, stream: &[&str], bucket: &[&str]) -> Vec<Value> {
    let mut statements = Vec::new();
    if let StreamEncryption::Key(key) = &spec.stream.encryption {
        statements.push(use_key("UseStreamKey", key, "kinesis", stream, names));
    }
    if let BucketEncryption::Key(key) = &spec.delivery.encryption {
        statements.push(use_key("UseBucketKey", key, "s3", bucket, names));
    }
    statements
}

/// What a service needs of a key of the user's, on behalf of a role; keys that AWS manages need nothing.
pub(crate) fn use_key(sid: &str, key: &str, service: &str, actions: &[&str], names: &Names) -> Value {
    let mut conditions = json!({ "StringEquals": { "kms:ViaService": names.service_host(service) } });
    let mut resource = key.to_owned();
    // Policies cannot name a key by its alias, but they can ask for the alias of any key.
    if let Some(at) = key.find("alias/") {
        resource = names.any_key_arn();
        conditions["ForAnyValue:StringEquals"] = json!({ "kms:ResourceAliases": &key[at..] });
    }
    let mut statement = allow(sid, actions, &resource);
    statement["Condition"] = conditions;
    statement
}

/// A policy document as a value; text that is no JSON differs from every document.
pub(super) fn policy_value(text: &str) -> Value {
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
        if statement.get("Principal").is_some_and(|principal| *principal == json!({"AWS": "*"})) {
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
