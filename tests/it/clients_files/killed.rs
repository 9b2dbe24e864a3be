//! kill -9 at every step: the program runs under `strace`, which kills it as it enters the N-th of one system call, for every N
//! until it comes to its end. Whatever it left, the client's file is whole, and a second run puts everything right.

use super::*;
use crate::support::folder::Folder;
use crate::support::program::Home;
use countersign::system::mono_ms;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// More calls of one kind than one run needs.
const MOST: usize = 80;
/// What changes a disk.
const CALLS: [&str; 6] = ["write", "fsync", "fchmod", "rename", "unlink", "mkdir"];
const BEFORE: &str = "{\r\n  \"theme\": \"dark\" // mine\r\n}\r\n";

/// A home with one client whose file is there, and an installation beside it.
struct Desk {
    keep: Folder,
    home: Home,
}

impl Desk {
    fn new(before: Option<&str>) -> Self {
        let keep = Folder::new();
        let folder = keep.path().join("trader");
        fs::create_dir_all(folder.join(".cursor")).expect("folders");
        let desk = Self {
            home: Home::new().with("HOME", &folder.display().to_string()),
            keep,
        };
        if let Some(before) = before {
            fs::write(desk.file(), before).expect("written");
        }
        desk
    }

    fn file(&self) -> PathBuf {
        self.keep.path().join("trader/.cursor/mcp.json")
    }

    fn strace(&self, inject: &str, call: &str, verb: &str) -> Command {
        let mut command = self.home.shell("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        command.args(["-e", &format!("inject={call}:{inject}")]);
        command.args([env!("CARGO_BIN_EXE_countersign"), verb, "cursor", "--yes"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Whether it was killed.
    fn killed_at(&self, call: &str, nth: usize, verb: &str) -> bool {
        let mut command = self.strace(&format!("signal=SIGKILL:when={nth}"), call, verb);
        let end = command
            .output()
            .expect("`strace` is not installed: apt-get install strace");
        traced(&end);
        let killed = end.status.signal() == Some(9) || end.status.code() == Some(137);
        assert!(
            killed || end.status.success(),
            "{verb} {call} {nth}: {}",
            String::from_utf8_lossy(&end.stderr)
        );
        killed
    }

    fn run(&self, verb: &str) {
        let mut command = self.home.shell(env!("CARGO_BIN_EXE_countersign"));
        let end = command
            .args([verb, "cursor", "--yes"])
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert!(
            end.status.success(),
            "{verb}: {}",
            String::from_utf8_lossy(&end.stderr)
        );
    }

    fn content(&self) -> Option<String> {
        fs::read_to_string(self.file()).ok()
    }
}

fn traced(end: &Output) {
    let said = String::from_utf8_lossy(&end.stderr);
    assert!(
        !said.contains("PTRACE") && !said.contains("ptrace"),
        "strace may not trace here, so NOTHING WAS TRIED (allow ptrace, as `docker run --cap-add SYS_PTRACE` does): {said}"
    );
}

/// Kills one verb everywhere; the file is what it was or what it is to become.
fn everywhere(before: Option<&str>, verb: &str, calls: &[&str]) {
    let model = Desk::new(before);
    let at_first = tree(&model.keep.path().join("trader")).len();
    model.run("install");
    let mut kills = 0;
    for call in calls {
        for nth in 1..=MOST {
            let desk = Desk::new(before);
            // The installation's own folder is named in the entry, so each desk has its own text.
            desk.run("install");
            let with = desk.content();
            if verb == "install" {
                desk.run("uninstall");
            }
            let killed = desk.killed_at(call, nth, verb);
            let left = desk.content();
            assert!(
                left.as_deref() == before || left == with,
                "{verb} {call} {nth} left {left:?}"
            );
            desk.run("install");
            assert_eq!(desk.content(), with, "{verb} {call} {nth}: put right");
            desk.run("uninstall");
            assert_eq!(desk.content().as_deref(), before, "{verb} {call} {nth}");
            let tree = tree(&desk.keep.path().join("trader"));
            assert_eq!(
                tree.len(),
                at_first,
                "{verb} {call} {nth} left something behind: {:?}",
                tree.keys()
            );
            if !killed {
                break;
            }
            kills += 1;
            assert!(nth < MOST, "{call}: more than {MOST}");
        }
    }
    assert!(kills > 3, "{verb}: only {kills} kills");
}

#[test]
fn while_installing() {
    everywhere(Some(BEFORE), "install", &CALLS);
}

#[test]
fn while_installing_where_no_file_was() {
    everywhere(None, "install", &["fsync", "rename", "unlink"]);
}

#[test]
fn while_uninstalling() {
    everywhere(Some(BEFORE), "uninstall", &["fsync", "rename", "unlink"]);
}

/// The client writes its file while our new one is being made: the client's stays.
#[test]
fn the_client_writes_while_we_write() {
    let desk = Desk::new(Some(BEFORE));
    // Both the backup and the new file are given their rights; each time there is time to write.
    let child = desk
        .strace("delay_enter=3000000", "fchmod", "install")
        .spawn()
        .expect("strace");
    let new = desk.file().with_file_name("mcp.json.countersign-new");
    let until = mono_ms() + 60_000;
    while !new.exists() {
        assert!(mono_ms() < until, "it never came to write");
        std::thread::sleep(Duration::from_millis(5));
    }
    let theirs = BEFORE.replace("dark", "light");
    fs::write(desk.file(), &theirs).expect("the client writes");
    let end = child.wait_with_output().expect("its end");
    traced(&end);
    let said = String::from_utf8_lossy(&end.stderr);
    assert_eq!(end.status.code(), Some(8), "{said}");
    assert!(
        said.contains("changed by another program") && said.contains("left as it is"),
        "{said}"
    );
    assert_eq!(desk.content(), Some(theirs));
    assert_eq!(
        fs::read_dir(desk.keep.path().join("trader/.cursor"))
            .expect("a folder")
            .count(),
        1
    );
}
