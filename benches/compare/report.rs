//! The table: Markdown for people, and the same as JSON.
//!
//! Owns: which number stands where, and with how many digits. Refuses to know: where the numbers come from.

use super::measure::{IN_FLIGHT, Row, Spread};
use serde::Serialize;
use std::fmt::Write as _;

/// One run, whole.
#[derive(Serialize)]
pub(crate) struct Run {
    pub(crate) when: String,
    pub(crate) processors: usize,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
    pub(crate) rounds: usize,
    pub(crate) calls: u64,
    pub(crate) starts: usize,
    pub(crate) rows: Vec<Row>,
}

/// The kinds of servers of a run, each with its rows, in the order in which they were measured.
pub(crate) fn groups(run: &Run) -> Vec<(String, Vec<&Row>)> {
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in &run.rows {
        let name = format!("{} · {}", row.transport, row.form);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((name, vec![row])),
        }
    }
    groups
}

/// The whole run as Markdown.
pub(crate) fn markdown(run: &Run) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Measured {} on {} processors, load {} before and {} after; {} rounds of {} calls, {} starts. A number is the median of its \
         rounds, the two behind it the least and the most.\n",
        run.when, run.processors, run.load_before, run.load_after, run.rounds, run.calls, run.starts
    );
    for (name, rows) in groups(run) {
        let _ = writeln!(text, "### {name}\n");
        let names = rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>();
        let _ = writeln!(text, "| | {} |", names.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(names.len()));
        let mut line = |what: &str, cell: &dyn Fn(&Row) -> Option<String>| {
            let cells = rows.iter().map(|row| cell(row).unwrap_or_else(|| "–".to_owned()));
            let _ = writeln!(text, "| {what} | {} |", cells.collect::<Vec<_>>().join(" | "));
        };
        line("start to first answer, ms", &|row| {
            spread(row.first_answer_ms.as_ref())
        });
        line("a call, p50, µs", &|row| spread(row.p50_us.as_ref()));
        line("a call, p99, µs", &|row| spread(row.p99_us.as_ref()));
        line("a call, p99.9, µs", &|row| spread(row.p999_us.as_ref()));
        let direct = rows.iter().find(|row| row.name == "direct").copied();
        line("added to direct, p50 / p99, µs", &|row| added(row, direct?));
        for at_once in IN_FLIGHT {
            line(&format!("calls a second, {at_once} in flight"), &|row| {
                let mine = row.per_second.get(&at_once)?;
                let all = direct?.per_second.get(&at_once)?.median;
                Some(format!(
                    "{} ({:.0} %)",
                    spread(Some(mine))?,
                    100.0 * mine.median / all
                ))
            });
        }
        let sizes = rows.iter().flat_map(|row| row.result_ms.keys().copied());
        let mut sizes: Vec<usize> = sizes.collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            line(&format!("a result of {} MB, ms", size >> 20), &|row| {
                let mine = row.result_ms.get(&size)?;
                let limit = direct?.result_ms.get(&size)?.median;
                Some(format!("{} (×{:.2})", spread(Some(mine))?, mine.median / limit))
            });
        }
        line("PSS idle / after the calls, MB", &|row| {
            Some(format!("{:.1} / {:.1}", row.idle_pss_mb?, row.calls_pss_mb?))
        });
        line("most that was resident, MB", &|row| {
            Some(format!("{:.0}", row.peak_mb?))
        });
        line("processor time for 1000 calls, ms", &|row| {
            spread(row.cpu_ms_per_1000.as_ref())
        });
        line("end of stdin to end of process, ms", &|row| {
            spread(row.exit_ms.as_ref())
        });
        line("trouble", &|row| {
            row.trouble.clone().map(|text| text.replace('|', "/"))
        });
        text.push('\n');
    }
    text
}

fn spread(of: Option<&Spread>) -> Option<String> {
    let of = of?;
    let digits = usize::from(of.median < 100.0);
    Some(format!(
        "{:.digits$} ({:.digits$}–{:.digits$})",
        of.median, of.least, of.most
    ))
}

fn added(row: &Row, direct: &Row) -> Option<String> {
    if row.name == direct.name {
        return None;
    }
    let p50 = row.p50_us.as_ref()?.median - direct.p50_us.as_ref()?.median;
    let p99 = row.p99_us.as_ref()?.median - direct.p99_us.as_ref()?.median;
    Some(format!("{p50:+.0} / {p99:+.0}"))
}
