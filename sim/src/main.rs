//! `crosstrade-sim`: starts the simulator from the command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use crosstrade_sim::options::Options;

/// The documented `CrossTrade` MCP service on this machine, with a paper market behind it.
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve until interrupted. Prints one JSON line with the addresses when ready.
    Serve(Options),
    /// Show the whole product on this machine: held orders, your decision, the journal.
    Demo,
    /// The person whom the demo plays where there is no desktop (it is given to the program as its browser).
    #[command(hide = true)]
    Person {
        /// The page to decide on
        address: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse().verb {
        Verb::Serve(options) => serve(options).await,
        Verb::Demo => crosstrade_sim::demo::run().await.map_err(io::Error::other),
        Verb::Person { address } => crosstrade_sim::demo::person::visit(&address)
            .await
            .map_err(io::Error::other),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say it if stderr is closed.
            let _ = writeln!(io::stderr(), "crosstrade-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> io::Result<()> {
    let simulator = crosstrade_sim::start(options).await?;
    let line = serde_json::to_string(&simulator.addresses).map_err(io::Error::other)?;
    writeln!(io::stdout(), "{line}")?;
    io::stdout().flush()?;
    interrupted().await
}

#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
