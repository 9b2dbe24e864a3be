//! Windows, as the rest of `system` needs it.
//!
//! Owns: what a call into Windows means here. Refuses to know: the calls themselves (`raw`), and who asks.

pub mod console;
mod raw;

use super::acl::{self, Others};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::OwnedHandle;
use std::path::Path;

pub(super) use raw::{
    free_space, has_ended, is_remote, notification_state, output_code_page, package, parent, session,
    session_id, shell_open,
};

/// What this user's other programs may do to this process: look at its name, wait for its end, end it. 0x101001 is
/// `PROCESS_TERMINATE`, `PROCESS_QUERY_LIMITED_INFORMATION` and `SYNCHRONIZE`. The owner (`OW`) may read the list, and not
/// change it, as owners otherwise may.
const HARDENED: &str = "D:P(A;;0x101001;;;USER)(A;;GA;;;SY)(A;;GA;;;BA)(A;;RC;;;OW)";

/// Keeps this process's memory from this user's other programs, and asks for no dump of it.
pub(super) fn harden() {
    raw::fail_quietly();
    if let Some(user) = raw::user_id() {
        let _ = raw::set_process_permissions(&HARDENED.replace("USER", &user));
    }
}

/// What other users may do with an open file.
///
/// # Errors
/// Where Windows does not tell its permissions, or who we are.
pub(super) fn others(file: &File) -> io::Result<Others> {
    let sddl = raw::permissions(file)?;
    let user = raw::user_id().ok_or_else(|| io::Error::other("Windows does not tell which user this is"))?;
    Ok(acl::others(&sddl, &user))
}

/// The same for what lies at this path, a folder too.
///
/// # Errors
/// As [`others`], and where it cannot be opened.
pub(super) fn others_at(path: &Path) -> io::Result<Others> {
    /// `FILE_FLAG_BACKUP_SEMANTICS`: without it no folder is opened.
    const FOLDERS: u32 = 0x0200_0000;
    let opened = OpenOptions::new().read(true).custom_flags(FOLDERS).open(path)?;
    others(&opened)
}

/// Milliseconds in which the machine was awake; stands still while it sleeps, as no other clock of Windows does.
pub(super) fn awake_ms() -> Option<u64> {
    raw::awake().map(|steps| steps / 10_000)
}

/// What tells this machine from others: made when Windows was installed.
pub(super) fn machine_id() -> Option<String> {
    raw::registry_text("SOFTWARE\\Microsoft\\Cryptography", "MachineGuid")
}

/// The name of this machine.
pub(super) fn host_name() -> Option<String> {
    let key = "SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ActiveComputerName";
    raw::registry_text(key, "ComputerName")
}

/// The process that started this one, held so that its end can be seen.
#[derive(Debug)]
pub(super) struct Parent(pub(super) Option<OwnedHandle>);
