//! JSON Lines: finds the declared paths of each line without building a tree.
//!
//! Event files are the largest files there are, and of each record only a few values are wanted. The scanner walks a line once,
//! checks its grammar, and notes where the wanted values stand.

use super::cells::{Cell, Chunk, Kind, Record, Scanned};
use crate::reject::{Reason, Rejected, shown};
use memchr::{memchr, memchr2};

/// Objects and arrays may be nested so deep.
const MAX_DEPTH: usize = 128;

/// The declared paths as a tree of keys.
#[derive(Debug)]
pub(crate) struct Paths {
    nodes: Vec<Node>,
    columns: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    key: Vec<u8>,
    /// The columns whose path ends here.
    columns: Vec<usize>,
    /// Where longer paths go on.
    node: Option<usize>,
}

impl Paths {
    /// The tree of some paths, one a column.
    pub(crate) fn new<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let mut tree = Self { nodes: vec![Node::default()], columns: paths.len() };
        for (column, path) in paths.enumerate() {
            let keys = segments(path);
            let mut node = 0;
            for (depth, key) in keys.iter().enumerate() {
                let child = tree.child(node, key.as_bytes());
                if depth + 1 == keys.len() {
                    tree.nodes[node].children[child].columns.push(column);
                } else {
                    node = tree.below(node, child);
                }
            }
        }
        tree
    }

    fn child(&mut self, node: usize, key: &[u8]) -> usize {
        let children = &mut self.nodes[node].children;
        children.iter().position(|c| c.key == key).unwrap_or_else(|| {
            children.push(Child { key: key.to_vec(), columns: Vec::new(), node: None });
            children.len() - 1
        })
    }

    fn below(&mut self, node: usize, child: usize) -> usize {
        if let Some(below) = self.nodes[node].children[child].node {
            return below;
        }
        self.nodes.push(Node::default());
        let below = self.nodes.len() - 1;
        self.nodes[node].children[child].node = Some(below);
        below
    }

    fn find(&self, node: usize, key: &[u8]) -> Option<&Child> {
        self.nodes[node].children.iter().find(|c| c.key == key)
    }
}

/// The keys of a path: split at dots, except `\.`.
fn segments(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'.') => {
                chars.next();
                push(&mut keys, '.');
            }
            '.' => keys.push(String::new()),
            c => push(&mut keys, c),
        }
    }
    keys
}

fn push(keys: &mut [String], c: char) {
    if let Some(last) = keys.last_mut() {
        last.push(c);
    }
}

/// Notes the places of the wanted values of every line.
pub(crate) fn scan(paths: &Paths, chunk: &Chunk) -> Scanned {
    let text = &chunk.text;
    let mut out = Scanned::new(paths.columns, text.len() / 128);
    let mut row = vec![Cell::MISSING; paths.columns];
    let mut start = 0;
    let mut line = 0_u32;
    while start < text.len() {
        let next = memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n + 1);
        let end = trim_end(text, start, next);
        if text[start..end].iter().any(|b| !is_blank(*b)) {
            row.fill(Cell::MISSING);
            let mut scanner = Scanner { text: &text[..end], at: start, paths, row: &mut row };
            match scanner.record() {
                Ok(()) => {
                    #[allow(clippy::cast_possible_truncation)]
                    out.records.push(Record { start: start as u32, end: end as u32, line });
                    for (column, cell) in out.cells.iter_mut().zip(&row) {
                        column.push(*cell);
                    }
                }
                Err(broken) => {
                    let column = scanner.at.min(end) - start + 1;
                    let (reason, detail) = match broken {
                        Broken::NotAnObject => (Reason::NotAnObject, "the line is no JSON object".to_owned()),
                        Broken::Syntax(what) => {
                            let rest = &text[scanner.at.min(end)..end];
                            let place = if rest.is_empty() {
                                "at the end of the line".to_owned()
                            } else {
                                format!("at byte {column}, near {}", shown(rest))
                            };
                            (Reason::BrokenJson, format!("{what} {place}"))
                        }
                    };
                    out.rejected.push(Rejected::new(
                        reason,
                        detail,
                        &text[start..end],
                        chunk.first_line + u64::from(line),
                        chunk.offset + start as u64,
                    ));
                }
            }
        }
        start = next;
        line += 1;
    }
    out
}

/// The end of a line without its line break.
fn trim_end(text: &[u8], start: usize, next: usize) -> usize {
    let mut end = next;
    if end > start && text[end - 1] == b'\n' {
        end -= 1;
    }
    if end > start && text[end - 1] == b'\r' {
        end -= 1;
    }
    end
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

enum Broken {
    NotAnObject,
    Syntax(&'static str),
}

type Scan<T> = Result<T, Broken>;

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    paths: &'a Paths,
    row: &'a mut [Cell],
}

impl Scanner<'_> {
    fn record(&mut self) -> Scan<()> {
        self.blanks();
        if self.peek() != Some(b'{') {
            let start = self.at;
            // Broken JSON is reported as such; only a sound value of another type is "no object".
            self.value(None, 0)?;
            self.end()?;
            self.at = start;
            return Err(Broken::NotAnObject);
        }
        self.object(Some(0), 0)?;
        self.end()
    }

    fn end(&mut self) -> Scan<()> {
        self.blanks();
        if self.at < self.text.len() { Err(Broken::Syntax("more text behind the value")) } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// An object whose wanted keys are the children of `node`.
    fn object(&mut self, node: Option<usize>, depth: usize) -> Scan<()> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let paths = self.paths;
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(Broken::Syntax("a key in quotes is missing"));
            }
            let start = self.at + 1;
            let escaped = self.string()?;
            let wanted = node.and_then(|n| {
                let key = &self.text[start..self.at - 1];
                if escaped { unescape(key).and_then(|key| paths.find(n, key.as_bytes())) } else { paths.find(n, key) }
            });
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(Broken::Syntax("a colon is missing"));
            }
            self.at += 1;
            self.member(wanted, depth)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Broken::Syntax("a comma or a closing brace is missing")),
            }
        }
    }

    /// The value of a key or an element: notes its place for the columns that want it.
    fn member(&mut self, wanted: Option<&Child>, depth: usize) -> Scan<()> {
        self.blanks();
        let start = self.at;
        let kind = self.value(wanted.and_then(|w| w.node), depth)?;
        if let Some(child) = wanted {
            for column in &child.columns {
                // Quotes are no part of the text.
                let inner = usize::from(matches!(kind, Kind::Text | Kind::Escaped));
                self.row[*column] = Cell::new(start + inner, self.at - inner, kind);
            }
        }
        Ok(())
    }

    fn array(&mut self, node: Option<usize>, depth: usize) -> Scan<()> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let paths = self.paths;
        let mut index = 0_usize;
        loop {
            let wanted = node.and_then(|n| paths.find(n, index.to_string().as_bytes()));
            self.member(wanted, depth)?;
            index += 1;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Broken::Syntax("a comma or a closing bracket is missing")),
            }
        }
    }

    fn value(&mut self, node: Option<usize>, depth: usize) -> Scan<Kind> {
        if depth > MAX_DEPTH {
            return Err(Broken::Syntax("values are nested too deep"));
        }
        match self.peek() {
            Some(b'"') => Ok(if self.string()? { Kind::Escaped } else { Kind::Text }),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.object(node, depth + 1).map(|()| Kind::Composite),
            Some(b'[') => self.array(node, depth + 1).map(|()| Kind::Composite),
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            Some(_) => Err(Broken::Syntax("this is no JSON value")),
            None => Err(Broken::Syntax("the line ends too early")),
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
    fn string(&mut self) -> Scan<bool> {
        self.at += 1;
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

#[cfg(test)]
mod tests;
