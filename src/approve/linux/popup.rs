//! One card's popup: its keys, its id, and what happens to it.

use super::guard::{Guard, Sight, number, text};
use super::left;
use super::put::put;
use super::server::{Content, NAME, Server};
use super::{Screen, Shared};
use crate::approve::text as lines;
use crate::gate::card::Card;
use crate::system::mono_ms;
use futures_util::StreamExt;
use ring::rand::{SecureRandom, SystemRandom};
use std::time::Duration;
use zbus::message::Type;
use zbus::names::MemberName;
use zbus::{MatchRule, Message, MessageStream};

/// How long the monitor may lag behind the signal itself.
const ECHO_LIMIT: Duration = Duration::from_secs(1);
/// Why a popup does not decide where the bus allows no monitor.
pub(super) const UNWATCHED: &str =
    "this session bus does not let us watch for other programs rewriting a popup";
/// How often prices alone are shown anew, in milliseconds. A server puts new buttons in place of the old ones with every
/// text, and so takes the click that was just being made.
const PACE_MS: u64 = 10_000;
/// A popup closed this soon after its text was replaced, in milliseconds, was not closed by the person: the release of a
/// button that is no more falls on the text, and a click on the text closes it.
const SLIP_MS: u64 = 1000;
const STOP: &str = "Stop AI trading";

/// What happened to the popup.
#[derive(Debug)]
pub(super) enum Event {
    Approved,
    Denied,
    Halted,
    OpenPage,
    /// The person closed it.
    Dismissed,
    /// The server took it down by itself, or an outdated button was pressed.
    Gone,
    /// Another program touched it.
    Foreign(String),
    /// There is a newer version of the card.
    Newer(Box<Card>),
}

/// Random keys of the buttons: a forger would have to read them from the bus first, and is seen by the guard then.
#[derive(Debug)]
struct Keys {
    deny: String,
    stop: String,
    page: String,
    /// A new one for each deed shown.
    approve: String,
}

/// The popup.
#[derive(Debug)]
pub(super) struct Popup<'a> {
    shared: &'a Shared,
    server: Server,
    signals: MessageStream,
    owners: MessageStream,
    guard: Option<Guard>,
    decides: bool,
    keys: Keys,
    /// 0 while nothing is on the screen.
    id: u32,
    shown_at: u64,
    /// When any text was sent to the screen last, and when one in place of another.
    sent_at: u64,
    replaced_at: Option<u64>,
    /// The card as last shown.
    last: Option<Card>,
    echo: Option<String>,
}

impl<'a> Popup<'a> {
    /// Subscribes to everything that can happen to a popup; shows nothing yet.
    ///
    /// # Errors
    /// A sentence: the bus failed, the server was replaced, or a popup that `decides` cannot be watched.
    pub(super) async fn new(shared: &'a Shared, server: Server, decides: bool) -> Result<Self, String> {
        let (signals, owners) = subscribe(&server)
            .await
            .map_err(|error| format!("D-Bus: {error}"))?;
        let guard = match Guard::start(&shared.world.env, &server.bus, &server.owner).await {
            Ok(guard) => Some(guard),
            // Unwatched, a popup can be rewritten and pressed unseen: it may deny and open the page, never approve.
            Err(_) if decides => return Err(UNWATCHED.to_owned()),
            Err(_) => None,
        };
        // The server may have been replaced between finding it and subscribing.
        if super::server::owner(&server.bus).await? != server.owner {
            return Err("the notification server was replaced just now".to_owned());
        }
        let keys = Keys {
            deny: random()?,
            stop: random()?,
            page: random()?,
            approve: random()?,
        };
        Ok(Self {
            shared,
            server,
            signals,
            owners,
            guard,
            decides,
            keys,
            id: 0,
            shown_at: 0,
            sent_at: 0,
            replaced_at: None,
            last: None,
            echo: None,
        })
    }

    pub(super) fn shown_at(&self) -> u64 {
        self.shown_at
    }

    pub(super) fn is_gone(&self) -> bool {
        self.id == 0
    }

    /// Puts the card on the screen: in place of the text that stands there, or as a new popup.
    pub(super) async fn show(&mut self, card: &Card, screen: &Screen, in_place: bool) -> Result<(), String> {
        if in_place && !self.is_worth(card) {
            return Ok(());
        }
        let hint = (!self.decides)
            .then_some("Approve it on the page in your browser. You did not ask for this? Deny.");
        let text = lines::popup(card, &screen.until_text(), hint);
        // A press of a button under another deed approves nothing.
        let same_deed = self
            .last
            .as_ref()
            .is_some_and(|last| lines::same_deed(last, card));
        if !same_deed {
            self.keys.approve = random()?;
        }
        if !in_place && self.id != 0 {
            self.server.close(self.id).await;
            self.id = 0;
        }
        let actions = self.actions(card, text.whole);
        let content = Content {
            summary: &text.summary,
            body: &text.body,
            actions: &actions,
            stays: true,
        };
        let coming = left::coming(self.shared).await;
        // Noted as ours: the desk takes it down.
        let id = put(&self.server, &content, self.id, Some(coming)).await?.leave();
        if id != self.id || !same_deed {
            self.shown_at = mono_ms();
        }
        self.sent_at = mono_ms();
        self.replaced_at = (id == self.id).then_some(self.sent_at);
        (self.id, self.last) = (id, Some(card.clone()));
        screen.mark();
        Ok(())
    }

    /// Whether the card says something for which the text on the screen is replaced.
    fn is_worth(&self, card: &Card) -> bool {
        let Some(last) = &self.last else { return true };
        let due = mono_ms().saturating_sub(self.sent_at) >= PACE_MS;
        !lines::same_news(last, card) || (due && last.lines != card.lines)
    }

    /// Deny comes first, so that it is the left, the first, the focused one wherever there is such a thing.
    fn actions(&self, card: &Card, whole: bool) -> Vec<(String, String)> {
        let mut actions = vec![(self.keys.deny.clone(), lines::ascii(&card.deny))];
        if !self.decides {
            actions.push((self.keys.page.clone(), "Open page".to_owned()));
        } else if whole {
            actions.push((self.keys.approve.clone(), lines::ascii(&card.approve)));
        }
        actions.push((self.keys.stop.clone(), STOP.to_owned()));
        actions
    }

    /// Waits for the next thing that happens to the popup.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            let event = tokio::select! {
                biased;
                sight = watch(self.guard.as_mut()) => self.sighted(sight),
                message = self.owners.next() => self.owner_changed(message),
                message = self.signals.next() => self.signalled(message).await,
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    fn sighted(&mut self, sight: Sight) -> Option<Event> {
        match sight {
            Sight::Foreign(None, why) => Some(Event::Foreign(why)),
            Sight::Foreign(Some(id), why) if id != 0 && id == self.id => Some(Event::Foreign(why)),
            Sight::Pressed(id, key) if id == self.id => {
                self.echo = Some(key);
                None
            }
            Sight::Foreign(..) | Sight::Pressed(..) | Sight::Nothing => None,
        }
    }

    fn owner_changed(&self, message: Option<zbus::Result<Message>>) -> Option<Event> {
        let same =
            message.is_some_and(|m| m.is_ok_and(|m| text(&m, 2).as_deref() == Some(&self.server.owner)));
        (!same).then(|| Event::Foreign("the notification server was stopped or replaced".to_owned()))
    }

    async fn signalled(&mut self, message: Option<zbus::Result<Message>>) -> Option<Event> {
        let Some(Ok(message)) = message else {
            return Some(Event::Foreign("the session bus went away".to_owned()));
        };
        let header = message.header();
        let from_server = header.sender().is_some_and(|s| s.as_str() == self.server.owner);
        if !from_server || self.id == 0 || number(&message, 0) != Some(self.id) {
            return None;
        }
        match header.member().map(MemberName::as_str) {
            Some("ActionInvoked") => self.pressed(&text(&message, 1)?).await,
            Some("NotificationClosed") => Some(self.closed(number(&message, 1)).await),
            _ => None,
        }
    }

    async fn pressed(&mut self, key: &str) -> Option<Event> {
        if key == self.keys.deny {
            return Some(Event::Denied);
        }
        if key == self.keys.stop {
            return Some(Event::Halted);
        }
        if let Err(why) = self.confirmed(key).await {
            return Some(Event::Foreign(why));
        }
        if key == self.keys.page {
            return Some(Event::OpenPage);
        }
        Some(
            if self.decides && self.guard.is_some() && key == self.keys.approve {
                Event::Approved
            } else {
                Event::Gone
            },
        )
    }

    /// The monitor must have shown the same press, with nothing foreign before it.
    async fn confirmed(&mut self, key: &str) -> Result<(), String> {
        let looked = tokio::time::timeout(ECHO_LIMIT, async {
            while self.guard.is_some() && self.echo.as_deref() != Some(key) {
                let sight = watch(self.guard.as_mut()).await;
                if let Some(Event::Foreign(why)) = self.sighted(sight) {
                    return Err(why);
                }
            }
            Ok(())
        });
        let outcome = looked
            .await
            .unwrap_or_else(|_| Err("the watch on the session bus did not see the click".to_owned()));
        self.echo = None;
        outcome
    }

    /// Reasons: 1 expired, 2 closed by the person, 3 by a call; ours come with another id by then.
    async fn closed(&mut self, reason: Option<u32>) -> Event {
        if reason == Some(3) {
            let looked = tokio::time::timeout(Duration::from_millis(300), async {
                loop {
                    let sight = watch(self.guard.as_mut()).await;
                    if let Some(event) = self.sighted(sight) {
                        return event;
                    }
                }
            });
            return looked
                .await
                .unwrap_or_else(|_| Event::Foreign("another program closed the popup".to_owned()));
        }
        self.id = 0;
        let slipped = self
            .replaced_at
            .is_some_and(|at| mono_ms().saturating_sub(at) < SLIP_MS);
        if reason == Some(2) && !slipped {
            Event::Dismissed
        } else {
            Event::Gone
        }
    }
}

async fn watch(guard: Option<&mut Guard>) -> Sight {
    match guard {
        Some(guard) => guard.next().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn subscribe(server: &Server) -> zbus::Result<(MessageStream, MessageStream)> {
    let pressed = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(server.owner.as_str())?
        .interface(NAME)?
        .build();
    let replaced = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(super::bus::DBUS.0)?
        .member("NameOwnerChanged")?
        .add_arg(NAME)?
        .build();
    let signals = MessageStream::for_match_rule(pressed, &server.bus, None).await?;
    Ok((
        signals,
        MessageStream::for_match_rule(replaced, &server.bus, None).await?,
    ))
}

pub(super) fn random() -> Result<String, String> {
    let mut bytes = [0u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
