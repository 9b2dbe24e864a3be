//! The life of a ticket on the person's side: asked, judged again, sent once, told.

use super::hold::{self, Held, Moment, counters, journal, judge_now, load_policy, make_card};
use super::{Relay, lookup};
use crate::approve::{Answer, Ask, Notice, Verify};
use crate::gate::limits::{self, Group};
use crate::gate::ticket::{Approval, Outcome, State, Ticket};
use crate::gate::{Card, Class, Cleared, Counters, Facts, Judgement, Millis, NotRun, Tier, Verdict, outcome, ticket};
use crate::oauth::{Bearer, GrantKind};
use crate::system::clock::{mono_ms, wall_ms};
use crate::system::{FileLock, file};
use crate::upstream::{NotSent, Sent};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How often the facts on a shown card are read anew.
const REFRESH: Duration = Duration::from_secs(2);
/// How often what else may end a ticket is looked at: halt, policy, another process's decision.
const WATCH: Duration = Duration::from_millis(200);
/// Facts older than this are read once more before an approval counts.
const STALE_MS: u64 = 2500;
/// How often one ticket may be asked again because something got worse.
const ASKS: u32 = 5;
/// Sending starts within this time of the approval or not at all.
const START_MS: u64 = 10_000;
/// A wall clock that moves this much against the monotonic one means that the machine slept or the clock was set.
const JUMP_MS: u64 = 2000;

/// Where the person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// On their desktop.
    Desk,
    /// In the terminal in which they run `countersign watch`.
    Terminal,
}

/// What a ticket task keeps while it asks.
struct Live {
    relay: Arc<Relay>,
    held: Held,
    prompt: Prompt,
    /// Locked from the decision to the outcome, so that nobody takes a call that is being sent for abandoned.
    sender: Mutex<Option<FileLock>>,
    latest: Arc<Mutex<Latest>>,
    /// The judgement behind the card that the person sees.
    shown: Mutex<Judgement>,
    unsealed: super::verbs::Slot,
}

#[derive(Debug, Clone)]
struct Latest {
    facts: Facts,
    mono: u64,
}

/// What a decision came to.
enum Decided {
    /// The ticket has ended, one way or the other.
    Done,
    /// Something got worse: the person is asked again with this card.
    Again(Card),
}

/// Lives a ticket to its end.
pub(super) async fn live(relay: &Arc<Relay>, held: Held, prompt: Prompt) {
    let latest = Arc::new(Mutex::new(Latest { facts: held.facts.clone(), mono: mono_ms() }));
    let shown = Mutex::new(held.judgement.clone());
    let unsealed = Arc::new(Mutex::new(relay.unsealed.grant()));
    let mut live = Live { relay: Arc::clone(relay), held, prompt, sender: Mutex::new(None), latest, shown, unsealed };
    if live.held.judgement.verdict == Verdict::Allow {
        let _ = live.decide("policy").await;
        return;
    }
    for _ in 0..ASKS {
        match live.ask().await {
            Some(again) => {
                live.held.card = again;
                live.save_card();
            }
            None => return,
        }
    }
    live.end(State::Voided, "the market or the account kept changing while it was asked").await;
}

impl Live {
    fn id(&self) -> &str {
        &self.held.id
    }

    /// Asks once. `Some` asks again with another card.
    async fn ask(&mut self) -> Option<Card> {
        let (updates, seen) = watch::channel(self.held.card.clone());
        let stop = self.relay.ending.child_token();
        let (shown, was_shown) = oneshot::channel();
        let why = Arc::new(Mutex::new(None));
        let ask = Ask { card: self.held.card.clone(), tier: self.held.tier, open_for: open_for(&self.held), verify: self.verify() };
        let side = async {
            tokio::select! {
                () = self.refresh(&updates) => {}
                () = self.watch(was_shown, &stop, &why) => {}
            }
        };
        let answer = {
            let asking = async {
                match self.prompt {
                    Prompt::Desk => self.relay.desk.ask(ask, seen, stop.clone(), shown).await,
                    Prompt::Terminal => crate::approve::terminal::ask(ask, seen, stop.clone(), shown).await,
                }
            };
            let mut asking = std::pin::pin!(asking);
            let mut side = std::pin::pin!(side);
            tokio::select! {
                answer = &mut asking => answer,
                () = &mut side => asking.await,
            }
        };
        let mut stopped_why = why.lock().unwrap_or_else(PoisonError::into_inner).take();
        match answer {
            Answer::Approved { via } => match self.decide(via).await {
                Decided::Again(card) => return Some(card),
                Decided::Done => {}
            },
            Answer::Denied { via } => {
                self.end(State::Denied, &format!("the person denied it ({via})")).await;
                self.count(Counters::note_denied);
            }
            Answer::Halted { via } => {
                self.relay.halt(via);
                self.end(State::Denied, "the person stopped AI trading").await;
            }
            Answer::Expired => {
                self.end(State::Expired, "nobody decided in time").await;
                self.count(Counters::note_unanswered);
                self.unprotected().await;
            }
            Answer::Tampered(what) => {
                self.end(State::Tampered, &what).await;
                let lines = vec![format!("Ticket {} was NOT sent.", self.id()), what];
                self.relay.desk.notice(Notice { title: "Somebody interfered with an approval".to_owned(), lines, lasting: true }).await;
            }
            Answer::Nobody(what) => self.end(State::Voided, &format!("nobody was asked: {what}")).await,
            Answer::Stopped => {
                let (state, reason) = stopped_why.take().unwrap_or((State::Voided, "the AI client left".to_owned()));
                self.end(state, &reason).await;
            }
        }
        None
    }

    /// Counts what became of a card. Only cards of entries lead to a pause: a denied alert or exit says nothing about them.
    fn count(&self, note: fn(&mut Counters, Millis)) {
        let judgement = &self.held.judgement;
        if limits::group(judgement.class, judgement.opening) == Group::Entry {
            hold::update_counters(&self.relay, |counters| note(counters, wall_ms()));
        }
    }

    /// The PIN check of the page and the terminal: unsealing *is* the check. What it yields stays here.
    fn verify(&self) -> Option<Verify> {
        if self.held.tier < Tier::Pin {
            return None;
        }
        Some(super::verbs::verify_into(&self.relay.grants, &self.unsealed))
    }

    /// Reads the facts again and again, and shows what they change on the card.
    async fn refresh(&self, updates: &watch::Sender<Card>) {
        let warm = async {
            if self.held.tier == Tier::Click {
                self.warm().await;
            }
        };
        tokio::join!(warm, self.follow_facts(updates));
    }

    async fn follow_facts(&self, updates: &watch::Sender<Card>) {
        loop {
            tokio::time::sleep(REFRESH).await;
            let facts = self.relay.facts.gather(&self.relay.read, &self.held.call, true).await;
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Latest { facts: facts.clone(), mono: mono_ms() };
            if let (Ok(policy), Ok(settings)) = (load_policy(&self.relay), self.relay.settings()) {
                let judgement = judge_now(Moment::Asked(self.id()), &self.relay, &self.held.call, &facts, &policy, &settings, &counters(&self.relay));
                let mut card = make_card(&self.relay, self.id(), &self.held.call, &facts, &judgement, &policy, &settings);
                card.mark_changes(&self.held.card);
                // From here on the person sees this judgement's card: an approval is held against it.
                *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = judgement;
                updates.send_if_modified(|old| {
                    let differs = *old != card;
                    *old = card;
                    differs
                });
            }
        }
    }

    /// Opens the trade connection while the person reads, and looks whether the definitions still are the pinned ones.
    async fn warm(&self) {
        let Ok(bearer) = self.relay.grants.bearer(GrantKind::Trade).await else { return };
        if let Err(failure) = self.relay.trade.warm(&bearer).await {
            tracing::info!(%failure, "the trade connection could not be warmed");
            return;
        }
        if let Ok(tools) = self.relay.trade.list_tools(&bearer).await
            && self.relay.lists.absorb_trade(&tools)
        {
            self.relay.list_changed();
        }
    }

    /// Ends the question when something else ends the ticket.
    async fn watch(&self, shown: oneshot::Receiver<()>, stop: &CancellationToken, why: &Mutex<Option<(State, String)>>) {
        let mut shown = Some(shown);
        let (mono, wall) = (mono_ms(), wall_ms());
        loop {
            tokio::time::sleep(WATCH).await;
            if let Some(receiver) = &mut shown
                && receiver.try_recv().is_ok()
            {
                shown = None;
                self.note_shown().await;
            }
            let drift = (wall_ms().saturating_sub(wall)).abs_diff(mono_ms().saturating_sub(mono));
            let ended = if self.relay.world.paths.halt().exists() {
                Some((State::Voided, "AI trading was stopped".to_owned()))
            } else if drift > JUMP_MS {
                Some((State::Voided, "the computer slept or its clock was set".to_owned()))
            } else {
                self.decided_elsewhere()
            };
            if let Some(ended) = ended {
                *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
                stop.cancel();
                return;
            }
        }
    }

    fn decided_elsewhere(&self) -> Option<(State, String)> {
        match self.relay.tickets.load(self.id()) {
            Ok(Some(ticket)) if ticket.state != State::Held => Some((ticket.state, "decided elsewhere".to_owned())),
            Ok(Some(ticket)) if policy_changed(&self.relay, &ticket) => Some((State::Voided, "the policy changed while it was asked".to_owned())),
            Ok(Some(_)) => pins_changed(&self.relay, self.held.call.tool()),
            Ok(None) => Some((State::Voided, "its ticket is gone".to_owned())),
            Err(error) => Some((State::Voided, format!("its ticket cannot be read: {error}"))),
        }
    }

    async fn note_shown(&self) {
        let Ok(_turn) = self.relay.tickets.turn(self.id()).await else { return };
        if let Ok(Some(mut ticket)) = self.relay.tickets.load(self.id())
            && ticket.state == State::Held
            && ticket.shown_wall.is_none()
        {
            let _ = ticket.show(wall_ms());
            let _ = self.relay.tickets.save(&ticket);
        }
    }

    fn save_card(&self) {
        if let Ok(Some(mut ticket)) = self.relay.tickets.load(self.id())
            && ticket.state == State::Held
        {
            ticket.card = Some(self.held.card.clone());
            ticket.shown_wall = None;
            let _ = self.relay.tickets.save(&ticket);
        }
    }

    /// Ends the ticket unsent, unless it has ended already.
    async fn end(&self, state: State, reason: &str) {
        match hold::end_held(&self.relay, self.id(), state, reason).await {
            Ok(()) => tracing::info!(ticket = self.id(), state = state.word(), reason, "ticket ended"),
            Err(error) => tracing::info!(ticket = self.id(), %error, "the ticket had ended already"),
        }
        if state != State::Denied && state != State::Expired {
            self.unprotected().await;
        }
    }

    /// A protective or closing order that did not go out leaves a notice that stays.
    async fn unprotected(&self) {
        if matches!(self.held.judgement.class, Class::Protect | Class::Exit) {
            let lines = vec![format!("{} (ticket {}) was NOT sent.", self.held.card.headline, self.id())];
            self.relay.desk.notice(Notice { title: "POSITION UNPROTECTED".to_owned(), lines, lasting: true }).await;
        }
    }

    /// An approval has come: judge again, then send, once.
    async fn decide(&self, via: &'static str) -> Decided {
        let approved_mono = mono_ms();
        let bearer = match self.bearer().await {
            Ok(bearer) => bearer,
            Err(why) => {
                self.end(State::Voided, &why).await;
                return Decided::Done;
            }
        };
        for attempt in 0..2 {
            let cleared = match self.clear(via, approved_mono).await {
                Ok(cleared) => cleared,
                Err(decided) => return decided,
            };
            let sending = self.relay.clone();
            // A sent call is awaited even while the program ends, so it runs among the tasks that the end waits for.
            let bearer = if attempt == 0 { bearer.clone() } else { self.renewed(&bearer).await.unwrap_or_else(|| bearer.clone()) };
            let sent = self.relay.sent.spawn(async move { sending.trade.send(cleared, &bearer).await }).await;
            match sent {
                Ok(Ok(sent)) => {
                    self.finish(sent).await;
                    return Decided::Done;
                }
                Ok(Err((not_run, why))) => {
                    if !self.give_back(not_run, &why, attempt).await {
                        return Decided::Done;
                    }
                }
                Err(_) => {
                    self.finish(Sent::Unknown("the program failed while sending".to_owned())).await;
                    return Decided::Done;
                }
            }
        }
        Decided::Done
    }

    async fn bearer(&self) -> Result<Bearer, String> {
        let unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match unsealed {
            Some(unsealed) => Ok(unsealed.bearer()),
            None => self.relay.grants.bearer(GrantKind::Trade).await.map_err(|error| error.to_string()),
        }
    }

    async fn renewed(&self, refused: &Bearer) -> Option<Bearer> {
        let unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match unsealed {
            Some(unsealed) => unsealed.renew(refused).await.ok(),
            None => self.relay.grants.renew(GrantKind::Trade, refused).await.ok(),
        }
    }

    /// Judges again under the counters' lock and the ticket's turn, and writes down that it is being sent.
    async fn clear(&self, via: &'static str, approved_mono: u64) -> Result<Cleared, Decided> {
        let relay = &self.relay;
        let facts = self.fresh_facts().await;
        let Ok(_turn) = relay.tickets.turn(self.id()).await else {
            // Whoever holds the turn this long decides; here nothing more happens.
            return Err(Decided::Done);
        };
        let mut ticket = match relay.tickets.load(self.id()) {
            Ok(Some(ticket)) if ticket.state == State::Held => ticket,
            // Another process was quicker: the ticket is no longer ours to decide.
            Ok(_) => return Err(Decided::Done),
            Err(_) => return Err(Decided::Done),
        };
        let verdict = self.judge_again(&facts, &ticket).await;
        match verdict {
            Ok(None) => {}
            Ok(Some(card)) => return Err(Decided::Again(card)),
            Err(reason) => {
                self.end_in_turn(&mut ticket, State::Voided, &reason);
                return Err(Decided::Done);
            }
        }
        if mono_ms().saturating_sub(approved_mono) > START_MS {
            self.end_in_turn(&mut ticket, State::Voided, "sending could not start within 10 s of the approval");
            return Err(Decided::Done);
        }
        let approval = Approval { via: via.to_owned(), tier: self.held.tier };
        let Ok(Some(sender)) = relay.tickets.sender(self.id()) else {
            return Err(Decided::Done);
        };
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        let cleared = ticket.approve(approval, wall_ms()).map_err(|illegal| {
            tracing::warn!(%illegal, "an approval came too late");
            self.end_in_turn(&mut ticket, State::Expired, "the approval came too late");
            Decided::Done
        })?;
        let written = journal(relay, "approved", &ticket, &[("via", via.into()), ("tier", format!("{:?}", self.held.tier).to_lowercase().into())])
            .and_then(|()| relay.tickets.save(&ticket));
        if let Err(error) = written {
            let _ = ticket.not_run(cleared);
            self.end_in_turn(&mut ticket, State::Voided, &format!("the journal cannot be written: {error}"));
            return Err(Decided::Done);
        }
        Ok(cleared)
    }

    fn end_in_turn(&self, ticket: &mut Ticket, state: State, reason: &str) {
        if ticket.end(state, reason, wall_ms()).is_ok() {
            let _ = journal(&self.relay, state.word(), ticket, &[("reason", reason.into())]);
            let _ = self.relay.tickets.save(ticket);
        }
    }

    async fn fresh_facts(&self) -> Facts {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if mono_ms().saturating_sub(latest.mono) <= STALE_MS {
            return latest.facts;
        }
        self.relay.facts.gather(&self.relay.read, &self.held.call, true).await
    }

    /// `Ok(None)`: as good as when it was shown. `Ok(Some)`: ask again. `Err`: not any more.
    async fn judge_again(&self, facts: &Facts, ticket: &Ticket) -> Result<Option<Card>, String> {
        let relay = &self.relay;
        if relay.world.paths.halt().exists() {
            return Err("AI trading was stopped".to_owned());
        }
        let policy = load_policy(relay)?;
        if policy.digest() != ticket.policy_digest {
            return Err("the policy changed while it was asked".to_owned());
        }
        if let Some((_, why)) = pins_changed(relay, self.held.call.tool()) {
            return Err(why);
        }
        let settings = relay.settings()?;
        let paths = &relay.world.paths;
        let lock = FileLock::take(&paths.lock("counters.lock"), Duration::from_secs(2)).await;
        let _turn = lock.map_err(|_| "the counters are held by another process".to_owned())?;
        let mut kept = counters(relay);
        let judgement = judge_now(Moment::Approved(self.id()), relay, &self.held.call, facts, &policy, &settings, &kept);
        if judgement.verdict == Verdict::Deny {
            return Err(judgement.reason);
        }
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(worse) = judgement.worse_than(&shown) {
            tracing::info!(ticket = self.id(), worse, "asked again");
            let mut card = make_card(relay, self.id(), &self.held.call, facts, &judgement, &policy, &settings);
            card.mark_changes(&self.held.card);
            card.warnings.insert(0, format!("CHANGED SINCE YOU APPROVED: {worse}"));
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = judgement;
            return Ok(Some(card));
        }
        kept.note_sent(&self.held.call, wall_ms());
        file::write_atomic(&paths.counters(), kept.text().as_bytes()).map_err(|error| format!("the counters cannot be kept: {error}"))?;
        Ok(None)
    }

    /// The call provably did not run. Returns whether it may be tried once more.
    async fn give_back(&self, not_run: NotRun, why: &NotSent, attempt: u32) -> bool {
        let relay = &self.relay;
        let Ok(_turn) = relay.tickets.turn(self.id()).await else { return false };
        let Ok(Some(mut ticket)) = relay.tickets.load(self.id()) else { return false };
        if ticket.not_run(not_run.0).is_err() {
            return false;
        }
        let _ = journal(relay, "not_run", &ticket, &[("reason", why.to_string().into())]);
        let again = attempt == 0 && matches!(why, NotSent::Unauthorized | NotSent::SessionLost | NotSent::Connect(_));
        if again {
            let _ = relay.tickets.save(&ticket);
        } else {
            self.end_in_turn(&mut ticket, State::Voided, &why.to_string());
            drop(ticket);
            let lines = vec![format!("Ticket {}: {why}", self.id())];
            relay.desk.notice(Notice { title: format!("NOT SENT: {}", self.held.card.headline), lines, lasting: true }).await;
        }
        again
    }

    /// The call was sent: write down what came back, and tell the person.
    async fn finish(&self, sent: Sent) {
        let relay = &self.relay;
        let (outcome, kind, said) = match sent {
            Sent::Result(result) => match outcome::read(&result) {
                outcome::Said::Accepted(said) => (Outcome::Accepted(result), "accepted", said),
                outcome::Said::Rejected(said) => (Outcome::Rejected(result), "rejected", said),
                outcome::Said::Unclear(said) => (Outcome::Unknown(said.clone()), "unknown", said),
            },
            Sent::Refused(why) => {
                let text = serde_json::to_string(&why).unwrap_or_default();
                (Outcome::Rejected(format!(r#"{{"content":[{{"type":"text","text":{text}}}],"isError":true}}"#)), "rejected", why)
            }
            Sent::Unknown(why) => (Outcome::Unknown(why.clone()), "unknown", why),
        };
        let Ok(_turn) = relay.tickets.turn(self.id()).await else { return };
        let Ok(Some(mut ticket)) = relay.tickets.load(self.id()) else { return };
        if let Err(illegal) = ticket.outcome(outcome, wall_ms()) {
            tracing::error!(%illegal, "an outcome could not be taken down");
        }
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        if let Err(error) = journal(relay, kind, &ticket, &[("said", said.clone().into())]).and_then(|()| relay.tickets.save(&ticket)) {
            tracing::error!(%error, "an outcome could not be written down");
        }
        self.tell(kind, &said).await;
        if kind == "unknown" {
            lookup::run(relay, &ticket, Some(&self.held.facts)).await;
        }
    }

    async fn tell(&self, kind: &str, said: &str) {
        let what = &self.held.card.headline;
        let title = match kind {
            "accepted" => format!("Sent and accepted: {what}"),
            "rejected" => format!("REJECTED by the service: {what}"),
            _ => format!("OUTCOME UNKNOWN: {what}"),
        };
        let mut lines = vec![format!("Ticket {}", self.id()), ascii(said)];
        if kind == "unknown" {
            lines.push("It may or may not have been executed. Check orders and positions in NinjaTrader.".to_owned());
        }
        self.relay.desk.notice(Notice { title, lines, lasting: kind != "accepted" }).await;
    }
}

/// How long the question stays open once shown, by the ticket's own rule.
fn open_for(held: &Held) -> Duration {
    Duration::from_millis(if held.call.is_market() { ticket::MARKET_DEADLINE } else { ticket::DEADLINE })
}

fn policy_changed(relay: &Relay, ticket: &Ticket) -> bool {
    load_policy(relay).map_or(true, |policy| policy.digest() != ticket.policy_digest)
}

fn pins_changed(relay: &Relay, tool: &str) -> Option<(State, String)> {
    match relay.lists.pin(tool) {
        super::lists::Pin::Holds(_) => None,
        _ => Some((State::Voided, format!("the service changed its description of {tool}"))),
    }
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(200).collect()
}

impl Relay {
    /// Stops AI trading on this computer, for all processes at once.
    pub(crate) fn halt(&self, via: &str) {
        let content = format!("{{\"at\":\"{}\",\"via\":\"{via}\"}}\n", crate::system::clock::rfc3339(wall_ms()));
        if let Err(error) = file::write_atomic(&self.world.paths.halt(), content.as_bytes()) {
            tracing::error!(%error, "the halt could not be written");
        }
        self.unsealed.disarm();
        hold::note(self, "halted", &[("via", via.into())]);
    }
}
