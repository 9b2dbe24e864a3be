//! The program's memory, looked at by another program of the same user without more rights than that.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A user who is not the superuser: nobody, where these tests run as the superuser; else their own.
fn plain(command: &mut Command) -> &mut Command {
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command
}

fn looks(script: &str, process: u32) -> (bool, String) {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh", &process.to_string()])
        .stdin(Stdio::null());
    let told = plain(&mut shell).output().expect("a shell");
    let said = [told.stdout, told.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (told.status.success(), said)
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn e25_another_program_of_the_same_user_cannot_read_its_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("open to all");
    // Where the build lies another user may not look.
    let program = folder.path().join("countersign");
    std::fs::copy(env!("CARGO_BIN_EXE_countersign"), &program).expect("a copy");
    let start = |mut command: Command| {
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("COUNTERSIGN_HOME", folder.path().join("state-of-it"))
            .env("PLANTED", "a-secret-in-the-environment")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        plain(&mut command).spawn().expect("it starts")
    };
    let mut other = Command::new("cat");
    other.arg("-");
    let other = start(other);
    let mut serve = Command::new(&program);
    serve.args(["serve", "--url", "http://127.0.0.1:9/"]);
    let mut ours = start(serve);
    // It is up once it has answered.
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    writeln!(ours.stdin.as_mut().expect("a pipe"), "{hello}").expect("it reads");
    let mut line = String::new();
    BufReader::new(ours.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("an answer");
    assert!(line.contains("result"), "{line}");
    let environment = "tr '\\0' '\\n' </proc/$1/environ | grep PLANTED";
    let (readable, said) = looks(environment, other.id());
    assert!(
        readable && said.contains("a-secret"),
        "the look itself works: {said}"
    );
    let memory = [
        environment,
        "cat /proc/$1/maps",
        "head -c 1 /proc/$1/mem",
        "ls -l /proc/$1/fd/0",
        "cat /proc/$1/auxv",
        "command -v gcore >/dev/null || exit 1; gcore -o /tmp/countersign-core $1; test -e /tmp/countersign-core.$1",
        "command -v strace >/dev/null || exit 1; timeout 5 strace -p $1 2>&1 | grep -q attached",
    ];
    for script in memory {
        let (readable, said) = looks(script, ours.id());
        assert!(!readable && !said.contains("a-secret"), "{script}: {said}");
    }
    end(ours);
    end(other);
}
