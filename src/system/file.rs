//! Files: private folders, atomic replacement, appends that are on the disk before we go on.

use super::wall_ms;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes a folder with its parents, readable by this user alone (0700). On Windows it has the permissions of the folder it
/// is made in; a profile's are for its user, the system and administrators. What decides or is secret is looked at when it
/// is read ([`read_ours`], [`others_may_read`]), wherever the folder lies.
///
/// # Errors
/// As the file system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Opens a file for writing that this user alone can read (0600).
fn private(path: &Path) -> io::Result<File> {
    #[cfg(test)]
    full::check(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    patiently(|| options.open(path))
}

/// How long Windows' refusals that pass by themselves are waited for, in milliseconds.
#[cfg(windows)]
const PASSES_MS: u64 = 1500;

/// Does something with a file. On Windows it is tried again for a moment where another program (one that looks for viruses,
/// makes backups, or reads the file that is being replaced) has the file open in a way that forbids it.
pub(super) fn patiently<T>(act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    #[cfg(windows)]
    {
        /// `ERROR_ACCESS_DENIED` (also for a file that is going to be deleted), `ERROR_SHARING_VIOLATION`,
        /// `ERROR_LOCK_VIOLATION`, `ERROR_USER_MAPPED_FILE`.
        const PASSING: [i32; 4] = [5, 32, 33, 1224];
        let until = super::mono_ms().saturating_add(PASSES_MS);
        let mut pause = 1;
        loop {
            match act() {
                Err(error)
                    if error.raw_os_error().is_some_and(|code| PASSING.contains(&code))
                        && super::mono_ms() < until =>
                {
                    std::thread::sleep(std::time::Duration::from_millis(pause));
                    pause = (pause * 2).min(50);
                }
                result => return result,
            }
        }
    }
    #[cfg(not(windows))]
    act()
}

/// The new content stands, but the system did not confirm that its name is on the disk: after a power failure the old
/// content could be back.
#[derive(Debug, thiserror::Error)]
#[error("the new content stands, but it is not certain to outlast a power failure: {0}")]
struct Unconfirmed(io::Error);

/// Whether the file was replaced in spite of this error of [`write_atomic`].
pub fn is_replaced(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Unconfirmed>)
}

/// Replaces a file in one step: after a crash either the old or the new content is there, whole and on the disk.
///
/// # Errors
/// As the file system says (a full disk among them); the old content then still stands, unless [`is_replaced`] says
/// otherwise.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, |folder| {
        sync_folder(folder)?;
        sync_name(path)
    })
}

/// Makes a new name of a file last where folders cannot be synced: on Windows syncing the file writes the file system's own
/// journal, and the renaming stands in it before.
fn sync_name(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        patiently(|| OpenOptions::new().write(true).open(path))?.sync_all()?;
    }
    Ok(())
}

fn replace(path: &Path, content: &[u8], confirm: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("no parent folder"))?;
    make_folder(folder)?;
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .ok_or_else(|| io::Error::other("no file name"))?;
    let temp = folder.join(format!(".{name}.{}", suffix()));
    let written = private(&temp).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| patiently(|| fs::rename(&temp, path))) {
        let _ = patiently(|| fs::remove_file(&temp));
        return Err(error);
    }
    confirm(folder).map_err(|error| io::Error::new(error.kind(), Unconfirmed(error)))
}

/// The end of a name that nobody can take before us. Where the system gives no random numbers, one that is merely not
/// in use.
fn suffix() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 8];
    let random = match SystemRandom::new().fill(&mut random) {
        Ok(()) => u64::from_ne_bytes(random),
        Err(_) => wall_ms(),
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{count:x}-{random:016x}", std::process::id())
}

/// Makes a rename or a new file in this folder last (no effect where folders cannot be synced).
///
/// # Errors
/// As the file system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        File::open(folder)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(())
    }
}

/// What tells whether a file is the one that was read before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    len: u64,
    modified: Option<std::time::SystemTime>,
    /// Device, file, and when its entry changed: a file that replaces another is another one (Unix alone).
    inode: [u64; 2],
    changed: [i64; 2],
}

/// How long a file may be written again within one step of the file system's clock, in milliseconds; the coarsest step is
/// two seconds.
const SETTLES: u64 = 2500;

/// A file as it was met. To be taken before the file is read: what changes in between then shows at the next look.
#[derive(Debug, Clone)]
pub struct Stamp {
    mark: Mark,
    /// When it was first met so, by the clock that nobody sets.
    first: u64,
    /// Whether a later change is sure to show.
    settled: bool,
}

impl Stamp {
    /// The file as it is met now; `None` where there is none. `before` is how it was met when it was read.
    ///
    /// # Errors
    /// As the file system says.
    pub fn of(path: &Path, before: Option<&Self>) -> io::Result<Option<Self>> {
        let (now, wall) = (super::mono_ms(), wall_ms());
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        #[cfg(unix)]
        let (inode, changed) = {
            use std::os::unix::fs::MetadataExt;
            ([found.dev(), found.ino()], [found.ctime(), found.ctime_nsec()])
        };
        #[cfg(not(unix))]
        let (inode, changed) = ([0; 2], [0; 2]);
        let mark = Mark {
            len: found.len(),
            modified: found.modified().ok(),
            inode,
            changed,
        };
        let before = before.filter(|before| before.mark == mark);
        let first = before.map_or(now, |before| before.first);
        let since = mark
            .modified
            .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let written = since.and_then(|since| u64::try_from(since.as_millis()).ok());
        // After a clock that was set back the age says nothing for hours.
        let settled = written.is_some_and(|at| wall.saturating_sub(at) >= SETTLES)
            || now.saturating_sub(first) >= SETTLES;
        Ok(Some(Self { mark, first, settled }))
    }

    /// Whether what was read at `before` is in the file still. What was read soon after the file was written has to be
    /// read once more: its times may be too coarse to show a second change, and its number may have come again.
    pub fn is_still(&self, before: &Self) -> bool {
        before.settled && self.mark == before.mark
    }
}

/// Reads a whole file of at most `bound` bytes; `None` where there is none.
///
/// # Errors
/// As the file system says, and for a file over the bound.
pub fn read_bounded(path: &Path, bound: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match patiently(|| File::open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    rest_of(file, path, bound).map(Some)
}

fn rest_of(file: File, path: &Path, bound: u64) -> io::Result<Vec<u8>> {
    // Room for all of it and one byte more, which shows the end: else a small file is read in half a dozen pieces.
    let said = file.metadata().map_or(0, |found| found.len());
    let room = said.min(bound).saturating_add(1);
    let mut content = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    file.take(bound.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > bound {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is longer than {bound} bytes", path.display()),
        ));
    }
    Ok(content)
}

/// Reads a whole file that decides what may be done: as [`read_bounded`], but only a plain file, no symbolic link, of
/// this user, to which nobody else may write. What is looked at is the file that is read. On Windows the system,
/// administrators and the built-in administrator do not count as somebody else: they can do everything anyhow.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] with what is wrong with the file; else as [`read_bounded`].
pub fn read_ours(path: &Path, bound: u64) -> io::Result<Option<Vec<u8>>> {
    match open_ours(path) {
        Ok(file) => rest_of(file, path, bound).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn open_ours(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    // Not blocking: opening a pipe would wait for its writer.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)
        .map_err(|error| {
            let link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
            if link {
                not_ours("it is a symbolic link")
            } else {
                error
            }
        })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(not_ours("it is no plain file"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(not_ours("it belongs to another user"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(not_ours("others may write to it: run `chmod go-w` on it"));
    }
    Ok(file)
}

#[cfg(windows)]
fn open_ours(path: &Path) -> io::Result<File> {
    use super::acl::Others;
    use std::os::windows::fs::OpenOptionsExt;
    /// `FILE_FLAG_OPEN_REPARSE_POINT`: a link is opened itself, not what it points to.
    const NO_LINKS: u32 = 0x0020_0000;
    let file =
        patiently(|| OpenOptions::new().read(true).custom_flags(NO_LINKS).open(path)).map_err(|error| {
            // A folder is not opened as a file.
            if path.is_dir() {
                not_ours("it is no plain file")
            } else {
                error
            }
        })?;
    let found = file.metadata()?;
    if found.is_symlink() {
        return Err(not_ours("it is a symbolic link"));
    }
    if !found.is_file() {
        return Err(not_ours("it is no plain file"));
    }
    if super::windows::others(&file)? == Others::Write {
        return Err(not_ours(
            "others may write to it: in its Properties, under Security, leave only yourself, SYSTEM and Administrators",
        ));
    }
    Ok(file)
}

/// Whether others than this user could read this file.
///
/// # Errors
/// As the file system says.
pub fn others_may_read(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
    }
    #[cfg(windows)]
    {
        let file = patiently(|| File::open(path))?;
        Ok(super::windows::others(&file)? >= super::acl::Others::Read)
    }
}

/// What others than this user may do with a folder: list it, and write into it.
///
/// # Errors
/// As the file system says.
#[cfg(windows)]
pub fn others_in(folder: &Path) -> io::Result<(bool, bool)> {
    use super::acl::Others;
    let most = super::windows::others_at(folder)?;
    Ok((most >= Others::Read, most == Others::Write))
}

fn not_ours(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

/// Opens a plain file for reading, through links as well; `None` where there is none.
///
/// # Errors
/// As the file system says, and for what is no plain file: reading a pipe would wait for its writer.
pub fn open_plain(path: &Path) -> io::Result<Option<File>> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !found.is_file() {
        return Err(not_ours("it is no plain file"));
    }
    match patiently(|| File::open(path)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a whole UTF-8 file of at most `bound` bytes; `None` where there is none.
///
/// # Errors
/// As [`read_bounded`], and where the content is not UTF-8.
pub fn read_text(path: &Path, bound: u64) -> io::Result<Option<String>> {
    read_bounded(path, bound)?
        .map(|bytes| {
            String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
        })
        .transpose()
}

/// Opens a file for appending that this user alone can read.
///
/// # Errors
/// As the file system says.
pub fn open_append(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    patiently(|| options.open(path))
}

/// A full disk, for tests only: neither permissions nor limits stop the superuser.
#[cfg(test)]
pub(crate) mod full {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    static FULL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

    /// In this folder no file can be made until it is dropped.
    #[derive(Debug)]
    pub(crate) struct FullDisk(PathBuf);

    impl FullDisk {
        pub(crate) fn at(folder: &Path) -> Self {
            let mut full = FULL.lock().unwrap_or_else(PoisonError::into_inner);
            full.push(folder.to_owned());
            Self(folder.to_owned())
        }
    }

    impl Drop for FullDisk {
        fn drop(&mut self) {
            let mut full = FULL.lock().unwrap_or_else(PoisonError::into_inner);
            full.retain(|folder| *folder != self.0);
        }
    }

    pub(super) fn check(file: &Path) -> io::Result<()> {
        let full = FULL.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = file.parent();
        if full.iter().any(|full| Some(full.as_path()) == folder) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_replaced_file_leaves_nothing_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/er/file");
        for content in [&b"one"[..], b"two", b""] {
            write_atomic(&path, content).unwrap();
            assert_eq!(read_bounded(&path, 10).unwrap().unwrap(), content);
        }
        assert_eq!(names_in(path.parent().unwrap()), ["file"]);
    }

    #[test]
    fn names_beside_a_file_cannot_be_foretold() {
        let (one, two) = (suffix(), suffix());
        let random = |name: &str| name.rsplit('-').next().unwrap().to_owned();
        assert_ne!(random(&one), random(&two));
        assert_eq!(random(&one).len(), 16);
    }

    #[test]
    fn a_full_disk_keeps_the_old_content() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        write_atomic(&path, b"old").unwrap();
        let full = full::FullDisk::at(home.path());
        let error = write_atomic(&path, b"new").unwrap_err();
        assert!(!is_replaced(&error), "{error}");
        drop(full);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names_in(home.path()), ["file"]);
    }

    #[test]
    fn an_unconfirmed_rename_is_told_as_what_it_is() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        write_atomic(&path, b"old").unwrap();
        let fails = |_: &Path| Err(io::Error::from(io::ErrorKind::QuotaExceeded));
        let error = replace(&path, b"new", fails).unwrap_err();
        assert!(is_replaced(&error));
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert!(error.to_string().contains("the new content stands"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names_in(home.path()), ["file"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_a_file_of_ours_is_read_where_it_decides() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        assert!(read_ours(&path, 10).unwrap().is_none());
        write_atomic(&path, b"text").unwrap();
        for (mode, good) in [
            (0o600, true),
            (0o644, true),
            (0o400, true),
            (0o620, false),
            (0o602, false),
            (0o666, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read_ours(&path, 10);
            assert_eq!(read.is_ok(), good, "{mode:o}: {read:?}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_ours(&path, 4).unwrap().unwrap(), b"text");
        assert_eq!(
            read_ours(&path, 3).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let pipe = home.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        for (bad, why) in [
            (link.as_path(), "symbolic link"),
            (pipe.as_path(), "no plain file"),
            (home.path(), "no plain file"),
        ] {
            let error = read_ours(bad, 10).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
        // Only the superuser can give a file away.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            let error = read_ours(&path, 10).unwrap_err();
            assert!(error.to_string().contains("another user"), "{error}");
        }
    }
}
