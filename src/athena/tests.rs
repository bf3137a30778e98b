//! Unit tests of the SQL's text.

use super::*;
use crate::spec::BucketName;

fn created(text: &str) -> String {
    of(text).unwrap().create.unwrap()
}

fn of(text: &str) -> Result<Sql, AthenaError> {
    let mut spec = Spec::parse(text, "s.yaml").unwrap().spec;
    spec.delivery.bucket = Some(BucketName::new("bucket").unwrap());
    let names = Names::new(spec.name.as_str(), "123456789012", "aws", "eu-west-1");
    sql(&spec, &names)
}

#[test]
fn the_default_prefix_has_days_and_hours() {
    let sql = of("name: my-flags").unwrap();
    assert_eq!(sql.table, "my_flags_impressions");
    let create = sql.create.unwrap();
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
        assert!(create.contains(part), "no {part:?} in\n{create}");
    }
    assert!(
        sql.queries[0]
            .sql
            .contains("WHERE \"dt\" >= date_format(current_timestamp - interval '7' day, '%Y-%m-%d')")
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
            "time=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
            "`dt` string,\n  `hour` int",
            "time=${dt}/hour=${hour}/",
        ),
        (
            "a/!{timestamp:yyyy-MM-dd}/!{timestamp:yyyy-MM-dd-HH}/part-!{timestamp:mm}",
            "`dt` string,\n  `dt2` string",
            "a/${dt}/${dt2}/",
        ),
    ] {
        let create = created(&format!("name: abc\ndelivery: {{prefix: '{prefix}'}}"));
        assert!(create.contains(&format!("(\n  {by}\n)")), "{prefix}: {create}");
        let template = format!("'s3://bucket/{template}'");
        assert!(create.contains(&template), "{prefix}: {create}");
    }
    let flat = created("name: abc\ndelivery: {prefix: 'flat/'}");
    assert!(!flat.contains("PARTITIONED") && !flat.contains("TBLPROPERTIES"));
    assert!(flat.ends_with("LOCATION 's3://bucket/flat/';"), "{flat}");
}

#[test]
fn columns_are_the_fields_that_are_kept() {
    let create = created("name: abc\nhandler: {fields: [key, environmentName, Key, extra]}");
    let columns = "(\n  `key` string,\n  `environmentname` string,\n  `extra` string\n)";
    assert!(create.contains(columns), "{create}");
}

#[test]
fn the_table_of_parquet_is_there() {
    let sql = of("name: my-flags\ndelivery: {format: parquet}").unwrap();
    assert_eq!((sql.table.as_str(), sql.create), ("my_flags.impressions", None));
    assert!(
        sql.queries
            .iter()
            .all(|query| { query.sql.contains("FROM \"my_flags\".\"impressions\"\nWHERE \"dt\" >=") })
    );
}

#[test]
fn a_quote_in_a_date_is_a_part_of_it() {
    let create = created("name: abc\ndelivery: {prefix: \"a/!{timestamp:yyyy-MM-dd'T'HH}/\"}");
    assert!(create.contains("'projection.dt.format' = 'yyyy-MM-dd\\'T\\'HH'"), "{create}");
}

#[test]
fn what_athena_cannot_read_is_said_so() {
    for compression in ["snappy", "zip"] {
        let refused = of(&format!("name: abc\ndelivery: {{compression: {compression}}}"));
        assert_eq!(refused, Err(AthenaError::Compression(compression)));
    }
    let random = of("name: abc\ndelivery: {prefix: 'a/!{firehose:random-string}/'}");
    assert_eq!(random, Err(AthenaError::Random));
    for prefix in ["a/${b}/!{timestamp:yyyy}/", "a$!{timestamp:yyyy}/"] {
        let dollar = of(&format!("name: abc\ndelivery: {{prefix: '{prefix}'}}"));
        assert_eq!(dollar, Err(AthenaError::Dollar));
    }
}

#[test]
fn date_patterns_are_those_of_date_format() {
    for (pattern, format) in [
        ("yyyy-MM-dd", Some("%Y-%m-%d")),
        ("yyyy/MM/dd'T'HH:mm:ss", Some("%Y/%m/%dT%H:%i:%s")),
        ("'dd'dd", Some("dd%d")),
        ("yyyy'o''clock'", Some("%Yo'clock")),
        ("yyyy''MM", Some("%Y'%m")),
        ("yyyy 100%", Some("%Y 100%%")),
        ("EEE dd", None),
        ("d", None),
    ] {
        assert_eq!(date_format(pattern).as_deref(), format, "{pattern}");
    }
}

mod parsed;
