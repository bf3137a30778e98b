//! Reads an impression that is written as Split writes them: compact JSON, without arrays or fractions.
//!
//! Most of a batch's cost is looking at each byte as JSON. This reader takes a third of the time of a reader for all JSON
//! (`handler/benches/batch`). It must not accept text that is not JSON, and it refuses no text: it leaves every other layout
//! to `serde_json`. A test and a fuzz target compare what it accepts with what `serde_json` accepts.

/// How deep objects may nest in an impression; its properties are the second level.
const MAX_DEPTH: u32 = 4;

/// An impression at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainImpression<'a> {
    /// Its JSON text, in which there is no white space between tokens.
    pub(crate) raw: &'a str,
    /// The JSON text of its `key`, quotes included.
    pub(crate) key: &'a str,
}

/// Reads the impression that `text` starts with, if that is plain to see.
pub(crate) fn impression(text: &str) -> Option<PlainImpression<'_>> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    let (mut key, mut split) = (None, None);
    scanner.object(MAX_DEPTH, &mut |name, value| match name {
        // Of a name that occurs twice the last counts, as with most readers of JSON.
        b"\"key\"" => key = Some(value),
        b"\"split\"" => split = Some(value),
        _ => {}
    })?;
    let (PlainValue::String { start, end }, PlainValue::String { .. }) = (key?, split?) else {
        return None;
    };
    Some(PlainImpression { raw: text.get(..scanner.at)?, key: text.get(start..end)? })
}

#[derive(Clone, Copy)]
enum PlainValue {
    /// A string, and where it starts and ends, quotes included.
    String {
        start: usize,
        end: usize,
    },
    Other,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Reads an object, and shows each of its own names with the value.
    ///
    /// Names with escapes are not plain: another name might be spelled with them.
    fn object(&mut self, depth: u32, visit: &mut impl FnMut(&'a [u8], PlainValue)) -> Option<()> {
        let deeper = depth.checked_sub(1)?;
        self.expect(b'{')?;
        if self.expect(b'}').is_some() {
            return Some(());
        }
        loop {
            let start = self.at;
            self.expect(b'"')?;
            (self.string_end()? == b'"').then_some(())?;
            let name = self.bytes.get(start..self.at)?;
            self.expect(b':')?;
            visit(name, self.value(deeper)?);
            if self.expect(b',').is_none() {
                return self.expect(b'}');
            }
        }
    }

    fn value(&mut self, depth: u32) -> Option<PlainValue> {
        let start = self.at;
        match *self.bytes.get(start)? {
            b'"' => {
                self.at += 1;
                while self.string_end()? == b'\\' {
                    self.escape()?;
                }
                let end = self.at;
                return Some(PlainValue::String { start, end });
            }
            b'n' => self.literal(b"null")?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'{' => self.object(depth, &mut |_, _| {})?,
            _ => self.integer()?,
        }
        Some(PlainValue::Other)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (*self.bytes.get(self.at)? == byte).then(|| self.at += 1)
    }

    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        let next = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        (next == literal).then(|| self.at += N)
    }

    /// Reads a number that is an integer; what follows one shows whether it was.
    fn integer(&mut self) -> Option<()> {
        let _sign = self.expect(b'-');
        if self.expect(b'0').is_some() {
            return Some(());
        }
        let rest = self.bytes.get(self.at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }

    /// Goes past the next quote or backslash in a string, and returns which it was.
    fn string_end(&mut self) -> Option<u8> {
        while let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let special = special_bytes(u64::from_le_bytes(*word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                break;
            }
            self.at += size_of_val(word);
        }
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' | b'\\' => return Some(byte),
                // Control characters must be escaped (RFC 8259, section 7).
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let escaped = *self.bytes.get(self.at)?;
        self.at += 1;
        match escaped {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
                self.at += digits.len();
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }
}

/// Returns a word in which the lowest bit that is set is in the first byte of `word` that is a quote, a backslash or a
/// control character.
///
/// Eight bytes at once, by arithmetic ("Bit Twiddling Hacks", "Determine if a word has a zero byte"): a borrow can set
/// the bit of a byte above a true one, never of one below.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * u64::from(b'"')));
    let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGH
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn impressions_as_split_writes_them_are_plain() {
        let plain = [
            (r#"{"key":"a","split":"b"}"#, "\"a\""),
            (r#"{"split":"","properties":{"a":{},"b":-1},"key":""}"#, "\"\""),
            (r#"{"key":"an é and a \"quote\"","split":"\u00e9\n","x":[]}"#, ""),
            (r#"{"key":"an é and a \"quote\"","split":"\u00e9\n","x":null}"#, r#""an é and a \"quote\"""#),
            (r#"{"key":"a","split":"b","key":"c"}"#, "\"c\""),
            (r#"{"key":"a","split":"b","x":true,"y":false,"z":0}"#, "\"a\""),
        ];
        for (raw, key) in plain {
            let want = (!key.is_empty()).then_some(PlainImpression { raw, key });
            for rest in ["", ",", "]", "{}", " and more than eight bytes"] {
                assert_eq!(impression(&format!("{raw}{rest}")), want, "{raw}");
            }
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_others() {
        let others = [
            "",
            "{}",
            "[]",
            "1",
            r#"{"key":"a"}"#,
            r#"{"key":1,"split":"b"}"#,
            r#"{"key":"a","split":"b","key":null}"#,
            r#"{"k\u0065y":"a","split":"b"}"#,
            r#"{"properties":{"key":"a"},"split":"b"}"#,
            r#"{ "key":"a","split":"b"}"#,
            r#"{"key" :"a","split":"b"}"#,
            r#"{"key":"a","split":"b","n":1.5}"#,
            r#"{"key":"a","split":"b","n":1e5}"#,
            r#"{"key":"a","split":"b","n":01}"#,
            r#"{"key":"a","split":"b","n":-}"#,
            r#"{"key":"a","split":"b","n":nul}"#,
            r#"{"key":"a","split":"b",}"#,
            r#"{"key":"a","split":"\x"}"#,
            r#"{"key":"a","split":"\u12"}"#,
            r#"{"key":"a","split":"\u12g4"}"#,
            r#"{"key":"a","split":"b","x":{"a":{"b":{"c":{}}}}}"#,
            "{\"key\":\"a\",\"split\":\"b\n\"}",
            "{\"key\":\"a\",\"split\":\"more than eight bytes\n\"}",
        ];
        for raw in others {
            assert_eq!(impression(raw), None, "{raw}");
        }
        let whole = r#"{"key":"a","split":"b\u00e9\n","x":null,"properties":{"a":-12}}"#;
        for length in 0..whole.len() {
            assert_eq!(impression(&whole[..length]), None, "cut to {length}");
        }
        assert!(impression(whole).is_some());
    }

    #[test]
    fn special_bytes_are_found_wherever_they_are() {
        for byte in 0..=u8::MAX {
            let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
            for at in 0..8_u32 {
                for other in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xff] {
                    let mut word = [other; 8];
                    word[at as usize] = byte;
                    let have = special_bytes(u64::from_le_bytes(word));
                    let want = if is_special { at } else { 8 };
                    assert_eq!(have.trailing_zeros() / 8, want, "{word:x?}");
                }
            }
        }
    }

    #[test]
    fn what_is_plain_is_json_to_serde_json() {
        // Every single edit of an impression: whatever is still plain must be JSON of the same extent.
        let whole = r#"{"key":"a\n","split":"é","x":{"a":-10},"y":null}"#;
        let bytes = br#"{}[]":,\u0- .ent"#;
        let mut plain = 0;
        for (at, _) in whole.char_indices() {
            for &byte in bytes {
                let edited = format!("{}{}{}", &whole[..at], char::from(byte), &whole[at..]);
                if let Some(have) = impression(&edited) {
                    let mut values = serde_json::Deserializer::from_str(&edited).into_iter::<&RawValue>();
                    assert_eq!(values.next().unwrap().unwrap().get(), have.raw);
                    plain += 1;
                }
            }
        }
        assert!(plain > 0);
    }
}
