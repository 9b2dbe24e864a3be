//! The command line: the words that people type. Data goes to stdout, talk to stderr.
//!
//! Owns: verbs, their output, exit codes. Decides nothing: every decision is the gate's or the person's.
//! May call: every room.

mod account;
mod acknowledge;
mod apply;
mod args;
mod clients;
mod diagnostics;
mod doctor;
mod journal;
mod keys;
mod out;
mod own;
mod policy;
mod rules;
mod serve;
mod service;
mod setup;
mod shell;
mod status;
mod switch;
mod waiting;

use crate::oauth::{Endpoint, Grants};
use crate::system::{World, log, process};
use args::{Cli, Verb};
use clap::Parser;
use out::Out;
use std::io::IsTerminal;
use std::process::ExitCode;

/// The address of `CrossTrade`'s hosted MCP server.
pub const CROSSTRADE: &str = "https://app.crosstrade.io/v1/api/mcp";

/// How a verb ended (the exit code).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All done.
    Fine = 0,
    /// It did not work.
    Failure = 1,
    /// Wrong words on the command line.
    Usage = 2,
    /// Nobody is signed in.
    NotSignedIn = 3,
    /// The service cannot be reached.
    Unreachable = 4,
    /// The person said no.
    Denied = 5,
    /// Nobody decided in time.
    Expired = 6,
    /// The policy, a halt or a definition forbids it.
    Refused = 7,
    /// A config file is wrong.
    Config = 8,
    /// Some of it was done.
    Partly = 9,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What every verb gets.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) world: World,
    pub(crate) endpoint: Endpoint,
    pub(crate) http: reqwest::Client,
    pub(crate) out: Out,
}

impl Context {
    /// The grants of this endpoint; nothing is opened yet.
    pub(crate) fn grants(&self) -> Grants {
        let grants = Grants::open(&self.world, self.endpoint.clone(), self.http.clone());
        grants.person_is_present();
        grants
    }
}

/// Starts the program.
pub fn main() -> ExitCode {
    process::harden();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let out = Out::new(cli.json);
    match &cli.verb {
        Some(Verb::Completions { shell }) => return shell::completions(out, *shell).into(),
        Some(Verb::Man { to }) => return shell::man(out, to.as_deref()).into(),
        _ => {}
    }
    let world = match World::real() {
        Ok(world) => world,
        Err(why) => {
            return fail(
                out,
                &why,
                "set COUNTERSIGN_HOME to a folder of yours",
                Exit::Config,
            );
        }
    };
    let endpoint = match Endpoint::parse(cli.url.as_deref().unwrap_or(CROSSTRADE)) {
        Ok(endpoint) => endpoint,
        Err(why) => return fail(out, &why, "give --url an https address", Exit::Usage),
    };
    let verb = match cli.verb {
        Some(verb) => verb,
        None if std::io::stdin().is_terminal() => return usage(&Cli::help()),
        None => Verb::Serve(args::Serve::default()),
    };
    // Installing and removing: the folder of the log is not made before the first, and gone after the second.
    let keeps_log = !matches!(verb, Verb::Own(_));
    let _log = keeps_log.then(|| log::start(&world.paths, &world.env));
    if matches!(verb, Verb::Serve(_)) {
        // Clients keep what comes on stderr: so their own files say where ours are.
        out.say(&format!(
            "countersign {}: the log is in {}",
            env!("CARGO_PKG_VERSION"),
            world.paths.logs().display()
        ));
    }
    let http = match crate::upstream::client(&endpoint) {
        Ok(http) => http,
        Err(why) => return fail(out, &why, "check the certificates of this system", Exit::Failure),
    };
    let context = Context {
        world,
        endpoint,
        http,
        out,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(
                context.out,
                &error.to_string(),
                "the system is out of threads or files",
                Exit::Failure,
            );
        }
    };
    let exit = runtime.block_on(run(verb, context));
    // The reader thread may sit in a read that never ends; the process ends all the same.
    runtime.shutdown_background();
    exit.into()
}

async fn run(verb: Verb, context: Context) -> Exit {
    match verb {
        Verb::Serve(what) => serve::serve(context, what).await,
        Verb::Setup(what) => Box::pin(setup::setup(&context, &what)).await,
        Verb::Login(what) => account::login(&context, &what).await,
        Verb::Logout { trade, pin_stdin } => account::logout(&context, trade, pin_stdin).await,
        Verb::Status => status::status(&context).await,
        Verb::Doctor => Box::pin(doctor::doctor(&context)).await,
        Verb::Policy(args::Policy::Apply) => apply::apply(&context).await,
        Verb::Policy(what) => policy::policy(&context, &what).await,
        Verb::Presence(what) => rules::presence(&context, &what).await,
        Verb::Arm { minutes } => switch::arm(&context, minutes).await,
        Verb::Pending => waiting::pending(&context).await,
        Verb::Watch => Box::pin(waiting::watch(&context)).await,
        Verb::Deny { ticket } => waiting::deny(&context, &ticket).await,
        Verb::Acknowledge { ticket } => acknowledge::acknowledge(&context, ticket.as_deref()).await,
        Verb::Halt => switch::halt(&context),
        Verb::Resume => switch::resume(&context).await,
        Verb::Journal(what) => journal::journal(&context, &what),
        Verb::Install(words) => clients::install(&context, &words),
        Verb::Uninstall(words) => clients::uninstall(&context, &words),
        Verb::Clients => clients::list(&context),
        Verb::Tools => service::tools(&context),
        Verb::Call { tool, arguments } => service::call(&context, &tool, arguments.as_deref()).await,
        Verb::Diagnostics { file, yes } => Box::pin(diagnostics::diagnostics(&context, file, yes)).await,
        // They need no world, and came to their end before there was one.
        Verb::Completions { .. } | Verb::Man { .. } => Exit::Usage,
        Verb::Version => {
            context.out.data(
                &format!("countersign {}", env!("CARGO_PKG_VERSION")),
                &serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }),
            );
            Exit::Fine
        }
        Verb::Own(what) => own::own(&context, &what).await,
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // Help goes to stdout and is no failure; what is wrong goes to stderr.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Fine.into()
    }
}

fn fail(out: Out, why: &str, hint: &str, exit: Exit) -> ExitCode {
    out.error(why, hint);
    exit.into()
}
