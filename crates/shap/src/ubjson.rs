//! The part of UBJSON that XGBoost writes (`model.ubj`), read into JSON values.
//!
//! Every read is bounds-checked and nesting is limited: a damaged file gives an error, never a panic.

use serde_json::{Map, Number, Value};

use crate::error::Error;

const MAX_DEPTH: usize = 64;

/// Reads one UBJSON document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader { bytes, at: 0 };
    let marker = reader.marker()?;
    reader.value(marker, 0)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, what: &str) -> Result<T, Error> {
        Err(Error::Malformed(format!("{what} at byte {}", self.at)))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).copied();
        match taken {
            Some(bytes) => {
                self.at += N;
                Ok(bytes)
            }
            None => self.fail("the file ends early"),
        }
    }

    /// The next marker, no-ops skipped.
    fn marker(&mut self) -> Result<u8, Error> {
        loop {
            let [marker] = self.take()?;
            if marker != b'N' {
                return Ok(marker);
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn integer(&mut self, marker: u8) -> Result<i64, Error> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.take()?)),
            b'U' => i64::from(u8::from_be_bytes(self.take()?)),
            b'I' => i64::from(i16::from_be_bytes(self.take()?)),
            b'l' => i64::from(i32::from_be_bytes(self.take()?)),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return self.fail("an integer was expected"),
        })
    }

    /// A length, never more than the bytes that are left: so nothing is allocated for a damaged one.
    fn length(&mut self) -> Result<usize, Error> {
        let marker = self.marker()?;
        let length = self.integer(marker)?;
        match usize::try_from(length) {
            Ok(n) if n <= self.bytes.len() - self.at => Ok(n),
            _ => self.fail("a length is larger than the file"),
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let length = self.length()?;
        let bytes = &self.bytes[self.at..self.at + length];
        self.at += length;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.fail("text that is not UTF-8"),
        }
    }

    fn value(&mut self, marker: u8, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return self.fail("values are nested too deep");
        }
        Ok(match marker {
            b'Z' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'd' => float(f64::from(f32::from_be_bytes(self.take()?))),
            b'D' => float(f64::from_be_bytes(self.take()?)),
            b'S' => Value::String(self.string()?),
            b'[' => self.array(depth)?,
            b'{' => self.object(depth)?,
            other => Value::from(self.integer(other)?),
        })
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        let kind = self.kind()?;
        if self.peek() == Some(b'#') {
            self.at += 1;
            let count = self.length()?;
            items.reserve(count);
            for _ in 0..count {
                let marker = match kind {
                    Some(marker) => marker,
                    None => self.marker()?,
                };
                items.push(self.value(marker, depth + 1)?);
            }
        } else {
            loop {
                let marker = self.marker()?;
                if marker == b']' {
                    break;
                }
                items.push(self.value(marker, depth + 1)?);
            }
        }
        Ok(Value::Array(items))
    }

    /// The element type of a typed array, which must be followed by a count.
    fn kind(&mut self) -> Result<Option<u8>, Error> {
        if self.peek() != Some(b'$') {
            return Ok(None);
        }
        self.at += 1;
        let [kind] = self.take()?;
        if self.peek() != Some(b'#') {
            return self.fail("a typed array without a count");
        }
        // Values without bytes would let a tiny file claim any number of them.
        if !b"iUIlLdD".contains(&kind) {
            return self.fail("a typed array of something else than numbers");
        }
        Ok(Some(kind))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        let mut fields = Map::new();
        loop {
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(Value::Object(fields));
            }
            let key = self.string()?;
            let marker = self.marker()?;
            let value = self.value(marker, depth + 1)?;
            fields.insert(key, value);
        }
    }
}

/// JSON has no NaN or infinity: they become null, which the model reader refuses where a number must stand.
fn float(x: f64) -> Value {
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_typed_arrays_strings_and_nested_objects() {
        let mut bytes = b"{L".to_vec();
        bytes.extend(1i64.to_be_bytes());
        bytes.extend(b"a[$d#L");
        bytes.extend(2i64.to_be_bytes());
        bytes.extend(0.5f32.to_be_bytes());
        bytes.extend((-2.0f32).to_be_bytes());
        bytes.extend(b"i\x01b{}i\x01c[SL");
        bytes.extend(2i64.to_be_bytes());
        bytes.extend(b"hiTl\x00\x00\x00\x07]}");
        let value = parse(&bytes).unwrap();
        assert_eq!(value, serde_json::json!({"a": [0.5, -2.0], "b": {}, "c": ["hi", true, 7]}));
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_on_arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let mut object = b"{".to_vec();
            object.extend(&bytes);
            let _ = parse(&object);
        }
    }
}
