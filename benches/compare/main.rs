//! The program beside direct HTTP and beside other bridges, against one local server, in one run.
//!
//! Owns: what is asked for on the command line, and the order of the rounds.
//! Refuses to know: how a number is taken (`measure`), how it is shown (`report`).
//!
//! `cargo bench -p countersign-benches --bench compare -- --help` names the options. Nothing here fails for being slow.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement reads clocks and its caller's environment, and tells a terminal what it found"
)]

#[cfg(target_os = "linux")]
mod bridge;
#[cfg(target_os = "linux")]
#[path = "../parts/profile.rs"]
mod counters;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(target_os = "linux")]
mod growth;
#[cfg(target_os = "linux")]
mod instructions;
#[cfg(target_os = "linux")]
mod kept;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod picture;
#[cfg(target_os = "linux")]
mod profile;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod trader;

/// Whatever went wrong: there is no number then.
#[cfg(target_os = "linux")]
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The largest result that is asked for.
#[cfg(target_os = "linux")]
const HUGE: usize = 100 << 20;

/// The first line of a conversation.
#[cfg(target_os = "linux")]
fn hello(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{{"protocolVersion":"2025-06-18","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}}}}}}"#
    )
}

#[cfg(target_os = "linux")]
mod run {
    use super::bridge::Peer;
    use super::measure::{self, Plan, Row};
    use super::server::Transport;
    use super::{Outcome, growth, instructions, picture, profile, report, trader};
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    const HELP: &str = "cargo bench -p countersign-benches --bench compare -- [options]

  --program FILE      the program (target/release/countersign)
  --peers FILE        other bridges: benches/compare/peers.json shows how
  --lab DIR           what stands for {LAB} in that file
  --only A,B          these bridges alone
  --transports A,B    of http1, tls, h2, and crosstrade: CrossTrade's own profile, reading at the simulator (all)
  --forms A,B         of json, sse (both)
  --rounds N          rounds (3); each number is the median of its rounds
  --calls N           calls one after the other in a round (10000)
  --starts N          starts (15)
  --huge              results of 100 MB too
  --instructions      counts instructions a call instead (valgrind), and compares with instructions.json
  --keep              with --instructions: writes that file anew
  --profile           counts system calls and heap blocks a call instead (strace, valgrind)
  --growth            measures how costs grow instead
  --out DIR           where compare.md, compare.json and compare.svg go (this folder's parent)";

    struct Options {
        plan: Plan,
        peers: BTreeMap<String, Peer>,
        transports: Vec<Transport>,
        forms: Vec<bool>,
        crosstrade: bool,
        program: PathBuf,
        out: PathBuf,
        what: What,
        keep: bool,
    }

    /// What is measured.
    #[derive(Clone, Copy, PartialEq)]
    enum What {
        Compare,
        Growth,
        Profile,
        Instructions,
    }

    fn options(words: &[String]) -> Outcome<Options> {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut options = Options {
            plan: Plan::default(),
            peers: BTreeMap::new(),
            transports: Transport::ALL.to_vec(),
            forms: vec![false, true],
            crosstrade: true,
            program: PathBuf::new(),
            out: here.clone(),
            what: What::Compare,
            keep: false,
        };
        let mut program = here.join("../target/release/countersign");
        let (mut peers, mut only) = (None, None);
        let mut words = words.iter().filter(|word| *word != "--bench");
        while let Some(word) = words.next() {
            match word.as_str() {
                "--huge" => options.plan.sizes.push(super::HUGE),
                "--growth" => options.what = What::Growth,
                "--profile" => options.what = What::Profile,
                "--instructions" => options.what = What::Instructions,
                "--keep" => options.keep = true,
                _ => {}
            }
            if ["--growth", "--huge", "--instructions", "--keep", "--profile"].contains(&word.as_str()) {
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word} wants a value\n{HELP}"))?;
            match word.as_str() {
                "--program" => program = PathBuf::from(value),
                "--peers" => peers = Some(value.clone()),
                "--lab" => options.plan.lab.clone_from(value),
                "--only" => only = Some(value.clone()),
                "--transports" => {
                    options.crosstrade = value.split(',').any(|name| name == trader::NAME);
                    let named = value.split(',').filter(|name| *name != trader::NAME);
                    let named = named.map(|name| Transport::of(name).ok_or(HELP));
                    options.transports = named.collect::<Result<_, _>>()?;
                }
                "--forms" => options.forms = value.split(',').map(|name| name == "sse").collect(),
                "--rounds" => options.plan.rounds = value.parse()?,
                "--calls" => options.plan.calls = value.parse()?,
                "--starts" => options.plan.starts = value.parse()?,
                "--out" => options.out = PathBuf::from(value),
                _ => return Err(format!("{word} is no option\n{HELP}").into()),
            }
        }
        if !program.is_file() {
            return Err(format!("{} is not there: cargo build --release", program.display()).into());
        }
        options.program = program.canonicalize()?;
        let serve = ["serve", "--profile", "plain", "--url", "{URL}"].map(str::to_owned);
        let command = [vec![options.program.display().to_string()], serve.to_vec()].concat();
        let env = BTreeMap::from([
            ("COUNTERSIGN_HOME".to_owned(), "{HOME}/.countersign".to_owned()),
            ("COUNTERSIGN_STORE".to_owned(), "file".to_owned()),
        ]);
        if let Some(file) = peers {
            options.peers = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        }
        options
            .peers
            .insert("countersign".to_owned(), Peer::new(command, env));
        if let Some(only) = only {
            options
                .peers
                .retain(|name, _| only.split(',').any(|one| one == name));
        }
        Ok(options)
    }

    pub(super) fn all(words: &[String]) -> Outcome<()> {
        let options = options(words)?;
        if options.what != What::Compare {
            let peer = options.peers.get("countersign");
            let peer = peer.ok_or("--only leaves nobody to measure")?;
            if options.what == What::Profile {
                return profile::all(peer, &options.program);
            }
            if options.what == What::Growth {
                return growth::all(peer, &options.program);
            }
            let kept = options.out.join("instructions.json");
            if instructions::all(peer, &kept, options.keep)? {
                return Ok(());
            }
            return Err("a call costs over 5 % more instructions than before".into());
        }
        let load = || {
            let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
            load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
        };
        let before = load();
        let mut rows: Vec<Row> = Vec::new();
        for transport in &options.transports {
            for events in &options.forms {
                eprintln!("{}, {}", transport.words(), if *events { "SSE" } else { "JSON" });
                rows.extend(measure::all(&options.plan, &options.peers, *transport, *events)?);
            }
        }
        if options.crosstrade {
            eprintln!("CrossTrade's profile");
            rows.extend(trader::all(&options.plan, &options.program)?);
        }
        let run = report::Run {
            when: jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string(),
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            load_before: before,
            load_after: load(),
            rounds: options.plan.rounds,
            calls: options.plan.calls,
            starts: options.plan.starts,
            rows,
        };
        let table = report::markdown(&run);
        println!("{table}");
        std::fs::write(options.out.join("compare.md"), &table)?;
        std::fs::write(
            options.out.join("compare.json"),
            serde_json::to_string_pretty(&run)? + "\n",
        )?;
        std::fs::write(options.out.join("compare.svg"), picture::svg(&run))?;
        Ok(())
    }

    /// What this program is when it is started as its own server.
    pub(super) fn server(words: &[String]) -> Outcome<()> {
        let [_, transport, form, folder, ..] = words else {
            return Err(HELP.into());
        };
        let transport = Transport::of(transport).ok_or(HELP)?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(super::server::serve(transport, form == "sse", folder.as_ref()))
    }
}

#[cfg(target_os = "linux")]
fn main() -> Outcome<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--serve") {
        return run::server(&words);
    }
    run::all(&words)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("memory and processor time are read from Linux's /proc");
}
