//! How wide the person's terminal is, and text folded to that.
//!
//! Owns: the width and the folding, for whatever is printed for people. Refuses to know: what is printed, and whether a
//! program reads it: then nothing is folded.

use terminal_size::{Width, terminal_size_of};

/// The width of text (columns) where there is no terminal to ask, and in one of 80 columns.
pub const WIDTH: usize = 78;
/// The narrowest: in a smaller terminal than 60 columns the terminal breaks lines itself.
const NARROWEST: usize = 58;
/// The widest: longer lines are hard to read, however much room there is.
const WIDEST: usize = 98;
/// Text that goes on stands under the last column that begins before this: behind `2026-11-23 06:10:30`, or behind doctor's
/// `warn  notification`.
const COLUMN: usize = 24;

/// The width of what is printed on stdout.
pub fn stdout_width() -> usize {
    width(terminal_size_of(std::io::stdout()).map(|(Width(columns), _)| columns))
}

/// The width of what is said on stderr.
pub fn stderr_width() -> usize {
    width(terminal_size_of(std::io::stderr()).map(|(Width(columns), _)| columns))
}

/// Two columns stay free: some terminals break a line that fills them all.
fn width(columns: Option<u16>) -> usize {
    match columns {
        // Some that are none say so.
        None | Some(0) => WIDTH,
        Some(columns) => usize::from(columns).saturating_sub(2).clamp(NARROWEST, WIDEST),
    }
}

/// A line as it stands where it fits: a table keeps its columns. A longer one is broken between words.
pub fn folded(line: &str, width: usize) -> String {
    if line.chars().count() > width {
        fold(line, width)
    } else {
        line.to_owned()
    }
}

/// Breaks a line between words; what follows is indented as its beginning is, or stands under a column where a line has
/// columns. What stands in one row keeps its gaps, so that columns stay columns. A word that is too long stays whole.
pub fn fold(line: &str, width: usize) -> String {
    let hang = hang(line);
    let (head, mut rest) = line.split_at_checked(hang).unwrap_or(("", line));
    let indent = " ".repeat(head.chars().count());
    let mut folded = head.to_owned();
    let mut column = indent.len();
    let mut first = true;
    while !rest.is_empty() {
        let (gap, after) = rest.split_at_checked(blanks(rest)).unwrap_or(("", rest));
        let (word, after) = after.split_at_checked(unit(after)).unwrap_or((after, ""));
        rest = after;
        if word.is_empty() {
            break;
        }
        let length = word.chars().count();
        if !first && column.saturating_add(gap.len()).saturating_add(length) > width {
            folded.push('\n');
            folded.push_str(&indent);
            column = indent.len();
        } else if !first {
            folded.push_str(gap);
            column = column.saturating_add(gap.len());
        }
        folded.push_str(word);
        column = column.saturating_add(length);
        first = false;
    }
    folded
}

/// How long the first word is. A command of ours is not torn from its name: half of it would be typed.
fn unit(text: &str) -> usize {
    let end = |text: &str| text.find(' ').unwrap_or(text.len());
    let word = end(text);
    let named = text
        .get(..word)
        .is_some_and(|word| word.ends_with(env!("CARGO_PKG_NAME")));
    match text.get(word..).and_then(|rest| rest.strip_prefix(' ')) {
        Some(next) if named && !next.starts_with(' ') => word.saturating_add(1).saturating_add(end(next)),
        Some(_) | None => word,
    }
}

/// Where what follows begins. Two blanks between words make a column.
fn hang(line: &str) -> usize {
    let mut hang = blanks(line);
    while let Some(gap) = line.get(hang..).and_then(|rest| rest.find("  ")) {
        let gap = hang.saturating_add(gap);
        let column = gap.saturating_add(line.get(gap..).map_or(0, blanks));
        if column > COLUMN || column == line.len() {
            break;
        }
        hang = column;
    }
    hang
}

/// How many blanks it begins with.
fn blanks(text: &str) -> usize {
    text.len().saturating_sub(text.trim_start_matches(' ').len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_follows_the_terminal_within_bounds() {
        for (columns, expected) in [
            (None, WIDTH),
            (Some(0), WIDTH),
            (Some(80), WIDTH),
            (Some(20), 58),
            (Some(60), 58),
            (Some(99), 97),
            (Some(300), 98),
        ] {
            assert_eq!(width(columns), expected, "{columns:?}");
        }
    }

    #[test]
    fn lines_fold_between_words_and_keep_their_indent() {
        for width in [58, WIDTH, 98] {
            let folded = fold(&format!("   {}", "word ".repeat(40)), width);
            assert!(folded.lines().count() > 2);
            for line in folded.lines() {
                assert!(line.len() <= width && line.starts_with("   word"), "{line:?}");
            }
        }
        let long = "x".repeat(200);
        assert_eq!(fold(&format!("see {long}"), WIDTH), format!("see\n{long}"));
        assert_eq!(fold("", WIDTH), "");
        assert_eq!(
            fold("Allow it again with: countersign resume", 35),
            "Allow it again with:\ncountersign resume"
        );
        assert_eq!(
            fold("see what is wrong: countersign", 29),
            "see what is wrong:\ncountersign"
        );
        assert_eq!(fold("   ", WIDTH), "   ");
    }

    #[test]
    fn a_second_column_stays_one() {
        let status = format!("reading   {}", "word ".repeat(30));
        let shown = fold(&status, WIDTH);
        let mut lines = shown.lines();
        assert!(
            lines
                .next()
                .is_some_and(|first| first.starts_with("reading   word word"))
        );
        assert!(lines.clone().count() > 1);
        for line in lines {
            assert!(
                line.starts_with("          word") && line.len() <= WIDTH,
                "{line:?}"
            );
        }
        let late = format!("Checked: {}  end", "word ".repeat(20));
        assert!(fold(&late, WIDTH).lines().all(|line| !line.starts_with(' ')));
        assert_eq!(folded("a  table   keeps", WIDTH), "a  table   keeps");
    }

    #[test]
    fn text_stays_in_the_last_of_the_first_columns() {
        let check = format!("warn  notification  {}", "word ".repeat(30));
        let shown = fold(&check, WIDTH);
        assert!(shown.lines().count() > 1);
        assert!(
            shown
                .lines()
                .skip(1)
                .all(|line| line.starts_with("                    word"))
        );
        // Letters of more than one byte before a column count as the columns that they are.
        let read = format!("reading   as \"read \u{2013} DESK\"  {}", "word ".repeat(30));
        assert!(
            fold(&read, WIDTH)
                .lines()
                .skip(1)
                .all(|line| line.trim_start().starts_with("word"))
        );
    }

    #[test]
    fn further_columns_stand_where_they_stood() {
        let entry = format!(
            "2026-11-23 06:10:30  denied     7QK4  PlaceOrder         {}",
            "word ".repeat(12)
        );
        let shown = fold(&entry, WIDTH);
        let mut lines = shown.lines();
        assert!(lines.next().is_some_and(|first| {
            first.starts_with("2026-11-23 06:10:30  denied     7QK4  PlaceOrder         word")
        }));
        assert!(lines.all(|line| line.starts_with("                     word") && line.len() <= WIDTH));
        // Not a word is lost or doubled, wherever it breaks.
        for width in 58..99 {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&fold(&entry, width)), words(&entry));
        }
    }
}
