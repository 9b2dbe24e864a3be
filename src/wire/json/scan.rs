//! The scanner under the JSON reader: walks over RFC 8259 text byte by byte, without recursion and without copies.
//! Refuses to know: which keys may stand together (`keys.rs` watches that).

use super::super::run;
use super::text::{Text, hex4};
use super::{JsonError, MAX_DEPTH};

/// Is told of what the scanner passes inside a value.
pub(super) trait Watch<'a> {
    /// An object begins.
    fn open_object(&mut self) {}
    /// A key of the innermost object.
    fn key(&mut self, key: &Text<'a>) -> Result<(), JsonError>;
    /// A string value.
    fn string(&mut self, text: &Text<'a>) -> Result<(), JsonError>;
    /// The innermost object ends.
    fn close_object(&mut self) {}
}

/// Watches nothing: syntax and depth only.
pub(super) struct Unwatched;

impl Watch<'_> for Unwatched {
    fn key(&mut self, _: &Text<'_>) -> Result<(), JsonError> {
        Ok(())
    }

    fn string(&mut self, _: &Text<'_>) -> Result<(), JsonError> {
        Ok(())
    }
}

/// The open arrays and objects, innermost in the lowest bit: one bit each, as the depth is bounded.
struct Nest {
    objects: u128,
    depth: usize,
    outer: usize,
}

impl Nest {
    fn open(&mut self, object: bool) -> Result<(), JsonError> {
        if self.outer + self.depth >= MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn wrong<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    /// Passes blanks and returns the byte after them.
    pub(super) fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return self.wrong();
        }
        self.at += 1;
        Ok(())
    }

    /// Passes the opening of an array or object; if it is empty also its end (false).
    pub(super) fn open(&mut self, open: u8, close: u8) -> Result<bool, JsonError> {
        self.expect(open)?;
        if self.skip_blanks() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Nothing but blanks may follow.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        match self.skip_blanks() {
            None => Ok(()),
            Some(_) => Err(JsonError::Trailing(self.at)),
        }
    }

    /// After a member or an item: passes `,` (true) or the closing byte (false).
    pub(super) fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        match self.skip_blanks() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.wrong(),
        }
    }

    /// Passes a key and its colon, with blanks around both.
    pub(super) fn key(&mut self) -> Result<Text<'a>, JsonError> {
        self.skip_blanks();
        let key = self.string()?;
        self.skip_blanks();
        self.expect(b':')?;
        Ok(key)
    }

    /// Passes one value inside `outer` open arrays and objects, with blanks before it; returns its text.
    pub(super) fn value(&mut self, outer: usize, watch: &mut impl Watch<'a>) -> Result<&'a str, JsonError> {
        let mut nest = Nest {
            objects: 0,
            depth: 0,
            outer,
        };
        self.skip_blanks();
        let start = self.at;
        loop {
            if !self.opened(&mut nest, watch)? {
                continue;
            }
            if !self.closed(&mut nest, watch)? {
                return Ok(self.text.get(start..self.at).unwrap_or_default());
            }
        }
    }

    /// Passes a scalar or the opening of an array or object; true if a value is complete thereby.
    fn opened(&mut self, nest: &mut Nest, watch: &mut impl Watch<'a>) -> Result<bool, JsonError> {
        match self.skip_blanks() {
            Some(b'"') => {
                let text = self.string()?;
                watch.string(&text)?;
                Ok(true)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| true),
            Some(b'{') => {
                nest.open(true)?;
                watch.open_object();
                self.at += 1;
                if self.skip_blanks() == Some(b'}') {
                    return Ok(true);
                }
                watch.key(&self.key()?).map(|()| false)
            }
            Some(b'[') => {
                nest.open(false)?;
                self.at += 1;
                Ok(self.skip_blanks() == Some(b']'))
            }
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.wrong(),
        }
    }

    /// After a complete value (or an empty array or object whose end stands here): passes closing brackets up to the
    /// next value of an open array or object; false if the outermost value is complete.
    fn closed(&mut self, nest: &mut Nest, watch: &mut impl Watch<'a>) -> Result<bool, JsonError> {
        while nest.depth > 0 {
            match (self.skip_blanks(), nest.in_object()) {
                (Some(b','), true) => {
                    self.at += 1;
                    return watch.key(&self.key()?).map(|()| true);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(true);
                }
                (Some(b'}'), true) => watch.close_object(),
                (Some(b']'), false) => {}
                _ => return self.wrong(),
            }
            self.at += 1;
            nest.close();
        }
        Ok(false)
    }

    fn word(&mut self, word: &[u8]) -> Result<bool, JsonError> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return self.wrong();
        }
        self.at += word.len();
        Ok(true)
    }

    /// RFC 8259 section 6: no leading zeros, no bare point, no plus sign.
    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.wrong() } else { Ok(()) }
    }

    /// Passes one string literal, which begins here.
    pub(super) fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.at;
        let (mut escaped, mut lone) = (false, None);
        self.expect(b'"')?;
        loop {
            self.at = run::string_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => {
                    let begin = self.at;
                    escaped = true;
                    if !self.escape()? {
                        lone.get_or_insert(begin);
                    }
                }
                _ => return self.wrong(),
            }
        }
        let literal = self.text.get(start..self.at).unwrap_or_default();
        Ok(Text {
            literal,
            escaped,
            lone,
        })
    }

    /// Passes one escape, or the two of a surrogate pair; false if it is half of a pair.
    fn escape(&mut self) -> Result<bool, JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(true)
            }
            Some(b'u') => {
                let Some(unit) = hex4(self.bytes, self.at + 2) else {
                    return self.wrong();
                };
                self.at += 6;
                Ok(match unit {
                    0xD800..=0xDBFF => self.low_surrogate(),
                    0xDC00..=0xDFFF => false,
                    _ => true,
                })
            }
            _ => self.wrong(),
        }
    }

    fn low_surrogate(&mut self) -> bool {
        let escape = self.bytes.get(self.at..self.at + 2) == Some(b"\\u");
        let found = escape && matches!(hex4(self.bytes, self.at + 2), Some(0xDC00..=0xDFFF));
        if found {
            self.at += 6;
        }
        found
    }
}
