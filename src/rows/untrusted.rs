//! Checks a Parquet file before the Parquet library reads it: the library allocates and recurses as the file says, and anyone
//! with write access to the bucket can say anything.
//!
//! Refuses files that Firehose's conversion and [`write`](super::write) never make. Must not hold more than one buffer.

use std::io::{self, Read as _};
use std::ops::Range;

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::thrift::{FieldType, ThriftReader};

/// The longest metadata at the end of a file: what is made of it takes up to some 25 times as much memory.
const MAX_FOOTER_BYTES: usize = 8 * 1024 * 1024;

/// The most columns. A pipeline's table has no more than names of fields fit into the 4 KB of a function's environment, and the
/// library sets up 34 KB for each.
const MAX_COLUMNS: usize = 1024;

/// The most columns of all row groups together. A pipeline's table has some dozens, and a file a hundred groups at most.
const MAX_COLUMN_CHUNKS: usize = 64 * 1024;

/// The most rows. Firehose gathers 128 MiB of JSON, and an impression has 20 bytes at least.
const MAX_ROWS: u64 = 8 * 1024 * 1024;

/// The most cells, which are looked at one by one however few bytes they take: as many as 128 MiB of JSON has names, at least
/// four bytes each.
const MAX_CELLS: u64 = 32 * 1024 * 1024;

/// The longest name of a column that Glue takes. The library copies the name for each cell.
const MAX_NAME_BYTES: u64 = 255;

/// What the library keeps of each value of a dictionary beside its bytes.
const DICTIONARY_VALUE_BYTES: u64 = 40;

const MAGIC: &[u8] = super::PARQUET_MAGIC;

#[derive(Debug, thiserror::Error)]
pub enum ParquetRefusal {
    #[error("not valid Parquet")]
    Metadata,
    #[error("not valid Parquet: {0}")]
    Parquet(#[from] ParquetError),
    #[error("not valid Parquet: the reader failed")]
    ReaderFailed,
    #[error("its columns are nested")]
    Nested,
    /// It is written in a way that Firehose does not.
    #[error("Parquet of an unsupported {0}")]
    Unsupported(&'static str),
    #[error("it has more than {limit} {what}")]
    TooMany { what: &'static str, limit: u64 },
    #[error("it inflates to more than {} MiB", .0 / 1024 / 1024)]
    TooLarge(u64),
}

pub(super) struct PageBudget {
    cap: u64,
    spent: u64,
}

impl PageBudget {
    pub(super) fn new(cap: u64) -> Self {
        Self { cap, spent: 0 }
    }

    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), ParquetRefusal> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.cap {
            return Err(ParquetRefusal::TooLarge(self.cap));
        }
        Ok(())
    }
}

fn at_most(what: &'static str, limit: u64, count: u64) -> Result<(), ParquetRefusal> {
    if count > limit {
        return Err(ParquetRefusal::TooMany { what, limit });
    }
    Ok(())
}

/// Checks that the metadata at the end of a file is small, flat and all there.
pub(super) fn check_footer(file: &[u8]) -> Result<(), ParquetRefusal> {
    let rest = file.strip_suffix(MAGIC).ok_or(ParquetRefusal::Metadata)?;
    let (rest, length) = rest.split_last_chunk::<4>().ok_or(ParquetRefusal::Metadata)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    at_most("bytes of metadata", MAX_FOOTER_BYTES as u64, length as u64)?;
    let start = rest.len().checked_sub(length).ok_or(ParquetRefusal::Metadata)?;
    let (mut elements, mut chunks) = (0_u64, 0);
    ThriftReader(&rest[start..]).fields(&mut |number, kind, footer| match number {
        2 => {
            footer.list(kind, &mut |element| {
                elements += 1;
                // The first is the table.
                at_most("columns", MAX_COLUMNS as u64, elements - 1)?;
                check_element(element, elements == 1)
            })?;
            Ok(true)
        }
        4 => {
            footer.list(kind, &mut |group| count_chunks(group, &mut chunks))?;
            Ok(true)
        }
        _ => Ok(false),
    })
}

/// The first element of a schema is the table, and the others are its columns.
fn check_element(element: &mut ThriftReader<'_>, is_table: bool) -> Result<(), ParquetRefusal> {
    element.fields(&mut |number, kind, element| {
        if number != 5 {
            return Ok(false);
        }
        if element.size(kind)? > 0 && !is_table {
            return Err(ParquetRefusal::Nested);
        }
        Ok(true)
    })
}

/// Counts the columns of a row group, and the group itself.
fn count_chunks(group: &mut ThriftReader<'_>, chunks: &mut u64) -> Result<(), ParquetRefusal> {
    let mut count = || {
        *chunks += 1;
        at_most("columns in row groups", MAX_COLUMN_CHUNKS as u64, *chunks)
    };
    count()?;
    group.fields(&mut |number, kind, group| {
        if number != 1 {
            return Ok(false);
        }
        group.list(kind, &mut |chunk| {
            count()?;
            chunk.fields(&mut |_, _, _| Ok(false))
        })?;
        Ok(true)
    })
}

/// Checks what every page of a file says of itself, against what it is, and that all of them together are within the budget.
pub(super) fn check_pages(
    file: &[u8],
    metadata: &ParquetMetaData,
    budget: &mut PageBudget,
) -> Result<(), ParquetRefusal> {
    let columns = metadata.file_metadata().schema_descr().columns();
    if columns.iter().any(|it| it.max_rep_level() > 0 || it.max_def_level() > 1) {
        return Err(ParquetRefusal::Nested);
    }
    for column in columns {
        at_most("bytes in the name of a column", MAX_NAME_BYTES, column.name().len() as u64)?;
    }
    let mut rows = 0_u64;
    for group in metadata.row_groups() {
        let group_rows = u64::try_from(group.num_rows()).map_err(|_| ParquetRefusal::Metadata)?;
        rows = rows.saturating_add(group_rows);
        at_most("rows", MAX_ROWS, rows)?;
        at_most("cells", MAX_CELLS, rows.saturating_mul(columns.len() as u64))?;
        for column in group.columns() {
            let range = range(
                column.dictionary_page_offset().unwrap_or(column.data_page_offset()),
                column.compressed_size(),
            )?;
            let pages = file.get(range).ok_or(ParquetRefusal::Metadata)?;
            if check_column(pages, column.compression(), budget)? != group_rows {
                return Err(ParquetRefusal::Metadata);
            }
        }
    }
    Ok(())
}

fn range(start: i64, length: i64) -> Result<Range<usize>, ParquetRefusal> {
    let size = |number: i64| usize::try_from(number).map_err(|_| ParquetRefusal::Metadata);
    let start = size(start)?;
    let end = start.checked_add(size(length)?).ok_or(ParquetRefusal::Metadata)?;
    Ok(start..end)
}

/// Gives how many values a column's pages have, nulls included.
fn check_column(
    pages: &[u8],
    compression: Compression,
    budget: &mut PageBudget,
) -> Result<u64, ParquetRefusal> {
    let (mut values, mut rest) = (0_u64, pages);
    while !rest.is_empty() {
        let mut reader = ThriftReader(rest);
        let page = ParquetPage::read(&mut reader)?;
        let stored = usize::try_from(page.stored).map_err(|_| ParquetRefusal::Metadata)?;
        let (data, after) = reader.0.split_at_checked(stored).ok_or(ParquetRefusal::Metadata)?;
        budget.spend(page.inflated)?;
        if page.kind == PageKind::Dictionary {
            budget.spend(page.values.saturating_mul(DICTIONARY_VALUE_BYTES))?;
        } else {
            values = values.saturating_add(page.values);
        }
        if page.is_compressed {
            check_compression(&page, data, compression)?;
        }
        rest = after;
    }
    Ok(values)
}

/// Checks what the library does not: gzip is inflated to its end, whatever size the page gives.
fn check_compression(
    page: &ParquetPage,
    data: &[u8],
    compression: Compression,
) -> Result<(), ParquetRefusal> {
    match compression {
        Compression::UNCOMPRESSED | Compression::SNAPPY => Ok(()),
        Compression::GZIP(_) => {
            let levels = usize::try_from(page.levels).map_err(|_| ParquetRefusal::Metadata)?;
            let gzip = data.get(levels..).ok_or(ParquetRefusal::Metadata)?;
            let most = page.inflated.saturating_sub(page.levels);
            let mut gzip = MultiGzDecoder::new(gzip).take(most + 1);
            let inflated = io::copy(&mut gzip, &mut io::sink()).map_err(|_| ParquetRefusal::Metadata)?;
            (inflated <= most).then_some(()).ok_or(ParquetRefusal::Metadata)
        }
        _ => Err(ParquetRefusal::Unsupported("compression")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PageKind {
    Data,
    Dictionary,
}

#[derive(Clone, Copy, Debug)]
struct ParquetPage {
    kind: PageKind,
    stored: u64,
    inflated: u64,
    values: u64,
    levels: u64,
    is_compressed: bool,
}

impl ParquetPage {
    fn read(header: &mut ThriftReader<'_>) -> Result<Self, ParquetRefusal> {
        let (mut kind, mut stored, mut inflated) = (None, None, None);
        let (mut data, mut dictionary, mut data_v2) = (None, None, None);
        header.fields(&mut |number, field, header| {
            match number {
                1 => kind = Some(header.size(field)?),
                2 => inflated = Some(header.size(field)?),
                3 => stored = Some(header.size(field)?),
                5 => data = Some(Values::read(header, field, 2, &[])?),
                7 => dictionary = Some(Values::read(header, field, 2, &[])?),
                8 => data_v2 = Some(Values::read(header, field, 4, &[5, 6])?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        // The library takes what a header of the second version says of any page.
        let levels = data_v2.as_ref().map_or(0, |it| it.levels);
        let (kind, values) = match kind {
            Some(0) => (PageKind::Data, data),
            Some(2) => (PageKind::Dictionary, dictionary),
            Some(3) => (PageKind::Data, data_v2),
            _ => return Err(ParquetRefusal::Unsupported("kind of page")),
        };
        let (Some(values), Some(stored), Some(inflated)) = (values, stored, inflated) else {
            return Err(ParquetRefusal::Metadata);
        };
        Ok(Self { kind, stored, inflated, values: values.count, levels, is_compressed: inflated > levels })
    }
}

#[derive(Clone, Copy, Debug)]
struct Values {
    count: u64,
    levels: u64,
}

/// The encodings of pages that Firehose and this pipeline write: plain, dictionary, run length, dictionary again. Others
/// say in their data how much is to be allocated.
const ENCODINGS: [u64; 4] = [0, 2, 3, 8];

impl Values {
    fn read(
        header: &mut ThriftReader<'_>,
        kind: FieldType,
        encoding: i64,
        levels: &[i64],
    ) -> Result<Self, ParquetRefusal> {
        let mut values = Self { count: 0, levels: 0 };
        header.structure(kind, &mut |number, kind, header| {
            if number == 1 {
                values.count = header.size(kind)?;
            } else if levels.contains(&number) {
                values.levels = values.levels.saturating_add(header.size(kind)?);
            } else if number == encoding {
                if !ENCODINGS.contains(&header.size(kind)?) {
                    return Err(ParquetRefusal::Unsupported("encoding"));
                }
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
