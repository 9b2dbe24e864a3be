//! What the machine is like, for `doctor`: plain data, and no judgement of it.
//!
//! Owns: looking. Refuses to know: what is good or bad, and how it is said. Everything here works on every system; what a
//! system cannot tell is `None`.

use super::{Env, file};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// Where files that are written into a folder really come to lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The folder as it was asked for.
    pub asked: PathBuf,
    /// Where a file that was just written there lies by the system's own word.
    pub real: PathBuf,
    /// The packaged program whose private store that is (Windows: `…\AppData\Local\Packages\NAME\…`), where the folder was
    /// asked for elsewhere. Programs outside of that package see other files under the same name.
    pub package: Option<String>,
}

/// Writes a file into this folder, asks the system where it lies, and removes it. A packaged program of Windows (Claude
/// Desktop is one) and all that it starts see some folders through a private copy; this shows it.
///
/// # Errors
/// As the file system says: then nothing of ours can be written there.
pub fn landing(folder: &Path) -> io::Result<Landing> {
    let asked = std::path::absolute(folder)?;
    let probe = asked.join(format!(".probe-{:x}-{:x}", std::process::id(), super::wall_ms()));
    file::write_atomic(&probe, b"countersign looks where this file comes to lie\n")?;
    let found = std::fs::canonicalize(&probe);
    let _ = std::fs::remove_file(&probe);
    let real = found?.parent().map(plain).unwrap_or_default();
    let package = package_of(&real).filter(|_| package_of(&asked).is_none());
    Ok(Landing { asked, real, package })
}

/// Without the mark (`\\?\`) that Windows puts before a resolved path.
fn plain(path: &Path) -> PathBuf {
    let text = path.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    text.filter(|text| !text.starts_with("UNC"))
        .map_or_else(|| path.to_owned(), PathBuf::from)
}

/// How many bytes are free for this user where this folder lies, or would lie; `None` where the system does not say.
pub fn free_space(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    // The folder may not be there yet: then the one above it counts.
    let there = folder.ancestors().find(|folder| folder.exists())?;
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(there).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(windows)]
    super::windows::free_space(there)
}

/// Whether the system keeps a mark on this program that it came from the Internet, and so may ask about it or stop it at
/// its next start; `None` where there are no such marks, and where they cannot be read.
pub fn has_mark_of_internet(program: &Path) -> Option<bool> {
    #[cfg(windows)]
    {
        let mut name = program.as_os_str().to_owned();
        name.push(":Zone.Identifier");
        is_there(std::fs::read(name))
    }
    #[cfg(target_os = "macos")]
    {
        let mut mark = [0_u8; 256];
        is_there(rustix::fs::getxattr(program, "com.apple.quarantine", &mut mark).map_err(io::Error::from))
    }
    #[cfg(not(any(windows, target_os = "macos")))]
    {
        let _ = program;
        None
    }
}

/// A mark that is there, is not, or cannot be read.
#[cfg(any(windows, target_os = "macos"))]
fn is_there<T>(found: io::Result<T>) -> Option<bool> {
    match found {
        Ok(_) => Some(true),
        #[cfg(target_os = "macos")]
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOATTR.raw_os_error()) => Some(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

fn package_of(path: &Path) -> Option<String> {
    let text = path.to_str()?.replace('/', "\\");
    let mut parts = text
        .split('\\')
        .skip_while(|part| !part.eq_ignore_ascii_case("AppData"));
    let (_, local, packages) = (parts.next()?, parts.next()?, parts.next()?);
    let inside = local.eq_ignore_ascii_case("Local") && packages.eq_ignore_ascii_case("Packages");
    parts.next().filter(|_| inside).map(str::to_owned)
}

/// The desktop session of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Windows: its number; 0 is the session of services, whose windows nobody sees.
    pub id: Option<u32>,
    /// Whether a screen is connected to it now. Windows: false after an RDP window was closed. Linux: whether a display is
    /// named.
    pub is_connected: Option<bool>,
    /// Whether it is seen over the network (RDP), or came by SSH.
    pub is_remote: Option<bool>,
    /// Whether it is locked. Asked on Windows alone here; on Linux the prompt asks the session bus.
    pub is_locked: Option<bool>,
}

/// Looks at the session.
pub fn session(env: &Env) -> Session {
    #[cfg(windows)]
    {
        let _ = env;
        // WTSDisconnected is 4, as the prompt counts it. WTS_SESSIONSTATE_LOCK is 0, _UNLOCK is 1, anything else says nothing.
        let state = super::windows::session();
        Session {
            id: super::windows::session_id(),
            is_connected: state.map(|(state, _)| state != 4),
            is_remote: Some(super::windows::is_remote()),
            is_locked: state.and_then(|(_, flags)| match flags {
                0 => Some(true),
                1 => Some(false),
                _ => None,
            }),
        }
    }
    #[cfg(not(windows))]
    {
        let by_ssh = env.text("SSH_CONNECTION").is_some() || env.text("SSH_TTY").is_some();
        Session {
            id: None,
            is_connected: cfg!(target_os = "linux").then(|| env.has_display()),
            is_remote: Some(by_ssh),
            is_locked: None,
        }
    }
}

/// Whether Windows shows notifications now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notifications {
    /// It does.
    Shown,
    /// Nobody is at the desk: locked, a screen saver, another user's turn.
    NobodyThere,
    /// A full-screen program, a game, or a presentation has the screen.
    FullScreen,
    /// The first hour of a new user, or quiet hours.
    Quiet,
    /// A Store app has the screen.
    StoreApp,
}

/// Asks Windows whether it shows notifications; `None` where it does not say, and on other systems. A do-not-disturb that
/// the person switched on is not told here: Windows 11 has no documented way to ask.
pub fn notifications() -> Option<Notifications> {
    #[cfg(windows)]
    {
        match super::windows::notification_state()? {
            1 => Some(Notifications::NobodyThere),
            2..=4 => Some(Notifications::FullScreen),
            5 => Some(Notifications::Shown),
            6 => Some(Notifications::Quiet),
            7 => Some(Notifications::StoreApp),
            _ => None,
        }
    }
    #[cfg(not(windows))]
    None
}

/// The packaged program (MSIX) that started this process and whose view of files it has; `None` outside of one and on other
/// systems.
pub fn package() -> Option<String> {
    #[cfg(windows)]
    {
        super::windows::package()
    }
    #[cfg(not(windows))]
    None
}

/// The terminal of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Console {
    /// Whether keys can be read.
    pub stdin: bool,
    /// Whether text is seen at once.
    pub stdout: bool,
    /// Windows: the console's code page. It matters to other programs alone; we write to a console in UTF-16, and to files
    /// and pipes in UTF-8.
    pub code_page: Option<u32>,
}

/// Looks at the terminal.
pub fn console() -> Console {
    #[cfg(windows)]
    let code_page = Some(super::windows::output_code_page()).filter(|&page| page != 0);
    #[cfg(not(windows))]
    let code_page = None;
    Console {
        stdin: io::stdin().is_terminal(),
        stdout: io::stdout().is_terminal(),
        code_page,
    }
}

/// How far (ms) the clocks moved against each other since `before`: the machine slept, or somebody set the clock.
pub fn clock_moved(before: super::clock::Moment) -> u64 {
    before.drift()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_store_is_told_from_the_folder_that_was_asked_for() {
        let real = Path::new(
            r"C:\Users\ann\AppData\Local\Packages\Claude_pzs8sxrjxfjjc\LocalCache\Local\countersign",
        );
        assert_eq!(package_of(real).as_deref(), Some("Claude_pzs8sxrjxfjjc"));
        for other in [
            r"C:\Users\ann\.countersign",
            r"C:\Users\ann\AppData\Local\countersign",
            r"C:\Users\ann\AppData\Roaming\Packages\x",
            "/home/ann/.local/state",
        ] {
            assert_eq!(package_of(Path::new(other)), None, "{other}");
        }
        assert_eq!(plain(Path::new(r"\\?\C:\x")), Path::new(r"C:\x"));
        assert_eq!(plain(Path::new(r"\\?\UNC\host\x")), Path::new(r"\\?\UNC\host\x"));
    }

    #[test]
    fn room_is_told_for_a_folder_that_is_not_there_yet() {
        let home = tempfile::tempdir().unwrap();
        let free = free_space(&home.path().join("not/yet")).unwrap();
        assert!(free > 0);
    }

    #[test]
    fn a_landing_is_looked_at_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("deep");
        let found = landing(&folder).unwrap();
        assert_eq!(found.asked, folder);
        assert_eq!(found.real, plain(&folder.canonicalize().unwrap()));
        assert_eq!(found.package, None);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        // A link is seen through.
        #[cfg(unix)]
        {
            let link = home.path().join("link");
            std::os::unix::fs::symlink(&folder, &link).unwrap();
            assert_eq!(landing(&link).unwrap().real, folder.canonicalize().unwrap());
        }
        std::fs::write(home.path().join("file"), "x").unwrap();
        assert!(landing(&home.path().join("file")).is_err());
    }
}
