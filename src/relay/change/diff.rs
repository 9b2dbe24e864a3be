//! What changed between two texts, line by line: `- ` before, `+ ` now, two lines around each place.
//!
//! Pure. Refuses to know: whose texts they are.

use crate::approve::text::ascii;

/// Unchanged lines shown around a changed place.
const AROUND: usize = 2;
/// Above this many pairs of lines nothing is matched: all of the old is removed, all of the new added. That shows more
/// than was changed, and never less.
const MAX_PAIRS: usize = 4_000_000;

/// One line of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Same(&'a str),
    Gone(&'a str),
    Came(&'a str),
}

/// The changed lines whole, as printable ASCII. Empty where the texts are the same.
pub(super) fn diff(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (before, now) = (lines(old), lines(new));
    if before == now {
        return "  (only the end of its last line changed)\n".to_owned();
    }
    let steps = steps(&before, &now);
    let near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        steps
            .iter()
            .skip(from)
            .take(
                index
                    .saturating_add(AROUND)
                    .saturating_sub(from)
                    .saturating_add(1),
            )
            .any(|step| !matches!(step, Step::Same(_)))
    };
    let mut out = String::new();
    let mut skipped = false;
    for (index, step) in steps.iter().enumerate() {
        let (mark, line) = match step {
            Step::Same(line) if near(index) => ("  ", line),
            Step::Same(_) => {
                skipped = true;
                continue;
            }
            Step::Gone(line) => ("- ", line),
            Step::Came(line) => ("+ ", line),
        };
        if skipped {
            out.push_str("  ...\n");
            skipped = false;
        }
        out.push_str(mark);
        out.push_str(&ascii(line));
        out.push('\n');
    }
    out
}

/// The lines, a carriage return counting as a character: it would otherwise be changed without being shown.
fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

/// The longest common subsequence, walked.
fn steps<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Step<'a>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (
        old.get(head..).unwrap_or_default(),
        new.get(head..).unwrap_or_default(),
    );
    let tail = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let a = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let b = new_rest.get(..new_rest.len() - tail).unwrap_or_default();
    let mut out: Vec<Step<'a>> = old.iter().take(head).map(|line| Step::Same(line)).collect();
    if a.len().saturating_mul(b.len()) > MAX_PAIRS {
        out.extend(a.iter().map(|line| Step::Gone(line)));
        out.extend(b.iter().map(|line| Step::Came(line)));
    } else {
        middle(a, b, &mut out);
    }
    out.extend(old_rest.iter().skip(a.len()).map(|line| Step::Same(line)));
    out
}

fn middle<'a>(a: &[&'a str], b: &[&'a str], out: &mut Vec<Step<'a>>) {
    // common[i][j]: the longest common run of a[i..] and b[j..]; one row more than there are lines.
    let width = b.len() + 1;
    let mut common = vec![0_u32; (a.len() + 1) * width];
    let at = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, old) in a.iter().enumerate().rev() {
        for (j, new) in b.iter().enumerate().rev() {
            let best = if old == new {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (a.get(i), b.get(j)) {
            (Some(old), Some(new)) if old == new => {
                out.push(Step::Same(old));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old), new) if new.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                out.push(Step::Gone(old));
                i += 1;
            }
            (_, Some(new)) => {
                out.push(Step::Came(new));
                j += 1;
            }
            (_, None) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_changed_line_stands_between_its_neighbours() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\n";
        assert_eq!(diff(old, new), "  ...\n  c\n  d\n- e\n+ E\n  f\n  g\n");
        assert_eq!(diff(old, old), "");
        assert_eq!(diff("", "x\n\ny\n"), "+ x\n+ \n+ y\n");
        assert!(diff("x", "x\n").contains("end of its last line"));
        assert_eq!(diff("x\n", "x\r\n"), "- x\n+ x\\u{D}\n");
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let shown = diff("a", "a\u{202e}\u{1b}[2K");
        assert_eq!(shown, "- a\n+ a\\u{202E}\\u{1B}[2K\n");
    }

    proptest! {
        /// Both texts can be put together again from what was compared: nothing is left out.
        #[test]
        fn nothing_is_lost(old in "[ab\n]{0,60}", new in "[ab\n]{0,60}") {
            let (before, now) = (lines(&old), lines(&new));
            let steps = steps(&before, &now);
            let side = |gone: bool| -> Vec<&str> {
                steps.iter().filter_map(|step| match step {
                    Step::Same(line) => Some(*line),
                    Step::Gone(line) => gone.then_some(*line),
                    Step::Came(line) => (!gone).then_some(*line),
                }).collect()
            };
            prop_assert_eq!(side(true), before);
            prop_assert_eq!(side(false), now);
            let shown = diff(&old, &new);
            let changed = steps.iter().filter(|step| !matches!(step, Step::Same(_))).count();
            prop_assert_eq!(old == new, shown.is_empty());
            prop_assert_eq!(shown.lines().filter(|line| line.starts_with("- ") || line.starts_with("+ ")).count(), changed);
        }
    }
}
