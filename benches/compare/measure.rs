//! Taking the numbers.
//!
//! Owns: which numbers, and that everybody's rounds stand side by side, so that a busy minute hits all of them.
//! Refuses to know: how they are shown.

use super::Outcome;
use super::bridge::{Bridge, Peer, Place};
use super::direct::Direct;
use super::server::{Server, Transport};
use futures_util::future::try_join_all;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many calls are under way at a time.
pub(crate) const IN_FLIGHT: [u64; 4] = [1, 8, 64, 256];

/// How much is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) calls: u64,
    pub(crate) starts: usize,
    pub(crate) sizes: Vec<usize>,
    pub(crate) lab: String,
    /// What is called, with this id.
    pub(crate) call: fn(u64) -> String,
}

/// Where everybody calls, and what its rows are called by.
pub(crate) struct Target<'a> {
    pub(crate) url: &'a str,
    pub(crate) folder: &'a Path,
    /// What opens the server for those who call it directly.
    pub(crate) token: Option<&'a str>,
    pub(crate) transport: &'a str,
    pub(crate) form: &'a str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rounds: 3,
            calls: 10_000,
            starts: 15,
            sizes: vec![1 << 20, 10 << 20],
            lab: String::new(),
            call: echo,
        }
    }
}

/// A number over all rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

/// Everything about one candidate over one transport. What could not be had is missing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) transport: String,
    pub(crate) form: String,
    /// From the start of the process to the answer of `initialize`, ms.
    pub(crate) first_answer_ms: Option<Spread>,
    /// One call, one after the other, µs.
    pub(crate) p50_us: Option<Spread>,
    pub(crate) p99_us: Option<Spread>,
    pub(crate) p999_us: Option<Spread>,
    /// Calls a second with so many under way.
    pub(crate) per_second: BTreeMap<u64, Spread>,
    /// One result of so many bytes, ms.
    pub(crate) result_ms: BTreeMap<usize, Spread>,
    pub(crate) idle_pss_mb: Option<f64>,
    pub(crate) calls_pss_mb: Option<f64>,
    /// The most that was resident at any time, with the largest result.
    pub(crate) peak_mb: Option<f64>,
    pub(crate) cpu_ms_per_1000: Option<Spread>,
    /// From the end of stdin to the end of the process, ms.
    pub(crate) exit_ms: Option<Spread>,
    pub(crate) trouble: Option<String>,
}

/// One candidate while it is measured.
#[derive(Default)]
struct Taken {
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    cpu: Vec<f64>,
    per_second: BTreeMap<u64, Vec<f64>>,
    result: BTreeMap<usize, Vec<f64>>,
}

/// One who answers calls.
pub(crate) enum Candidate {
    Direct(tokio::runtime::Runtime, Direct),
    Bridge(Bridge),
}

pub(crate) fn echo(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"MES 12-26 last 6012.25"}}}}}}"#
    )
}

pub(crate) fn big(id: u64, bytes: usize) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"big","arguments":{{"bytes":{bytes}}}}}}}"#
    )
}

impl Candidate {
    /// One after the other: how long each took, in µs, in order of size.
    fn one_by_one(&mut self, call: fn(u64) -> String, calls: u64) -> Outcome<Vec<f64>> {
        let mut taken = Vec::new();
        for id in 1..=calls {
            let line = call(id);
            let begun = Instant::now();
            self.call(line)?;
            taken.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        taken.sort_by(f64::total_cmp);
        Ok(taken)
    }

    /// One call; the length of its answer.
    fn call(&mut self, line: String) -> Outcome<usize> {
        match self {
            Self::Direct(runtime, direct) => runtime.block_on(direct.post(line)),
            Self::Bridge(bridge) => {
                bridge.send(&line)?;
                bridge.answer().map(|(length, _)| length)
            }
        }
    }

    /// So many calls in all, so many of them at a time.
    pub(crate) fn at_once(&mut self, call: fn(u64) -> String, calls: u64, at_once: u64) -> Outcome<Duration> {
        let begun = Instant::now();
        match self {
            Self::Direct(runtime, direct) => {
                let next = Cell::new(0);
                let worker = || async {
                    while next.get() < calls {
                        next.set(next.get() + 1);
                        direct.post(call(next.get())).await?;
                    }
                    Ok::<_, Box<dyn std::error::Error>>(())
                };
                runtime.block_on(try_join_all((0..at_once).map(|_| worker())))?;
            }
            Self::Bridge(bridge) => {
                let (mut sent, mut answered) = (0, 0);
                while answered < calls {
                    while sent < calls && sent - answered < at_once {
                        sent += 1;
                        bridge.send(&call(sent))?;
                    }
                    bridge.answer()?;
                    answered += 1;
                }
            }
        }
        Ok(begun.elapsed())
    }

    fn round(&mut self, plan: &Plan, taken: &mut Taken) -> Outcome<()> {
        let cpu = self.cpu();
        let times = self.one_by_one(plan.call, plan.calls)?;
        if let (Some(before), Some(after)) = (cpu, self.cpu()) {
            let spent = after.saturating_sub(before).as_secs_f64() * 1e3;
            taken
                .cpu
                .push(spent * 1e3 / f64::from(u32::try_from(plan.calls)?));
        }
        let quantile = |of: f64| {
            // Lengths below 2^52 are whole in an f64.
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in a list of some thousands"
            )]
            let at = (times.len() as f64 * of) as usize;
            times.get(at.min(times.len() - 1)).copied()
        };
        taken.p50.extend(quantile(0.5));
        taken.p99.extend(quantile(0.99));
        taken.p999.extend(quantile(0.999));
        for at_once in IN_FLIGHT {
            let calls = plan.calls.min(4000);
            let spent = self.at_once(plan.call, calls, at_once)?.as_secs_f64();
            let rate = f64::from(u32::try_from(calls)?) / spent;
            taken.per_second.entry(at_once).or_default().push(rate);
        }
        for size in &plan.sizes {
            let begun = Instant::now();
            let length = self.call(big(1, *size))?;
            if length < *size {
                return Err(format!("a result of {size} bytes came as {length}").into());
            }
            let spent = begun.elapsed().as_secs_f64() * 1e3;
            taken.result.entry(*size).or_default().push(spent);
        }
        Ok(())
    }

    fn cpu(&self) -> Option<Duration> {
        match self {
            Self::Direct(..) => None,
            Self::Bridge(bridge) => Some(bridge.cpu()),
        }
    }
}

/// All candidates over one transport, their rounds side by side.
pub(crate) fn all(
    plan: &Plan,
    peers: &BTreeMap<String, Peer>,
    transport: Transport,
    events: bool,
) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(transport, events, folder.path())?;
    let target = Target {
        url: &server.url,
        folder: folder.path(),
        token: None,
        transport: transport.name(),
        form: if events { "sse" } else { "json" },
    };
    field(plan, peers, &target)
}

/// All candidates at one server.
pub(crate) fn field(plan: &Plan, peers: &BTreeMap<String, Peer>, target: &Target<'_>) -> Outcome<Vec<Row>> {
    let mut field = vec![(row("direct", target), direct(target)?, Taken::default())];
    let mut rows = Vec::new();
    for (name, peer) in peers {
        let mut row = row(name, target);
        match bridge(plan, peer, target, &mut row) {
            Ok(bridge) => field.push((row, Candidate::Bridge(bridge), Taken::default())),
            Err(trouble) => {
                row.trouble = Some(trouble.to_string());
                rows.push(row);
            }
        }
    }
    for (_, candidate, _) in &mut field {
        candidate.one_by_one(plan.call, plan.calls.min(500))?;
    }
    for _ in 0..plan.rounds {
        for (row, candidate, taken) in &mut field {
            if row.trouble.is_none()
                && let Err(trouble) = candidate.round(plan, taken)
            {
                row.trouble = Some(trouble.to_string());
            }
        }
    }
    // Time to give back what only the calls needed.
    std::thread::sleep(Duration::from_millis(2500));
    for (row, candidate, taken) in field {
        rows.push(finished(row, &candidate, taken));
    }
    rows.sort_by_key(|row| (row.name != "direct", row.name != "countersign", row.name.clone()));
    Ok(rows)
}

fn row(name: &str, target: &Target<'_>) -> Row {
    Row {
        name: name.to_owned(),
        transport: target.transport.to_owned(),
        form: target.form.to_owned(),
        ..Row::default()
    }
}

fn direct(target: &Target<'_>) -> Outcome<Candidate> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let direct = runtime.block_on(Direct::start(target.url, target.folder, target.token))?;
    Ok(Candidate::Direct(runtime, direct))
}

/// Starts and ends it some times, and leaves one running whose memory was looked at after a while of rest.
fn bridge(plan: &Plan, peer: &Peer, target: &Target<'_>, row: &mut Row) -> Outcome<Bridge> {
    let place = Place {
        url: target.url,
        folder: target.folder,
        lab: &plan.lab,
    };
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for turn in 0..=plan.starts {
        let bridge = Bridge::start(peer, &place)?;
        let start = bridge.first_answer.as_secs_f64() * 1e3;
        // The first one makes its folders and warms the disk.
        let end = bridge.end().map(|end| end.as_secs_f64() * 1e3);
        if turn > 0 {
            starts.push(start);
            ends.extend(end);
        }
    }
    (row.first_answer_ms, row.exit_ms) = (Spread::of(starts), Spread::of(ends));
    let bridge = Bridge::start(peer, &place)?;
    std::thread::sleep(Duration::from_millis(1500));
    row.idle_pss_mb = Some(mb(bridge.pss_kb()));
    Ok(bridge)
}

fn finished(mut row: Row, candidate: &Candidate, taken: Taken) -> Row {
    if let Candidate::Bridge(bridge) = candidate {
        row.peak_mb = Some(mb(bridge.peak_kb()));
        row.calls_pss_mb = Some(mb(bridge.pss_kb()));
    }
    row.p50_us = Spread::of(taken.p50);
    row.p99_us = Spread::of(taken.p99);
    row.p999_us = Spread::of(taken.p999);
    row.cpu_ms_per_1000 = Spread::of(taken.cpu);
    let of = |(key, values)| Spread::of(values).map(|spread| (key, spread));
    row.per_second = taken.per_second.into_iter().filter_map(of).collect();
    let of = |(key, values)| Spread::of(values).map(|spread| (key, spread));
    row.result_ms = taken.result.into_iter().filter_map(of).collect();
    row
}

fn mb(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1024.0
}
