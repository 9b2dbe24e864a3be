//! A notice with one button that decides on nothing that is held, such as the end of a pause.
//!
//! Refuses to know: cards and what the button sets off. What it offers is free to everyone, so a press needs no more than
//! the pinned server and the random key.

use super::guard::{number, text};
use super::popup::{random, subscribe};
use super::put::{Up, put};
use super::server::{Content, Server};
use super::{NOTICE_LIMIT, Notice, Shared, plain};
use crate::system::Env;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use zbus::names::MemberName;
use zbus::{Message, MessageStream};

/// Shows the notice until its button is pressed (true), the person closes it, or `stop`.
pub(in crate::approve) async fn offer(
    shared: &Shared,
    notice: &Notice,
    button: &str,
    stop: CancellationToken,
) -> bool {
    let Ok(key) = random() else { return false };
    let shown = tokio::time::timeout(NOTICE_LIMIT, show(&shared.world.env, notice, button, &key)).await;
    // However this ends, also dropped half-way: the notice goes with it.
    let Ok(Ok((owner, mut signals, up))) = shown else {
        return false;
    };
    let pressed = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        pressed = pressed(&owner, &mut signals, up.id(), &key) => pressed,
    };
    up.close().await;
    pressed
}

async fn show(
    env: &Env,
    notice: &Notice,
    button: &str,
    key: &str,
) -> Result<(String, MessageStream, Up), String> {
    let server = Server::find(env).await?;
    let (signals, _owners) = subscribe(&server).await.map_err(|error| error.to_string())?;
    let (summary, body) = plain(notice);
    let actions = [(key.to_owned(), button.to_owned())];
    let content = Content {
        summary: &summary,
        body: &body,
        actions: &actions,
        stays: true,
    };
    let up = put(&server, &content, 0, None).await?;
    Ok((server.owner, signals, up))
}

async fn pressed(owner: &str, signals: &mut MessageStream, id: u32, key: &str) -> bool {
    let ours = |message: &Message| {
        let header = message.header();
        header.sender().is_some_and(|sender| sender.as_str() == owner) && number(message, 0) == Some(id)
    };
    while let Some(Ok(message)) = signals.next().await {
        if !ours(&message) {
            continue;
        }
        match message.header().member().map(MemberName::as_str) {
            Some("ActionInvoked") if text(&message, 1).as_deref() == Some(key) => return true,
            Some("NotificationClosed") => return false,
            _ => {}
        }
    }
    false
}
