//! The programs of a measurement: a session bus, the simulator, the program itself as an AI client starts it.
//!
//! Owns: starting them, and reading what they tell. Refuses to know: what is measured.

use super::Outcome;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A program that was built before: in the folder that `COUNTERSIGN_BENCH_PROGRAMS` names, else as cargo puts it for
/// `--release`.
fn built(name: &str) -> Outcome<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release");
    let folder = std::env::var_os("COUNTERSIGN_BENCH_PROGRAMS").map_or(usual, PathBuf::from);
    let program = folder.join(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(format!(
        "{} is not there: cargo build --release --workspace",
        program.display()
    )
    .into())
}

/// The first line that a program says.
async fn first_line(child: &mut Child) -> Outcome<String> {
    let out = child.stdout.take().ok_or("no pipe")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).await?;
    Ok(line)
}

/// A session bus of its own.
pub(crate) struct Bus {
    pub(crate) address: String,
    child: std::process::Child,
}

impl Bus {
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        use std::io::BufRead as _;
        let mut child = std::process::Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!("--address=unix:dir={}", folder.display()))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("dbus-daemon (apt-get install dbus): {error}"))?;
        let mut address = String::new();
        let out = child.stdout.take().ok_or("no pipe")?;
        std::io::BufReader::new(out).read_line(&mut address)?;
        Ok(Self {
            address: address.trim().to_owned(),
            child,
        })
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The simulator.
pub(crate) struct Sim {
    url: String,
    control: String,
    http: reqwest::Client,
    _child: Child,
}

impl Sim {
    pub(crate) async fn start() -> Outcome<Self> {
        let mut child = Command::new(built("crosstrade-sim")?)
            .args(["serve", "--auto-consent", "--no-rate-limit"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let ready: Value = serde_json::from_str(&first_line(&mut child).await?)?;
        let text = |key: &str| {
            let url = ready.get(key).and_then(Value::as_str).ok_or("not ready")?;
            Ok::<_, Box<dyn std::error::Error>>(url.trim_end_matches('/').to_owned())
        };
        // Another part may have chosen one: then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            url: text("mcp_url")?,
            control: text("control_url")?,
            http: reqwest::Client::builder().no_proxy().build()?,
            _child: child,
        })
    }

    /// When each order with the trade grant had been read whole, in microseconds since 1970.
    pub(crate) async fn arrivals(&self) -> Outcome<Vec<i64>> {
        let answer = self.http.get(format!("{}/calls", self.control)).send().await?;
        let calls: Vec<Value> = serde_json::from_str(&answer.text().await?)?;
        let is = |call: &Value, key: &str, what: &str| call.get(key).and_then(Value::as_str) == Some(what);
        let orders = calls
            .iter()
            .filter(|call| is(call, "tool", "PlaceOrder") && is(call, "grant", "mcp:trade"));
        Ok(orders.filter_map(|call| call.get("at_us")?.as_i64()).collect())
    }
}

/// An installation.
pub(crate) struct Home {
    folder: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl Home {
    pub(crate) fn new(folder: &Path, bus: &str) -> Outcome<Self> {
        let home = folder.join("countersign");
        std::fs::create_dir_all(home.join("config"))?;
        // Without the service's request budget, of which five orders a few seconds apart would use up too much.
        std::fs::write(home.join("config/settings.toml"), "requests_per_second = 0.0\n")?;
        let env = vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", folder.display().to_string()),
            ("XDG_RUNTIME_DIR", folder.display().to_string()),
            ("DBUS_SESSION_BUS_ADDRESS", bus.to_owned()),
            ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent".to_owned()),
            ("DISPLAY", ":0".to_owned()),
            ("COUNTERSIGN_STORE", "file".to_owned()),
            ("COUNTERSIGN_HOME", home.display().to_string()),
        ];
        Ok(Self { folder: home, env })
    }

    fn command(&self, words: &[&str]) -> Outcome<Command> {
        let mut command = Command::new(built("countersign")?);
        command
            .args(words)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }

    /// Signs in: the address that it prints is opened, and the simulator consents by itself.
    pub(crate) async fn login(&self, sim: &Sim, more: &[&str]) -> Outcome<()> {
        let words = [&["login", "--no-browser", "--url", &sim.url], more].concat();
        let mut child = self
            .command(&words)?
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(child.stderr.take().ok_or("no pipe")?).lines();
        while let Some(line) = said.next_line().await? {
            if let Some((_, rest)) = line.split_once("http") {
                let address = format!("http{}", rest.trim());
                let http = sim.http.clone();
                tokio::spawn(async move { http.get(address).send().await });
            }
        }
        let ended = child.wait().await?;
        if ended.success() {
            return Ok(());
        }
        Err("the sign-in failed".into())
    }

    /// When each approval was written, by the journal's own lines, in microseconds since 1970 (whole milliseconds).
    pub(crate) fn approvals(&self) -> Outcome<Vec<i64>> {
        let text = std::fs::read_to_string(self.folder.join("state/journal.jsonl"))?;
        let mut times = Vec::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line)?;
            if line.get("kind").and_then(Value::as_str) == Some("approved") {
                let at = line.get("at").and_then(Value::as_str).ok_or("no time")?;
                let at: jiff::Timestamp = at.parse()?;
                times.push(at.as_microsecond());
            }
        }
        Ok(times)
    }
}

/// An AI client on the program's pipes.
pub(crate) struct Client {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    next: u64,
    _child: Child,
}

impl Client {
    pub(crate) async fn start(home: &Home, sim: &Sim) -> Outcome<Self> {
        let mut child = home
            .command(&["serve", "--url", &sim.url])?
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut client = Self {
            stdin: child.stdin.take().ok_or("no pipe")?,
            lines: BufReader::new(child.stdout.take().ok_or("no pipe")?).lines(),
            next: 0,
            _child: child,
        };
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } });
        let id = client.send("initialize", &hello).await?;
        client.answer(id).await?;
        client
            .line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        Ok(client)
    }

    async fn line(&mut self, message: &Value) -> Outcome<()> {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    async fn send(&mut self, method: &str, params: &Value) -> Outcome<u64> {
        self.next += 1;
        let id = self.next;
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        Ok(id)
    }

    async fn answer(&mut self, id: u64) -> Outcome<Value> {
        while let Some(line) = self.lines.next_line().await? {
            let message: Value = serde_json::from_str(&line)?;
            if message.get("id") == Some(&json!(id)) && message.get("method").is_none() {
                return Ok(message);
            }
        }
        Err("the program ended".into())
    }

    /// Sends an order that rests at this price; the call's id.
    pub(crate) async fn order(&mut self, price: usize) -> Outcome<u64> {
        let order = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Limit",
            "limit_price": price, "quantity": 1, "tif": "Day" });
        self.send("tools/call", &json!({ "name": "PlaceOrder", "arguments": order }))
            .await
    }

    /// Waits for its answer, which says that the service accepted it.
    pub(crate) async fn accepted(&mut self, id: u64) -> Outcome<()> {
        let answer = self.answer(id).await?;
        let status = answer.pointer("/result/structuredContent/status");
        if status.and_then(Value::as_str) == Some("accepted") {
            return Ok(());
        }
        Err(format!("{answer}").into())
    }
}
