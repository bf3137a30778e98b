//! The delivered data as a table for Athena, with partitions that follow from the prefix, so that nobody has to add them.
//!
//! Pure: values in, SQL out.

use crate::spec::{Compression, Fields, Spec};

/// The fields of an impression (Harness: "Webhook for Impressions") and their types. Names are matched without regard
/// to case, which Athena does not have.
const COLUMNS: [(&str, &str); 14] = [
    ("key", "string"),
    ("split", "string"),
    ("environmentId", "string"),
    ("environmentName", "string"),
    ("treatment", "string"),
    ("time", "bigint"),
    ("bucketingKey", "string"),
    ("label", "string"),
    ("machineName", "string"),
    ("machineIp", "string"),
    ("splitVersionNumber", "bigint"),
    ("sdk", "string"),
    ("sdkVersion", "string"),
    ("properties", "string"),
];

/// SQL for one pipeline's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    /// The table's name.
    pub table: String,
    /// `CREATE EXTERNAL TABLE`.
    pub create: String,
    /// What each query answers, and the query.
    pub queries: Vec<(&'static str, String)>,
}

/// Why a table cannot be made of what is delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AthenaError {
    /// Athena cannot read it.
    #[error("Athena does not read objects compressed as `delivery.compression: {0}`")]
    Compression(&'static str),
    /// There is no telling which partitions there are.
    #[error("Athena cannot tell which partitions `!{{firehose:random-string}}` in `delivery.prefix` makes")]
    Random,
}

/// A part of the prefix that differs from partition to partition.
struct Partition {
    column: String,
    properties: Vec<(&'static str, String)>,
    kind: &'static str,
}

/// The SQL for what a spec delivers to a bucket.
pub fn sql(spec: &Spec, bucket: &str) -> Result<Sql, AthenaError> {
    match spec.delivery.compression {
        Compression::Gzip | Compression::None => {}
        Compression::Snappy => return Err(AthenaError::Compression("snappy")),
        Compression::Zip => return Err(AthenaError::Compression("zip")),
    }
    let (partitions, template) = partitions(spec.delivery.prefix.as_str())?;
    let root = template.split("${").next().unwrap_or_default();
    // A folder, even where the prefix starts in the middle of a name.
    let root = root.rfind('/').map_or("", |end| &root[..=end]);
    let table = format!("{}_impressions", spec.name.as_str().replace('-', "_"));
    let create = create(
        &table,
        &columns(&spec.handler.fields),
        &partitions,
        bucket,
        root,
        &template,
    );
    let queries = queries(&table, partitions.first());
    Ok(Sql {
        table,
        create,
        queries,
    })
}

fn columns(fields: &Fields) -> Vec<(String, &'static str)> {
    let known = |field: &str| COLUMNS.iter().find(|(name, _)| *name == field);
    let names: Vec<&str> = match fields {
        Fields::All => COLUMNS.iter().map(|(name, _)| *name).collect(),
        Fields::Keep(fields) => fields.iter().map(String::as_str).collect(),
    };
    let columns = names.iter().map(|name| {
        let kind = known(name).map_or("string", |(_, kind)| *kind);
        (name.to_lowercase(), kind)
    });
    columns.collect()
}

fn create(
    table: &str,
    columns: &[(String, &str)],
    partitions: &[Partition],
    bucket: &str,
    root: &str,
    template: &str,
) -> String {
    let list = |columns: Vec<String>| columns.join(",\n  ");
    let columns = list(
        columns
            .iter()
            .map(|(name, kind)| format!("`{name}` {kind}"))
            .collect(),
    );
    let by = list(
        partitions
            .iter()
            .map(|it| format!("`{}` {}", it.column, it.kind))
            .collect(),
    );
    let by = if by.is_empty() {
        String::new()
    } else {
        format!("PARTITIONED BY (\n  {by}\n)\n")
    };
    let mut properties = Vec::new();
    if !partitions.is_empty() {
        properties.push("'projection.enabled' = 'true'".to_owned());
        for partition in partitions {
            for (property, value) in &partition.properties {
                properties.push(format!(
                    "'projection.{}.{property}' = '{value}'",
                    partition.column
                ));
            }
        }
        properties.push(format!(
            "'storage.location.template' = 's3://{bucket}/{template}'"
        ));
    }
    let properties = if properties.is_empty() {
        String::new()
    } else {
        format!("\nTBLPROPERTIES (\n  {}\n)", properties.join(",\n  "))
    };
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS `{table}` (\n  {columns}\n)\n{by}\
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n\
         LOCATION 's3://{bucket}/{root}'{properties};"
    )
}

/// The partitions of a prefix, and the prefix up to its last folder with a column in place of each of them.
fn partitions(prefix: &str) -> Result<(Vec<Partition>, String), AthenaError> {
    let folders = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
    let (mut partitions, mut template, mut rest) = (Vec::<Partition>::new(), String::new(), folders);
    while let Some((before, after)) = rest.split_once("!{") {
        let (expression, after) = after.split_once('}').unwrap_or((after, ""));
        let Some(pattern) = expression.strip_prefix("timestamp:") else {
            return Err(AthenaError::Random);
        };
        template.push_str(before);
        let named = before
            .strip_suffix('=')
            .map(|name| name.rsplit('/').next().unwrap_or(name));
        let is_new = |name: &str| partitions.iter().all(|it| it.column != name);
        let usual = usual_name(pattern).to_owned();
        let column = match named.map(str::to_lowercase) {
            Some(name) if is_column(&name) && is_new(&name) => name,
            _ if is_new(&usual) => usual,
            _ => format!("{usual}{}", partitions.len() + 1),
        };
        template.push_str("${");
        template.push_str(&column);
        template.push('}');
        partitions.push(partition(column, pattern));
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
fn partition(column: String, pattern: &str) -> Partition {
    let of_integers = |range: &str, digits: usize| {
        vec![
            ("type", "integer".to_owned()),
            ("range", range.to_owned()),
            ("digits", digits.to_string()),
        ]
    };
    let (kind, properties) = match pattern {
        "yyyy" => ("int", of_integers("2020,2049", 4)),
        "MM" => ("int", of_integers("1,12", 2)),
        "dd" => ("int", of_integers("1,31", 2)),
        "HH" => ("int", of_integers("0,23", 2)),
        "mm" => ("int", of_integers("0,59", 2)),
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
                // A quote within SQL's quotes is written twice.
                ("format", other.replace('\'', "''")),
                ("range", "NOW-3YEARS,NOW".to_owned()),
                ("interval", "1".to_owned()),
                ("interval.unit", unit.to_owned()),
            ];
            ("string", properties)
        }
    };
    Partition {
        column,
        properties,
        kind,
    }
}

fn queries(table: &str, first: Option<&Partition>) -> Vec<(&'static str, String)> {
    let lately = first.filter(|first| first.kind == "string");
    let lately = lately.map_or_else(String::new, |first| {
        let format = &first.properties[1].1;
        let format = format
            .replace("yyyy", "%Y")
            .replace("MM", "%m")
            .replace("dd", "%d");
        let format = format.replace("HH", "%H").replace("mm", "%i");
        let column = &first.column;
        format!("\nWHERE {column} >= date_format(current_timestamp - interval '7' day, '{format}')")
    });
    let and = if lately.is_empty() { "\nWHERE" } else { "\n  AND" };
    vec![
        (
            "Who saw what, lately: impressions and keys of every treatment",
            format!(
                "SELECT split, treatment, count(*) AS impressions, count(DISTINCT key) AS keys\nFROM {table}{lately}\n\
                 GROUP BY split, treatment\nORDER BY impressions DESC;"
            ),
        ),
        (
            "What one key saw, newest first",
            format!(
                "SELECT from_unixtime(time / 1000.0) AS at, split, treatment, label\nFROM {table}{lately}{and} key = 'user-1'\n\
                 ORDER BY time DESC\nLIMIT 100;"
            ),
        ),
        (
            "Without what Split sent twice (delivery is at least once)",
            format!(
                "SELECT count(*) AS delivered, count(DISTINCT (key, split, treatment, time)) AS impressions\n\
                 FROM {table}{lately};"
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Sql, AthenaError> {
        sql(&Spec::parse(text, "s.yaml").unwrap().spec, "bucket")
    }

    #[test]
    fn the_default_prefix_has_days_and_hours() {
        let sql = of("name: my-flags").unwrap();
        assert_eq!(sql.table, "my_flags_impressions");
        for part in [
            "CREATE EXTERNAL TABLE IF NOT EXISTS `my_flags_impressions` (\n  `key` string,",
            "`time` bigint",
            "PARTITIONED BY (\n  `dt` string,\n  `hour` int\n)",
            "LOCATION 's3://bucket/impressions/'",
            "'projection.dt.type' = 'date'",
            "'projection.dt.format' = 'yyyy-MM-dd'",
            "'projection.dt.interval.unit' = 'DAYS'",
            "'projection.hour.range' = '0,23'",
            "'projection.hour.digits' = '2'",
            "'storage.location.template' = 's3://bucket/impressions/dt=${dt}/hour=${hour}/'",
        ] {
            assert!(sql.create.contains(part), "no {part:?} in\n{}", sql.create);
        }
        assert!(
            sql.queries[0]
                .1
                .contains("WHERE dt >= date_format(current_timestamp - interval '7' day, '%Y-%m-%d')")
        );
    }

    #[test]
    fn partitions_follow_from_the_prefix() {
        for (prefix, by, template) in [
            ("views/!{timestamp:yyyy/MM/dd}/", "`dt` string", "views/${dt}/"),
            (
                "y=!{timestamp:yyyy}/!{timestamp:MM}/!{timestamp:dd}/",
                "`y` int,\n  `month` int,\n  `day` int",
                "y=${y}/${month}/${day}/",
            ),
            (
                "a/!{timestamp:yyyy-MM-dd}/!{timestamp:yyyy-MM-dd-HH}/part-!{timestamp:mm}",
                "`dt` string,\n  `dt2` string",
                "a/${dt}/${dt2}/",
            ),
        ] {
            let sql = of(&format!("name: abc\ndelivery: {{prefix: '{prefix}'}}")).unwrap();
            assert!(
                sql.create.contains(&format!("(\n  {by}\n)")),
                "{prefix}: {}",
                sql.create
            );
            assert!(
                sql.create.contains(&format!("'s3://bucket/{template}'")),
                "{prefix}: {}",
                sql.create
            );
        }
        let flat = of("name: abc\ndelivery: {prefix: 'flat/'}").unwrap();
        assert!(!flat.create.contains("PARTITIONED") && !flat.create.contains("TBLPROPERTIES"));
        assert!(
            flat.create.ends_with("LOCATION 's3://bucket/flat/';"),
            "{}",
            flat.create
        );
    }

    #[test]
    fn columns_are_the_fields_that_are_kept() {
        let sql = of("name: abc\nhandler: {fields: [key, environmentName, extra]}").unwrap();
        let columns = "(\n  `key` string,\n  `environmentname` string,\n  `extra` string\n)";
        assert!(sql.create.contains(columns), "{}", sql.create);
    }

    #[test]
    fn what_athena_cannot_read_is_said_so() {
        for compression in ["snappy", "zip"] {
            let refused = of(&format!("name: abc\ndelivery: {{compression: {compression}}}"));
            assert_eq!(refused, Err(AthenaError::Compression(compression)));
        }
        let random = of("name: abc\ndelivery: {prefix: 'a/!{firehose:random-string}/'}");
        assert_eq!(random, Err(AthenaError::Random));
    }
}
