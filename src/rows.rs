//! Converts impressions to rows of the delivered table, and rows to Parquet files and back, as Firehose's conversion does.
//!
//! Must not look anything up: bytes in, bytes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::types::Type;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use self::untrusted::{PageBudget, ParquetRefusal, check_footer, check_pages};
use crate::objects::content::Caps;
use crate::table::{BIGINT, DeliveredColumn};

mod thrift;
pub mod untrusted;

pub const PARQUET_MAGIC: &[u8; 4] = b"PAR1";

pub const PARQUET_EXTENSION: &str = ".parquet";

/// A row, without the columns that have no value.
pub type Row = BTreeMap<String, Cell>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    Number(i64),
    Text(String),
}

impl Cell {
    /// The cell of a value; none where the column has no place for it.
    fn new(column: &DeliveredColumn, value: &RawValue) -> Option<Self> {
        let text = match value.get() {
            quoted if quoted.starts_with('"') => serde_json::from_str(quoted).ok()?,
            // What is no text is written as the JSON that it is.
            other => other.to_owned(),
        };
        if column.kind == BIGINT { text.parse().ok().map(Self::Number) } else { Some(Self::Text(text)) }
    }
}

#[derive(Debug, Default)]
pub struct JsonRow {
    pub row: Row,
    pub not_strings: BTreeSet<String>,
}

/// Reads the row of an object, and holds nothing of the fields that are no columns: whoever wrote the object may have written
/// millions.
struct ReadRow<'a>(&'a [DeliveredColumn]);

impl<'de> DeserializeSeed<'de> for ReadRow<'_> {
    type Value = JsonRow;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<JsonRow, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadRow<'_> {
    type Value = JsonRow;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonRow, A::Error> {
        let mut read = JsonRow::default();
        while let Some(name) = map.next_key::<String>()? {
            let name = name.to_lowercase();
            let Some(column) = self.0.iter().find(|column| column.name == name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value::<&RawValue>()?;
            if value.get() == "null" {
                continue;
            }
            let cell = Cell::new(column, value).ok_or_else(|| A::Error::custom("a value without a place"))?;
            if !value.get().starts_with('"') {
                read.not_strings.insert(name.clone());
            }
            if read.row.insert(name, cell).is_some() {
                return Err(A::Error::custom("a column twice"));
            }
        }
        Ok(read)
    }
}

/// The row of an impression in JSON; none where it is no object, or has a value that its column has no place for, or two.
pub fn json_row(columns: &[DeliveredColumn], impression: &str) -> Option<JsonRow> {
    let mut json = serde_json::Deserializer::from_str(impression);
    let read = ReadRow(columns).deserialize(&mut json).ok()?;
    json.end().ok().map(|()| read)
}

pub fn row(columns: &[DeliveredColumn], impression: &str) -> Option<Row> {
    json_row(columns, impression).map(|read| read.row)
}

pub fn read(file: &Bytes) -> Result<Vec<Row>, ParquetRefusal> {
    let mut rows = Vec::new();
    for_each(file, Caps::DELIVERED.inflated, |row| rows.push(row))?;
    Ok(rows)
}

/// Gives every row of a Parquet file, one in memory at a time, of a file whose pages and rows have no more bytes than a cap.
pub fn for_each(file: &Bytes, cap: u64, each: impl FnMut(Row)) -> Result<(), ParquetRefusal> {
    check_footer(file)?;
    // What is odd beyond what is checked makes the library panic rather than fail, in places.
    let read = AssertUnwindSafe(|| for_each_checked(file, cap, each));
    catch_unwind(read).unwrap_or(Err(ParquetRefusal::ReaderFailed))
}

fn for_each_checked(file: &Bytes, cap: u64, mut each: impl FnMut(Row)) -> Result<(), ParquetRefusal> {
    let reader = SerializedFileReader::new(file.clone())?;
    check_pages(file, reader.metadata(), &mut PageBudget::new(cap))?;
    // A few bytes of a dictionary can be the text of millions of rows.
    let mut budget = PageBudget::new(cap);
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let cells = row.get_column_iter().filter_map(|(name, field)| {
            let cell = match field {
                Field::Null => return None,
                Field::Long(number) => Cell::Number(*number),
                Field::Str(text) => Cell::Text(text.clone()),
                other => Cell::Text(other.to_string()),
            };
            Some((name.clone(), cell))
        });
        let row: Row = cells.collect();
        budget.spend(row.values().map(Cell::size).sum())?;
        each(row);
    }
    Ok(())
}

/// How many rows are held before they are written: a row takes more memory than a short impression.
const GROUP_ROWS: usize = 64 * 1024;

/// How many bytes of rows are held before they are written, unless one row alone has more.
const GROUP_BYTES: u64 = 16 * 1024 * 1024;

pub fn write(columns: &[DeliveredColumn], rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
    let mut writer = Writer::new(columns)?;
    rows.iter().try_for_each(|row| writer.push(row.clone()))?;
    writer.finish()
}

/// Writes a Parquet file row by row, of which it holds some at a time.
pub struct Writer<'a> {
    columns: &'a [DeliveredColumn],
    file: SerializedFileWriter<Vec<u8>>,
    group: Vec<Row>,
    bytes: u64,
    rows: usize,
}

impl<'a> Writer<'a> {
    pub fn new(columns: &'a [DeliveredColumn]) -> Result<Self, ParquetError> {
        let fields = columns.iter().map(|column| {
            let (physical, converted) = match column.kind {
                BIGINT => (PhysicalType::INT64, ConvertedType::NONE),
                _ => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8),
            };
            let field = Type::primitive_type_builder(&column.name, physical);
            let field = field.with_converted_type(converted).with_repetition(Repetition::OPTIONAL);
            field.build().map(Arc::new)
        });
        let fields = fields.collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("impression").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))?;
        Ok(Self { columns, file, group: Vec::new(), bytes: 0, rows: 0 })
    }

    pub fn push(&mut self, row: Row) -> Result<(), ParquetError> {
        self.bytes += row.values().map(Cell::size).sum::<u64>();
        self.rows += 1;
        self.group.push(row);
        if self.group.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        if !self.group.is_empty() {
            self.write_group()?;
        }
        self.file.into_inner()
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in self.columns {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            let cells: Vec<_> = self.group.iter().map(|row| row.get(&column.name)).collect();
            let levels: Vec<i16> = cells.iter().map(|cell| cell.is_some().into()).collect();
            let cells = cells.into_iter().flatten();
            if column.kind == BIGINT {
                let numbers: Vec<_> = cells.filter_map(Cell::number).collect();
                writer.typed::<Int64Type>().write_batch(&numbers, Some(&levels), None)?;
            } else {
                let texts: Vec<_> = cells.filter_map(Cell::bytes).collect();
                writer.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)?;
            }
            writer.close()?;
        }
        group.close()?;
        self.group.clear();
        self.bytes = 0;
        Ok(())
    }
}

impl Cell {
    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Number(_) => 8,
            Self::Text(text) => text.len() as u64,
        }
    }

    fn bytes(&self) -> Option<ByteArray> {
        match self {
            Self::Text(text) => Some(ByteArray::from(text.as_str())),
            Self::Number(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use crate::table::DeliveredTable;

    fn columns() -> Vec<DeliveredColumn> {
        let spec = Spec::parse("name: abc\nhandler: {fields: [key, time, properties, sdkVersion]}", "s.yaml");
        DeliveredTable::new(&spec.unwrap().spec).unwrap().columns
    }

    #[test]
    fn columns_are_found_in_any_case_and_hold_what_fits_them() {
        let impression =
            r#"{"KEY":"a\u00e9","time":1716400000000,"properties":{"a": [1, 2]},"sdkVersion":null,"more":1}"#;
        let row = row(&columns(), impression).unwrap();
        let want = [
            ("key", Cell::Text("aé".to_owned())),
            ("time", Cell::Number(1_716_400_000_000)),
            ("properties", Cell::Text(r#"{"a": [1, 2]}"#.to_owned())),
        ];
        assert_eq!(row, want.map(|(name, cell)| (name.to_owned(), cell)).into());
    }

    #[test]
    fn numbers_may_be_in_quotes_but_nothing_else() {
        let time = |value: &str| {
            let row = row(&columns(), &format!("{{\"time\":{value}}}")).unwrap();
            row.get("time").cloned()
        };
        assert_eq!(time("\"12\""), Some(Cell::Number(12)));
        assert_eq!(time("null"), None);
    }

    #[test]
    fn a_value_that_has_no_place_makes_no_row() {
        for misfit in [
            r#"{"key":"k","time":"noon"}"#,
            r#"{"time":1.5}"#,
            r#"{"time":true}"#,
            r#"{"time":[]}"#,
            r#"{"time":17164000000000000000}"#,
            r#"{"key":"\ud800"}"#,
            r#"{"key":"a","Key":"b"}"#,
            r#"{"key":"a","key":"b"}"#,
            r#"{"time":"noon","time":1}"#,
            "[1]",
            "{",
        ] {
            assert_eq!(row(&columns(), misfit), None, "{misfit}");
        }
        let elsewhere = r#"{"key":"k","Time":null,"time":1,"more":"\ud800","MORE":1}"#;
        assert_eq!(row(&columns(), elsewhere).unwrap().len(), 2);
    }

    #[test]
    fn rows_are_held_in_small_groups_and_all_of_them_written() {
        let columns = columns();
        let small = row(&columns, r#"{"key":"a"}"#).unwrap();
        let large = row(&columns, &format!("{{\"key\":\"{}\"}}", "x".repeat(1 << 20))).unwrap();
        let rows = [vec![small; GROUP_ROWS + 1], vec![large; 17]].concat();
        let mut writer = Writer::new(&columns).unwrap();
        for row in &rows {
            writer.push(row.clone()).unwrap();
            assert!(writer.group.len() < GROUP_ROWS && writer.bytes < GROUP_BYTES);
        }
        assert_eq!(writer.rows(), rows.len());
        let file = Bytes::from(writer.finish().unwrap());
        let groups = SerializedFileReader::new(file.clone()).unwrap().num_row_groups();
        assert_eq!(groups, 3);
        assert!(read(&file).unwrap() == rows);
    }

    #[test]
    fn files_are_read_as_they_were_written() {
        let columns = columns();
        let impressions =
            [r#"{"key":"a","time":1,"properties":"{}"}"#, "{}", r#"{"key":"","sdkVersion":"1.0"}"#];
        let rows: Vec<_> = impressions.iter().map(|it| row(&columns, it).unwrap()).collect();
        let file = write(&columns, &rows).unwrap();
        assert!(file.starts_with(PARQUET_MAGIC));
        assert_eq!(read(&file.into()).unwrap(), rows);
        assert_eq!(read(&write(&columns, &[]).unwrap().into()).unwrap(), [] as [Row; 0]);
        assert!(read(&Bytes::from_static(b"PAR1 and nothing else")).is_err());
    }
}
