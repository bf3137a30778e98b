//! Unit tests of Parquet files as attackers write them: made by hand, since no library makes such.

use bytes::Bytes;
use parquet::basic::{ConvertedType, GzipLevel, Repetition, Type as PhysicalType};
use proptest::prelude::*;

use super::*;
use crate::rows::{Cell, Row, for_each, row, write};
use crate::table::DeliveredColumn;

const MIB: u64 = 1024 * 1024;

// Kinds of Thrift's compact protocol.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn int(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)).cast_unsigned())
}

fn length(bytes: &[u8]) -> Vec<u8> {
    int(i64::try_from(bytes.len()).unwrap())
}

fn binary(text: &[u8]) -> Vec<u8> {
    [varint(text.len() as u64), text.to_vec()].concat()
}

fn structure(fields: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut last) = (Vec::new(), 0);
    for (number, kind, value) in fields {
        bytes.push((number - last) << 4 | kind);
        bytes.extend(value);
        last = *number;
    }
    bytes.push(0);
    bytes
}

fn list(kind: u8, elements: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0xf0 | kind];
    bytes.extend(varint(elements.len() as u64));
    bytes.extend(elements.concat());
    bytes
}

/// A file of one column of text, or of several that are all the same.
struct File {
    /// 0 is uncompressed, 1 Snappy, 2 gzip.
    codec: i64,
    rows: i64,
    schema: Vec<Vec<u8>>,
    columns: usize,
    pages: Vec<Vec<u8>>,
}

fn table(children: i64) -> Vec<u8> {
    structure(&[(4, BINARY, binary(b"impression")), (5, I32, int(children))])
}

fn column(name: &[u8]) -> Vec<u8> {
    structure(&[(1, I32, int(6)), (3, I32, int(0)), (4, BINARY, binary(name)), (6, I32, int(0))])
}

fn data_page(values: i64, encoding: i64, inflated: i64, data: &[u8]) -> Vec<u8> {
    let header = [(1, I32, int(values)), (2, I32, int(encoding)), (3, I32, int(3)), (4, I32, int(3))];
    page(0, 5, structure(&header), inflated, data)
}

fn dictionary_page(values: i64, inflated: i64, data: &[u8]) -> Vec<u8> {
    let header = [(1, I32, int(values)), (2, I32, int(0))];
    page(2, 7, structure(&header), inflated, data)
}

fn page(kind: i64, field: u8, header: Vec<u8>, inflated: i64, data: &[u8]) -> Vec<u8> {
    let header = structure(&[
        (1, I32, int(kind)),
        (2, I32, int(inflated)),
        (3, I32, length(data)),
        (field, STRUCT, header),
    ]);
    [&header, data].concat()
}

/// A text as a page has it without an encoding.
fn plain(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_le_bytes(), text].concat()
}

impl File {
    fn new(codec: i64, pages: Vec<Vec<u8>>) -> Self {
        Self { codec, rows: 1, schema: vec![table(1), column(b"key")], columns: 1, pages }
    }

    fn bytes(&self) -> Bytes {
        let pages = self.pages.concat();
        let size = length(&pages);
        let metadata = [
            (1, I32, int(6)),
            (2, LIST, list(I32, &[int(0)])),
            (3, LIST, list(BINARY, &[binary(b"key")])),
            (4, I32, int(self.codec)),
            (5, I64, int(self.rows)),
            (6, I64, size.clone()),
            (7, I64, size.clone()),
            (9, I64, int(4)),
        ];
        let chunk = structure(&[(2, I64, int(4)), (3, STRUCT, structure(&metadata))]);
        let group = structure(&[
            (1, LIST, list(STRUCT, &vec![chunk; self.columns])),
            (2, I64, size),
            (3, I64, int(self.rows)),
        ]);
        self.with_groups(&pages, list(STRUCT, &[group]))
    }

    fn with_groups(&self, pages: &[u8], groups: Vec<u8>) -> Bytes {
        let footer = structure(&[
            (1, I32, int(1)),
            (2, LIST, list(STRUCT, &self.schema)),
            (3, I64, int(self.rows)),
            (4, LIST, groups),
        ]);
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        Bytes::from([MAGIC, pages, &footer, &length, MAGIC].concat())
    }
}

/// The rows that are given of a file, and what ends it.
fn read_within(file: &Bytes, cap: u64) -> (Vec<Row>, Result<(), String>) {
    let mut rows = Vec::new();
    let ended = for_each(file, cap, |row| rows.push(row));
    (rows, ended.map_err(|error| error.to_string()))
}

fn why(file: &File) -> String {
    let (rows, ended) = read_within(&file.bytes(), 16 * MIB);
    assert_eq!(rows, [] as [Row; 0]);
    ended.unwrap_err()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    crate::objects::lines::gzip(text).unwrap()
}

#[test]
fn files_made_by_hand_are_read_in_every_compression() {
    let data = plain(b"a");
    let size = i64::try_from(data.len()).unwrap();
    let snappy = snap::raw::Encoder::new().compress_vec(&data).unwrap();
    for (codec, data) in [(0, data.clone()), (1, snappy), (2, gzip(&data))] {
        let file = File::new(codec, vec![data_page(1, 0, size, &data)]);
        let (rows, ended) = read_within(&file.bytes(), 1000);
        assert_eq!(ended, Ok(()));
        let row = Row::from([("key".to_owned(), Cell::Text("a".to_owned()))]);
        assert_eq!(rows, [row]);
    }
}

#[test]
fn a_page_that_claims_to_be_huge_is_not_allocated() {
    let huge = i64::from(i32::MAX);
    for codec in [0, 1, 2] {
        let file = File::new(codec, vec![data_page(1, 0, huge, b"abcd")]);
        assert_eq!(why(&file), "it inflates to more than 16 MiB");
    }
}

#[test]
fn gzip_is_not_inflated_past_what_its_page_says() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let file = File::new(2, vec![data_page(1, 0, 5, &bomb)]);
    assert_eq!(why(&file), "not valid Parquet");
}

#[test]
fn many_pages_count_against_one_cap() {
    let page = data_page(0, 0, 9 << 20, &gzip(&vec![0; 9 << 20]));
    let file = File::new(2, vec![page.clone(), page]);
    assert_eq!(why(&file), "it inflates to more than 16 MiB");
}

#[test]
fn a_dictionary_that_claims_many_values_is_not_allocated() {
    let pages = vec![dictionary_page(i64::from(i32::MAX), 5, &plain(b"a")), data_page(1, 8, 2, b"\x01\x02")];
    assert_eq!(why(&File::new(0, pages)), "it inflates to more than 16 MiB");
}

#[test]
fn rows_that_are_too_many_or_not_there_are_refused() {
    let mut file = File::new(0, vec![data_page(1, 0, 5, &plain(b"a"))]);
    file.rows = 1 << 62;
    assert_eq!(why(&file), "it has more than 8388608 rows");
    file.rows = 8 << 20;
    assert_eq!(why(&file), "not valid Parquet");
    file.rows = -1;
    assert_eq!(why(&file), "not valid Parquet");
}

#[test]
fn columns_that_are_too_many_or_have_long_names_are_refused() {
    let with = |columns: usize, name: &[u8]| {
        let mut file = File::new(0, vec![data_page(1, 0, 5, &plain(b"a"))]);
        file.columns = columns;
        file.schema = vec![column(name); columns + 1];
        file.schema[0] = table(columns.try_into().unwrap());
        file
    };
    assert_eq!(why(&with(1025, b"key")), "it has more than 1024 columns");
    let (_, ended) = read_within(&with(1024, b"key").bytes(), MIB);
    assert_eq!(ended, Ok(()));
    let long = why(&with(1, &[b'k'; 256]));
    assert_eq!(long, "it has more than 255 bytes in the name of a column");
    // No page has a value of it, so it is the first to be refused.
    let mut many = with(5, b"key");
    many.rows = 8 << 20;
    assert_eq!(why(&many), "it has more than 33554432 cells");
}

#[test]
fn columns_within_columns_are_refused_however_deep_they_are() {
    let mut file = File::new(0, Vec::new());
    file.schema = vec![table(1); 200_000];
    assert_eq!(why(&file), "its columns are nested");
    let repeated = structure(&[(1, I32, int(6)), (3, I32, int(2)), (4, BINARY, binary(b"key"))]);
    file.schema = vec![table(1), repeated];
    assert_eq!(why(&file), "its columns are nested");
}

#[test]
fn lists_that_are_not_there_are_not_allocated_and_long_ones_are_refused() {
    let file = File::new(0, Vec::new());
    let claim = [vec![0xf0 | STRUCT], varint(u64::from(u32::MAX))].concat();
    let (_, ended) = read_within(&file.with_groups(&[], claim), MIB);
    assert_eq!(ended.unwrap_err(), "not valid Parquet");
    let group = structure(&[(1, LIST, list(STRUCT, &[])), (2, I64, int(0)), (3, I64, int(0))]);
    let groups = list(STRUCT, &vec![group; MAX_COLUMN_CHUNKS + 1]);
    let (_, ended) = read_within(&file.with_groups(&[], groups), MIB);
    assert_eq!(ended.unwrap_err(), "it has more than 65536 columns in row groups");
    let mut long = MAGIC.repeat(4 << 20);
    long.extend(u32::try_from(MAX_FOOTER_BYTES + 1).unwrap().to_le_bytes());
    long.extend(MAGIC);
    let (_, ended) = read_within(&Bytes::from(long), MIB);
    assert_eq!(ended.unwrap_err(), "it has more than 8388608 bytes of metadata");
}

#[test]
fn encodings_whose_data_says_what_to_allocate_are_refused() {
    // DELTA_LENGTH_BYTE_ARRAY.
    let file = File::new(0, vec![data_page(1, 6, 5, &plain(b"a"))]);
    assert_eq!(why(&file), "Parquet of an unsupported encoding");
    // LZ4.
    let file = File::new(5, vec![data_page(1, 0, 5, &plain(b"a"))]);
    assert_eq!(why(&file), "Parquet of an unsupported compression");
}

fn columns() -> Vec<DeliveredColumn> {
    let column = |name: &str, kind| DeliveredColumn { name: name.to_owned(), kind };
    vec![column("key", "string"), column("time", crate::table::BIGINT)]
}

#[test]
fn a_text_in_a_dictionary_is_not_given_again_and_again_past_the_cap() {
    let text = "x".repeat(1 << 17);
    let line = format!("{{\"key\":\"{text}\"}}");
    let rows = vec![row(&columns(), &line).unwrap(); 200];
    let file = Bytes::from(write(&columns(), &rows).unwrap());
    assert!(file.len() < 1 << 20, "{}", file.len());
    let (rows, ended) = read_within(&file, 8 * MIB);
    assert_eq!(ended.unwrap_err(), "it inflates to more than 8 MiB");
    assert!((1..=64).contains(&rows.len()), "{}", rows.len());
}

#[test]
fn a_bomb_as_a_library_writes_it_is_refused_before_any_of_it_is_inflated() {
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use std::sync::Arc;

    let column = Type::primitive_type_builder("key", PhysicalType::BYTE_ARRAY);
    let column = column.with_repetition(Repetition::REQUIRED);
    let column = column.with_converted_type(ConvertedType::UTF8).build();
    let schema = Type::group_type_builder("impression").with_fields(vec![Arc::new(column.unwrap())]);
    let properties = WriterProperties::builder().set_dictionary_enabled(false);
    let properties = properties.set_compression(Compression::GZIP(GzipLevel::default()));
    let mut file = SerializedFileWriter::new(
        Vec::new(),
        Arc::new(schema.build().unwrap()),
        Arc::new(properties.build()),
    )
    .unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut writer = group.next_column().unwrap().unwrap();
    let text = ByteArray::from(vec![b'x'; 1 << 20]);
    for _ in 0..64 {
        let typed = writer.typed::<ByteArrayType>();
        typed.write_batch(std::slice::from_ref(&text), None, None).unwrap();
    }
    writer.close().unwrap();
    group.close().unwrap();
    let file = Bytes::from(file.into_inner().unwrap());
    assert!(file.len() < 1 << 20, "{}", file.len());
    let (rows, ended) = read_within(&file, 32 * MIB);
    assert_eq!(rows, [] as [Row; 0]);
    assert_eq!(ended.unwrap_err(), "it inflates to more than 32 MiB");
    assert_eq!(read_within(&file, 80 * MIB).0.len(), 64);
}

proptest! {
    #[test]
    fn no_change_of_a_files_bytes_ends_the_process(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let lines = [r#"{"key":"a","time":1}"#, r#"{"key":"bb"}"#, r#"{"time":3}"#];
        let rows: Vec<_> = lines.iter().map(|line| row(&columns(), line).unwrap()).collect();
        let mut file = write(&columns(), &rows).unwrap();
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        let (rows, _) = read_within(&Bytes::from(file), MIB);
        prop_assert!(rows.len() <= 1000);
    }
}
