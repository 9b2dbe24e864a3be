//! Server-sent events (WHATWG HTML, section 9.2), as MCP's Streamable HTTP uses them.
//!
//! Refuses to know: what the data means, and when to connect again.

use std::borrow::Cow;

use super::run;

/// The longest event that is kept: 64 MiB, as for a line.
pub const MAX_EVENT: usize = 64 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The event type; `message` where none is given.
    pub kind: String,
    /// The data lines, joined by `\n`.
    pub data: String,
    /// The `id` field of this event, if it has one (an empty one resets the last id).
    pub id: Option<String>,
    /// The `retry` field in milliseconds, if this event has one.
    pub retry: Option<u64>,
}

/// The stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is longer than the bound.
    #[error("an event is longer than the bound")]
    TooLong,
}

/// Parses a byte stream into events; any split of the stream gives the same events. Events with empty data are
/// delivered only when they carry an id or a retry time (priming events, 2025-11-25). What follows the last blank
/// line of a stream is no event (WHATWG HTML, section 9.2.6).
#[derive(Debug)]
pub struct Parser {
    bound: usize,
    /// The line so far, where its end is not there yet.
    line: Vec<u8>,
    /// No line has ended yet.
    first: bool,
    /// The last byte was a carriage return: a line feed right after it belongs to the same line end.
    after_return: bool,
    broken: bool,
    /// Bytes of field lines of the event so far.
    size: usize,
    kind: String,
    data: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
    last_id: String,
}

/// The fields that mean something.
#[derive(Clone, Copy)]
enum Field {
    Data,
    Event,
    Id,
    Retry,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            bound: MAX_EVENT,
            line: Vec::new(),
            first: true,
            after_return: false,
            broken: false,
            size: 0,
            kind: String::new(),
            data: None,
            id: None,
            retry: None,
            last_id: String::new(),
        }
    }
}

impl Parser {
    /// A parser with the bound [`MAX_EVENT`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A parser with another bound, for tests.
    pub fn with_bound(bound: usize) -> Self {
        Self {
            bound,
            ..Self::default()
        }
    }

    /// A parser for a stream that was resumed from `last_id`: a stream that ends before any id must be resumed from
    /// the same one.
    pub fn resumed(last_id: &str) -> Self {
        Self {
            last_id: last_id.to_owned(),
            ..Self::default()
        }
    }

    /// The id of the last complete event that had one, else the id that the stream was resumed from, else empty. An
    /// event with an empty id resets it (WHATWG HTML, section 9.2.6).
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Whether an event has begun that is not whole yet. A comment is none, whole or not.
    pub fn is_inside(&self) -> bool {
        self.size > 0 || !(self.line.is_empty() || self.line.starts_with(b":"))
    }

    /// Takes the next bytes and calls `found` for each event that they complete. After an error nothing more is
    /// read: the place of the next event is not known.
    pub fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Event)) -> Result<(), SseError> {
        if self.broken {
            return Err(SseError::TooLong);
        }
        let mut rest = bytes;
        while let Some((&next, after)) = rest.split_first() {
            if std::mem::take(&mut self.after_return) && next == b'\n' {
                rest = after;
                continue;
            }
            let (part, from_end) = rest.split_at(run::line_end(rest, 0));
            let Some((&end, after)) = from_end.split_first() else {
                self.line.extend_from_slice(part);
                // The mark is not known to be one before the line ends.
                self.bounded(self.line.len().saturating_sub(BYTE_ORDER_MARK.len()))?;
                break;
            };
            self.after_return = end == b'\r';
            rest = after;
            let event = if self.line.is_empty() {
                self.line(Cow::Borrowed(part))?
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.line(Cow::Owned(line))?
            };
            event.into_iter().for_each(&mut found);
        }
        Ok(())
    }

    /// Counts against the bound.
    fn bounded(&mut self, more: usize) -> Result<(), SseError> {
        self.broken = self.size.saturating_add(more) > self.bound;
        if self.broken {
            Err(SseError::TooLong)
        } else {
            Ok(())
        }
    }

    /// Takes one complete line; a blank one completes the event.
    fn line(&mut self, line: Cow<'_, [u8]>) -> Result<Option<Event>, SseError> {
        let line = if std::mem::take(&mut self.first) {
            without(line, BYTE_ORDER_MARK)
        } else {
            line
        };
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        self.bounded(line.len())?;
        let colon = line.iter().position(|byte| *byte == b':');
        // A comment is over with its line, so that a stream of them is no event that grows.
        if colon == Some(0) {
            return Ok(None);
        }
        self.size = self.size.saturating_add(line.len());
        let value = colon.map_or(line.len(), |colon| colon + 1);
        let field = match line.get(..colon.unwrap_or(line.len())) {
            Some(b"data") => Field::Data,
            Some(b"event") => Field::Event,
            Some(b"id") => Field::Id,
            Some(b"retry") => Field::Retry,
            // Other fields are ignored (WHATWG HTML, section 9.2.6).
            _ => return Ok(None),
        };
        let value = line
            .get(value..)
            .map_or(line.len(), |rest| value + usize::from(rest.starts_with(b" ")));
        self.field(field, from(line, value));
        Ok(None)
    }

    fn field(&mut self, field: Field, value: String) {
        match field {
            Field::Data => match &mut self.data {
                None => self.data = Some(value),
                Some(data) => {
                    data.push('\n');
                    data.push_str(&value);
                }
            },
            Field::Event => self.kind = value,
            Field::Id if !value.contains('\0') => self.id = Some(value),
            Field::Retry if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = Some(value.parse().unwrap_or(u64::MAX));
            }
            Field::Id | Field::Retry => {}
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.size = 0;
        let kind = std::mem::take(&mut self.kind);
        let event = Event {
            kind: if kind.is_empty() {
                "message".to_owned()
            } else {
                kind
            },
            data: self.data.take().unwrap_or_default(),
            id: self.id.take(),
            retry: self.retry.take(),
        };
        if let Some(id) = &event.id {
            self.last_id.clone_from(id);
        }
        (!event.data.is_empty() || event.id.is_some() || event.retry.is_some()).then_some(event)
    }
}

fn without<'a>(line: Cow<'a, [u8]>, prefix: &[u8]) -> Cow<'a, [u8]> {
    if !line.starts_with(prefix) {
        return line;
    }
    match line {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(prefix.len()..).unwrap_or_default()),
        Cow::Owned(mut bytes) => {
            bytes.drain(..prefix.len());
            Cow::Owned(bytes)
        }
    }
}

/// The text from `at` on. What is no UTF-8 is replaced (WHATWG Encoding, UTF-8 decode); an owned line is not copied.
fn from(line: Cow<'_, [u8]>, at: usize) -> String {
    match line {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes.get(at..).unwrap_or_default()).into_owned(),
        Cow::Owned(mut bytes) => {
            bytes.drain(..at.min(bytes.len()));
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
    }
}

#[cfg(test)]
mod tests;
