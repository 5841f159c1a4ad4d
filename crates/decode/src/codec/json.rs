//! JSON as text: walks over values, checks their grammar, and notes where the wanted ones stand. No tree is built.

use super::cells::{Cell, Kind};
use super::places::{Known, Places};
use memchr::memchr2;

/// Objects and arrays may be nested so deep.
const MAX_DEPTH: usize = 128;

/// Why a text is no such JSON as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Sound, but another type of value.
    NotAnObject,
    /// The text ends inside of a value.
    Early,
    /// Not sound.
    Syntax(&'static str),
}

pub(crate) type Scan<T> = Result<T, Broken>;

/// A position in a text.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// The record that stands here, up to the text's end.
    pub(crate) fn record(&mut self, places: &mut Places<'_>) -> Scan<()> {
        self.blanks();
        if self.peek() != Some(b'{') {
            let start = self.at;
            // Broken JSON is reported as such; only a sound value of another type is "no object".
            self.skip(0)?;
            self.end()?;
            self.at = start;
            return Err(Broken::NotAnObject);
        }
        self.object(places, 0, 0)?;
        self.end()
    }

    /// Nothing but blanks is left.
    pub(crate) fn end(&mut self) -> Scan<()> {
        self.blanks();
        if self.at < self.text.len() { Err(Broken::Syntax("more text behind the value")) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// Steps into an object or array; whether anything is in it.
    pub(crate) fn open(&mut self, close: u8) -> bool {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(close) {
            self.at += 1;
            return false;
        }
        true
    }

    /// Steps to the next entry of an object or array; whether there is one.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Scan<bool> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ if close == b'}' => Err(Broken::Syntax("a comma or a closing brace is missing")),
            _ => Err(Broken::Syntax("a comma or a closing bracket is missing")),
        }
    }

    /// An object whose wanted keys are the children of `node`.
    pub(crate) fn object(&mut self, places: &mut Places<'_>, node: usize, depth: usize) -> Scan<()> {
        if !self.open(b'}') {
            return Ok(());
        }
        let mut next = 0;
        loop {
            let known = self.key(places, node, &mut next)?;
            let cell = self.member(places, node, known.child, depth)?;
            if let Some(field) = known.field {
                places.unknown.push((field, cell));
            }
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// A key and its colon; `next` is the number of the key that is due.
    #[inline]
    pub(crate) fn key(&mut self, places: &mut Places<'_>, node: usize, next: &mut usize) -> Scan<Known> {
        self.blanks();
        if self.peek() != Some(b'"') {
            return Err(Broken::Syntax("a key in quotes is missing"));
        }
        let start = self.at + 1;
        let known = match places.due(node, &self.text[start..], next) {
            Some((known, len)) => {
                self.at = start + len;
                known
            }
            None => {
                let escaped = self.string()?;
                places.learn(node, &self.text[start..self.at], escaped, next)
            }
        };
        self.colon()?;
        Ok(known)
    }

    #[inline]
    fn colon(&mut self) -> Scan<()> {
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(Broken::Syntax("a colon is missing"));
        }
        self.at += 1;
        Ok(())
    }

    /// The value of a key or an element: notes its place for the columns that want it.
    #[inline]
    pub(crate) fn member(&mut self, places: &mut Places<'_>, node: usize, child: Option<usize>, depth: usize) -> Scan<Cell> {
        self.blanks();
        let start = self.at;
        let kind = match child.and_then(|child| places.paths.at(node, child).node) {
            Some(below) => self.value(places, below, depth)?,
            None => self.skip(depth)?,
        };
        let cell = self.cell(start, kind);
        if let Some(child) = child {
            places.note(node, child, cell);
        }
        Ok(cell)
    }

    /// The cell of a value that was just passed. Quotes are no part of the text.
    #[inline]
    pub(crate) fn cell(&self, start: usize, kind: Kind) -> Cell {
        let inner = usize::from(matches!(kind, Kind::Text | Kind::Escaped));
        Cell::new(start + inner, self.at - inner, kind)
    }

    fn array(&mut self, places: &mut Places<'_>, node: usize, depth: usize) -> Scan<()> {
        if !self.open(b']') {
            return Ok(());
        }
        let mut index = 0_usize;
        loop {
            let child = places.paths.element(node, index);
            self.member(places, node, child, depth)?;
            index += 1;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    /// A value in which paths go on.
    pub(crate) fn value(&mut self, places: &mut Places<'_>, node: usize, depth: usize) -> Scan<Kind> {
        if depth > MAX_DEPTH {
            return Err(Broken::Syntax("values are nested too deep"));
        }
        match self.peek() {
            Some(b'{') => self.object(places, node, depth + 1).map(|()| Kind::Composite),
            Some(b'[') => self.array(places, node, depth + 1).map(|()| Kind::Composite),
            _ => self.skip(depth),
        }
    }

    /// Passes over a value in which nothing is wanted.
    pub(crate) fn skip(&mut self, depth: usize) -> Scan<Kind> {
        if depth > MAX_DEPTH {
            return Err(Broken::Syntax("values are nested too deep"));
        }
        match self.peek() {
            Some(b'"') => Ok(if self.string()? { Kind::Escaped } else { Kind::Text }),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.skip_object(depth + 1).map(|()| Kind::Composite),
            Some(b'[') => self.skip_array(depth + 1).map(|()| Kind::Composite),
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            Some(_) => Err(Broken::Syntax("this is no JSON value")),
            None => Err(Broken::Early),
        }
    }

    fn skip_object(&mut self, depth: usize) -> Scan<()> {
        if !self.open(b'}') {
            return Ok(());
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(Broken::Syntax("a key in quotes is missing"));
            }
            self.string()?;
            self.colon()?;
            self.blanks();
            self.skip(depth)?;
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    fn skip_array(&mut self, depth: usize) -> Scan<()> {
        if !self.open(b']') {
            return Ok(());
        }
        loop {
            self.blanks();
            self.skip(depth)?;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Scan<Kind> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(kind)
        } else {
            Err(Broken::Syntax("this is no JSON value"))
        }
    }

    /// Passes over a string; whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Scan<bool> {
        self.at += 1;
        // Most strings are shorter than what a call of the search costs.
        for _ in 0..24 {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(false);
                }
                Some(b'\\') | None => break,
                Some(_) => self.at += 1,
            }
        }
        self.long_string()
    }

    fn long_string(&mut self) -> Scan<bool> {
        let mut escaped = false;
        loop {
            let Some(n) = memchr2(b'"', b'\\', &self.text[self.at..]) else {
                self.at = self.text.len();
                return Err(Broken::Syntax("a string is not closed"));
            };
            self.at += n;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Ok(escaped);
            }
            escaped = true;
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Scan<()> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(Broken::Syntax("an escape has no four hexadecimal digits"));
                }
                self.at += 6;
            }
            _ => return Err(Broken::Syntax("an escape is unknown")),
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Scan<Kind> {
        const BAD: Broken = Broken::Syntax("this is no JSON number");
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || zero && whole > 1 {
            return Err(BAD);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(BAD);
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(BAD);
            }
        }
        Ok(Kind::Number)
    }
}

/// The text of a JSON string without its quotes; nothing where its escapes make no text (a lone surrogate).
pub(crate) fn unescape(inner: &[u8]) -> Option<String> {
    let mut quoted = Vec::with_capacity(inner.len() + 2);
    quoted.push(b'"');
    // Control characters are tolerated inside strings, serde_json wants them escaped.
    for byte in inner {
        match byte {
            0..=0x1f => quoted.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    serde_json::from_slice(&quoted).ok()
}
