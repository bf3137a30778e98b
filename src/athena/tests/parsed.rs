//! Whatever a spec may say, a parser reads exactly the table and the queries that were meant: one statement each, and every
//! value whole.

use std::any::TypeId;

use proptest::prelude::*;
use serde_json::json;
use sqlparser::ast::{
    ColumnDef, CreateTable, CreateTableOptions, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    HiveDistributionStyle, SetExpr, SqlOption, Statement, TableFactor, Value,
};
use sqlparser::dialect::{Dialect, GenericDialect, HiveDialect};
use sqlparser::parser::Parser;

use super::*;

/// Hive's dialect with its escapes in texts, which the parser's own lacks (Hive: `BaseSemanticAnalyzer.unescapeSQLString`).
#[derive(Debug)]
struct Ddl(HiveDialect);

impl Dialect for Ddl {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '`'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        self.0.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        self.0.is_identifier_part(c)
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }
}

/// The one statement that a text is.
fn parsed(dialect: &dyn Dialect, sql: &str) -> Statement {
    let mut statements = Parser::parse_sql(dialect, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0)
}

fn created_table(sql: &str) -> CreateTable {
    match parsed(&Ddl(HiveDialect {}), sql) {
        Statement::CreateTable(table) => table,
        other => panic!("{other:?}\n{sql}"),
    }
}

/// A table as a parser reads it: its name, columns, partitions, location and properties.
#[derive(Debug, PartialEq)]
struct CreatedTable {
    name: String,
    columns: Vec<(String, String)>,
    partitions: Vec<(String, String)>,
    location: String,
    properties: Vec<(String, String)>,
}

impl CreatedTable {
    fn of(sql: &str) -> Self {
        let table = created_table(sql);
        let column =
            |column: &ColumnDef| (column.name.value.clone(), column.data_type.to_string().to_lowercase());
        let partitions = match &table.hive_distribution {
            HiveDistributionStyle::PARTITIONED { columns } => columns.iter().map(column).collect(),
            _ => Vec::new(),
        };
        let property = |option: &SqlOption| match option {
            SqlOption::KeyValue { key, value: Expr::Value(value) } => match &value.value {
                Value::SingleQuotedString(text) => (key.value.clone(), text.clone()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        let properties = match &table.table_options {
            CreateTableOptions::TableProperties(options) => options.iter().map(property).collect(),
            CreateTableOptions::None => Vec::new(),
            other => panic!("{other:?}"),
        };
        let [name] = &table.name.0[..] else {
            panic!("{:?}", table.name);
        };
        assert!(table.external && table.if_not_exists && table.constraints.is_empty());
        Self {
            name: name.as_ident().unwrap().value.clone(),
            columns: table.columns.iter().map(column).collect(),
            partitions,
            location: table.hive_formats.unwrap().location.unwrap(),
            properties,
        }
    }

    fn meant(spec: &Spec, names: &Names) -> Self {
        let (table, bucket) = (DeliveredTable::new(spec).unwrap(), names.bucket(spec));
        let column = |column: &DeliveredColumn| (column.name.clone(), column.kind.to_owned());
        Self {
            name: format!("{}_impressions", spec.name.as_str().replace('-', "_")),
            columns: table.columns.iter().map(column).collect(),
            partitions: table.partitions.iter().map(|it| column(&it.column)).collect(),
            location: table.location(&bucket),
            properties: table.projection(&bucket),
        }
    }
}

/// The column that a query compares with a date, and the format of that date.
fn compared(condition: &Expr) -> (&str, &str) {
    let Expr::BinaryOp { left, right, .. } = condition else {
        panic!("{condition}");
    };
    let (Expr::Identifier(column), Expr::Function(call)) = (&**left, &**right) else {
        panic!("{condition}");
    };
    let FunctionArguments::List(arguments) = &call.args else {
        panic!("{condition}");
    };
    match &arguments.args[..] {
        [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(format)))] => match &format.value {
            Value::SingleQuotedString(format) => (&column.value, format),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Insists that the first query asks for the last days, if the first partition says when something was delivered.
fn asks_for_the_last_days(query: &str, first: Option<&Partition>) {
    let Statement::Query(query) = parsed(&GenericDialect {}, query) else {
        panic!("{query}");
    };
    let condition = query.body.as_select().unwrap().selection.clone();
    let meant = first.and_then(|first| Some((first.column.name.clone(), date_format(first.date.as_ref()?)?)));
    let read = condition.as_ref().map(compared);
    assert_eq!(read, meant.as_ref().map(|(column, format)| (column.as_str(), format.as_str())));
}

/// Insists that the queries are one `SELECT` each, from the table alone.
fn queries_the_table(sql: &Sql, format: Format) {
    for Query { sql: query, .. } in &sql.queries {
        let Statement::Query(query) = parsed(&GenericDialect {}, query) else {
            panic!("{query}");
        };
        let SetExpr::Select(select) = *query.body else {
            panic!("{query}");
        };
        let [from] = &select.from[..] else {
            panic!("{select}");
        };
        let TableFactor::Table { name, .. } = &from.relation else {
            panic!("{select}");
        };
        let parts: Vec<_> = name.0.iter().map(|part| part.as_ident().unwrap().value.as_str()).collect();
        assert_eq!(parts.join("."), sql.table, "{select}");
        assert_eq!(parts.len(), if format == Format::Parquet { 2 } else { 1 });
        assert!(
            from.joins.is_empty() && name.0.iter().all(|part| part.as_ident().unwrap().quote_style.is_some())
        );
    }
}

/// Insists that a spec's SQL reads as what was meant, and gives it; nothing where a spec has no table.
fn reads_as_meant(text: &str) -> Option<Sql> {
    let spec = Spec::parse(text, "s.yaml").ok()?.spec;
    let names = Names::new(spec.name.as_str(), "123456789012", "aws", "eu-west-1");
    let sql = sql(&spec, &names).ok()?;
    if let Some(create) = &sql.create {
        assert_eq!(CreatedTable::of(create), CreatedTable::meant(&spec, &names), "{create}");
    }
    queries_the_table(&sql, spec.delivery.format);
    asks_for_the_last_days(&sql.queries[0].sql, DeliveredTable::new(&spec).unwrap().partitions.first());
    Some(sql)
}

#[test]
fn a_hostile_spec_has_a_table_of_its_own_and_nothing_else() {
    let read = |prefix: &str, fields: &[&str]| {
        let spec = json!({"name": "abc", "delivery": {"prefix": prefix}, "handler": {"fields": fields}});
        reads_as_meant(&spec.to_string()).unwrap().create.unwrap()
    };
    for prefix in [
        "imp'); DROP TABLE x; --/",
        "imp\\'); DROP TABLE x; --/",
        "imp\\\\'/*/\\",
        "''/\\u0027/!{timestamp:yyyy-MM-dd'T'HH}/",
        "a`b\"c'/x=!{timestamp:yyyy}/y=!{timestamp:'\\;--'yyyy}/",
    ] {
        let create =
            read(prefix, &["key", "a` string) LOCATION 's3://evil/' --", "``", "\\`'\"; DROP TABLE x"]);
        let table = created_table(&create);
        assert_eq!(table.columns.len(), 4, "{create}");
        let location = table.hive_formats.unwrap().location.unwrap();
        assert!(location.starts_with("s3://abc-123456789012-eu-west-1/"), "{create}");
    }
}

#[test]
fn names_that_are_words_of_sql_are_names() {
    for name in ["select", "order", "table", "group", "values"] {
        for format in ["json", "parquet"] {
            let prefix = "a/order=!{timestamp:yyyy-MM}/select=!{timestamp:HH}/";
            let spec = json!({"name": name, "delivery": {"format": format, "prefix": prefix}});
            let sql = reads_as_meant(&spec.to_string()).unwrap();
            assert!(sql.queries[0].sql.contains("\nWHERE \"order\" >= "), "{sql:?}");
        }
    }
}

/// Parts of a prefix, with everything that SQL minds.
fn prefixes() -> impl Strategy<Value = String> {
    let minded = prop::sample::select("'\"`\\;-()/*${}%#=,. \u{a0}aTu0027é🙂".chars().collect::<Vec<_>>());
    let text = prop::collection::vec(minded, 0..6).prop_map(String::from_iter);
    let date = prop::sample::select(vec![
        "!{timestamp:yyyy}",
        "!{timestamp:yyyy-MM-dd}",
        "!{timestamp:HH}",
        "!{timestamp:''yyyy'\\;--'}",
        "!{timestamp:yyyy%MM}",
        "order=!{timestamp:yyyy'T'MM}",
        "/",
        "--",
    ]);
    let part = prop_oneof![text, date.prop_map(str::to_owned)];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat() + "/")
}

fn fields() -> impl Strategy<Value = Vec<String>> {
    let name = prop_oneof!["['\"`\\\\;() *-]{1,5}", "[A-Za-zİß_]{1,6}", ".{1,5}"];
    prop::collection::vec(name, 1..4)
}

proptest! {
    #[test]
    fn whatever_is_valid_reads_as_it_was_meant(
        name in "[a-z][a-z0-9-]{1,10}[a-z0-9]",
        bucket in prop::option::of("[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]"),
        prefix in prefixes(),
        fields in prop::option::of(fields()),
        format in prop::sample::select(vec!["json", "parquet"]),
    ) {
        let mut spec = json!({"name": name, "delivery": {"prefix": prefix, "format": format}});
        if let Some(bucket) = bucket {
            spec["delivery"]["bucket"] = bucket.into();
        }
        if let Some(fields) = fields {
            spec["handler"] = json!({"fields": fields});
        }
        // A spec without a table proves nothing, and too many of them are an error.
        prop_assume!(reads_as_meant(&spec.to_string()).is_some());
    }
}
