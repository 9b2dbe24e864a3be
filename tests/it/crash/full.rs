//! A disk that is full, or fails, at every place where an order needs it; and a state folder that cannot be written.
//!
//! `strace` lets the N-th of one system call fail, once or from there on, for every N until the order no longer needs it.
//! What is then told is compared with what the service knows: nothing is sent without its line, and an outcome that cannot
//! be written is told all the same.

use super::*;
use crate::support::program::Client;
use crate::trade::bid;
use std::path::PathBuf;
use std::process::Command as Plain;
use tokio::process::Command;

/// More calls of one kind than one order needs.
const MOST: usize = 60;

/// Which calls fail: once, or from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    Once,
    Always,
}

fn failing(home: &Home, url: &str, call: &str, path: Option<&PathBuf>, nth: usize, fails: Fails) -> Command {
    let mut command = home.shell("strace");
    command.args(["-f", "-qq", "-o"]).arg(home.folder().join("trace"));
    if let Some(path) = path {
        command.arg("-P").arg(path);
    }
    let from = if fails == Fails::Always { "+" } else { "" };
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:error=ENOSPC:when={nth}{from}")]);
    command.args([env!("CARGO_BIN_EXE_countersign"), "serve", "--url", url]);
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

/// Whether a call has failed in this run.
fn has_failed(home: &Home) -> bool {
    let trace = std::fs::read_to_string(home.folder().join("trace")).unwrap_or_default();
    trace.contains("INJECTED")
}

/// One order through a disk that fails; what was told, and whether it was in the way at all.
async fn order(yard: &Yard, home: &Home, command: Command, price: f64) -> (String, bool) {
    let mut client = Home::start(command).hello().await;
    let told = client.call("PlaceOrder", &bid(price)).await;
    let (said, words) = (status(&told).to_owned(), text(&told).to_owned());
    let (received, executed) = (yard.received(price).await, yard.executed(price).await);
    assert!(executed <= 1 && received <= 1, "{words}");
    match &*said {
        "accepted" => assert_eq!(executed, 1, "{words}"),
        "voided" | "refused" => {
            assert!(words.starts_with("NOT SENT"), "{words}");
            assert_eq!(received, 0, "{words}");
        }
        // It could not even be ended on the disk: nothing is said of it yet but that it waits.
        "not_sent_waiting_for_person" => assert_eq!(received, 0, "{words}"),
        other => panic!("{other}: {words}"),
    }
    client.close().await;
    (said, has_failed(home))
}

/// The next process agrees with what was told.
async fn afterwards(yard: &Yard, home: &Home, price: f64, said: &str, fails: Fails) {
    let mut next: Client = home.serve(&yard.sim).await.hello().await;
    let all_ended = async || {
        let open = |ticket: &Value| ticket["state"] == "held" || ticket["state"] == "sending";
        (!tickets(home).iter().any(open)).then_some(())
    };
    until("the recovery", all_ended).await;
    if let Some(ticket) = tickets(home).pop() {
        let told = next
            .call("countersign_await_approval", &json!({ "ticket": ticket["id"] }))
            .await;
        let now = status(&told);
        let agrees = match said {
            "accepted" => now == "accepted" || (fails == Fails::Always && now == "unknown"),
            _ => now == "voided" && yard.received(price).await == 0 || now == "unknown",
        };
        assert!(agrees, "told {said}, then {now}: {}", text(&told));
    }
    next.close().await;
    verified(home).await;
}

async fn each(call: &'static str, of_journal: bool, fails: Fails) {
    if !may_trace(&format!("a disk that fails at each {call}")) {
        return;
    }
    let yard = Yard::new().await;
    let (mut sent, mut stopped) = (0, 0);
    for nth in 1..MOST {
        let price = 4000.0 + f64::from(u32::try_from(nth).expect("few"));
        let home = yard.home();
        home.settings("requests_per_second = 0.0\nhold_seconds = 5\n");
        let path = of_journal.then(|| home.folder().join("state/journal.jsonl"));
        let command = failing(&home, &yard.sim.url, call, path.as_ref(), nth, fails);
        let (said, failed) = order(&yard, &home, command, price).await;
        afterwards(&yard, &home, price, &said, fails).await;
        if !failed {
            assert_eq!(said, "accepted");
            assert!(
                stopped >= 1 && sent >= 1,
                "{call}: {stopped} stopped, {sent} sent in spite of it"
            );
            return;
        }
        *(if said == "accepted" {
            &mut sent
        } else {
            &mut stopped
        }) += 1;
    }
    panic!("{call}: an order takes more than {MOST} of them");
}

#[tokio::test]
async fn a_journal_line_cannot_be_written() {
    each("write", true, Fails::Once).await;
}

#[tokio::test]
async fn no_journal_line_can_be_written_from_here_on() {
    each("write", true, Fails::Always).await;
}

#[tokio::test]
async fn a_journal_line_does_not_reach_the_disk() {
    each("fdatasync", false, Fails::Once).await;
}

#[tokio::test]
async fn a_file_does_not_reach_the_disk() {
    each("fsync", false, Fails::Once).await;
}

#[tokio::test]
async fn no_file_reaches_the_disk_from_here_on() {
    each("fsync", false, Fails::Always).await;
}

#[tokio::test]
async fn a_file_cannot_take_its_place() {
    each("rename", false, Fails::Once).await;
}

#[tokio::test]
async fn no_file_can_take_its_place_from_here_on() {
    each("rename", false, Fails::Always).await;
}

/// A file system of its own on the state folder; it ends with this value.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, said loudly, where this machine lets nobody mount.
    fn at(folder: PathBuf, words: &[&str]) -> Option<Self> {
        let done = Plain::new("mount")
            .args(words)
            .arg(&folder)
            .output()
            .expect("mount");
        if done.status.success() {
            return Some(Self(folder));
        }
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        // Not as root: said in the test's output, which the runner shows for what fails and for what is asked for.
        skipped("mounting is not allowed here", &why);
        None
    }

    /// Puts a read-only view over it, or takes that away again. Not a remount: a running program keeps a file of its own
    /// open for writing there, and the kernel then refuses it.
    fn read_only(&self, yes: bool) {
        let mount = |words: &[&str]| {
            let done = Plain::new(words[0]).args(&words[1..]).arg(&self.0).status();
            assert!(done.expect("mount").success(), "{words:?}");
        };
        if yes {
            let here = self.0.to_str().expect("a plain path");
            mount(&["mount", "--bind", here]);
            mount(&["mount", "-o", "remount,bind,ro"]);
        } else {
            // Files that a program opened in it meanwhile keep it busy.
            mount(&["umount", "-l"]);
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Plain::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A copy of the installation whose state folder is a file system of this size.
fn small_disk(yard: &Yard, size: &str) -> Option<(Home, Mounted)> {
    let home = yard.home();
    home.settings("requests_per_second = 0.0\nhold_seconds = 5\n");
    let (state, kept) = (home.folder().join("state"), home.folder().join("kept"));
    std::fs::rename(&state, &kept).expect("moved");
    std::fs::create_dir(&state).expect("a folder");
    let mounted = Mounted::at(
        state.clone(),
        &["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "none"],
    )?;
    copy(&kept, &state);
    Some((home, mounted))
}

/// A disk that is really full: refused, with the reason; there is room again: it goes.
#[tokio::test]
async fn the_disk_is_full() {
    let yard = Yard::new().await;
    let Some((home, _mounted)) = small_disk(&yard, "2m") else {
        return;
    };
    let filler = home.folder().join("state/filler");
    let mut client = home.serve(&yard.sim).await.hello().await;
    let mut file = std::fs::File::create(&filler).expect("a file");
    while std::io::Write::write_all(&mut file, &[7; 4096]).is_ok() {}
    drop(file);
    let told = client.call("PlaceOrder", &bid(4000.0)).await;
    assert_eq!(told["structuredContent"]["code"], "disk", "{told}");
    assert!(text(&told).starts_with("NOT SENT"), "{}", text(&told));
    assert_eq!(yard.received(4000.0).await, 0);
    let read = client.call("ListAccounts", &json!({})).await;
    assert_ne!(read["isError"], true, "reads go on: {read}");
    verified(&home).await;
    std::fs::remove_file(&filler).expect("removed");
    let told = client.call("PlaceOrder", &bid(4000.0)).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    client.close().await;
    verified(&home).await;
}

/// A state folder that cannot be written: a clear reason, reads go on, nothing is sent; also for a program that starts so.
#[tokio::test]
async fn the_state_folder_is_read_only() {
    let yard = Yard::new().await;
    let Some((home, mounted)) = small_disk(&yard, "8m") else {
        return;
    };
    let mut before = home.serve(&yard.sim).await.hello().await;
    let read = before.call("ListAccounts", &json!({})).await;
    assert_ne!(read["isError"], true, "{read}");
    mounted.read_only(true);
    let mut after = home.serve(&yard.sim).await.hello().await;
    for client in [&mut before, &mut after] {
        let told = client.call("PlaceOrder", &bid(4000.0)).await;
        assert_eq!(told["structuredContent"]["code"], "disk", "{told}");
        assert!(text(&told).starts_with("NOT SENT"), "{}", text(&told));
        let read = client.call("ListAccounts", &json!({})).await;
        assert_ne!(read["isError"], true, "reads go on: {read}");
    }
    assert_eq!(yard.received(4000.0).await, 0);
    mounted.read_only(false);
    let told = before.call("PlaceOrder", &bid(4000.0)).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    before.close().await;
    after.close().await;
    verified(&home).await;
}
