//! String literals and what they say once their escapes are undone (RFC 8259 section 7).

use std::borrow::Cow;

use super::JsonError;

/// One string literal as it was passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    /// The literal, quotes included.
    pub(super) literal: &'a str,
    /// Whether it has any escape.
    pub(super) escaped: bool,
    /// Where the first half surrogate pair stands in the whole text, if there is one.
    pub(super) lone: Option<usize>,
}

/// The text of a string literal; borrowed where it has no escapes.
pub(super) fn decode<'a>(text: &Text<'a>) -> Result<Cow<'a, str>, JsonError> {
    if let Some(at) = text.lone {
        return Err(JsonError::LoneSurrogate(at));
    }
    let inner = text
        .literal
        .get(1..text.literal.len().saturating_sub(1))
        .unwrap_or_default();
    if !text.escaped {
        return Ok(Cow::Borrowed(inner));
    }
    unescape(inner).map(Cow::Owned).ok_or(JsonError::Syntax(0))
}

/// The text between the quotes of a literal that the scanner passed without half surrogate pairs.
fn unescape(inner: &str) -> Option<String> {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (char, length) = match escape.as_bytes().first()? {
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'u' => unicode(escape.as_bytes())?,
            other => (char::from(*other), 1),
        };
        text.push(char);
        rest = escape.get(length..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// The character of an escape that begins at its `u` (four hex digits, or two such escapes for a pair of surrogates), and
/// how many bytes it took.
fn unicode(escape: &[u8]) -> Option<(char, usize)> {
    let high = hex4(escape, 1)?;
    if let 0xD800..=0xDBFF = high {
        let low = hex4(escape, 7)?.checked_sub(0xDC00)?;
        return Some((char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)?, 11));
    }
    Some((char::from_u32(high)?, 5))
}

pub(super) fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |unit, byte| Some(unit * 16 + char::from(*byte).to_digit(16)?))
}
