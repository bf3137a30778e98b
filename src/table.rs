//! Describes delivered impressions as a table: its columns, and partitions that follow from the prefix, so that nobody has to
//! add them.
//!
//! Pure: values in, values out. Must not know SQL, nor the catalog that has the table.

use std::iter;

use crate::spec::{FieldsSpec, Format, IMPRESSION_FIELDS, Spec};

/// The fields of an impression that become whole numbers; every other one may be anything, as text.
///
/// The number of a flag's version is none of them: it is an identifier, of any length.
const NUMBER_FIELDS: [&str; 1] = ["time"];

/// The type of a whole number, as Hive calls it.
pub const BIGINT: &str = "bigint";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredTable {
    pub columns: Vec<DeliveredColumn>,
    pub partitions: Vec<Partition>,
    folder: String,
    /// The folder of one partition, with columns in place of their values.
    template: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredColumn {
    pub name: String,
    pub kind: &'static str,
}

/// A part of the prefix that differs from partition to partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub column: DeliveredColumn,
    properties: Vec<(&'static str, String)>,
    /// The date pattern that its values have, where they are dates.
    pub date: Option<String>,
}

/// Why there is no telling which partitions a prefix makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpredictablePartitions {
    Random,
    /// A part of it looks like a column in the folder of one partition.
    Dollar,
}

impl DeliveredTable {
    pub fn new(spec: &Spec) -> Result<Self, UnpredictablePartitions> {
        let columns = columns(&spec.handler.fields);
        let (partitions, template) = partitions(spec.delivery.prefix.folders(), &columns)?;
        let folder = template.split("${").next().unwrap_or_default();
        // A folder, even where the prefix starts in the middle of a name.
        let folder = folder.rfind('/').map_or("", |end| &folder[..=end]);
        Ok(Self { columns, partitions, folder: folder.to_owned(), template })
    }

    pub fn location(&self, bucket: &str) -> String {
        format!("s3://{bucket}/{}", self.folder)
    }

    /// What an engine has to know to find the partitions by itself ("Set up partition projection" in Athena's guide).
    pub fn projection(&self, bucket: &str) -> Vec<(String, String)> {
        if self.partitions.is_empty() {
            return Vec::new();
        }
        let mut all = vec![("projection.enabled".to_owned(), "true".to_owned())];
        for Partition { column, properties, .. } in &self.partitions {
            for (property, value) in properties {
                all.push((format!("projection.{}.{property}", column.name), value.clone()));
            }
        }
        let template = format!("s3://{bucket}/{}", self.template);
        all.push(("storage.location.template".to_owned(), template));
        all
    }
}

/// The columns that delivered objects have, where they have any.
pub fn delivered_columns(spec: &Spec) -> Option<Vec<DeliveredColumn>> {
    (spec.delivery.format == Format::Parquet).then(|| columns(&spec.handler.fields))
}

/// The columns of those that take whole numbers alone.
pub fn number_fields(spec: &Spec) -> Vec<String> {
    let columns = delivered_columns(spec).unwrap_or_default().into_iter();
    let numbers = columns.filter(|column| column.kind == BIGINT);
    numbers.map(|column| column.name).collect()
}

/// Columns by the names of fields, which are matched without regard to case: engines do not have it.
fn columns(fields: &FieldsSpec) -> Vec<DeliveredColumn> {
    let names: Vec<&str> = match fields {
        FieldsSpec::All => IMPRESSION_FIELDS.to_vec(),
        FieldsSpec::Keep(fields) => fields.iter().map(String::as_str).collect(),
    };
    let mut columns = Vec::<DeliveredColumn>::new();
    for field in names {
        let name = field.to_lowercase();
        if columns.iter().all(|column| column.name != name) {
            let is_number = NUMBER_FIELDS.contains(&name.as_str());
            let kind = if is_number { BIGINT } else { "string" };
            columns.push(DeliveredColumn { name, kind });
        }
    }
    columns
}

/// The partitions that folders make, and the folders with a column in place of each of them.
fn partitions(
    folders: &str,
    columns: &[DeliveredColumn],
) -> Result<(Vec<Partition>, String), UnpredictablePartitions> {
    if folders.contains("${") || folders.contains("$!{") {
        return Err(UnpredictablePartitions::Dollar);
    }
    let (mut partitions, mut template, mut rest) = (Vec::<Partition>::new(), String::new(), folders);
    while let Some((before, after)) = rest.split_once("!{") {
        let (expression, after) = after.split_once('}').unwrap_or((after, ""));
        let pattern = expression.strip_prefix("timestamp:").ok_or(UnpredictablePartitions::Random)?;
        template.push_str(before);
        let named = before.strip_suffix('=').map(|name| name.rsplit('/').next().unwrap_or(name));
        let taken = columns.iter().chain(partitions.iter().map(|it| &it.column));
        let taken: Vec<_> = taken.map(|column| column.name.as_str()).collect();
        let is_new = |name: &str| !taken.contains(&name);
        let usual = usual_name(pattern);
        let others = (partitions.len() + 1..).map(|number| format!("{usual}{number}"));
        let mut fallbacks = iter::once(usual.to_owned()).chain(others);
        let name = match named.map(str::to_lowercase) {
            Some(name) if is_column(&name) && is_new(&name) => name,
            _ => fallbacks.find(|name| is_new(name)).unwrap_or_default(),
        };
        template.push_str("${");
        template.push_str(&name);
        template.push('}');
        partitions.push(partition(name, pattern));
        rest = after;
    }
    template.push_str(rest);
    Ok((partitions, template))
}

fn is_column(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn usual_name(pattern: &str) -> &'static str {
    match pattern {
        "yyyy" => "year",
        "MM" => "month",
        "dd" => "day",
        "HH" => "hour",
        "mm" => "minute",
        _ => "dt",
    }
}

/// How a partition's values follow from a date pattern ("Set up partition projection" in Athena's guide).
fn partition(name: String, pattern: &str) -> Partition {
    let of_integers = |range: &str, digits: usize| {
        vec![("type", "integer".to_owned()), ("range", range.to_owned()), ("digits", digits.to_string())]
    };
    let (kind, properties, date) = match pattern {
        "yyyy" => ("int", of_integers("2020,2049", 4), None),
        "MM" => ("int", of_integers("1,12", 2), None),
        "dd" => ("int", of_integers("1,31", 2), None),
        "HH" => ("int", of_integers("0,23", 2), None),
        "mm" => ("int", of_integers("0,59", 2), None),
        other => {
            let unit = if other.contains('m') {
                "MINUTES"
            } else if other.contains('H') {
                "HOURS"
            } else if other.contains('d') {
                "DAYS"
            } else if other.contains('M') {
                "MONTHS"
            } else {
                "YEARS"
            };
            let properties = vec![
                ("type", "date".to_owned()),
                ("format", other.to_owned()),
                ("range", "NOW-3YEARS,NOW".to_owned()),
                ("interval", "1".to_owned()),
                ("interval.unit", unit.to_owned()),
            ];
            ("string", properties, Some(other.to_owned()))
        }
    };
    Partition { column: DeliveredColumn { name, kind }, properties, date }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_a_name_of_its_own() {
        for (folders, want) in [
            ("i/!{timestamp:yyyy}/!{timestamp:MM}/", vec!["year", "month"]),
            ("Day=!{timestamp:dd}/key=!{timestamp:HH}/", vec!["day", "hour"]),
            (
                "!{timestamp:yyyy}/year3=!{timestamp:dd}/!{timestamp:yyyy}/a-b=!{timestamp:yyyy}/",
                vec!["year", "year3", "year4", "year5"],
            ),
        ] {
            let (partitions, template) = partitions(folders, &columns(&FieldsSpec::All)).unwrap();
            let names: Vec<_> = partitions.iter().map(|it| it.column.name.as_str()).collect();
            assert_eq!(names, want, "{folders}");
            assert_eq!(template.matches("${").count(), want.len(), "{template}");
        }
    }
}
