//! The parts of a spec that hold several texts: tags, and the impression fields to keep.
//!
//! Owns their rules, for each element and for the whole. It must not know the tags that `up` adds by itself, save that
//! a user cannot give them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::{Checked, TextVisitor};
use crate::foreign::check_visible;

/// How many tags a user may give: AWS allows 50 on a resource, and the rest are left to AWS and to this program.
const MAX_TAGS: usize = 40;

/// The tag of everything that this program manages, and the one that says which pipeline's it is: the two by which the
/// pipeline's resources are told from anybody else's.
pub const OWNERSHIP_TAGS: [&str; 2] = ["managed-by", "split-pipeline"];

/// The tag of a stream in which `up` keeps the spans of time whose impressions were not delivered. Kinesis takes no colon
/// in a tag (its API reference, `Tag`).
pub const GAPS_TAG: &str = "split-pipeline-undelivered";

const TAG_CHARACTERS: &str = "letters, digits, spaces and _.:/=+-@";

/// Tags for everything that takes tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserTags(BTreeMap<String, String>);

impl UserTags {
    /// Gives the keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<'de> Deserialize<'de> for UserTags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TagsVisitor)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = UserTags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys and values, such as `team: growth`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UserTags, A::Error> {
        let mut tags = BTreeMap::new();
        while let Some(key) = map.next_key_seed(TagKey { before: &tags })? {
            tags.insert(key, map.next_value_seed(TagValue)?);
        }
        if tags.len() > MAX_TAGS {
            return Err(de::Error::custom(format_args!(
                "must be at most {MAX_TAGS} tags, not {}",
                tags.len()
            )));
        }
        Ok(UserTags(tags))
    }
}

struct TagKey<'a> {
    before: &'a BTreeMap<String, String>,
}

impl<'de> DeserializeSeed<'de> for TagKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("text", |key| {
            check_tag_key(key)?;
            // IAM alone takes no two keys that differ in case only, and roles get these tags too.
            match self.before.keys().find(|before| before.to_lowercase() == key.to_lowercase()) {
                Some(before) => {
                    Err(format!("must differ from the tag `{before}` in more than case, as IAM demands"))
                }
                None => Ok(key.to_owned()),
            }
        }))
    }
}

fn check_tag_key(key: &str) -> Checked {
    if !(1..=128).contains(&key.chars().count()) || !key.chars().all(is_tag_character) {
        return Err(format!("a tag's key must be 1 to 128 {TAG_CHARACTERS}"));
    }
    if key.to_lowercase().starts_with("aws:") {
        return Err("a tag's key must not start with `aws:`, which AWS keeps for itself".to_owned());
    }
    if OWNERSHIP_TAGS.iter().any(|reserved| key.eq_ignore_ascii_case(reserved)) {
        return Err(format!(
            "a tag's key must not be `{key}`, by which the pipeline's resources are told from others"
        ));
    }
    if key.eq_ignore_ascii_case(GAPS_TAG) {
        return Err(format!("a tag's key must not be `{key}`, in which `up` keeps what was not delivered"));
    }
    Ok(())
}

struct TagValue;

impl<'de> DeserializeSeed<'de> for TagValue {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(TextVisitor::new(
            "text, in quotes where it looks like something else",
            |value| {
                if value.chars().count() <= 256 && value.chars().all(is_tag_character) {
                    Ok(value.to_owned())
                } else {
                    Err(format!("must be at most 256 {TAG_CHARACTERS}"))
                }
            },
        ))
    }
}

fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || " _.:/=+-@".contains(c)
}

impl JsonSchema for UserTags {
    fn schema_name() -> Cow<'static, str> {
        "UserTags".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": MAX_TAGS,
            "propertyNames": {
                "pattern": (format!(
                    r"^(?![aA][wW][sS]:)(?!{}$)(?!{}$)[\p{{L}}\p{{N}} _.:/=+@-]{{1,128}}$",
                    OWNERSHIP_TAGS[0], OWNERSHIP_TAGS[1]
                ))
            },
            "additionalProperties": { "type": "string", "pattern": r"^[\p{L}\p{N} _.:/=+@-]{0,256}$" }
        })
    }
}

/// The impression fields that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FieldsSpec {
    /// Whatever came in comes out.
    #[default]
    All,
    /// Only these, of which there is at least one.
    Keep(Vec<String>),
}

impl Serialize for FieldsSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Keep(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FieldsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

const FIELDS: &str = "all, or a list of impression fields to keep";

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = FieldsSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIELDS)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FieldsSpec, E> {
        if text == "all" {
            Ok(FieldsSpec::All)
        } else {
            Err(E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FieldsSpec, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element_seed(FieldName { before: &names })? {
            names.push(name);
        }
        if names.is_empty() {
            return Err(de::Error::custom("must name at least one field, or be all"));
        }
        Ok(FieldsSpec::Keep(names))
    }
}

struct FieldName<'a> {
    before: &'a [String],
}

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(TextVisitor::new("a field's name of 1 to 128 characters", |name| {
            if !(1..=128).contains(&name.chars().count()) {
                return Err("must be a field's name of 1 to 128 characters".to_owned());
            }
            check_visible(name)?;
            if self.before.iter().any(|before| before == name) {
                return Err(format!("must not name the field {name:?} twice"));
            }
            Ok(name.to_owned())
        }))
    }
}

impl JsonSchema for FieldsSpec {
    fn schema_name() -> Cow<'static, str> {
        "FieldsSpec".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "const": "all" },
                {
                    "type": "array",
                    "items": { "type": "string", "minLength": 1, "maxLength": 128 },
                    "minItems": 1,
                    "uniqueItems": true
                }
            ]
        })
    }
}
