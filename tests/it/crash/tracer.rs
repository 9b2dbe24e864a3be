//! Kills a program as it enters the N-th of one system call, counted over all of its threads.
//!
//! `strace` can do the same but counts for each thread alone: which call is "the N-th" is then decided by how the threads
//! share the work, and an edge that falls to the later one of two threads is never met.

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where a program dies.
#[derive(Debug, Clone)]
pub(super) struct Death {
    /// The system call that counts.
    pub(super) call: &'static str,
    /// Only calls on this file count.
    pub(super) file: Option<PathBuf>,
    /// The first is 1.
    pub(super) nth: usize,
}

/// The number of this system call here.
fn number(call: &str) -> libc::c_long {
    match call {
        "fdatasync" => libc::SYS_fdatasync,
        "fsync" => libc::SYS_fsync,
        "recvfrom" => libc::SYS_recvfrom,
        #[cfg(target_arch = "x86_64")]
        "rename" => libc::SYS_rename,
        #[cfg(not(target_arch = "x86_64"))]
        "rename" => libc::SYS_renameat,
        "write" => libc::SYS_write,
        "writev" => libc::SYS_writev,
        other => panic!("no number for {other}"),
    }
}

/// The program that this command would start, stopped before its first instruction until somebody traces it.
pub(super) fn stopped(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
}

/// Traces the program that was started so, until it ends or dies there. Nobody else may wait for it before this has ended:
/// its stops are told to any thread of this process that asks.
pub(super) fn trace(id: u32, death: Death) -> JoinHandle<()> {
    let id = Pid::from_raw(id.try_into().expect("a process id"));
    std::thread::spawn(move || until_end(id, &death))
}

fn until_end(program: Pid, death: &Death) {
    let begun = Instant::now();
    while !is_stopped(program) {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(program, options).expect("it may be traced");
    kill(program, Signal::SIGCONT).expect("it is there");
    let wanted = number(death.call);
    // A stop at a call's begin and one at its end take turns, for each thread.
    let (mut inside, mut met) = (BTreeSet::new(), 0);
    loop {
        let (thread, signal) = match next(program) {
            Ok(WaitStatus::PtraceSyscall(thread)) => {
                if !inside.remove(&thread) {
                    inside.insert(thread);
                    if counts(thread, wanted, death.file.as_deref()) {
                        met += 1;
                        if met == death.nth {
                            // A call that has not begun does not begin any more.
                            let _ = kill(program, Signal::SIGKILL);
                        }
                    }
                }
                (thread, None)
            }
            Ok(WaitStatus::PtraceEvent(thread, _, _)) => (thread, None),
            Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
            Ok(WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, _, _)) if thread == program => {
                return;
            }
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => return,
            Err(error) => panic!("waiting for it: {error}"),
        };
        match ptrace::syscall(thread, signal) {
            // Killed meanwhile.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("letting it go on: {error}"),
        }
    }
}

/// What happened next. The program's end is only looked at: this process is its parent too, and takes it elsewhere.
fn next(program: Pid) -> nix::Result<WaitStatus> {
    // This thread's own: another one of this process waits for children of its own.
    let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD | WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED;
    let seen = waitid(Id::All, ours | WaitPidFlag::WNOWAIT)?;
    match seen {
        WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, _, _) if thread == program => Ok(seen),
        // Killed since, it has nothing to say any more.
        _ => waitid(seen.pid().map_or(Id::All, Id::Pid), ours | WaitPidFlag::WNOHANG),
    }
}

fn is_stopped(program: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{program}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Whether the call that this thread is about to make is one that counts.
fn counts(thread: Pid, wanted: libc::c_long, file: Option<&Path>) -> bool {
    let Ok(call) = std::fs::read_to_string(format!("/proc/{thread}/syscall")) else {
        return false;
    };
    let mut words = call.split_whitespace();
    if words.next().and_then(|number| number.parse().ok()) != Some(wanted) {
        return false;
    }
    let Some(file) = file else { return true };
    let handle = words
        .next()
        .and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    let open = handle.and_then(|handle| std::fs::read_link(format!("/proc/{thread}/fd/{handle}")).ok());
    open.as_deref() == Some(file)
}
