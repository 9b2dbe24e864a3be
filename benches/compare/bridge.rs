//! A bridge under measurement: a program that speaks MCP on its pipes, and what the system says about its processes.
//!
//! Owns: starting, one line out and one line in, memory and processor time of the whole family.
//! Refuses to know: what is measured, and which program it is.

use super::Outcome;
use super::server::authority;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How a bridge is started. `{URL}`, `{LAB}` and `{HOME}` in its words are replaced.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct Peer {
    cmd: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

impl Peer {
    pub(crate) fn new(cmd: Vec<String>, env: BTreeMap<String, String>) -> Self {
        Self { cmd, env }
    }

    /// The same, started by another program.
    pub(crate) fn under(&self, words: &[&str]) -> Self {
        let cmd = words.iter().map(|word| (*word).to_owned());
        Self {
            cmd: cmd.chain(self.cmd.iter().cloned()).collect(),
            env: self.env.clone(),
        }
    }
}

/// Where a bridge runs: the server, and folders of its own.
pub(crate) struct Place<'a> {
    pub(crate) url: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) lab: &'a str,
}

pub(crate) struct Bridge {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
}

impl Bridge {
    pub(crate) fn start(peer: &Peer, place: &Place<'_>) -> Outcome<Self> {
        let home = place.folder.join("home");
        std::fs::create_dir_all(&home)?;
        let fill = |word: &String| {
            let word = word.replace("{URL}", place.url).replace("{LAB}", place.lab);
            word.replace("{HOME}", &home.display().to_string())
        };
        let mut words = peer.cmd.iter().map(fill);
        let program = words.next().ok_or("a peer without a command")?;
        let authority = authority(place.folder);
        let mut command = Command::new(program);
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .envs(peer.env.iter().map(|(name, value)| (name, fill(value))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if authority.is_file() {
            command
                .env("SSL_CERT_FILE", &authority)
                .env("NODE_EXTRA_CA_CERTS", &authority);
        }
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let mut bridge = Self {
            stdin: child.stdin.take(),
            // Large enough that a 100 MB line is not cut into thousands of reads by the one who measures.
            stdout: BufReader::with_capacity(1 << 20, child.stdout.take().ok_or("no pipe")?),
            child,
            line: Vec::new(),
            first_answer: Duration::ZERO,
        };
        bridge.send(&super::hello(0))?;
        bridge.answer()?;
        bridge.first_answer = begun.elapsed();
        bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        Ok(bridge)
    }

    pub(crate) fn send(&mut self, line: &str) -> Outcome<()> {
        let stdin = self.stdin.as_mut().ok_or("closed")?;
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        Ok(stdin.write_all(&bytes)?)
    }

    /// The next answer's length and id. What the server says by itself is passed over.
    pub(crate) fn answer(&mut self) -> Outcome<(usize, u64)> {
        loop {
            self.line.clear();
            if self.stdout.read_until(b'\n', &mut self.line)? == 0 {
                return Err("the bridge ended".into());
            }
            if let Some(id) = answered(&self.line)? {
                return Ok((self.line.len(), id));
            }
        }
    }

    /// Memory of its own in kB, with a fair share of what it shares (PSS), over its whole family.
    pub(crate) fn pss_kb(&self) -> u64 {
        let pss = |id: &u32| status(&format!("/proc/{id}/smaps_rollup"), "Pss:");
        self.family().iter().map(pss).sum()
    }

    /// The most that was ever resident (kB), over its whole family.
    pub(crate) fn peak_kb(&self) -> u64 {
        let peak = |id: &u32| status(&format!("/proc/{id}/status"), "VmHWM:");
        self.family().iter().map(peak).sum()
    }

    /// Processor time so far, over its whole family. The kernel counts in hundredths of a second.
    pub(crate) fn cpu(&self) -> Duration {
        let ticks = |id: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let after = stat
                .rsplit_once(')')
                .map(|(_, rest)| rest.to_owned())
                .unwrap_or_default();
            // Fields 14 and 15, counted from the state, which is the third (proc_pid_stat(5)).
            after
                .split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse::<u64>().ok())
                .sum::<u64>()
        };
        Duration::from_millis(self.family().iter().map(ticks).sum::<u64>() * 10)
    }

    /// The process and all that it started.
    fn family(&self) -> Vec<u32> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let parent = status(&format!("/proc/{id}/status"), "PPid:");
            children
                .entry(u32::try_from(parent).unwrap_or(0))
                .or_default()
                .push(id);
        }
        let mut family = vec![self.child.id()];
        let mut at = 0;
        while let Some(one) = family.get(at).copied() {
            family.extend(children.remove(&one).unwrap_or_default());
            at += 1;
        }
        family
    }

    /// Closes its stdin, as clients do, and returns how long it took to end; nothing where it had to be killed.
    pub(crate) fn end(mut self) -> Option<Duration> {
        let begun = Instant::now();
        self.stdin = None;
        let mut rest = Vec::new();
        while begun.elapsed() < Duration::from_secs(5) {
            if self.child.try_wait().ok().flatten().is_some() {
                let _ = self.stdout.read_to_end(&mut rest);
                return Some(begun.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number behind a name in one of the kernel's tables.
fn status(path: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// The id of an answer, looked for in its first and last bytes only: a line of 100 MB is not parsed by the one who
/// measures. An error is an error.
fn answered(line: &[u8]) -> Outcome<Option<u64>> {
    let ends = 200;
    let head = line.get(..ends.min(line.len())).unwrap_or_default();
    let tail = line.get(line.len().saturating_sub(ends)..).unwrap_or_default();
    if line.len() < 4 * ends {
        let message: serde_json::Value = serde_json::from_slice(line)?;
        if let Some(error) = message.get("error") {
            return Err(format!("an error was answered: {error}").into());
        }
        if message.get("method").is_some() {
            return Ok(None);
        }
    }
    let id = |part: &[u8]| {
        let text = String::from_utf8_lossy(part).into_owned();
        let (_, rest) = text.split_once("\"id\":")?;
        let digits: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    };
    Ok(id(head).or_else(|| id(tail)))
}
