//! The log: files in the log folder, for people who look for a fault. stdout is the protocol's and never written
//! here. Nothing secret is ever given to the log: secrets have types that cannot be printed.
//!
//! Owns: the level, the shape of a line. How lines get into files is `log/files.rs`.

use super::{Env, Paths};
use files::Files;
use std::fmt;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

mod files;

pub use files::{FILE_BYTES, FILES, TOTAL_BYTES, files_of};

/// Lines that may wait for the disk; more are dropped. The place for them is taken at the start, so it is kept small.
const WAITING: usize = 1024;

/// Starts the log, at the level that `level` finds. The guard writes out what is waiting when it is dropped. Where no
/// file can be written there is no log: that is no reason to stop.
pub fn start(paths: &Paths, env: &Env) -> Option<WorkerGuard> {
    let level = level(env);
    if level == LevelFilter::OFF {
        return None;
    }
    super::file::make_folder(paths.logs()).ok()?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING)
        .finish(Files::of(paths.logs()));
    let ours = Targets::new()
        .with_target("countersign", level)
        .with_default(LevelFilter::WARN.min(level));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_timer(Stamp(std::process::id()))
        .with_ansi(false)
        .with_target(true);
    tracing_subscriber::registry()
        .with(ours)
        .with(layer)
        .try_init()
        .ok()?;
    Some(guard)
}

/// How much is logged: `COUNTERSIGN_LOG` (`error`, `warn`, `info`, `debug`, `trace` or `off`), else `RUST_LOG`, which a
/// client may have set for itself: its bare level, or the one for `countersign`. Else, and for any other word, `info`.
fn level(env: &Env) -> LevelFilter {
    if let Some(ours) = env.text("COUNTERSIGN_LOG") {
        return ours.trim().parse().unwrap_or(LevelFilter::INFO);
    }
    let theirs = env.text("RUST_LOG").unwrap_or_default();
    let words = || theirs.split(',').map(str::trim);
    let named = words().find_map(|word| word.strip_prefix("countersign="));
    named
        .or_else(|| words().find(|word| !word.is_empty() && !word.contains('=')))
        .and_then(|word| word.parse().ok())
        .unwrap_or(LevelFilter::INFO)
}

/// When and by which process: several write into one file.
struct Stamp(u32);

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{} [{}]", super::clock::rfc3339(super::wall_ms()), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_variable_comes_before_that_of_all_rust_programs() {
        let of = |pairs: [(&str, &str); 2]| level(&Env::of(pairs));
        assert_eq!(
            of([("COUNTERSIGN_LOG", "debug"), ("RUST_LOG", "off")]),
            LevelFilter::DEBUG
        );
        assert_eq!(
            of([("COUNTERSIGN_LOG", ""), ("RUST_LOG", "warn")]),
            LevelFilter::WARN
        );
        assert_eq!(
            of([("COUNTERSIGN_LOG", "hope"), ("RUST_LOG", "off")]),
            LevelFilter::INFO
        );
        let rust = |text: &str| level(&Env::of([("RUST_LOG", text)]));
        assert_eq!(rust("h2=off,trace"), LevelFilter::TRACE);
        assert_eq!(rust("trace,countersign=error"), LevelFilter::ERROR);
        assert_eq!(rust("codex_core=debug"), LevelFilter::INFO);
        assert_eq!(level(&Env::of([])), LevelFilter::INFO);
    }
}
