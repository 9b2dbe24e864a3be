//! How the program's cost grows: with a message's size, with the calls in flight, with the number of processes; with what it
//! keeps (`kept`).
//!
//! Owns: the curves and their slope. Refuses to know: what a good slope is; the reader sees it (1 is linear).

use super::Outcome;
use super::bridge::{Bridge, Peer, Place};
use super::kept;
use super::measure::{Candidate, big, echo};
use super::server::{Server, Transport};
use std::path::Path;
use std::time::Instant;

/// A curve: against what, in which unit it is counted, and its points.
pub(crate) struct Curve {
    pub(crate) against: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// The exponent of the power that fits best (least squares over the logarithms): 0 is constant, 1 linear.
    fn slope(&self) -> Option<f64> {
        let logs: Vec<(f64, f64)> = self
            .points
            .iter()
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .map(|(x, y)| (x.ln(), y.ln()))
            .collect();
        let count = f64::from(u32::try_from(logs.len()).ok()?);
        let (x, y) = logs.iter().fold((0.0, 0.0), |(x, y), one| (x + one.0, y + one.1));
        let (x, y) = (x / count, y / count);
        let (over, under) = logs.iter().fold((0.0, 0.0), |(over, under), one| {
            (
                over + (one.0 - x) * (one.1 - y),
                under + (one.0 - x) * (one.0 - x),
            )
        });
        (under > 0.0).then(|| over / under)
    }

    fn print(&self) {
        let points = self.points.iter().map(|(x, y)| format!("{x}: {y:.2}"));
        let slope = self.slope().map_or("–".to_owned(), |slope| format!("{slope:.2}"));
        println!(
            "| {} | {} | {} | {slope} |",
            self.against,
            self.unit,
            points.collect::<Vec<_>>().join(", ")
        );
    }
}

/// All curves, printed as a Markdown table.
pub(crate) fn all(peer: &Peer, program: &Path) -> Outcome<()> {
    println!("| against | unit | points | slope |\n|---|---|---|---|");
    for curve in sizes(peer)? {
        curve.print();
    }
    in_flight(peer)?.print();
    for curve in processes(peer)? {
        curve.print();
    }
    for curve in kept::catalogue(program)? {
        curve.print();
    }
    for curve in kept::journal(program)? {
        curve.print();
    }
    Ok(())
}

pub(crate) fn number(of: usize) -> Outcome<f64> {
    Ok(f64::from(u32::try_from(of)?))
}

/// Time and peak memory of one result, against its size.
fn sizes(peer: &Peer) -> Outcome<[Curve; 2]> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Transport::Http1, false, folder.path())?;
    let place = Place {
        url: &server.url,
        folder: folder.path(),
        lab: "",
    };
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    for bytes in [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] {
        // Each size in a process of its own: the peak is the most that a process ever had.
        let mut bridge = Bridge::start(peer, &place)?;
        for _ in 0..3 {
            bridge.send(&echo(1))?;
            bridge.answer()?;
        }
        let mut taken = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            bridge.send(&big(2, bytes))?;
            bridge.answer()?;
            taken.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        taken.sort_by(f64::total_cmp);
        let median = taken.get(taken.len() / 2).copied().ok_or("no time")?;
        times.push((number(bytes)?, median));
        peaks.push((
            number(bytes)?,
            f64::from(u32::try_from(bridge.peak_kb())?) / 1024.0,
        ));
    }
    Ok([
        Curve {
            against: "bytes of a result",
            unit: "ms",
            points: times,
        },
        Curve {
            against: "bytes of a result",
            unit: "MB resident at most",
            points: peaks,
        },
    ])
}

/// Time for a call, against how many are under way.
fn in_flight(peer: &Peer) -> Outcome<Curve> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Transport::Http1, false, folder.path())?;
    let place = Place {
        url: &server.url,
        folder: folder.path(),
        lab: "",
    };
    let mut candidate = Candidate::Bridge(Bridge::start(peer, &place)?);
    let mut points = Vec::new();
    for at_once in [1, 4, 16, 64, 256, 1000_u64] {
        let calls = 4000;
        let spent = candidate.at_once(echo, calls, at_once)?;
        let each = spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(calls)?);
        points.push((f64::from(u32::try_from(at_once)?), each));
    }
    Ok(Curve {
        against: "calls in flight",
        unit: "µs a call",
        points,
    })
}

/// Memory of each, and the time of a call, against how many processes there are.
fn processes(peer: &Peer) -> Outcome<[Curve; 2]> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Transport::Http1, false, folder.path())?;
    let place = Place {
        url: &server.url,
        folder: folder.path(),
        lab: "",
    };
    let (mut family, mut memory, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in [1, 2, 5, 10, 20] {
        while family.len() < wanted {
            family.push(Bridge::start(peer, &place)?);
        }
        let mut taken = Vec::new();
        for id in 1..=200 {
            for one in &mut family {
                let begun = Instant::now();
                one.send(&echo(id))?;
                one.answer()?;
                taken.push(begun.elapsed().as_secs_f64() * 1e6);
            }
        }
        taken.sort_by(f64::total_cmp);
        let kb: u64 = family.iter().map(Bridge::pss_kb).sum();
        let each = f64::from(u32::try_from(kb)?) / 1024.0 / number(wanted)?;
        memory.push((number(wanted)?, each));
        times.push((
            number(wanted)?,
            taken.get(taken.len() / 2).copied().ok_or("no time")?,
        ));
    }
    Ok([
        Curve {
            against: "processes",
            unit: "MB (PSS) each",
            points: memory,
        },
        Curve {
            against: "processes",
            unit: "µs a call, median",
            points: times,
        },
    ])
}
