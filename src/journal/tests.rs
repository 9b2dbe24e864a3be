//! The journal after crashes, edits and growth.

use super::*;

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::of(&Paths::under(folder.path()));
    (folder, journal)
}

fn say(journal: &Journal, ticket: &str) {
    journal
        .append("held", Map::from_iter([("ticket".to_owned(), ticket.into())]))
        .unwrap();
}

fn judge(bytes: &[u8]) -> Verdict {
    verify(bytes).unwrap()
}

fn verdict_of(journal: &Journal) -> Verdict {
    verify(open(&journal.path).unwrap().unwrap()).unwrap()
}

fn tickets_of(journal: &Journal) -> Vec<String> {
    entries(open(&journal.path).unwrap().unwrap())
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.kind == "held")
        .map(|entry| entry.object["ticket"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_chain_verifies_and_the_first_bad_line_is_named() {
    let (_keep, journal) = journal();
    for ticket in ["A", "B\nC", "D", "E"] {
        say(&journal, ticket);
    }
    let text = std::fs::read_to_string(&journal.path).unwrap();
    assert_eq!(judge(text.as_bytes()).lines, 4);
    assert_eq!(judge(text.as_bytes()).faults, []);
    let lines: Vec<&str> = text.lines().collect();
    let of = |order: &[usize]| {
        order.iter().fold(String::new(), |mut all, n| {
            all.push_str(lines[*n]);
            all.push('\n');
            all
        })
    };
    for (what, broken, first) in [
        ("edited", text.replace("\"D\"", "\"X\""), 3),
        ("the last one edited", text.replace("\"E\"", "\"X\""), 4),
        ("the first one removed", of(&[1, 2, 3]), 1),
        ("removed in the middle", of(&[0, 2, 3]), 2),
        ("swapped", of(&[0, 2, 1, 3]), 2),
        ("the first two swapped", of(&[1, 0, 2, 3]), 1),
        ("inserted", of(&[0, 1, 0, 2, 3]), 3),
        ("an empty line", text.replacen('\n', "\n\n", 1), 2),
        ("a foreign line", format!("{{}}\n{text}"), 1),
        // The hash must be the last member: what stands behind it is in no hash.
        ("appended to", text.replace("\"}\n", "\",\"ticket\":\"E\"}\n"), 1),
        ("ended otherwise", text.replace('\n', "\r\n"), 1),
        ("padded", text.replace("\"}\n", "\" }\n"), 1),
    ] {
        let faults = judge(broken.as_bytes()).faults;
        assert_eq!(
            faults.first().map(|fault| fault.line),
            Some(first),
            "{what}: {faults:?}"
        );
        // What is written afterwards stands behind it, and hides nothing.
        std::fs::write(&journal.path, &broken).unwrap();
        say(&journal, "later");
        let after = verdict_of(&journal).faults;
        assert_eq!(
            after.first().map(|fault| fault.line),
            Some(first),
            "{what}: {after:?}"
        );
        assert_eq!(tickets_of(&journal).last().unwrap(), "later", "{what}");
    }
}

/// A power failure leaves any part of the last line. The next line vouches for what is left, and the journal holds.
#[test]
fn a_line_torn_at_every_byte_is_marked() {
    let (_keep, journal) = journal();
    say(&journal, "A");
    let one = std::fs::read(&journal.path).unwrap().len();
    say(&journal, "B");
    let whole = std::fs::read(&journal.path).unwrap();
    for cut in one..=whole.len() {
        std::fs::write(&journal.path, &whole[..cut]).unwrap();
        // Only its newline is missing, or nothing at all: then it is not torn.
        let is_torn = cut > one && cut < whole.len() - 1;
        assert_eq!(
            judge(&whole[..cut]).faults.len(),
            usize::from(is_torn),
            "cut at {cut}"
        );
        say(&journal, "C");
        let verdict = verdict_of(&journal);
        assert_eq!(verdict.faults, [], "cut at {cut}");
        assert_eq!(verdict.torn, usize::from(is_torn), "cut at {cut}");
        let now = std::fs::read(&journal.path).unwrap();
        assert!(
            now.starts_with(&whole[..cut]),
            "cut at {cut}: nothing is taken away"
        );
        let last = cut >= whole.len() - 1;
        let expected: &[&str] = if last { &["A", "B", "C"] } else { &["A", "C"] };
        assert_eq!(tickets_of(&journal), expected, "cut at {cut}");
    }
}

/// The write that was to vouch for a torn line is cut at every byte as well, and the one after it: nothing is lost.
#[test]
fn lines_torn_twice_at_every_byte_are_marked() {
    for first in [false, true] {
        let (_keep, journal) = journal();
        if !first {
            say(&journal, "A");
        }
        let one = std::fs::read(&journal.path).unwrap_or_default().len();
        say(&journal, "B");
        let whole = std::fs::read(&journal.path).unwrap();
        for cut in [one + 1, one + 4, one + 40, whole.len() - 2] {
            std::fs::write(&journal.path, &whole[..cut]).unwrap();
            say(&journal, "C");
            let twice = std::fs::read(&journal.path).unwrap();
            for again in cut..=twice.len() {
                std::fs::write(&journal.path, &twice[..again]).unwrap();
                say(&journal, "D");
                let verdict = verdict_of(&journal);
                assert_eq!(verdict.faults, [], "cut at {cut} and {again}");
                assert_eq!(tickets_of(&journal).last().unwrap(), "D");
                let thrice = std::fs::read(&journal.path).unwrap();
                assert!(thrice.starts_with(&twice[..again]), "nothing is taken away");
                // And a third time, somewhere in what vouches for the two.
                let third = again + (thrice.len() - again) * (again % 7) / 7;
                std::fs::write(&journal.path, &thrice[..third]).unwrap();
                say(&journal, "E");
                assert_eq!(verdict_of(&journal).faults, [], "{cut}, {again} and {third}");
            }
        }
    }
}

/// The first line of all can be torn as well.
#[test]
fn a_torn_first_line_is_marked() {
    let (_keep, journal) = journal();
    say(&journal, "A");
    let whole = std::fs::read(&journal.path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&journal.path, &whole[..cut]).unwrap();
        say(&journal, "B");
        let verdict = verdict_of(&journal);
        assert_eq!(verdict.faults, [], "cut at {cut}");
        assert_eq!(tickets_of(&journal).last().unwrap(), "B");
    }
}

/// Some file systems leave zeros where the content did not arrive, in place of a line or behind one.
#[test]
fn zeros_at_the_end_are_marked() {
    for (before, zeros) in [(0, 1), (0, 4096), (2, 1), (2, 4096), (2, 3 * MAX_LINE)] {
        let (_keep, journal) = journal();
        (0..before).for_each(|n| say(&journal, &n.to_string()));
        let mut bytes = std::fs::read(&journal.path).unwrap_or_default();
        bytes.resize(bytes.len() + zeros, 0);
        file::make_folder(journal.path.parent().unwrap()).unwrap();
        std::fs::write(&journal.path, &bytes).unwrap();
        assert_eq!(judge(&bytes).faults.len(), 1, "{before} {zeros}");
        say(&journal, "A");
        say(&journal, "B");
        let verdict = verdict_of(&journal);
        assert_eq!((verdict.torn, verdict.faults), (1, vec![]), "{before} {zeros}");
        assert_eq!(tickets_of(&journal).len(), before + 2);
    }
}

/// Two crashes, two scars; and a scar that was edited later is a fault.
#[test]
fn a_mark_speaks_for_its_own_line_only() {
    let (_keep, journal) = journal();
    say(&journal, "A");
    for torn in ["{\"n\":1,\"at", "{\"n\":3,\"at\":\"20"] {
        let mut bytes = std::fs::read(&journal.path).unwrap();
        bytes.extend_from_slice(torn.as_bytes());
        std::fs::write(&journal.path, bytes).unwrap();
        say(&journal, "B");
    }
    let verdict = verdict_of(&journal);
    assert_eq!((verdict.torn, verdict.faults.len()), (2, 0), "{verdict:?}");
    let text = std::fs::read_to_string(&journal.path).unwrap();
    for (what, broken) in [
        (
            "another scar",
            text.replace("{\"n\":3,\"at\":\"20\n", "{\"n\":3,\"at\":\"21\n"),
        ),
        ("longer", text.replace("\"20\n", "\"202\n")),
        (
            "taken away, and a whole line put there",
            text.replace("{\"n\":1,\"at\n", "{}\n"),
        ),
    ] {
        assert_ne!(broken, text, "{what}");
        assert_eq!(judge(broken.as_bytes()).faults.len(), 1, "{what}");
    }
}

#[test]
fn what_cannot_be_a_journal_takes_no_line() {
    let (_keep, journal) = journal();
    std::fs::create_dir_all(&journal.path).unwrap();
    assert!(journal.append("held", Map::new()).is_err(), "a folder");
    std::fs::remove_dir(&journal.path).unwrap();
    let foreign = "one line\nanother\n".repeat(100_000);
    std::fs::write(&journal.path, &foreign).unwrap();
    let error = journal.append("held", Map::new()).unwrap_err();
    assert!(error.to_string().contains("not a journal"), "{error}");
    assert_eq!(std::fs::read_to_string(&journal.path).unwrap(), foreign);
    // An empty file is a journal that nothing was written to yet.
    std::fs::write(&journal.path, "").unwrap();
    say(&journal, "A");
    assert_eq!(verdict_of(&journal).faults, []);
}

/// Nothing reads the journal from its beginning to append to it: this one is 256 GiB long, most of it a hole.
#[cfg(unix)]
#[test]
fn appending_does_not_read_the_whole_file() {
    use std::io::Seek as _;
    let (_keep, journal) = journal();
    say(&journal, "A");
    let line = std::fs::read(&journal.path).unwrap();
    let mut file = File::options().write(true).open(&journal.path).unwrap();
    file.set_len(1 << 38).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(&line).unwrap();
    for ticket in ["B", "C", "D"] {
        say(&journal, ticket);
    }
    let mut end = Vec::new();
    let mut file = File::open(&journal.path).unwrap();
    file.seek(SeekFrom::Start((1 << 38) + 1)).unwrap();
    io::Read::read_to_end(&mut file, &mut end).unwrap();
    assert_eq!((judge(&end).lines, judge(&end).faults.len()), (4, 0));
}

/// Nor does checking it take memory for more than one line: here a line of 64 MiB of zeros, which is no line.
#[test]
fn a_line_without_end_is_read_in_pieces() {
    let zeros = BufReader::new(io::Read::take(io::repeat(0), 1 << 26));
    let found: Vec<Piece> = pieces(zeros).map(|piece| piece.unwrap()).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].length, found[0].text.len()), (1 << 26, MAX_LINE));
    assert!(found[0].text.capacity() <= 2 * MAX_LINE + 64 * 1024);
}

#[test]
fn many_writers_make_one_chain() {
    let (_keep, journal) = journal();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let journal = journal.clone();
            scope.spawn(move || (0..10).for_each(|i| say(&journal, &format!("{writer}-{i}"))));
        }
    });
    let verdict = verdict_of(&journal);
    assert_eq!((verdict.lines, verdict.faults.len()), (40, 0));
}

#[tokio::test]
async fn a_wait_for_another_process_keeps_the_disk_free_and_outlasts_its_caller() {
    let (_keep, journal) = journal();
    let other = FileLock::try_take(&journal.lock).unwrap().unwrap();
    let fields = |ticket: &str| Map::from_iter([("ticket".to_owned(), ticket.into())]);
    let writing = |ticket: &str| {
        let (journal, fields) = (journal.clone(), fields(ticket));
        tokio::spawn(async move { journal.append_aside("held", fields).await })
    };
    let (left, waits) = (writing("A"), writing("B"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Far within the time that the lines wait: other work is done meanwhile.
    tokio::time::timeout(TURN / 2, aside(|| Ok(())))
        .await
        .unwrap()
        .unwrap();
    assert!(!left.is_finished() && !waits.is_finished());
    left.abort();
    drop(other);
    waits.await.unwrap().unwrap();
    assert_eq!(tickets_of(&journal), ["A", "B"]);
}

#[tokio::test]
async fn a_lock_that_does_not_come_back_refuses_every_line_within_its_time() {
    let (_keep, journal) = journal();
    let _other = FileLock::try_take(&journal.lock).unwrap().unwrap();
    let begun = clock::mono_ms();
    let (one, two, three) = tokio::join!(
        journal.append_aside("held", Map::new()),
        journal.append_aside("held", Map::new()),
        journal.append_aside("held", Map::new())
    );
    for came in [one, two, three] {
        assert_eq!(came.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
    // Together, not one after the other.
    let took = Duration::from_millis(clock::mono_ms() - begun);
    assert!(took < TURN * 2, "{took:?}");
    assert!(!journal.path.exists());
}
