//! Where a run of plain bytes ends: the inner loop of every reader of this room, as results of 100 MB pass through here.

/// Most runs are short, a key or a number: so many words of eight bytes are looked at one by one, before the steps get wide.
const NARROW: usize = 4;
/// Bytes of a wide step: the compiler makes vector instructions of it.
const WIDE: usize = 64;

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
    for (count, word) in words.iter().take(NARROW).enumerate() {
        let hits = hits::<BELOW, ONE, OTHER>(u64::from_le_bytes(*word));
        if hits != 0 {
            return at + count * 8 + (hits.trailing_zeros() / 8) as usize;
        }
    }
    let stops = |byte: &u8| *byte < BELOW || *byte == ONE || *byte == OTHER;
    let passed = words.len().min(NARROW) * 8;
    let (wide, _) = rest.get(passed..).unwrap_or_default().as_chunks::<WIDE>();
    // No early end within a step: that is what makes it one of vectors.
    let any = |chunk: &[u8; WIDE]| chunk.iter().fold(false, |any, byte| any | stops(byte));
    let plain = wide.iter().position(any).unwrap_or(wide.len());
    let passed = passed + plain * WIDE;
    let rest = rest.get(passed..).unwrap_or_default();
    at + passed + rest.iter().position(stops).unwrap_or(rest.len())
}

/// Sets the top bit of each byte that ends a run. A borrow can set a bit too many above a true hit, never below:
/// the lowest is exact.
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
