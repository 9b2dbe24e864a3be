//! A verb of the program that runs beside the test: what it says so far, and what is typed into it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use super::program::Home;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinHandle;

/// How long it may take until something is said, or until the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running verb.
pub(crate) struct Verb {
    child: Child,
    stdin: ChildStdin,
    out: Said,
    err: Said,
}

struct Said(Arc<Mutex<String>>, JoinHandle<()>);

impl Said {
    fn of(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&text);
        let task = tokio::spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut piece).await {
                into.lock().expect("no panic").push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        });
        Self(text, task)
    }

    fn text(&self) -> String {
        self.0.lock().expect("no panic").clone()
    }
}

impl Verb {
    /// Starts it; its stdin stays open and is no terminal.
    pub(crate) fn start(home: &Home, words: &[&str]) -> Self {
        let mut command = home.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdin = child.stdin.take().expect("a pipe");
        let out = Said::of(child.stdout.take().expect("a pipe"));
        let err = Said::of(child.stderr.take().expect("a pipe"));
        Self { child, stdin, out, err }
    }

    /// Waits until it has said this on stderr; all that it has said.
    pub(crate) async fn until(&self, text: &str) -> String {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let said = self.err.text();
            if said.contains(text) {
                return said;
            }
            assert!(tokio::time::Instant::now() < end, "waited for {text:?}; it said: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The sign-in address that it prints.
    pub(crate) async fn address(&self) -> String {
        let said = self.until("response_type=code").await;
        let line = said.lines().find(|line| line.contains("response_type=code")).expect("a line");
        line.trim().to_owned()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Types a line.
    pub(crate) async fn type_line(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
        self.stdin.flush().await.expect("it reads");
    }

    /// Waits for its end: exit code, stdout, stderr.
    pub(crate) async fn end(mut self) -> (i32, String, String) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let code = ended.unwrap_or_else(|_| panic!("it does not end: {}", self.err.text())).expect("an end").code();
        for said in [&mut self.out, &mut self.err] {
            let _ = tokio::time::timeout(Duration::from_secs(2), &mut said.1).await;
        }
        (code.unwrap_or(-1), self.out.text(), self.err.text())
    }
}

/// A `$BROWSER` that opens nothing and writes down each address: the test itself plays the person.
pub(crate) struct Opened {
    pub(crate) script: PathBuf,
    list: PathBuf,
}

impl Opened {
    /// In this folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let (script, list) = (folder.join("browser.sh"), folder.join("opened"));
        std::fs::write(&script, format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >>'{}'\n", list.display())).expect("a script");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("executable");
        }
        Self { script, list }
    }

    /// The addresses so far.
    pub(crate) fn all(&self) -> Vec<String> {
        std::fs::read_to_string(&self.list).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Waits for the address number `n`, from 0.
    pub(crate) async fn nth(&self, n: usize) -> String {
        for _ in 0..1000 {
            if let Some(url) = self.all().get(n) {
                return url.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no browser was opened: {:?}", self.all());
    }
}
