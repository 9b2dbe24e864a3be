//! `setup`: the guided first run, and the way back from it.
//!
//! Owns: the order of the steps, what is said at the end, and how one goes on after a stop. Each step is a file of its
//! own, looks first at what is there already, and calls the same verbs that a person could type.
//! Refuses to know: how anything is approved. Nothing here approves, loosens or overwrites.
//!
//! The order spares questions: the rules are written and the way to approve is chosen before the sign-in for trading,
//! because that sign-in puts both on record as they stand and goes under the PIN at once. Afterwards each change of them
//! would be held and asked about.

mod accounts;
mod approval;
mod clients;
mod flags;
mod last;
mod memo;
mod policy;
mod practice;
mod reading;
mod starter;
mod talk;
mod trading;
mod undo;
mod welcome;

pub(super) use flags::Flags;

use super::{Context, Exit};
use crate::gate::Tier;
use crate::oauth::{GrantInfo, GrantKind, TokenError, check_pin};
use crate::relay::settings::Settings;
use crate::system::{FileLock, file, process};
use accounts::Known;
use memo::Memo;
use secrecy::SecretString;
use serde_json::{Value, json};
use talk::Talk;

/// Why setup ends before its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The person left: Ctrl-C, Ctrl-D, or the terminal is gone.
    Left,
    /// A step failed, and said so.
    Failed(Exit),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Came {
    /// It was done now.
    Done(String),
    /// It was there before.
    Already(String),
    /// The person did not want it, or it has no place here.
    Skipped(String),
    /// It could not be done; what to do about it.
    Left(String),
}

impl Came {
    fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Already(_) => "already",
            Self::Skipped(_) => "skipped",
            Self::Left(_) => "left",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Done(text) | Self::Already(text) | Self::Skipped(text) | Self::Left(text) => text,
        }
    }
}

/// One run.
struct Setup<'a> {
    /// As the verb's own, but what other verbs print as data is talk here.
    context: Context,
    flags: &'a Flags,
    talk: Talk,
    memo: Memo,
    settings: Settings,
    /// Whether orders may be sent from here.
    trade: bool,
    /// The accounts, once they were read.
    accounts: Option<Result<Vec<Known>, String>>,
    /// The PIN that a script gave.
    pin: Option<SecretString>,
    /// How many headings there were.
    step: usize,
    /// What came of the steps.
    came: Vec<(&'static str, Came)>,
}

/// `setup`.
pub(super) async fn setup(context: &Context, flags: &Flags) -> Exit {
    let asks = context.out.can_ask() && !flags.yes;
    let inner = Context {
        world: context.world.clone(),
        endpoint: context.endpoint.clone(),
        http: context.http.clone(),
        out: context.out.as_talk(),
    };
    let talk = Talk::new(inner.out, asks);
    if let Err(error) = file::make_folder(inner.world.paths.state()) {
        return unwritable(context, &error);
    }
    let have = match overview(&inner).await {
        Ok(have) => have,
        Err(error) => {
            context.out.error(
                &error.to_string(),
                "start your keychain, or choose the file store in so many words: COUNTERSIGN_STORE=file countersign setup",
            );
            return Exit::Failure;
        }
    };
    let trade = have.iter().find(|grant| is_good(grant, GrantKind::Trade));
    let there = flags::There {
        trade: trade.is_some(),
        sealed: trade.is_some_and(|grant| grant.sealed),
        policy: inner.world.paths.policy().symlink_metadata().is_ok(),
    };
    if !asks && let Some(missing) = flags.missing(there) {
        let hint = "run it in a terminal, and it asks; nothing was changed";
        context.out.error(
            &format!("nobody can be asked here, so this flag is needed: {missing}"),
            hint,
        );
        return Exit::Usage;
    }
    // Two at once would ask the same questions and write over each other's answers. `_alone` lives as long as this does.
    let _alone = match FileLock::try_take(&inner.world.paths.lock("setup.lock")) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            let hint = "go on in that one, or end it with Ctrl-C; nothing was changed";
            context
                .out
                .error("setup is open in another terminal already", hint);
            return Exit::Failure;
        }
        Err(error) => return unwritable(context, &error),
    };
    if flags.undo {
        return undo::undo(context, &inner, flags, talk).await;
    }
    let settings = match Settings::load(&inner.world.paths) {
        Ok(settings) => settings,
        Err(why) => {
            context.out.error(&why, "correct the file; nothing was changed");
            return Exit::Config;
        }
    };
    let memo = Memo::load(&inner.world.paths);
    if let Err(error) = memo.save(&inner.world.paths) {
        return unwritable(context, &error);
    }
    let pin = match scripted_pin(flags, there).await {
        Ok(pin) => pin,
        Err(why) => {
            context.out.error(&why, "nothing was changed");
            return Exit::Usage;
        }
    };
    let mut run = Setup {
        context: inner,
        flags,
        talk,
        memo,
        settings,
        trade: false,
        accounts: None,
        pin,
        step: 0,
        came: Vec::new(),
    };
    let ended = Box::pin(run.all()).await;
    run.end(context, ended)
}

fn unwritable(context: &Context, error: &std::io::Error) -> Exit {
    context.out.error(
        &format!("{}: {error}", context.world.paths.state().display()),
        "setup needs a folder that it can write; COUNTERSIGN_HOME=/a/folder/of/yours moves everything there. Nothing was changed",
    );
    Exit::Config
}

/// The PIN of a script that the sign-in for trading goes under: read first, before anything else reads stdin.
async fn scripted_pin(flags: &Flags, there: flags::There) -> Result<Option<SecretString>, String> {
    if !flags.pin_stdin || there.trade {
        return Ok(None);
    }
    let pin = super::rules::Asked::new(true).pin("").await?;
    check_pin(&pin).map_err(|why| format!("this PIN is not strong enough: {why}"))?;
    Ok(Some(pin))
}

impl Setup<'_> {
    async fn all(&mut self) -> Result<(), Stop> {
        welcome::show(self);
        let came = until_left(Box::pin(reading::run(self))).await?;
        self.note("reading", came);
        let came = until_left(Box::pin(trading::wanted(self))).await?;
        self.note("trade", came);
        let came = until_left(Box::pin(policy::run(self))).await?;
        self.note("rules", came);
        let came = until_left(Box::pin(approval::tier(self))).await?;
        self.note("approval", came);
        let came = until_left(Box::pin(approval::phrase(self))).await?;
        self.note("phrase", came);
        let came = until_left(Box::pin(trading::run(self))).await?;
        self.note("trading", came);
        let came = until_left(Box::pin(clients::run(self))).await?;
        self.note("clients", came);
        // Not broken off by us: an order that is on its way is waited for.
        let came = Box::pin(practice::run(self)).await?;
        self.note("practice", came);
        Ok(())
    }

    fn note(&mut self, step: &'static str, came: Came) {
        self.came.push((step, came));
    }

    /// The heading of the next step that has something to show.
    fn head(&mut self, title: &str) {
        self.step = self.step.saturating_add(1);
        self.talk.head(self.step, title);
    }

    fn keep_memo(&self) {
        if let Err(error) = self.memo.save(&self.context.world.paths) {
            self.talk.text(&format!(
                "note: setup cannot remember this ({error}) and may ask again"
            ));
        }
    }

    /// The settings are written as a verb writes them.
    fn save_settings(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), Stop> {
        let paths = &self.context.world.paths;
        // Another verb may have changed them while questions were asked: its word stays.
        match Settings::load(paths) {
            Ok(now) => self.settings = now,
            Err(why) => {
                self.context
                    .out
                    .error(&why, "correct the file; then: countersign setup");
                return Err(Stop::Failed(Exit::Config));
            }
        }
        change(&mut self.settings);
        if let Err(error) = self.settings.save(paths) {
            let hint = "nothing else was changed; then: countersign setup";
            self.context
                .out
                .error(&format!("the settings could not be written: {error}"), hint);
            return Err(Stop::Failed(Exit::Config));
        }
        Ok(())
    }

    async fn trade_grant(&self) -> Option<GrantInfo> {
        let have = overview(&self.context).await.unwrap_or_default();
        have.into_iter().find(|grant| is_good(grant, GrantKind::Trade))
    }

    /// The accounts, read once.
    async fn accounts(&mut self) -> Result<Vec<Known>, String> {
        if let Some(Ok(known)) = &self.accounts {
            return Ok(known.clone());
        }
        let read = accounts::list(&self.context).await;
        self.accounts = Some(read.clone());
        read
    }

    /// Whether anything here holds more than play money, as far as it is known: what is not known counts as if.
    async fn has_real(&mut self) -> bool {
        self.accounts().await.map_or(true, |known| {
            known.is_empty() || known.iter().any(|account| !account.sim)
        })
    }

    fn end(&mut self, context: &Context, ended: Result<(), Stop>) -> Exit {
        let exit = match ended {
            Ok(()) if self.came.iter().any(|(_, came)| matches!(came, Came::Left(_))) => Exit::Partly,
            Ok(()) => Exit::Fine,
            Err(Stop::Left) => Exit::Interrupted,
            Err(Stop::Failed(exit)) => exit,
        };
        let steps: Vec<Value> = self
            .came
            .iter()
            .map(|(step, came)| json!({ "step": step, "came": came.word(), "what": came.text() }))
            .collect();
        self.talk.gap();
        let lines: Vec<String> = self
            .came
            .iter()
            .filter(|(_, came)| !came.text().is_empty())
            .map(|(step, came)| format!("{step:<9} {:<8} {}", came.word(), came.text()))
            .collect();
        let tier = match self.settings.tier {
            Tier::Click => "click",
            Tier::Pin => "pin",
            Tier::Passkey => "passkey",
        };
        let policy = self.context.world.paths.policy();
        context.out.data(
            &lines.join("\n"),
            &json!({
                "finished": ended.is_ok(), "steps": steps, "trade": self.trade, "tier": tier,
                "policy": policy.exists().then(|| policy.display().to_string()),
                "clients": clients::summary(&self.context),
                "next": if exit == Exit::Fine { Value::Null } else { "countersign setup".into() },
            }),
        );
        if ended.is_err() {
            last::stopped(self, ended == Err(Stop::Left));
        } else {
            last::show(self);
        }
        exit
    }
}

/// A step, until the person leaves.
async fn until_left(step: impl Future<Output = Result<Came, Stop>>) -> Result<Came, Stop> {
    let step = std::pin::pin!(step);
    match process::ending() {
        Ok(ending) => tokio::select! {
            biased;
            came = step => came,
            _ = ending => Err(Stop::Left),
        },
        Err(_) => step.await,
    }
}

/// The sign-ins that are there; none is no fault.
async fn overview(context: &Context) -> Result<Vec<GrantInfo>, TokenError> {
    match context.grants().overview().await {
        Err(TokenError::NotSignedIn) => Ok(Vec::new()),
        have => have,
    }
}

/// Whether a sign-in serves this lane and was not ended by the service.
fn is_good(grant: &GrantInfo, kind: GrantKind) -> bool {
    grant.withdrawn.is_none() && (grant.kind == kind || (grant.single && kind == GrantKind::Read))
}
