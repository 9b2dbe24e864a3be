//! Files: private folders, atomic replacement, appends that are on the disk before we go on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes a folder with its parents, readable by this user alone (0700).
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
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Replaces a file in one step: after a crash either the old or the new content is there, whole and on the disk.
///
/// # Errors
/// As the file system says (a full disk among them); the old content then still stands.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("no parent folder"))?;
    make_folder(folder)?;
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .ok_or_else(|| io::Error::other("no file name"))?;
    let temp = folder.join(format!(
        ".{name}.{}.{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    let written = private(&temp).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temp, path)) {
        let _ = fs::remove_file(&temp);
        return Err(error);
    }
    sync_folder(folder)
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

/// Reads a whole file of at most `bound` bytes; `None` where there is none.
///
/// # Errors
/// As the file system says, and for a file over the bound.
pub fn read_bounded(path: &Path, bound: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(bound.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > bound {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is longer than {bound} bytes", path.display()),
        ));
    }
    Ok(Some(content))
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
    options.open(path)
}
