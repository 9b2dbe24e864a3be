//! `login` and `logout`.

use super::{Context, Exit, args, out};
use crate::gate::Tier;
use crate::oauth::{GrantKind, LoginError, LoginRequest, LogoutReport, NewGrant, RevokeAnswer, Which};
use crate::relay::lists::Lists;
use crate::relay::settings::Settings;
use crate::relay::signin;
use crate::system::process;
use crate::upstream::TradeLane;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// `login [--trade] [--no-browser] [--single-grant]`.
pub(super) async fn login(context: &Context, what: &args::Login) -> Exit {
    let mut settings = match Settings::load(&context.world.paths) {
        Ok(settings) => settings,
        Err(why) => return fail(context, &why, "correct the file", Exit::Config),
    };
    let trade = what.trade || what.single_grant;
    if trade && settings.tier != Tier::Click {
        // The sealed grant is replaced by a new one, which has to be sealed again under the PIN.
        context.out.say("Your trade sign-in is sealed under your PIN; you will be asked for the PIN after signing in.");
    }
    let grants = context.grants();
    let kind = if trade { GrantKind::Trade } else { GrantKind::Read };
    let grant = match sign_in(context, &grants, kind, what).await {
        Ok(grant) => grant,
        Err(error) => return fail(context, &error.to_string(), "", exit_of(&error)),
    };
    let lane = TradeLane::new(context.http.clone(), context.endpoint.clone(), settings.budget(&context.world.paths));
    let kept = if trade {
        signin::keep_trade(&context.world, &grants, &lane, grant, what.single_grant).await.map(Some)
    } else {
        signin::keep_read(&context.world, &lane, grant).await.map(|()| None)
    };
    let pinned = match kept {
        Ok(pinned) => pinned,
        Err(why) => return fail(context, &why, "nothing was kept; try again when that is settled", Exit::Failure),
    };
    if settings.single_grant != what.single_grant && trade {
        settings.single_grant = what.single_grant;
        if let Err(error) = settings.save(&context.world.paths) {
            return fail(context, &error.to_string(), "the settings could not be written", Exit::Partly);
        }
    }
    if trade && settings.tier != Tier::Click {
        let sealed = super::rules::seal(context, &grants, "Your PIN").await;
        if sealed != Exit::Fine {
            let _ = grants.logout(Which::TradeOnly).await;
            return fail(context, "the trade sign-in could not be sealed and was revoked", "run `countersign login --trade` again", sealed);
        }
    }
    done(context, trade, pinned)
}

fn done(context: &Context, trade: bool, pinned: Option<usize>) -> Exit {
    let text = if trade {
        format!(
            "Signed in for trading. Every trade call will be held for your approval.\n{} tool definitions are pinned: a changed one is refused until you look at it.",
            Lists::load(&context.world.paths, context.endpoint.url()).pinned_count()
        )
    } else {
        "Signed in for reading. To let your AI client propose orders too: countersign login --trade".to_owned()
    };
    context.out.data(&text, &json!({ "signedIn": if trade { "trade" } else { "read" }, "newlyPinned": pinned }));
    Exit::Fine
}

async fn sign_in(context: &Context, grants: &crate::oauth::Grants, kind: GrantKind, what: &args::Login) -> Result<NewGrant, LoginError> {
    let request = LoginRequest { kind, challenge: None, single_grant: what.single_grant, host_name: process::host_name() };
    let stop = CancellationToken::new();
    let out = context.out;
    let say = |url: &str, opened: bool| {
        if opened {
            out.say("Your browser is open on CrossTrade's sign-in page. If not, open this address:");
        } else {
            out.say("Open this address in a browser:");
        }
        out.say(&format!("\n  {}\n", out::safe(url)));
        if what.no_browser {
            out.say("If that browser is on another computer, it ends on a page that cannot be shown: copy its whole address and paste it here.");
        }
    };
    let signal = stop.clone();
    let interrupted = tokio::spawn(async move {
        if let Ok(ending) = process::ending() {
            ending.await;
            signal.cancel();
        }
    });
    let pasted = pasted_lines(what.no_browser);
    let grant = signin::run(grants, &context.world, request, !what.no_browser, pasted, say, stop).await;
    interrupted.abort();
    grant
}

/// Lines that the person pastes, where that is wanted. The thread ends with the process.
fn pasted_lines(wanted: bool) -> tokio::sync::mpsc::Receiver<String> {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    if wanted {
        let read = move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if !line.trim().is_empty() && send.blocking_send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
            // Without more lines the callback alone is waited for.
            std::thread::park();
            drop(send);
        };
        let _ = std::thread::Builder::new().name("paste".into()).spawn(read);
    } else {
        std::mem::forget(send);
    }
    receive
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

/// `logout [--trade]`.
pub(super) async fn logout(context: &Context, trade: bool) -> Exit {
    let report = context.grants().logout(if trade { Which::TradeOnly } else { Which::All }).await;
    Lists::load(&context.world.paths, context.endpoint.url()).forget_trade();
    let complete = report.not_wiped.is_none() && report.tokens.iter().all(|token| token.answer.is_revoked());
    context.out.data(&report_text(&report), &report_object(&report));
    if complete { Exit::Fine } else { Exit::Partly }
}

fn report_text(report: &LogoutReport) -> String {
    let mut lines: Vec<String> = report.tokens.iter().map(|token| format!("{:<6} {:<8} {}", token.kind.as_str(), token.token, said(&token.answer))).collect();
    if lines.is_empty() {
        lines.push("There was no sign-in.".to_owned());
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
