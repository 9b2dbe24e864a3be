//! The log: files in the log folder, for people who look for a fault. stdout is the protocol's and never written
//! here. Nothing secret is ever given to the log: secrets have types that cannot be printed.

use super::{Env, Paths};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that may wait for the disk; more are dropped. The place for them is taken at the start, so it is kept small.
const WAITING: usize = 1024;
/// Days of log files that are kept.
const KEPT_DAYS: usize = 7;

/// Starts the log. `COUNTERSIGN_LOG` is a level: `error`, `warn`, `info` (the default), `debug`, `trace`, or `off`.
/// The guard writes out what is waiting when it is dropped. Where no file can be written there is no log.
pub fn start(paths: &Paths, env: &Env) -> Option<WorkerGuard> {
    let level = env
        .text("COUNTERSIGN_LOG")
        .and_then(|text| text.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    if level == LevelFilter::OFF {
        return None;
    }
    super::file::make_folder(paths.logs()).ok()?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("countersign")
        .filename_suffix("log")
        .max_log_files(KEPT_DAYS)
        .build(paths.logs())
        .ok()?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING)
        .finish(appender);
    let ours = Targets::new()
        .with_target("countersign", level)
        .with_default(LevelFilter::WARN.min(level));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .with_target(true);
    tracing_subscriber::registry()
        .with(ours)
        .with(layer)
        .try_init()
        .ok()?;
    Some(guard)
}
