//! Where a run of plain bytes ends: the inner loop of every reader of this room, as results of 100 MB pass through here.

/// Words of eight bytes that are looked at in one step, where a run is long.
const WIDE: usize = 4;

/// The plain run of a JSON string ends at a quote, a backslash or a control character.
pub(super) fn string_end(bytes: &[u8], at: usize) -> usize {
    end::<0x20, b'"', b'\\'>(bytes, at)
}

/// The run outside of JSON strings ends at a quote, a blank or a control character.
pub(super) fn token_end(bytes: &[u8], at: usize) -> usize {
    end::<0x21, b'"', b'"'>(bytes, at)
}

/// A line of the stdio transport ends at a line feed.
pub(super) fn line_feed(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(bytes.len(), |count| at + count)
}

/// A line of an event stream ends at a line feed or a carriage return.
pub(super) fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    memchr::memchr2(b'\n', b'\r', rest).map_or(bytes.len(), |count| at + count)
}

/// The first place from `at` on of a byte below `BELOW`, or of `ONE` or `OTHER`; the length if there is none.
fn end<const BELOW: u8, const ONE: u8, const OTHER: u8>(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let (words, _) = rest.as_chunks::<8>();
    let word = |word: &[u8; 8]| hits::<BELOW, ONE, OTHER>(u64::from_le_bytes(*word));
    // Most runs are short, a key or a number: the first words are looked at one by one, and the others in wide steps.
    let (near, far) = words.split_at(words.len().min(WIDE));
    if let Some(end) = first(near, word) {
        return at + end;
    }
    let (steps, last) = far.as_chunks::<WIDE>();
    let plain = steps
        .iter()
        .take_while(|step| step.iter().fold(0, |all, one| all | word(one)) == 0)
        .count();
    let passed = near.len() + plain * WIDE;
    let step = steps.get(plain).map_or(last, <[_; WIDE]>::as_slice);
    if let Some(end) = first(step, word) {
        return at + passed * 8 + end;
    }
    let passed = passed * 8 + step.len() * 8;
    let stops = |byte: &u8| *byte < BELOW || *byte == ONE || *byte == OTHER;
    let rest = rest.get(passed..).unwrap_or_default();
    bytes.len() - rest.len() + rest.iter().position(stops).unwrap_or(rest.len())
}

/// The first byte of these words that ends a run.
fn first(words: &[[u8; 8]], hits: impl Fn(&[u8; 8]) -> u64) -> Option<usize> {
    let mut hits = words.iter().map(hits).enumerate();
    let (count, hits) = hits.find(|(_, hits)| *hits != 0)?;
    Some(count * 8 + (hits.trailing_zeros() / 8) as usize)
}

/// Sets the top bit of each byte that ends a run. A borrow can set a bit too many above a true hit, never below:
/// the lowest is exact.
// A call for each word would cost more than the word.
#[inline(always)]
fn hits<const BELOW: u8, const ONE: u8, const OTHER: u8>(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES * 128;
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, BELOW) | equal(ONE) | equal(OTHER)) & TOPS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_end_where_a_plain_search_says(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x1eu8..0x24, Just(b'\\'), Just(b'a')], 0..40),
            // Plain bytes before them, so that the wide steps are taken too.
            plain in 0usize..300,
            at in 0usize..345,
        ) {
            let bytes = [vec![b'a'; plain], bytes].concat();
            let plain = |stops: fn(u8) -> bool| {
                bytes.iter().skip(at).position(|byte| stops(*byte)).map_or(bytes.len(), |count| at + count)
            };
            prop_assert_eq!(super::string_end(&bytes, at), plain(|b| b < 0x20 || b == b'"' || b == b'\\'));
            prop_assert_eq!(super::token_end(&bytes, at), plain(|b| b <= 0x20 || b == b'"'));
            prop_assert_eq!(super::line_feed(&bytes, at), plain(|b| b == b'\n'));
            prop_assert_eq!(super::line_end(&bytes, at), plain(|b| b == b'\n' || b == b'\r'));
        }
    }
}
