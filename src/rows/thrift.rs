//! Reads just enough of Thrift's compact protocol to check a Parquet file's metadata without building it.
//!
//! Must not allocate, nor recurse deeper than a fixed depth: the writer of the file chose the numbers in it.

use super::untrusted::ParquetRefusal;

/// How deep a struct may be within others; Parquet's own are less than ten deep.
const MAX_DEPTH: u8 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldType(u8);

impl FieldType {
    const STOP: Self = Self(0);
    const TRUE: Self = Self(1);
    const FALSE: Self = Self(2);
    const BYTE: Self = Self(3);
    const I16: Self = Self(4);
    const I32: Self = Self(5);
    const I64: Self = Self(6);
    const DOUBLE: Self = Self(7);
    const BINARY: Self = Self(8);
    const LIST: Self = Self(9);
    const SET: Self = Self(10);
    const MAP: Self = Self(11);
    const STRUCT: Self = Self(12);
}

/// Bytes of the protocol that are still to be read.
pub(super) struct ThriftReader<'a>(pub(super) &'a [u8]);

impl ThriftReader<'_> {
    /// Reads a struct: `field` takes a field by its number, or says that it did not.
    pub(super) fn fields(
        &mut self,
        field: &mut dyn FnMut(i64, FieldType, &mut Self) -> Result<bool, ParquetRefusal>,
    ) -> Result<(), ParquetRefusal> {
        self.fields_at(field, MAX_DEPTH)
    }

    fn fields_at(
        &mut self,
        field: &mut dyn FnMut(i64, FieldType, &mut Self) -> Result<bool, ParquetRefusal>,
        depth: u8,
    ) -> Result<(), ParquetRefusal> {
        let mut last = 0;
        loop {
            let header = self.byte()?;
            let kind = FieldType(header & 0x0f);
            if kind == FieldType::STOP {
                return Ok(());
            }
            let number = match header >> 4 {
                0 => self.integer()?,
                delta => last + i64::from(delta),
            };
            // Writers keep the order. Of a field that is there twice, other readers may take the other one.
            if number <= last {
                return Err(ParquetRefusal::Metadata);
            }
            last = number;
            if !field(number, kind, self)? {
                self.skip(kind, depth)?;
            }
        }
    }

    /// Reads a list: `element` takes each element.
    pub(super) fn list(
        &mut self,
        kind: FieldType,
        element: &mut dyn FnMut(&mut Self) -> Result<(), ParquetRefusal>,
    ) -> Result<(), ParquetRefusal> {
        if kind != FieldType::LIST {
            return Err(ParquetRefusal::Metadata);
        }
        let (count, kind) = self.list_header()?;
        if count > 0 && kind != FieldType::STRUCT {
            return Err(ParquetRefusal::Metadata);
        }
        (0..count).try_for_each(|_| element(self))
    }

    pub(super) fn structure(
        &mut self,
        kind: FieldType,
        field: &mut dyn FnMut(i64, FieldType, &mut Self) -> Result<bool, ParquetRefusal>,
    ) -> Result<(), ParquetRefusal> {
        match kind {
            FieldType::STRUCT => self.fields(field),
            _ => Err(ParquetRefusal::Metadata),
        }
    }

    pub(super) fn size(&mut self, kind: FieldType) -> Result<u64, ParquetRefusal> {
        match kind {
            FieldType::I16 | FieldType::I32 | FieldType::I64 => {
                u64::try_from(self.integer()?).map_err(|_| ParquetRefusal::Metadata)
            }
            _ => Err(ParquetRefusal::Metadata),
        }
    }

    fn skip(&mut self, kind: FieldType, depth: u8) -> Result<(), ParquetRefusal> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(ParquetRefusal::Metadata);
        };
        match kind {
            FieldType::TRUE | FieldType::FALSE => Ok(()),
            FieldType::BYTE => self.byte().map(drop),
            FieldType::I16 | FieldType::I32 | FieldType::I64 => self.integer().map(drop),
            FieldType::DOUBLE => self.take(8),
            FieldType::BINARY => {
                let length = self.varint()?;
                self.take(length)
            }
            FieldType::STRUCT => self.fields_at(&mut |_, _, _| Ok(false), below),
            FieldType::LIST | FieldType::SET => {
                let (count, kind) = self.list_header()?;
                (0..count).try_for_each(|_| self.skip_element(kind, below))
            }
            FieldType::MAP => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                let (key, value) = (FieldType(kinds >> 4), FieldType(kinds & 0x0f));
                (0..count).try_for_each(|_| {
                    self.skip_element(key, below)?;
                    self.skip_element(value, below)
                })
            }
            _ => Err(ParquetRefusal::Metadata),
        }
    }

    fn skip_element(&mut self, kind: FieldType, depth: u8) -> Result<(), ParquetRefusal> {
        match kind {
            FieldType::TRUE | FieldType::FALSE => self.byte().map(drop),
            kind => self.skip(kind, depth),
        }
    }

    fn list_header(&mut self) -> Result<(u64, FieldType), ParquetRefusal> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            count => count.into(),
        };
        Ok((count, FieldType(header & 0x0f)))
    }

    fn integer(&mut self) -> Result<i64, ParquetRefusal> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn varint(&mut self) -> Result<u64, ParquetRefusal> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(ParquetRefusal::Metadata)
    }

    fn byte(&mut self) -> Result<u8, ParquetRefusal> {
        let (byte, rest) = self.0.split_first().ok_or(ParquetRefusal::Metadata)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn take(&mut self, count: u64) -> Result<(), ParquetRefusal> {
        let count = usize::try_from(count).map_err(|_| ParquetRefusal::Metadata)?;
        self.0 = self.0.get(count..).ok_or(ParquetRefusal::Metadata)?;
        Ok(())
    }
}
