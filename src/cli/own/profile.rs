//! The start-up files of shells: one line at the end that lets a terminal find the program by its name.
//!
//! Owns: which files, the line, its exact removal. Refuses to know: receipts, verbs.
//! A file that is a symbolic link (a repository of dotfiles) is changed where it really lies.

use super::receipt::Edit;
use crate::system::Env;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Ends each line of ours, and tells it from every other.
const MARK: &str = "# added by countersign";
/// The largest start-up file that is read, in bytes.
const MAX: u64 = 4 * 1024 * 1024;

/// A start-up file and the line that belongs into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) file: PathBuf,
    pub(super) line: String,
}

/// The files of this account's shells. What is there is used; where a login shell would read no file at all, `.profile`
/// is made, and for zsh `.zshrc`.
pub(super) fn wanted(env: &Env, home: &Path, folder: &str) -> Vec<Wanted> {
    let posix = posix_line(folder);
    let shell = env.text("SHELL").and_then(|shell| shell.rsplit('/').next());
    let login = [".bash_profile", ".bash_login", ".profile"];
    let mut names: Vec<PathBuf> = login.iter().map(|name| home.join(name)).collect();
    names.retain(|file| file.exists());
    if names.is_empty() {
        names.push(home.join(".profile"));
    }
    names.extend(Some(home.join(".bashrc")).filter(|file| file.exists()));
    let zsh = env.text("ZDOTDIR").map_or_else(|| home.to_owned(), PathBuf::from);
    let zshrc = zsh.join(".zshrc");
    if shell == Some("zsh") || zshrc.exists() {
        names.push(zshrc);
    }
    let mut all: Vec<Wanted> = names
        .into_iter()
        .map(|file| Wanted {
            file,
            line: posix.clone(),
        })
        .collect();
    let config = env
        .text("XDG_CONFIG_HOME")
        .map_or_else(|| home.join(".config"), PathBuf::from);
    if config.join("fish").is_dir() {
        all.push(Wanted {
            file: config.join("fish/conf.d/countersign.fish"),
            line: fish_line(folder),
        });
    }
    all
}

/// Whether this `PATH` has the folder.
pub(super) fn is_on(path: Option<&str>, folder: &str) -> bool {
    path.is_some_and(|path| path.split(':').any(|one| one.trim_end_matches('/') == folder))
}

/// Why this folder cannot be on a `PATH` at all.
pub(super) fn unfit(folder: &str) -> Option<&'static str> {
    if folder.contains(':') {
        return Some("its name has a colon, which separates folders there");
    }
    folder
        .contains(['\n', '\r', '\0'])
        .then_some("its name has a line break")
}

/// Looked for last, so that the program can take no other's place; and only once, however many files are read.
fn posix_line(folder: &str) -> String {
    let quoted = format!("'{}'", folder.replace('\'', r"'\''"));
    format!("case \":$PATH:\" in *:{quoted}:*) ;; *) PATH=$PATH:{quoted}; export PATH ;; esac {MARK}")
}

fn fish_line(folder: &str) -> String {
    let quoted = format!("'{}'", folder.replace('\\', r"\\").replace('\'', r"\'"));
    format!("contains -- {quoted} $PATH; or set -gx PATH $PATH {quoted} {MARK}")
}

/// Adds the line at the end; `None` where it stands already.
///
/// # Errors
/// As the file system says; nothing was changed then.
pub(super) fn add(wanted: &Wanted) -> io::Result<Option<Edit>> {
    let before = read(&wanted.file)?;
    let text = before.as_deref().unwrap_or_default();
    if text
        .split(|byte| *byte == b'\n')
        .any(|line| line == wanted.line.as_bytes())
    {
        return Ok(None);
    }
    let gap = if text.is_empty() || text.ends_with(b"\n") {
        ""
    } else {
        "\n"
    };
    let added = format!("{gap}{}\n", wanted.line);
    if let Some(folder) = wanted.file.parent() {
        fs::create_dir_all(folder)?;
    }
    // One write at the end: what somebody else appends meanwhile stays.
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&wanted.file)?;
    file.write_all(added.as_bytes())?;
    file.sync_all()?;
    Ok(Some(Edit {
        file: wanted.file.clone(),
        added,
        created: before.is_none(),
    }))
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// The file is as it was before.
    Gone,
    /// Somebody took it out, or changed it: nothing was touched.
    NotThere,
}

/// Takes out exactly what was added. A file that was made for it and holds nothing else goes too.
///
/// # Errors
/// As the file system says; nothing was changed then.
pub(super) fn remove(edit: &Edit) -> io::Result<Removed> {
    let Some(text) = read(&edit.file)? else {
        return Ok(Removed::NotThere);
    };
    let added = edit.added.as_bytes();
    let Some(at) = text.windows(added.len().max(1)).rposition(|part| part == added) else {
        return Ok(Removed::NotThere);
    };
    let (head, tail) = text.split_at(at);
    let rest = [head, tail.get(added.len()..).unwrap_or_default()].concat();
    if rest.is_empty() && edit.created {
        fs::remove_file(&edit.file)?;
        return Ok(Removed::Gone);
    }
    rewrite(&edit.file, &rest)?;
    Ok(Removed::Gone)
}

/// Replaces the content in one step, with the file's own permissions, where it really lies.
fn rewrite(file: &Path, content: &[u8]) -> io::Result<()> {
    let real = fs::canonicalize(file)?;
    let permissions = fs::metadata(&real)?.permissions();
    let mut name = real.clone().into_os_string();
    name.push(format!(".countersign-{}", std::process::id()));
    let beside = PathBuf::from(name);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut out| {
            out.write_all(content)?;
            out.set_permissions(permissions)?;
            out.sync_all()
        })
        .and_then(|()| fs::rename(&beside, &real));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => Err(io::Error::new(ErrorKind::InvalidInput, "it is no plain file")),
        Ok(found) if found.len() > MAX => Err(io::Error::new(ErrorKind::InvalidData, "it is too long")),
        Ok(_) => fs::read(file).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(file: &Path, before: &[u8]) -> (Edit, Vec<u8>) {
        fs::write(file, before).unwrap();
        let line = posix_line("/home/x/bin");
        let wanted = Wanted {
            file: file.to_owned(),
            line,
        };
        let edit = add(&wanted).unwrap().expect("a change");
        assert_eq!(add(&wanted).unwrap(), None, "only once");
        (edit, fs::read(file).unwrap())
    }

    #[test]
    fn adding_and_removing_gives_back_the_same_bytes() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".profile");
        for before in [
            &b""[..],
            b"one\n",
            b"no end of line",
            b"\xff\xfe not UTF-8\r\n",
            b"\n\n\n",
        ] {
            let (edit, after) = added(&file, before);
            assert!(after.starts_with(before));
            assert_eq!(remove(&edit).unwrap(), Removed::Gone);
            assert_eq!(fs::read(&file).unwrap(), before);
        }
    }

    #[test]
    fn a_file_that_was_made_goes_again_unless_it_was_used() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".profile");
        let wanted = Wanted {
            file: file.clone(),
            line: posix_line("/b"),
        };
        let edit = add(&wanted).unwrap().unwrap();
        assert!(edit.created);
        remove(&edit).unwrap();
        assert!(!file.exists());
        let edit = add(&wanted).unwrap().unwrap();
        let mut more = fs::read(&file).unwrap();
        more.extend_from_slice(b"alias l=ls\n");
        fs::write(&file, more).unwrap();
        remove(&edit).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"alias l=ls\n");
    }

    #[test]
    fn what_was_changed_since_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".profile");
        let (edit, after) = added(&file, b"a\n");
        let changed = String::from_utf8(after).unwrap().replace(MARK, "# mine");
        fs::write(&file, &changed).unwrap();
        assert_eq!(remove(&edit).unwrap(), Removed::NotThere);
        assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_the_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("dotfile"), home.path().join(".profile"));
        fs::write(&real, "x\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let line = posix_line("/b");
        let edit = add(&Wanted {
            file: link.clone(),
            line,
        })
        .unwrap()
        .unwrap();
        remove(&edit).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"x\n");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_line_as_it_is_meant() {
        for folder in ["/home/o'brien/my bin", "/a$(touch x)`b`", "/a*b"] {
            let script = format!("{l}\n{l}\nprintf %s \"$PATH\"", l = posix_line(folder));
            let out = std::process::Command::new("/bin/sh")
                .args(["-euc", &script])
                .env_clear()
                .env("PATH", "/usr/bin")
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stdout), format!("/usr/bin:{folder}"));
        }
    }

    #[test]
    fn the_files_that_are_there_are_used() {
        let home = tempfile::tempdir().unwrap();
        let names = |env: &Env| -> Vec<String> {
            let all = wanted(env, home.path(), "/b");
            let name = |one: &Wanted| one.file.strip_prefix(home.path()).unwrap().display().to_string();
            all.iter().map(name).collect()
        };
        let zsh = Env::of([("SHELL", "/usr/bin/zsh")]);
        assert_eq!(names(&Env::default()), [".profile"]);
        assert_eq!(names(&zsh), [".profile", ".zshrc"]);
        fs::write(home.path().join(".bash_profile"), "").unwrap();
        fs::write(home.path().join(".bashrc"), "").unwrap();
        fs::create_dir_all(home.path().join(".config/fish")).unwrap();
        assert_eq!(
            names(&Env::default()),
            [".bash_profile", ".bashrc", ".config/fish/conf.d/countersign.fish"]
        );
    }
}
