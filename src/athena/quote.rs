//! Quotes names and texts for Athena: by Hive's rules in a table's definition, by Trino's in queries.
//!
//! Pure. The only place that puts a value into SQL.

/// A name in a table's definition: within backticks, of which one in the name is written twice.
pub(super) fn ddl_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in a table's definition: a backslash makes a quote, and itself, a part of the text. Two quotes would end one text and
/// start the next.
pub(super) fn ddl_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A name in a query: within double quotes, of which one in the name is written twice.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in a query: within quotes, of which one in the text is written twice; a backslash is itself.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
