//! In which fields two states differ.

use serde::Serialize;
use serde_json::Value;

use super::{Observed, Resource, Target};
use crate::names::Tags;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    pub path: String,
    /// What it is; null where it is absent.
    pub have: Value,
    /// What it should be; null where it should be absent.
    pub want: Value,
}

/// Fields that differ, tags aside: what an update has to change.
pub struct Changes(Vec<FieldChange>);

impl Changes {
    pub fn new(fields: Vec<FieldChange>) -> Self {
        let is_tag = |path: &str| path == TAGS || path.starts_with("tags.");
        Self(fields.into_iter().filter(|field| !is_tag(&field.path)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, field: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        let mut paths = self.0.iter().map(|field| field.path.as_str());
        paths.any(|path| path.strip_prefix(field).is_some_and(below))
    }

    pub fn has_others_than(&self, fields: &[&str]) -> bool {
        let roots = self.0.iter().map(|field| field.path.split(['.', '[']).next().unwrap_or_default());
        roots.into_iter().any(|root| !fields.contains(&root))
    }

    pub fn has_any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.has(field))
    }
}

const TAGS: &str = "tags";

/// Lists the fields in which an observed resource differs from the desired one, tags included.
pub fn differences<R: Resource>(want: &Target<R>, have: &Observed<R>) -> Vec<FieldChange> {
    diff_values(&whole(&have.state, &have.tags), &whole(&want.state, &want.tags))
}

/// Lists every field of a resource that is not there yet.
pub(super) fn all_fields<R: Resource>(want: &Target<R>) -> Vec<FieldChange> {
    diff_values(&Value::Null, &whole(&want.state, &want.tags))
}

fn whole(state: &impl Serialize, tags: &Tags) -> Value {
    let mut value = serde_json::to_value(state).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert(TAGS.to_owned(), serde_json::json!(tags));
    }
    value
}

fn diff_values(have: &Value, want: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    collect(&mut changes, String::new(), have, want);
    changes
}

fn collect(changes: &mut Vec<FieldChange>, path: String, have: &Value, want: &Value) {
    match (have, want) {
        (Value::Object(_) | Value::Null, Value::Object(wanted)) => {
            let empty = serde_json::Map::new();
            let had = have.as_object().unwrap_or(&empty);
            let extra = had.keys().filter(|key| !wanted.contains_key(*key));
            for key in wanted.keys().chain(extra) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(changes, below, value_at(had, key), value_at(wanted, key));
            }
        }
        _ if have == want => {}
        (Value::Array(had), Value::Array(wanted))
            if had.len() == wanted.len() && wanted.iter().any(Value::is_object) =>
        {
            for (index, (have, want)) in had.iter().zip(wanted).enumerate() {
                collect(changes, format!("{path}[{index}]"), have, want);
            }
        }
        _ => changes.push(FieldChange { path, have: have.clone(), want: want.clone() }),
    }
}

fn value_at<'a>(map: &'a serde_json::Map<String, Value>, key: &str) -> &'a Value {
    map.get(key).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_the_leaf_and_keep_both_sides() {
        let have = json!({"a": 1, "b": {"c": "x", "gone": true}, "list": [1], "each": [{"d": 1}, {"e": 2}]});
        let want =
            json!({"a": 1, "b": {"c": "y"}, "list": [1, 2], "each": [{"d": 1}, {"e": 3}], "new": null});
        assert_eq!(
            diff_values(&have, &want),
            vec![
                FieldChange { path: "b.c".into(), have: json!("x"), want: json!("y") },
                FieldChange { path: "b.gone".into(), have: json!(true), want: Value::Null },
                FieldChange { path: "list".into(), have: json!([1]), want: json!([1, 2]) },
                FieldChange { path: "each[1].e".into(), have: json!(2), want: json!(3) },
            ]
        );
    }

    #[test]
    fn a_list_is_compared_by_element_only_if_objects_stand_at_the_same_places() {
        let paths = |have, want| {
            let changes = diff_values(&json!({ "list": have }), &json!({ "list": want }));
            changes.into_iter().map(|it| it.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(json!([{"a": 1}, {"a": 2}]), json!([{"a": 1}, {"a": 3}])), ["list[1].a"]);
        assert_eq!(paths(json!([{"a": 1}]), json!([{"a": 2}, {"a": 3}])), ["list"]);
        assert_eq!(paths(json!([1, 2]), json!([1, 3])), ["list"]);
        assert_eq!(paths(json!({"a": 1}), json!([])), ["list"]);
    }

    #[test]
    fn equal_values_do_not_differ() {
        let value = json!({"Statement": [{"Effect": "Allow"}], "n": 1});
        assert!(diff_values(&value, &value).is_empty());
    }
}
