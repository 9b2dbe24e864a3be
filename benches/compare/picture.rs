//! The plot for the README: bars, drawn as SVG, readable on light and dark pages.
//!
//! Owns: places and colours. Refuses to know: where the numbers come from.

use super::measure::Row;
use super::report::{Run, groups};
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const LABEL: f64 = 150.0;
const BAR: f64 = 20.0;

/// One chart: what is shown, its unit, and the number of a row. Less is better in all of them.
type Chart = (&'static str, &'static str, fn(&Row) -> Option<f64>);

const CHARTS: [Chart; 4] = [
    ("Start to first answer", "ms", |row| {
        Some(row.first_answer_ms.as_ref()?.median)
    }),
    ("One call, median", "µs", |row| Some(row.p50_us.as_ref()?.median)),
    ("Memory at rest (PSS)", "MB", |row| row.idle_pss_mb),
    ("Processor time for 1000 calls", "ms", |row| {
        Some(row.cpu_ms_per_1000.as_ref()?.median)
    }),
];

/// The first kind of server of the run, drawn.
pub(crate) fn svg(run: &Run) -> String {
    let mut body = String::new();
    let mut y = 24.0;
    let groups = groups(run);
    let Some((name, rows)) = groups.first() else {
        return String::new();
    };
    text(
        &mut body,
        0.0,
        y,
        "h",
        &format!("Beside direct HTTP and other bridges · {name} · {}", run.when),
    );
    y += 22.0;
    for (title, unit, of) in CHARTS {
        let bars: Vec<(&str, f64)> = rows
            .iter()
            .filter_map(|row| Some((row.name.as_str(), of(row)?)))
            .collect();
        let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        text(
            &mut body,
            0.0,
            y + 14.0,
            "t",
            &format!("{title}, {unit} (less is better)"),
        );
        y += 24.0;
        for (name, value) in bars {
            let width = (WIDTH - LABEL - 90.0) * value / most;
            let class = if name == "countersign" { "us" } else { "they" };
            text(&mut body, 0.0, y + 14.0, "l", name);
            let _ = writeln!(
                body,
                r#"<rect class="{class}" x="{LABEL}" y="{y:.0}" width="{:.1}" height="{BAR}" rx="2"/>"#,
                width.max(1.0)
            );
            let digits = usize::from(value < 100.0);
            text(
                &mut body,
                LABEL + width.max(1.0) + 6.0,
                y + 14.0,
                "l",
                &format!("{value:.digits$}"),
            );
            y += BAR + 6.0;
        }
        y += 14.0;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0}" width="{WIDTH}" height="{y:.0}" role="img" aria-label="Countersign beside direct HTTP and other bridges">
<style>text{{font:13px system-ui,sans-serif;fill:#24292f}}.h{{font-weight:600;font-size:15px}}.t{{font-weight:600}}.us{{fill:#1a7f37}}.they{{fill:#8c959f}}@media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.us{{fill:#3fb950}}.they{{fill:#6e7681}}}}</style>
{body}</svg>
"#
    )
}

fn text(body: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        body,
        r#"<text class="{class}" x="{x:.0}" y="{y:.0}">{words}</text>"#
    );
}
