//! Log files that stay small: a new one for each day (UTC) and for each 1.4 MB, the seven newest kept, 10 MB in all.
//!
//! Owns: their names, and when to go on to the next. Any number of processes write at once without a lock: each line is
//! one append to the file that all of them agree on by its name, `countersign-DAY-NUMBER.log`. Nothing is renamed, so a
//! process that comes late finds the same file. A disk that is full, or a folder that went away, loses lines and stops
//! nobody.

use crate::system::{clock, file, mono_ms, wall_ms};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Log files that are kept.
pub const FILES: usize = 7;
/// The size (bytes) from which on the next file is used. A line or two may go over it.
pub const FILE_BYTES: u64 = 1_400_000;
/// What all of them may take (bytes), the last lines included.
pub const TOTAL_BYTES: u64 = 10_000_000;
/// How long nothing is tried after a write that failed (ms): a full disk must not cost two system calls a line.
const PAUSE_MS: u64 = 5_000;
/// The most files of one day. Beyond it the last one takes everything.
const MOST: u32 = 999;

/// A writer of whole lines into these files.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    open: Option<Open>,
    /// Until when (monotonic ms) nothing is tried.
    pause: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    day: String,
    number: u32,
}

impl Files {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            open: None,
            pause: 0,
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let today = day(wall_ms());
        let mut open = match self.open.take().filter(|open| open.day == today) {
            Some(open) => open,
            None => self.open_file(&today, newest_number(&self.folder, &today).max(1))?,
        };
        // What other processes wrote counts: the size is that of the file, not of what we gave it.
        while open.number < MOST && open.file.metadata()?.len() >= FILE_BYTES {
            open = self.open_file(&today, open.number.saturating_add(1))?;
        }
        let written = open.file.write_all(line);
        self.open = Some(open);
        written
    }

    /// Opens a file, and makes room for it where it is a new one.
    fn open_file(&self, day: &str, number: u32) -> io::Result<Open> {
        let path = self.folder.join(format!("countersign-{day}-{number:03}.log"));
        let is_new = !path.exists();
        let file = file::open_append(&path)?;
        if is_new {
            sweep(&self.folder);
        }
        Ok(Open {
            file,
            day: day.to_owned(),
            number,
        })
    }
}

impl Write for Files {
    /// Takes one whole line. Never fails: a log that cannot be written is no reason to stop anything.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if mono_ms() >= self.pause && self.line(line).is_err() {
            self.open = None;
            self.pause = mono_ms().saturating_add(PAUSE_MS);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `2026-11-22`, in UTC: processes in different time zones agree on it.
fn day(wall_ms: u64) -> String {
    clock::rfc3339(wall_ms).chars().take(10).collect()
}

/// The number of the newest file of a day; 0 where there is none.
fn newest_number(folder: &Path, day: &str) -> u32 {
    let start = format!("countersign-{day}-");
    let numbers = names(folder).into_iter().filter_map(|name| {
        let number = name.strip_prefix(&start)?.strip_suffix(".log")?;
        number.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

/// The log files of a folder with their sizes (bytes), oldest first.
pub fn files_of(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut names = names(folder);
    // By day and number, which also puts the form of an older version in its place.
    names.sort_by_key(|name| name.chars().filter(char::is_ascii_digit).collect::<String>());
    let sized = |name: String| {
        let path = folder.join(name);
        let size = std::fs::metadata(&path).map_or(0, |found| found.len());
        (path, size)
    };
    names.into_iter().map(sized).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with("countersign") && name.strip_suffix(".log").is_some())
        .collect()
}

/// Removes the oldest files beyond the bounds. Another process that still writes into one of them notices at its next
/// line that the file is full.
fn sweep(folder: &Path) {
    let mut files = files_of(folder);
    let mut total: u64 = files.iter().map(|(_, size)| *size).sum();
    files.reverse();
    while files.len() > FILES || (files.len() > 1 && total.saturating_add(FILE_BYTES) > TOTAL_BYTES) {
        let Some((oldest, size)) = files.pop() else { return };
        let _ = std::fs::remove_file(oldest);
        total = total.saturating_sub(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(folder: &Path) -> u64 {
        files_of(folder).iter().map(|(_, size)| *size).sum()
    }

    #[test]
    fn many_writers_share_small_files_and_no_line_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let filler = "x".repeat(2_000);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (folder, filler) = (folder.path(), &filler);
                scope.spawn(move || {
                    let mut files = Files::of(folder);
                    for line in 0..500 {
                        // In one piece, as the subscriber hands a line over.
                        let line = format!("writer {writer} line {line} {filler} end\n");
                        files.write_all(line.as_bytes()).unwrap();
                    }
                });
            }
        });
        let files = files_of(folder.path());
        // 4 MB in files of 1.4 MB.
        assert!((3..=4).contains(&files.len()), "{files:?}");
        let mut seen = 0;
        for (path, size) in &files {
            assert!(*size < FILE_BYTES + 10_000, "{path:?} {size}");
            for line in std::fs::read_to_string(path).unwrap().lines() {
                assert!(
                    line.starts_with("writer ") && line.ends_with(" end"),
                    "{line:.40}"
                );
                assert_eq!(line.matches("writer").count(), 1);
                seen += 1;
            }
        }
        assert_eq!(seen, 2_000, "no line is lost");
    }

    #[test]
    fn the_oldest_files_go_and_the_total_stays_below_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        for day in 1..=9 {
            std::fs::write(
                folder.path().join(format!("countersign-2020-01-0{day}-001.log")),
                "old",
            )
            .unwrap();
        }
        // The form of the version before.
        std::fs::write(folder.path().join("countersign.2020-01-01.log"), "older").unwrap();
        std::fs::write(folder.path().join("mine.txt"), "not ours").unwrap();
        let mut files = Files::of(folder.path());
        let line = vec![b'y'; 100_000];
        for _ in 0..200 {
            files.write_all(&line).unwrap();
            assert!(total(folder.path()) <= TOTAL_BYTES, "{}", total(folder.path()));
        }
        let left = files_of(folder.path());
        assert_eq!(left.len(), FILES, "{left:?}");
        assert!(
            left.iter()
                .all(|(path, _)| !path.to_string_lossy().contains("2020")),
            "{left:?}"
        );
        assert!(folder.path().join("mine.txt").exists());
    }

    #[test]
    fn a_late_process_goes_on_where_the_others_are() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (Files::of(folder.path()), Files::of(folder.path()));
        two.write_all(b"first\n").unwrap();
        for _ in 0..30 {
            one.write_all(&vec![b'z'; 100_000]).unwrap();
        }
        two.write_all(b"second\n").unwrap();
        let files = files_of(folder.path());
        assert_eq!(files.len(), 3, "{files:?}");
        let last = std::fs::read_to_string(&files.last().unwrap().0).unwrap();
        assert!(last.ends_with("second\n"), "it writes into the newest file");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        Files::of(&logs).write_all(b"line\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&logs), 0o700);
        assert_eq!(mode(&files_of(&logs)[0].0), 0o600);
    }

    /// `/dev/full` answers every write as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_lines_and_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let today = day(wall_ms());
        let name = folder.path().join(format!("countersign-{today}-001.log"));
        std::os::unix::fs::symlink("/dev/full", &name).unwrap();
        let mut files = Files::of(folder.path());
        assert!(files.line(b"a line\n").is_err(), "the disk is full");
        for _ in 0..100_000 {
            assert_eq!(files.write(b"a line\n").unwrap(), 7);
        }
        // There is room again: the next try, a few seconds later, writes.
        std::fs::remove_file(&name).unwrap();
        files.pause = 0;
        files.write_all(b"back\n").unwrap();
        assert_eq!(std::fs::read_to_string(&name).unwrap(), "back\n");
    }
}
