//! The programs of a measurement: a session bus, the simulator, an installation of the program.
//!
//! Owns: starting them, and reading what they tell. Refuses to know: what is measured.

use super::Outcome;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

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
    pub(crate) url: String,
    pub(crate) control: String,
    pub(crate) http: reqwest::Client,
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
            Outcome::Ok(url.trim_end_matches('/').to_owned())
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
}

/// An installation.
pub(crate) struct Home {
    pub(crate) folder: PathBuf,
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

    /// The program with these words.
    pub(crate) fn command(&self, words: &[&str]) -> Outcome<Command> {
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
}
