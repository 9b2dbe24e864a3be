//! `login` and `logout`.

use super::{Context, Exit, args, out};
use crate::approve::terminal::read_address;
use crate::gate::Tier;
use crate::oauth::{
    GrantKind, Grants, LoginError, LoginRequest, LogoutReport, NewGrant, RevokeAnswer, TokenError,
    TokenReport, UnsealError, Which,
};
use crate::relay::lists::{Lists, PinReport};
use crate::relay::policy_file::{self, Approved};
use crate::relay::settings::Settings;
use crate::relay::signin::{self, Said, Under};
use crate::relay::under_seal;
use crate::system::{machine, process};
use crate::upstream::{Eras, TradeLane};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// `login [--trade] [--no-browser] [--single-grant]`.
pub(super) async fn login(context: &Context, what: &args::Login) -> Exit {
    login_under(context, what, None).await
}

/// The same with the PIN that a script gave, which was looked at already; without one the person is asked for it.
pub(super) async fn login_under(context: &Context, what: &args::Login, given: Option<SecretString>) -> Exit {
    let settings = match Settings::load(&context.world.paths) {
        Ok(settings) => settings,
        Err(why) => return fail(context, &why, "correct the file", Exit::Config),
    };
    let trade = what.trade || what.single_grant;
    let grants = context.grants();
    // The settings lie where any program of the user can write. What is sealed stays sealed.
    let tier = match grants.is_sealed().await {
        Ok(false) => settings.tier,
        Ok(true) | Err(_) => settings.tier.max(Tier::Pin),
    };
    if let Err(exit) = may_begin(context, &grants, tier, what, given.is_some()).await {
        return exit;
    }
    let pin = if trade && tier != Tier::Click {
        match given {
            Some(pin) => Some(pin),
            None => match super::rules::pin_to_keep_under(context).await {
                Ok(pin) => Some(pin),
                Err(exit) => return exit,
            },
        }
    } else {
        None
    };
    let kind = if trade { GrantKind::Trade } else { GrantKind::Read };
    let grant = match sign_in(context, &grants, kind, what).await {
        Ok(grant) => grant,
        Err(error) => {
            let why = error.to_string();
            return fail(context, &why, no_keychain(&why), exit_of(&error));
        }
    };
    let lane = TradeLane::new(
        context.http.clone(),
        context.endpoint.clone(),
        settings.budget(&context.world.paths),
        Eras::of(&context.world.paths, context.endpoint.url()),
    );
    // Nothing could be traded before this, and the person is here: the rules as they stand are theirs.
    if let Some(pin) = &pin
        && let Err(why) = doubt_policy(context, &grants, pin).await
    {
        return fail(
            context,
            &why,
            "nothing was kept of this sign-in; run it again",
            Exit::Failure,
        );
    }
    if trade {
        adopt_policy(context, &settings);
    }
    let kept = if trade {
        let extras = || super::rules::extras(context, &settings);
        let under = pin.as_ref().map(|pin| Under { pin, extras: &extras });
        signin::keep_trade(&context.world, &grants, &lane, grant, what.single_grant, under)
            .await
            .map(Some)
    } else {
        signin::keep_read(&context.world, &lane, grant)
            .await
            .map(|()| None)
    };
    let pinned = match kept {
        Ok(pinned) => pinned,
        Err(why) => return fail(context, &why, "", Exit::Failure),
    };
    if trade {
        super::keys::forget(context);
        if settings.tier == Tier::Passkey {
            context.out.say("No passkey lies under this new sign-in yet: `countersign presence add-key` registers one. Until then no order can be approved.");
        }
    }
    done(context, what, pinned)
}

/// Where a sign-in lay under a PIN before, the approved policy is what its seal says, not what a file says that any
/// program can write. A sign-in that lay open protected nothing, so its record is taken as it is.
async fn doubt_policy(context: &Context, grants: &Grants, pin: &SecretString) -> Result<(), String> {
    let paths = &context.world.paths;
    let have = grants.overview().await.map_err(|error| error.to_string())?;
    let before = have.iter().find(|grant| grant.kind == GrantKind::Trade);
    let sealed = before.is_some_and(|grant| grant.sealed);
    let open = before.is_some_and(|grant| !grant.sealed && grant.withdrawn.is_none());
    if open || (!sealed && Approved::load(paths).is_none()) {
        return Ok(());
    }
    let opened = if sealed {
        grants.sealed_extras(pin).await.ok()
    } else {
        None
    };
    let proved = under_seal::doubt_unproved(paths, opened.as_ref())
        .map_err(|error| format!("the record of the approved policy cannot be written: {error}"))?;
    if !proved {
        context.out.say("The policy on record is not proved by the sign-in before (another PIN, or another program edited it): your next trade call shows you the whole policy once.");
    }
    Ok(())
}

/// The first sign-in for trading puts the policy on record; from then on a changed one waits for its approval.
fn adopt_policy(context: &Context, settings: &Settings) {
    let paths = &context.world.paths;
    match policy_file::adopt_first(paths, settings, "login --trade") {
        Ok(true) if paths.policy().exists() => context.out.say(&format!(
            "The rules in {} are in force as they are now; what changes in them later waits until you approve it.",
            paths.policy().display()
        )),
        Ok(_) => {}
        Err(why) => context
            .out
            .say(&format!("note: the policy is not in force: {}", out::safe(&why))),
    }
}

/// What can be known to go wrong is told before the person goes through the browser.
async fn may_begin(
    context: &Context,
    grants: &Grants,
    tier: Tier,
    what: &args::Login,
    has_pin: bool,
) -> Result<(), Exit> {
    if what.single_grant && tier != Tier::Click {
        let hint = "sign in with --trade, or go back to a click first: countersign presence set click";
        return Err(fail(
            context,
            "one sign-in for both cannot lie under your PIN: reading would need the PIN as well",
            hint,
            Exit::Usage,
        ));
    }
    if (what.trade || what.single_grant) && tier != Tier::Click && !has_pin {
        if !context.out.can_ask() {
            let hint = "run it in a terminal";
            return Err(fail(
                context,
                "the trade sign-in lies under your PIN, which is asked for in a terminal",
                hint,
                Exit::Usage,
            ));
        }
        context.out.say(
            "The trade sign-in lies under your PIN: you are asked for it first, then the browser opens.",
        );
    }
    if !what.trade || what.single_grant {
        return Ok(());
    }
    match grants.bearer(GrantKind::Read).await {
        Ok(_) => Ok(()),
        Err(TokenError::NotSignedIn) => Err(fail(
            context,
            "sign in for reading first",
            "countersign login, then countersign login --trade",
            Exit::NotSignedIn,
        )),
        Err(error @ TokenError::Withdrawn(_)) => Err(fail(
            context,
            &format!("sign in for reading first: {error}"),
            "",
            Exit::NotSignedIn,
        )),
        Err(error @ TokenError::Network(_)) => Err(fail(context, &error.to_string(), "", Exit::Unreachable)),
        Err(error) => Err(fail(context, &error.to_string(), "", Exit::Failure)),
    }
}

fn done(context: &Context, what: &args::Login, pinned: Option<PinReport>) -> Exit {
    let trade = what.trade || what.single_grant;
    let lists = Lists::load(&context.world.paths, context.endpoint.url());
    let mut lines = if trade {
        vec![
            "Signed in for trading. Every trade call is held until you approve it.".to_owned(),
            format!(
                "{} tool descriptions are on record: where CrossTrade changes one, that tool is off.",
                lists.pinned_count()
            ),
        ]
    } else if context.out.is_talk() {
        vec!["Signed in for reading; nothing can be traded.".to_owned()]
    } else {
        let how = if what.no_browser { " --no-browser" } else { "" };
        vec![format!(
            "Signed in for reading; nothing can be traded. To let your AI client propose orders too: countersign login --trade{how}"
        )]
    };
    let changed = pinned
        .as_ref()
        .map(|report| report.changed.clone())
        .unwrap_or_default();
    if trade && !changed.is_empty() {
        let names: Vec<String> = changed.iter().map(|name| out::safe(name)).collect();
        lines.push(format!("CHANGED since you last signed in for trading, and in force from now on: {}. Look at them with `countersign tools --json`.", names.join(", ")));
    }
    for (name, why) in lists.all_left_out() {
        lines.push(format!(
            "NOT OFFERED: {}.",
            out::safe(&crate::relay::words::left_out(&name, &why))
        ));
    }
    if what.single_grant {
        lines.push("One sign-in serves reading and trading: a call that Countersign took for harmless by mistake would not be refused by CrossTrade.".to_owned());
    }
    let object = json!({ "signedIn": if trade { "trade" } else { "read" }, "singleGrant": what.single_grant, "newlyPinned": pinned.map(|report| report.new), "changed": changed });
    context.out.data(&lines.join("\n"), &object);
    Exit::Fine
}

async fn sign_in(
    context: &Context,
    grants: &Grants,
    kind: GrantKind,
    what: &args::Login,
) -> Result<NewGrant, LoginError> {
    let request = LoginRequest {
        kind,
        challenge: None,
        single_grant: what.single_grant,
        host_name: machine::host_name(),
    };
    let stop = CancellationToken::new();
    let out = context.out;
    let signal = stop.clone();
    let interrupted = tokio::spawn(async move {
        if let Ok(ending) = process::ending() {
            ending.await;
            signal.cancel();
        }
    });
    let told = Arc::new(tokio::sync::Notify::new());
    let say = |said: Said<'_>| {
        talk(out, what, &said);
        if !matches!(said, Said::PasteOnly) {
            told.notify_one();
        }
    };
    let (lines, typing) = typed_lines(what.no_browser, &stop, Arc::clone(&told));
    let grant = signin::run(
        grants,
        &context.world,
        request,
        !what.no_browser,
        lines,
        say,
        stop,
    )
    .await;
    interrupted.abort();
    if let Some(typing) = typing {
        typing.abort();
        // The terminal is as it was before anything else asks there.
        let _ = typing.await;
        if grant.is_ok() {
            out.say("");
        }
    }
    grant
}

fn talk(out: out::Out, what: &args::Login, said: &Said<'_>) {
    match said {
        Said::Open(url, opened) => {
            match opened {
                Ok(()) => out.say("Your browser is open on CrossTrade's sign-in page. If you do not see it, open this address:"),
                Err(why) if why.is_empty() => out.say("Open this address in a browser:"),
                Err(why) => out.say(&format!("No browser was opened: {}. Open this address yourself:", out::safe(why))),
            }
            out.say(&format!("\n  {}\n", out::safe(url)));
            if what.no_browser {
                if std::io::stderr().is_terminal() {
                    out.copy(url);
                    out.say("(It is on your clipboard too, where your terminal allows that.)");
                }
                out.say("If that browser is on another computer, it ends on a page that cannot be shown: copy the whole address of that page and paste it here.");
            } else if opened.is_err() {
                out.say("If your browser is on another computer, it cannot come back to this one: stop this with Ctrl-C, and run it again with --no-browser.");
            }
        }
        Said::BadPaste(why) => out.say(&format!("Not taken: {why}.")),
        Said::PasteOnly if what.no_browser => out.say("The browser cannot come back by itself (all its ports here are taken): paste the address of the page that it ends on."),
        Said::PasteOnly => out.say("The browser cannot come back by itself (all its ports here are taken). Stop this with Ctrl-C and run: countersign login --no-browser"),
    }
}

/// Lines that the person pastes, where that is wanted, and the task that reads them.
fn typed_lines(
    wanted: bool,
    stop: &CancellationToken,
    told: Arc<tokio::sync::Notify>,
) -> (mpsc::Receiver<String>, Option<tokio::task::JoinHandle<()>>) {
    let (send, receive) = mpsc::channel(1);
    if !wanted {
        std::mem::forget(send);
        return (receive, None);
    }
    let stop = stop.clone();
    let reading = tokio::spawn(async move {
        // The question stands below the address that it is about.
        told.notified().await;
        // Key by key, where a terminal can: no limit of a line's length, and no key is left to whoever asks next.
        while let Ok(typed) = read_address("Paste the address here").await {
            let Some(typed) = typed else {
                stop.cancel();
                return;
            };
            if typed.trim().is_empty() {
                continue;
            }
            if send.send(typed.trim().to_owned()).await.is_err() {
                return;
            }
            // Asked again only where it was not taken: a good one ends the sign-in, and this task with it.
            told.notified().await;
        }
        let lines = stdin_lines();
        let mut lines = lines.lock().await;
        while let Some(line) = lines.recv().await {
            if send.send(line).await.is_err() {
                return;
            }
        }
        // Without more lines the callback alone is waited for.
        std::future::pending::<()>().await;
    });
    (receive, Some(reading))
}

/// The lines of a stdin that is no terminal. One reader for the whole process: a second one would lose a line to the
/// first. The thread ends with the process.
fn stdin_lines() -> Arc<tokio::sync::Mutex<mpsc::Receiver<String>>> {
    static LINES: OnceLock<Arc<tokio::sync::Mutex<mpsc::Receiver<String>>>> = OnceLock::new();
    let start = || {
        let (send, receive) = mpsc::channel(1);
        let read = move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if !line.trim().is_empty() && send.blocking_send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        };
        let _ = std::thread::Builder::new().name("paste".into()).spawn(read);
        Arc::new(tokio::sync::Mutex::new(receive))
    };
    Arc::clone(LINES.get_or_init(start))
}

/// What helps where the sign-in has nowhere to be kept.
fn no_keychain(why: &str) -> &'static str {
    if why.contains("the keychain cannot be used") {
        "nobody was signed in. Start or unlock your keychain and run this again; on a server that has none: export COUNTERSIGN_STORE=file, then run this again, and give your AI client the same variable"
    } else {
        ""
    }
}

fn exit_of(error: &LoginError) -> Exit {
    match error {
        LoginError::Denied => Exit::Denied,
        LoginError::TimedOut(_) => Exit::Expired,
        LoginError::Network(_) => Exit::Unreachable,
        LoginError::Stopped => Exit::Interrupted,
        _ => Exit::Failure,
    }
}

/// The tokens under the PIN can be revoked only with it. Without the PIN they are wiped here, and stay good at the
/// service until the person revokes them there.
async fn revoke_sealed(
    context: &Context,
    grants: &Grants,
    pin_stdin: bool,
) -> Result<Vec<TokenReport>, Exit> {
    let can_ask = pin_stdin || context.out.can_ask();
    if !can_ask || !grants.is_sealed().await.unwrap_or(false) {
        return Ok(Vec::new());
    }
    let Ok(pin) = super::rules::Asked::new(pin_stdin)
        .pin("Your PIN, to revoke the trade sign-in too (empty: leave that to the AI Clients page)")
        .await
    else {
        return Ok(Vec::new());
    };
    match grants.unseal(&pin).await {
        Ok(unsealed) => Ok(unsealed.revoke().await),
        Err(error @ (UnsealError::WrongPin { .. } | UnsealError::Wait(_))) => Err(fail(
            context,
            &error.to_string(),
            "nothing was signed out; without the PIN: give an empty one",
            Exit::Denied,
        )),
        Err(_) => Ok(Vec::new()),
    }
}

/// `logout [--trade]`.
pub(super) async fn logout(context: &Context, trade: bool, pin_stdin: bool) -> Exit {
    let grants = context.grants();
    let opened = match revoke_sealed(context, &grants, pin_stdin).await {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let mut report = grants
        .logout(if trade { Which::TradeOnly } else { Which::All })
        .await;
    if !opened.is_empty() {
        report.tokens.retain(|token| token.answer != RevokeAnswer::Sealed);
        report.tokens.extend(opened);
        if report.tokens.iter().all(|token| token.answer.is_revoked()) {
            report.advice = None;
        }
    }
    Lists::load(&context.world.paths, context.endpoint.url()).forget_trade();
    super::keys::forget(context);
    let complete = report.not_wiped.is_none() && report.tokens.iter().all(|token| token.answer.is_revoked());
    context.out.data(&report_text(&report), &report_object(&report));
    if complete { Exit::Fine } else { Exit::Partly }
}

fn report_text(report: &LogoutReport) -> String {
    let mut lines: Vec<String> = report
        .tokens
        .iter()
        .map(|token| {
            format!(
                "{:<6} {:<8} {}",
                token.kind.as_str(),
                token.token,
                said(&token.answer)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push("There was nothing to revoke.".to_owned());
    }
    lines.push(match &report.not_wiped {
        Some(why) => format!("NOT wiped here: {why}"),
        None => "Wiped on this computer.".to_owned(),
    });
    lines.extend(report.advice.clone());
    lines.join("\n")
}

fn said(answer: &RevokeAnswer) -> String {
    match answer {
        RevokeAnswer::Revoked => "revoked".to_owned(),
        RevokeAnswer::Refused(status) => format!("NOT revoked: the service answered {status}"),
        RevokeAnswer::Offline(why) => format!("NOT revoked: {why}"),
        RevokeAnswer::NotOffered => "NOT revoked: the service offers no revocation".to_owned(),
        RevokeAnswer::Sealed => "NOT revoked: it lies under your PIN".to_owned(),
    }
}

fn report_object(report: &LogoutReport) -> Value {
    let tokens: Vec<Value> = report
        .tokens
        .iter()
        .map(|token| json!({ "kind": token.kind.as_str(), "token": token.token, "revoked": token.answer.is_revoked(), "said": said(&token.answer) }))
        .collect();
    json!({ "tokens": tokens, "offline": report.offline, "notWiped": report.not_wiped, "advice": report.advice })
}

fn fail(context: &Context, why: &str, hint: &str, exit: Exit) -> Exit {
    context.out.error(why, hint);
    exit
}
