//! The real program in a home of its own, and an MCP client that speaks to it over its pipes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

use super::folder::Folder;
use super::sim::Sim;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long one message may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An installation: its folder, and the environment of every process in it.
pub(crate) struct Home {
    folder: PathBuf,
    env: Vec<(String, String)>,
    _keep: Option<Folder>,
}

impl Home {
    /// A new one without a desktop, with the key in a file.
    pub(crate) fn new() -> Self {
        let keep = Folder::new();
        let folder = keep.path().join("countersign");
        let path = std::env::var("PATH").unwrap_or_default();
        let env = [("PATH", path), ("HOME", keep.path().display().to_string())];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let home = Self {
            folder,
            env,
            _keep: Some(keep),
        };
        home.with("COUNTERSIGN_STORE", "file").settled()
    }

    /// A new one on a desktop, whose environment this is. The key goes where the desktop keeps keys.
    pub(crate) fn on(folder: &Path, env: Vec<(String, String)>) -> Self {
        Self {
            folder: folder.join("countersign"),
            env,
            _keep: None,
        }
        .settled()
    }

    /// Without the service's own request budget, which would only make the tests slow.
    fn settled(self) -> Self {
        self.settings("requests_per_second = 0.0\n");
        self
    }

    /// One more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(key, _)| key != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes `settings.toml`.
    pub(crate) fn settings(&self, text: &str) {
        self.file("config/settings.toml", text);
    }

    /// Writes a file of the installation. A policy that is written so is one that the person has approved; tests of what
    /// holds a changed one write it behind the program's back ([`Self::meddle`]).
    pub(crate) fn file(&self, name: &str, text: &str) {
        self.meddle(name, text);
        if name == "config/policy.toml" {
            let record = std::fs::read(self.folder.join("state/approved.json")).unwrap_or_default();
            let mut record: Value = serde_json::from_slice(&record).unwrap_or_else(|_| json!({}));
            record["policy"] = text.into();
            self.meddle("state/approved.json", &record.to_string());
        }
    }

    /// Writes a file as any program of this user can.
    pub(crate) fn meddle(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// The installation's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program with these words, not started yet.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        command
            .env("COUNTERSIGN_HOME", &self.folder)
            .args(words)
            .kill_on_drop(true);
        command
    }

    /// Another program (a terminal) in the environment of this installation.
    pub(crate) fn shell(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .env("COUNTERSIGN_HOME", &self.folder);
        command
    }

    /// Runs a verb to its end: exit code, stdout, stderr.
    pub(crate) async fn run(&self, words: &[&str]) -> (i32, String, String) {
        self.run_with(words, "").await
    }

    /// Runs a verb with this on its stdin.
    pub(crate) async fn run_with(&self, words: &[&str], input: &str) -> (i32, String, String) {
        let mut command = self.command(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).await.expect("its input");
        drop(stdin);
        let done = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        let output = done
            .unwrap_or_else(|_| panic!("{words:?} does not end"))
            .expect("its output");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap_or(-1),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Signs in at a simulator that consents by itself: the test opens the address that the program prints.
    pub(crate) async fn login(&self, sim: &Sim, trade: bool) {
        let (code, _, stderr) = self.try_login(sim, if trade { &["--trade"] } else { &[] }).await;
        assert_eq!(code, 0, "{stderr}");
    }

    /// The same, whatever comes of it. Other tests sign in at the same moment, and the ports to which a browser comes back are
    /// the same few for the whole machine: where all are taken, it is tried again.
    pub(crate) async fn try_login(&self, sim: &Sim, words: &[&str]) -> (i32, String, String) {
        let begun = std::time::Instant::now();
        loop {
            if let Some(ended) = self.login_once(sim, words).await {
                return ended;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "no free port");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `None` where the browser cannot come back.
    async fn login_once(&self, sim: &Sim, words: &[&str]) -> Option<(i32, String, String)> {
        let all = [&["login", "--no-browser", "--url", sim.url.as_str()], words].concat();
        let mut command = self.command(&all);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut stderr = String::new();
        let mut opened = false;
        while let Ok(Some(line)) = said.next_line().await {
            stderr.push_str(&line);
            stderr.push('\n');
            if line.contains("all its ports here are taken") {
                child.kill().await.expect("killed");
                return None;
            }
            if let Some(at) = line.find("http").filter(|_| !opened) {
                opened = true;
                let address = line[at..].trim().to_owned();
                let http = sim.http().clone();
                tokio::spawn(async move { http.get(address).send().await });
            }
        }
        let mut stdout = String::new();
        child
            .stdout
            .take()
            .expect("a pipe")
            .read_to_string(&mut stdout)
            .await
            .expect("its output");
        let code = child.wait().await.expect("an end").code();
        Some((code.unwrap_or(-1), stdout, stderr))
    }

    /// Starts the relay to this simulator.
    #[expect(clippy::unused_async, reason = "reads as a step of a conversation")]
    pub(crate) async fn serve(&self, sim: &Sim) -> Client {
        self.serve_url(&sim.url)
    }

    /// Starts the relay to this address.
    pub(crate) fn serve_url(&self, url: &str) -> Client {
        Self::start(self.command(&["serve", "--url", url]))
    }

    /// A relay that is started in another way.
    pub(crate) fn start(mut command: Command) -> Client {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Client {
            stdin: child.stdin.take(),
            lines,
            child,
            next: 0,
            aside: Vec::new(),
        }
    }

    /// The journal's entries of these kinds: kind and ticket.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("state/journal.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a whole line"))
            .collect()
    }
}

/// An MCP client on the program's pipes.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    next: u64,
    /// What came while something else was waited for.
    aside: Vec<String>,
}

impl Client {
    /// Shakes hands with revision 2025-06-18.
    pub(crate) async fn hello(mut self) -> Self {
        self.hello_as("2025-06-18", &json!({})).await;
        self
    }

    /// Shakes hands.
    pub(crate) async fn hello_as(&mut self, version: &str, capabilities: &Value) -> Value {
        let client = json!({ "name": "Test Client", "version": "1" });
        let params =
            json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
        let answer = self.request("initialize", &params).await;
        self.line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        answer
    }

    /// Sends one line as it is.
    pub(crate) async fn line(&mut self, line: &str) {
        self.bytes(format!("{line}\n").as_bytes()).await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("open");
        stdin.write_all(bytes).await.expect("the program reads");
        stdin.flush().await.expect("the program reads");
    }

    /// Sends a request without waiting; its id.
    pub(crate) async fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string())
            .await;
        id
    }

    /// Sends a tool call without waiting; its id.
    pub(crate) async fn send_call(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.send("tools/call", &json!({ "name": tool, "arguments": arguments }))
            .await
    }

    /// A request and its answer (the whole message).
    pub(crate) async fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    /// A tool call and its result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.send_call(tool, arguments).await;
        self.result(id).await
    }

    /// The result of a request that was sent.
    pub(crate) async fn result(&mut self, id: u64) -> Value {
        let answer = self.answer(id).await;
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    /// The answer to a request that was sent.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        let fits = |line: &String| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            (value["id"] == json!(id) && value.get("method").is_none()).then_some(value)
        };
        self.find(fits, Duration::from_secs(60))
            .await
            .unwrap_or_else(|| panic!("no answer to {id}"))
    }

    /// The next message of this method: a notification, or a request of the service.
    pub(crate) async fn said(&mut self, method: &str) -> Value {
        let wanted = |line: &String| {
            let message: Value = serde_json::from_str(line).expect("JSON");
            (message["method"] == method).then_some(message)
        };
        let found = self.find(wanted, Duration::from_secs(20)).await;
        found.unwrap_or_else(|| panic!("{method} did not come"))
    }

    /// The next line that fits, within the time.
    pub(crate) async fn find<T>(
        &mut self,
        fits: impl Fn(&String) -> Option<T>,
        limit: Duration,
    ) -> Option<T> {
        if let Some((index, found)) = self
            .aside
            .iter()
            .enumerate()
            .find_map(|(i, line)| Some((i, fits(line)?)))
        {
            self.aside.remove(index);
            return Some(found);
        }
        let until = tokio::time::Instant::now() + limit;
        loop {
            let line = tokio::time::timeout_at(until, self.reader().next_line())
                .await
                .ok()?
                .expect("stdout")?;
            match fits(&line) {
                Some(found) => return Some(found),
                None => self.aside.push(line),
            }
        }
    }

    /// The next line, whatever it is.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        if !self.aside.is_empty() {
            return Some(self.aside.remove(0));
        }
        tokio::time::timeout(PATIENCE, self.reader().next_line())
            .await
            .expect("a line in time")
            .expect("stdout")
    }

    /// The line that answers a request, as it was written; `id` is the id's text.
    pub(crate) async fn raw_answer(&mut self, id: &str) -> String {
        let starts = ["result", "error"].map(|word| format!(r#"{{"jsonrpc":"2.0","id":{id},"{word}":"#));
        let fits = |line: &String| {
            starts
                .iter()
                .any(|start| line.starts_with(start))
                .then(|| line.clone())
        };
        let found = self.find(fits, PATIENCE).await;
        found.unwrap_or_else(|| panic!("no answer to {id}"))
    }

    /// Everything that is written until the answer to a `ping` that is sent now, without that answer.
    pub(crate) async fn until_now(&mut self) -> Vec<String> {
        let id = self.send("ping", &json!({})).await;
        self.answer(id).await;
        std::mem::take(&mut self.aside)
    }

    /// Everything that came and was not asked for so far.
    pub(crate) fn aside(&self) -> &[String] {
        &self.aside
    }

    /// The program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Closes its stdin and waits for the end; what it still wrote.
    pub(crate) async fn close(mut self) -> Vec<String> {
        drop(self.stdin.take());
        let mut rest = std::mem::take(&mut self.aside);
        while let Ok(Ok(Some(line))) = tokio::time::timeout(PATIENCE, self.reader().next_line()).await {
            rest.push(line);
        }
        let ended = tokio::time::timeout(Duration::from_secs(12), self.child.wait()).await;
        assert!(ended.is_ok(), "it does not end");
        rest
    }

    /// Waits for its end, which something else than the end of stdin brings.
    pub(crate) async fn ended(mut self) {
        let ended = tokio::time::timeout(Duration::from_secs(12), self.child.wait()).await;
        assert!(ended.is_ok(), "it does not end");
    }

    /// Closes our end of its stdout, as a client does that dies in parts.
    pub(crate) fn stop_reading(&mut self) {
        self.lines = None;
    }

    fn reader(&mut self) -> &mut Lines<BufReader<ChildStdout>> {
        self.lines.as_mut().expect("still reading")
    }

    /// Kills it (SIGKILL).
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }
}

/// The text of a tool result's first block.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

/// The status word that we put into a result of our own.
pub(crate) fn status(result: &Value) -> &str {
    result["structuredContent"]["status"].as_str().unwrap_or_default()
}
