//! Line framing of the stdio transport: one message per line, `\n` between them (MCP, transports, stdio).

/// The longest line that is taken for a message: 64 MiB. Real messages stay below a few MiB; the bound keeps a
/// broken or hostile peer from filling the memory. A longer line is skipped to its end and reported once.
pub const MAX_LINE: usize = 64 * 1024 * 1024;

/// What a reader finds in the byte stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One line without its end, never empty, without a byte order mark.
    Line(Vec<u8>),
    /// A line longer than the bound; its first bytes (at most 64 KiB) are kept so that the id may be found.
    TooLong(Vec<u8>),
}

/// Cuts a byte stream into frames; any split of the stream gives the same frames.
#[derive(Debug, Default)]
pub struct Framer {}

impl Framer {
    /// A framer with the bound [`MAX_LINE`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A framer with another bound, for tests.
    pub fn with_bound(bound: usize) -> Self {
        let _ = bound;
        Self::default()
    }

    /// Takes the next bytes of the stream and calls `found` for each frame that they complete.
    pub fn push(&mut self, bytes: &[u8], found: impl FnMut(Frame)) {
        let _ = (bytes, found);
    }

    /// The stream has ended: what stands in the buffer is a last line without its end.
    pub fn finish(&mut self) -> Option<Frame> {
        None
    }
}
