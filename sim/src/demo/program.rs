//! The real program: found beside this one or built with cargo, and run in a home of its own.

use super::Failed;
use super::paper::Paper;
use super::person::{PLAN, Plan};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// The program's file name.
const NAME: &str = if cfg!(windows) {
    "countersign.exe"
} else {
    "countersign"
};

/// A client that follows redirects, for the consent page and the control interface.
pub(super) fn http() -> Result<reqwest::Client, Failed> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())
}

/// Where the real program is.
pub(super) struct Program(PathBuf);

impl Program {
    /// Takes the one beside this program, or builds it there.
    pub(super) fn find_or_build(paper: &Paper) -> Result<Self, Failed> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let beside = own.with_file_name(NAME);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        if !workspace.exists() {
            return if beside.exists() {
                Ok(Self(beside))
            } else {
                Err(format!("{} is not there", beside.display()))
            };
        }
        // Cargo decides whether there is anything to build: an old program would tell an old story.
        let release = own
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|folder| folder == "release");
        if !beside.exists() {
            paper.plain("Building countersign first; this takes some minutes the first time.");
        }
        let mut cargo =
            std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args([
                "build",
                "--quiet",
                "--locked",
                "-p",
                "countersign",
                "--bin",
                "countersign",
                "--manifest-path",
            ])
            .arg(&workspace);
        if let Some(target) = own.parent().and_then(Path::parent) {
            cargo.arg("--target-dir").arg(target);
        }
        if release {
            cargo.arg("--release");
        }
        let built = cargo.stdin(Stdio::null()).status();
        match built {
            Ok(status) if status.success() && beside.exists() => Ok(Self(beside)),
            Ok(_) if beside.exists() => Ok(Self(beside)),
            Ok(status) => Err(format!("countersign could not be built ({status})")),
            Err(error) => Err(format!("cargo could not be started: {error}")),
        }
    }
}

/// A home of the demo's own: nothing of yours is read or written. It goes with this value.
pub(super) struct Home {
    program: PathBuf,
    folder: PathBuf,
    url: String,
    browser: Option<PathBuf>,
    /// How many cards were waited for.
    cards: std::cell::Cell<usize>,
}

impl Home {
    pub(super) fn new(program: &Program, url: &str) -> Result<Self, Failed> {
        let folder = std::env::temp_dir().join(format!("countersign-demo-{}", std::process::id()));
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(told)?;
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let browser = person_beside(&own, &folder);
        Ok(Self {
            program: program.0.clone(),
            folder,
            url: url.to_owned(),
            browser,
            cards: std::cell::Cell::new(0),
        })
    }

    /// The program with these words.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .args(["--url", &self.url])
            .env("COUNTERSIGN_HOME", &self.folder);
        // The demo's vault is as short-lived as the demo: its key goes into a file instead of your keychain.
        command
            .env("COUNTERSIGN_STORE", "file")
            .env(PLAN, self.folder.join("plan.json"));
        if let Some(browser) = &self.browser {
            command.env("BROWSER", format!("{} person", browser.display()));
        }
        command.kill_on_drop(true);
        command
    }

    /// Runs a verb; its stdout.
    pub(super) async fn run(&self, words: &[&str]) -> Result<String, Failed> {
        self.run_with(words, "").await
    }

    pub(super) async fn run_with(&self, words: &[&str], input: &str) -> Result<String, Failed> {
        let (stdout, stderr, fine) = self.output(words, input).await?;
        if fine {
            Ok(stdout)
        } else {
            Err(format!("countersign {}: {stderr}{stdout}", words.join(" ")))
        }
    }

    /// Runs a verb with `--json`, whatever its exit code says.
    pub(super) async fn json(&self, words: &[&str]) -> Result<Value, Failed> {
        let (stdout, stderr, _) = self.output(&[words, &["--json"]].concat(), "").await?;
        serde_json::from_str(&stdout).map_err(|_| format!("countersign {}: {stderr}", words.join(" ")))
    }

    async fn output(&self, words: &[&str], input: &str) -> Result<(String, String, bool), Failed> {
        let mut command = self.command(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let told = |error: std::io::Error| format!("countersign {}: {error}", words.join(" "));
        let mut child = command.spawn().map_err(told)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await.map_err(told)?;
        }
        let done = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        let output = done
            .map_err(|_| format!("countersign {} does not end", words.join(" ")))?
            .map_err(told)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            text(&output.stdout),
            text(&output.stderr),
            output.status.success(),
        ))
    }

    /// Signs in; the service consents by itself, so opening the printed address is all that a person would do.
    pub(super) async fn login(&self, words: &[&str]) -> Result<(), Failed> {
        let mut command = self.command(&[words, &["--no-browser"]].concat());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let told = |error: std::io::Error| format!("countersign login: {error}");
        let mut child = command.spawn().map_err(told)?;
        let stderr = child.stderr.take().ok_or("no pipe")?;
        let mut said = BufReader::new(stderr).lines();
        let mut all = String::new();
        let mut opened = false;
        while let Some(line) = said.next_line().await.map_err(told)? {
            if let Some(address) = line.trim().strip_prefix("http").filter(|_| !opened) {
                opened = true;
                let (http, address) = (http()?, format!("http{address}"));
                tokio::spawn(async move { http.get(address).send().await });
            }
            all.push_str(&line);
            all.push('\n');
        }
        let status = child.wait().await.map_err(told)?;
        if status.success() { Ok(()) } else { Err(all) }
    }

    /// Writes down what the played person will do next.
    pub(super) fn plan(&self, plan: &Plan) -> Result<(), Failed> {
        let text = serde_json::to_vec(plan).map_err(|error| error.to_string())?;
        std::fs::write(self.folder.join("plan.json"), text).map_err(|error| error.to_string())
    }

    /// Waits for the next held ticket's card, as the journal has it.
    pub(super) async fn wait_for_card(&self) -> Option<String> {
        let path = self.folder.join("state").join("journal.jsonl");
        let is_held = |line: &&str| line.contains("\"kind\":\"held\"");
        let known = self.cards.get();
        for _ in 0..400 {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some(line) = text.lines().filter(is_held).nth(known) {
                self.cards.set(known + 1);
                let entry: Value = serde_json::from_str(line).unwrap_or_default();
                return Some(entry["card"].as_str().unwrap_or_default().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        None
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A name for this program that has no blank in it, as `$BROWSER` needs it; only on systems that read `$BROWSER`.
fn person_beside(own: &Path, folder: &Path) -> Option<PathBuf> {
    #[cfg(unix)]
    {
        let link = folder.join("browser");
        std::os::unix::fs::symlink(own, &link).ok()?;
        Some(link)
    }
    #[cfg(not(unix))]
    {
        let _ = (own, folder);
        None
    }
}
