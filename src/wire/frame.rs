//! Line framing of the stdio transport: one message per line, `\n` between them (MCP, transports, stdio).
//!
//! Refuses to know: what stands in a line, and where the bytes come from.

use super::run;

/// The longest line that is taken for a message: 64 MiB. Real messages stay below a few MiB; the bound keeps a
/// broken or hostile peer from filling the memory. A longer line is skipped to its end and reported once.
pub const MAX_LINE: usize = 64 * 1024 * 1024;

/// How much of the beginning of a too long line is kept: an id or a method at the front is well within.
const HEAD: usize = 64 * 1024;
/// How much of its end is kept, as many clients write the id last.
const TAIL: usize = 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What a line may hold beside its content: a byte order mark and a carriage return.
const BESIDE: usize = BYTE_ORDER_MARK.len() + 1;

/// What a reader finds in the byte stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One line without its end, never blank, without a byte order mark.
    Line(Vec<u8>),
    /// A line longer than the bound; its first 64 KiB and its last KiB are kept so that the id may be found (see
    /// [`recover`](super::envelope::recover)).
    TooLong(Vec<u8>),
}

/// Cuts a byte stream into frames; any split of the stream gives the same frames. A `\r` before the line end and a
/// byte order mark at the start of the stream are no part of a line; blank lines are passed over.
#[derive(Debug)]
pub struct Framer {
    bound: usize,
    /// No line has ended yet.
    first: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The line so far.
    Within(Vec<u8>),
    /// Past the bound: what is kept of the beginning and of the end.
    Beyond(Vec<u8>, Vec<u8>),
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_bound(MAX_LINE)
    }
}

impl Framer {
    /// A framer with the bound [`MAX_LINE`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A framer with another bound, for tests.
    pub fn with_bound(bound: usize) -> Self {
        Self {
            bound,
            first: true,
            state: State::Within(Vec::new()),
        }
    }

    /// Takes the next bytes of the stream and calls `found` for each frame that they complete.
    pub fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Frame)) {
        let mut rest = bytes;
        while let Some((line, after)) = rest.split_at_checked(run::line_feed(rest, 0))
            && let Some(after) = after.split_first().map(|(_, after)| after)
        {
            let frame = match &self.state {
                // The common case: the whole line stands in these bytes, so it is copied once.
                State::Within(begun) if begun.is_empty() => self.line(line),
                _ => {
                    self.take(line);
                    self.end()
                }
            };
            self.first = false;
            rest = after;
            frame.into_iter().for_each(&mut found);
        }
        self.take(rest);
    }

    /// The stream has ended: what stands in the buffer is a last line without its end.
    pub fn finish(&mut self) -> Option<Frame> {
        self.end()
    }

    /// Keeps a part of a line.
    fn take(&mut self, part: &[u8]) {
        match &mut self.state {
            State::Within(line) => {
                line.extend_from_slice(part);
                if line.len() > self.bound.saturating_add(BESIDE) {
                    let line = without_mark(line, self.first);
                    let (head, tail) = line.split_at(line.len().min(HEAD));
                    self.state = State::Beyond(head.to_vec(), last(tail, TAIL + 1).to_vec());
                }
            }
            State::Beyond(head, tail) => {
                let (front, back) = part.split_at(part.len().min(HEAD - head.len()));
                head.extend_from_slice(front);
                tail.extend_from_slice(last(back, TAIL + 1));
                let surplus = tail.len().saturating_sub(TAIL + 1);
                tail.drain(..surplus);
            }
        }
    }

    /// The line that was taken is complete.
    fn end(&mut self) -> Option<Frame> {
        match std::mem::replace(&mut self.state, State::Within(Vec::new())) {
            State::Beyond(head, tail) => Some(too_long(head, &tail)),
            State::Within(mut line) if line.len() <= self.bound => {
                // No copy: these may be megabytes.
                line.truncate(without_return(&line).len());
                let mark = line.len() - without_mark(&line, self.first).len();
                line.drain(..mark);
                (!blank(&line)).then_some(Frame::Line(line))
            }
            State::Within(line) => self.line(&line),
        }
    }

    fn line(&self, raw: &[u8]) -> Option<Frame> {
        let marked = without_mark(raw, self.first);
        let line = without_return(marked);
        if line.len() > self.bound {
            let (head, tail) = marked.split_at(marked.len().min(HEAD));
            return Some(too_long(head.to_vec(), last(tail, TAIL + 1)));
        }
        (!blank(line)).then(|| Frame::Line(line.to_vec()))
    }
}

/// Joins what is kept of a too long line. `tail` holds one byte more than is kept, in case the last is a `\r`.
fn too_long(mut head: Vec<u8>, tail: &[u8]) -> Frame {
    head.extend_from_slice(tail);
    if head.last() == Some(&b'\r') {
        head.pop();
    } else if tail.len() > TAIL {
        head.remove(HEAD);
    }
    Frame::TooLong(head)
}

fn without_mark(line: &[u8], first: bool) -> &[u8] {
    let stripped = if first {
        line.strip_prefix(BYTE_ORDER_MARK)
    } else {
        None
    };
    stripped.unwrap_or(line)
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

fn last(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::envelope;
    use super::*;

    fn frames(mut framer: Framer, chunks: &[&[u8]]) -> Vec<Frame> {
        let mut found = Vec::new();
        for chunk in chunks {
            framer.push(chunk, |frame| found.push(frame));
        }
        found.extend(framer.finish());
        assert_eq!(framer.finish(), None);
        found
    }

    #[track_caller]
    fn check(bound: usize, stream: &[u8], expected: &[&str]) {
        let found = frames(Framer::with_bound(bound), &[stream]);
        let plain: Vec<String> = found
            .iter()
            .map(|frame| match frame {
                Frame::Line(line) => String::from_utf8_lossy(line).into_owned(),
                Frame::TooLong(head) => format!("TOO LONG {}", String::from_utf8_lossy(head)),
            })
            .collect();
        assert_eq!(plain, expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames(Framer::with_bound(bound), &bytes), found);
    }

    #[test]
    fn lines_are_cut_at_line_feeds() {
        check(9, b"", &[]);
        check(9, b"a\nb\n", &["a", "b"]);
        check(9, b"a\r\nb\r\r\nc", &["a", "b\r", "c"]);
        check(9, b"\n\r\n \t\r\n\n a \n\n", &[" a "]);
        check(9, b"a\rb\n", &["a\rb"]);
        check(9, b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", &["a", "\u{feff}b"]);
        check(9, b"\xef\xbb\xbf\na\n", &["a"]);
        check(9, b"\xef\xbb", &["\u{fffd}"]);
        check(9, b"a\0b\n\0", &["a\0b", "\0"]);
        check(9, b"\xff\xfe\n", &["\u{fffd}\u{fffd}"]);
        check(9, b"last\r", &["last"]);
    }

    #[test]
    fn a_line_over_the_bound_is_reported_once_and_the_next_is_read() {
        check(
            4,
            b"1234\n12345\n1234\r\n12345\r\n",
            &["1234", "TOO LONG 12345", "1234", "TOO LONG 12345"],
        );
        check(
            4,
            b"\xef\xbb\xbf1234\r\n\xef\xbb\xbf12\n",
            &["1234", "TOO LONG \u{feff}12"],
        );
        check(4, b"\xef\xbb\xbf123456789\r\nok", &["TOO LONG 123456789", "ok"]);
        check(4, b"123456789", &["TOO LONG 123456789"]);
        check(4, b"      \nok\n", &["TOO LONG       ", "ok"]);
        check(0, b"a\n\n", &["TOO LONG a"]);
    }

    #[test]
    fn of_a_too_long_line_the_head_and_the_end_are_kept() {
        for end in ["\n", "\r\n", ""] {
            let line = format!(
                "{{\"method\":\"x\",\"params\":\"{}\",\"id\":17}}",
                "é".repeat(200_000)
            );
            for size in [1, 7, 1000, 64 * 1024, 1 << 20] {
                let stream = format!("{line}{end}");
                let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
                let found = frames(Framer::with_bound(100_000), &chunks);
                let [Frame::TooLong(kept)] = found.as_slice() else {
                    panic!("{}", found.len())
                };
                assert_eq!(kept.len(), HEAD + TAIL);
                assert!(
                    line.as_bytes().starts_with(&kept[..HEAD]) && line.as_bytes().ends_with(&kept[HEAD..])
                );
                assert_eq!(envelope::recover_id(kept).unwrap().raw(), "17");
            }
        }
    }

    #[test]
    fn what_is_kept_while_skipping_is_bounded() {
        let mut framer = Framer::with_bound(100);
        for _ in 0..1000 {
            framer.push(&[b'x'; 10_000], |_| panic!("no line ends here"));
        }
        let Some(Frame::TooLong(kept)) = framer.finish() else {
            panic!("not reported")
        };
        assert_eq!(kept.len(), HEAD + TAIL);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            stream in proptest::collection::vec(
                prop_oneof![4 => Just(b'\n'), 3 => Just(b'\r'), 2 => Just(b' '), 6 => b'a'..b'e',
                            1 => Just(0xef), 1 => Just(0xbb), 1 => Just(0xbf)], 0..80),
            mark in any::<bool>(),
            cuts in proptest::collection::vec(0usize..90, 0..8),
            bound in 0usize..12,
        ) {
            let stream = [if mark { BYTE_ORDER_MARK } else { b"" }, &stream].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let whole = frames(Framer::with_bound(bound), &[&stream]);
            prop_assert_eq!(frames(Framer::with_bound(bound), &chunks), whole);
        }
    }
}
