//! What `athena` prints, on an engine: MiniStack's Athena, which runs SQL by `DuckDB` over the objects that are there; and what is
//! delivered as Parquet, which MiniStack converts by `DuckDB` too.

use std::process::Command;

use crate::support::emulator::Emulator;
use crate::support::python::{CLIENT_OF, installed};
use serde_json::Value;

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
    let python = installed("botocore", &["botocore==1.43.106"]).join("bin/python");
    let emulator = Emulator::start();
    // MiniStack's Firehose names objects `.gz` without compressing them, which DuckDB takes at their word.
    for (name, delivery) in [
        ("it-athena", "compression: none, buffer_seconds: 0"),
        (
            "it-athena-days",
            "compression: none, buffer_seconds: 0, prefix: \"views/!{timestamp:yyyy}/!{timestamp:MM}/!{timestamp:dd}/\"",
        ),
        // A word of SQL as a column.
        (
            "it-athena-words",
            "compression: none, buffer_seconds: 0, prefix: \"views/order=!{timestamp:yyyy-MM-dd}/\"",
        ),
        ("it-athena-parquet", "format: parquet, buffer_seconds: 0"),
        (
            "it-athena-parquet-days",
            "format: parquet, compression: snappy, prefix: \"views/!{timestamp:yyyy}/!{timestamp:MM}/!{timestamp:dd}/\"",
        ),
    ] {
        let spec = format!("name: {name}\ndelivery: {{{delivery}}}\n");
        emulator.local(&spec, ["up"]).exits_with(0);
        emulator.local(&spec, ["smoke", "--count", "700"]).exits_with(0);
        let sql = emulator.local(&spec, ["athena", "--output", "json"]).exits_with(0).json();
        let answers = answers(&sql, &python, &emulator);
        let [.., by_split, counts] = &answers[..] else {
            panic!("{answers:?}");
        };
        let impressions = by_split[1..].iter().map(|row| row[2].as_str().unwrap());
        let impressions: u64 = impressions.map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(impressions, 700, "{by_split:?}");
        assert_eq!(counts.last().unwrap()[..2], ["700", "700"], "{answers:?}");
    }
}

/// The rows of an answer.
type Rows = Vec<Vec<Value>>;

/// The rows that the table's definition, where it has to be defined, the first and the last query give.
fn answers(sql: &Value, python: &std::path::Path, emulator: &Emulator) -> Vec<Rows> {
    let query = |index: usize| {
        let sql = sql["queries"][index]["sql"].as_str().unwrap();
        sql.replace(LATELY, "'2000-01-01'").replace("year(current_date - interval '7' day)", "2000")
    };
    let create = sql["create"].as_str().map(str::to_owned);
    let statements: Vec<_> = create.into_iter().chain([query(0), query(2)]).collect();
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input.path(), serde_json::json!(statements).to_string()).unwrap();
    let ran = Command::new(python)
        .args(["-c", &(CLIENT_OF.to_owned() + RUN), &emulator.endpoint()])
        .env("AWS_SHARED_CREDENTIALS_FILE", emulator.credentials_file())
        .stdin(std::fs::File::open(input.path()).unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{stderr}");
    serde_json::from_slice(&ran.stdout).unwrap()
}
