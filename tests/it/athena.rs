//! What `athena` prints, on an engine: MiniStack's Athena, which runs SQL by `DuckDB` over the objects that are there.

use std::process::Command;

use serde_json::Value;
use split_pipeline::local::{CBOR2_VERSION, MINISTACK_VERSION};

use crate::support::emulator::Emulator;
use crate::support::python::{CLIENT_OF, installed};

/// What makes MiniStack's Athena run queries.
const DUCKDB: &str = "duckdb==1.4.1";

/// Runs one statement after the other and prints the rows of each that has some, as JSON.
const RUN: &str = r#"
import json, sys, time

client, glue = client_of("athena"), client_of("glue")
# Every account has this database, but for an emulated one.
if not any(database["Name"] == "default" for database in glue.get_databases()["DatabaseList"]):
    glue.create_database(DatabaseInput={"Name": "default"})
client_of("s3").create_bucket(Bucket="athena-results")
answers = []
for sql in json.load(sys.stdin):
    id = client.start_query_execution(QueryString=sql, QueryExecutionContext={"Database": "default"},
        ResultConfiguration={"OutputLocation": "s3://athena-results/"})["QueryExecutionId"]
    while True:
        status = client.get_query_execution(QueryExecutionId=id)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    if status["State"] != "SUCCEEDED":
        sys.exit(f"{sql}\n{status}")
    rows = client.get_query_results(QueryExecutionId=id)["ResultSet"]["Rows"]
    answers.append([[cell.get("VarCharValue") for cell in row["Data"]] for row in rows])
print(json.dumps(answers))
"#;

/// What only Athena's own engine knows: today, as the table has it.
const LATELY: &str = "date_format(current_timestamp - interval '7' day, '%Y-%m-%d')";

#[test]
fn the_table_holds_what_smoke_sent() {
    let packages = [
        format!("ministack=={MINISTACK_VERSION}"),
        format!("cbor2=={CBOR2_VERSION}"),
        DUCKDB.to_owned(),
    ];
    let environment = installed("athena", &packages.each_ref().map(String::as_str));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", environment.join("bin").display());
    let emulator = Emulator::start_with("PATH", &path);
    // MiniStack's Firehose names objects `.gz` without compressing them, which DuckDB takes at their word.
    for (name, delivery) in [
        ("it-athena", "compression: none, buffer_seconds: 0"),
        (
            "it-athena-days",
            "compression: none, buffer_seconds: 0, prefix: \"views/!{timestamp:yyyy}/!{timestamp:MM}/!{timestamp:dd}/\"",
        ),
    ] {
        let spec = format!("name: {name}\ndelivery: {{{delivery}}}\n");
        emulator.local(&spec, ["up"]).exits_with(0);
        emulator.local(&spec, ["smoke", "--count", "700"]).exits_with(0);
        let sql = emulator
            .local(&spec, ["athena", "--output", "json"])
            .exits_with(0)
            .json();
        let answers = answers(&sql, &environment.join("bin/python"), &emulator.endpoint());
        let by_split = &answers[1].as_array().unwrap()[1..];
        let impressions = by_split.iter().map(|row| row[2].as_str().unwrap());
        let impressions: u64 = impressions.map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(impressions, 700, "{by_split:?}");
        let counts = answers[2].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&counts[0], &counts[1]),
            (&"700".into(), &"700".into()),
            "{answers}"
        );
    }
}

/// The rows that the table, the first and the last query give.
fn answers(sql: &Value, python: &std::path::Path, endpoint: &str) -> Value {
    let query = |index: usize| {
        let sql = sql["queries"][index]["sql"].as_str().unwrap();
        sql.replace(LATELY, "'2000-01-01'")
            .replace("year(current_date - interval '7' day)", "2000")
    };
    let create = sql["create"].as_str().unwrap();
    let statements = serde_json::json!([create, query(0), query(2)]);
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input.path(), statements.to_string()).unwrap();
    let ran = Command::new(python)
        .args(["-c", &(CLIENT_OF.to_owned() + RUN), endpoint])
        .stdin(std::fs::File::open(input.path()).unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{stderr}");
    serde_json::from_slice(&ran.stdout).unwrap()
}
