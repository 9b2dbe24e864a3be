//! The life of a ticket on the person's side: asked, judged again, sent once, told.

use super::hold::{self, Held, counters, journal, load_policy, make_card};
use super::{Relay, lock, lookup};
use crate::approve::{Answer, Ask, Notice, Verify};
use crate::gate::ticket::{Approval, Outcome, State, Ticket};
use crate::gate::{Card, Class, Cleared, Counters, Facts, Judgement, NotRun, Tier, Verdict, limits, outcome, ticket};
use crate::oauth::{Bearer, GrantKind, SealedExtras};
use crate::system::clock::{mono_ms, wall_ms};
use crate::system::{FileLock, file};
use crate::upstream::{Failure, NotSent, Sent};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How often the facts on a shown card are read anew.
const REFRESH_MS: u64 = 1800;
/// How often what else may end a ticket is looked at: halt, policy, another process's decision.
const WATCH: Duration = Duration::from_millis(200);
/// Facts older than this are read once more before an approval counts (DESIGN section 5, judged twice).
const STALE_MS: u64 = 2000;
/// How often one ticket may be asked again because something got worse.
const ASKS: u32 = 5;
/// Sending starts within this time of the approval or not at all.
const START_MS: u64 = 10_000;
/// A wall clock that moves this much against the monotonic one means that the machine slept or the clock was set.
const JUMP_MS: u64 = 2000;

const LEFT: &str = "the AI client left";

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
    latest: Mutex<Latest>,
    /// What the card was judged to be: an approval counts for nothing worse.
    basis: Mutex<Basis>,
    /// The first card with facts: what differs from it is marked as changed.
    first: Mutex<Card>,
    /// Why it is asked again; it stays on the card.
    again: Option<String>,
    unsealed: super::verbs::Slot,
    /// Counted by the relay: the trade lane is closed when no ticket lives any more.
    _alive: Arc<()>,
}

#[derive(Debug, Clone)]
struct Latest {
    facts: Facts,
    /// When the reads began (monotonic); `None` before the first.
    mono: Option<u64>,
}

#[derive(Debug, Clone)]
struct Basis {
    judgement: Judgement,
    /// False while an exit's card stands without its facts.
    proved: bool,
}

/// What a decision came to.
enum Decided {
    /// The ticket has ended, one way or the other.
    Done,
    /// Something got worse: the person is asked again with this card.
    Again(Card),
}

/// What happens beside a question: it may end it.
struct Side {
    updates: watch::Sender<Card>,
    stop: CancellationToken,
    on_screen: watch::Sender<bool>,
    /// In which state, and why.
    end: Mutex<Option<(State, String)>>,
}

impl Side {
    fn new(relay: &Relay, card: Card) -> Self {
        Self {
            updates: watch::Sender::new(card),
            stop: relay.ending.child_token(),
            on_screen: watch::Sender::new(false),
            end: Mutex::default(),
        }
    }

    fn end(&self, state: State, reason: impl Into<String>) {
        *lock(&self.end) = Some((state, reason.into()));
        self.stop.cancel();
    }
}

/// Lives a ticket to its end.
pub(super) async fn live(relay: &Arc<Relay>, held: Held, prompt: Prompt) {
    let latest = Latest { facts: held.facts.clone().unwrap_or_default(), mono: held.facts.is_some().then(mono_ms) };
    let basis = Basis { judgement: held.judgement.clone(), proved: held.facts.is_some() };
    let unsealed = Arc::new(Mutex::new(relay.unsealed.grant()));
    let alive = Arc::clone(&relay.asking);
    let first = Mutex::new(held.card.clone());
    let (latest, basis) = (Mutex::new(latest), Mutex::new(basis));
    let mut live =
        Live { relay: Arc::clone(relay), held, prompt, sender: Mutex::new(None), latest, basis, first, again: None, unsealed, _alive: alive };
    live.run().await;
    // The relay's own and this one.
    if Arc::strong_count(&relay.asking) <= 2 {
        relay.trade.close().await;
    }
}

impl Live {
    fn id(&self) -> &str {
        &self.held.id
    }

    async fn run(&mut self) {
        if self.held.judgement.verdict == Verdict::Allow {
            match self.decide("policy").await {
                Decided::Done => return,
                Decided::Again(card) => self.ask_with(card).await,
            }
        }
        for _ in 0..ASKS {
            match self.ask().await {
                Some(again) => self.ask_with(again).await,
                None => return,
            }
        }
        self.end(State::Voided, "the market or the account kept changing while it was asked").await;
    }

    /// Asks once. `Some` asks again with another card.
    async fn ask(&mut self) -> Option<Card> {
        let side = Side::new(&self.relay, self.held.card.clone());
        let seen = side.updates.subscribe();
        let (shown, was_shown) = oneshot::channel();
        let ask = Ask { card: self.held.card.clone(), tier: self.held.tier, open_for: self.open_for(), verify: self.verify() };
        let asking = async {
            match self.prompt {
                Prompt::Desk => self.relay.desk.ask(ask, seen, side.stop.clone(), shown).await,
                Prompt::Terminal => crate::approve::terminal::ask(ask, seen, side.stop.clone(), shown).await,
            }
        };
        let beside = async {
            tokio::join!(self.follow_facts(&side), self.watch(&side), self.note_shown(&side, was_shown), self.warm(&side));
        };
        let answer = tokio::select! {
            answer = asking => answer,
            () = beside => Answer::Stopped,
        };
        let ended = lock(&side.end).take();
        self.take_answer(answer, ended).await
    }

    async fn take_answer(&mut self, answer: Answer, ended: Option<(State, String)>) -> Option<Card> {
        match answer {
            Answer::Approved { via } => match self.decide(via).await {
                Decided::Again(card) => return Some(card),
                Decided::Done => {}
            },
            Answer::Denied { via } => {
                if self.end(State::Denied, &format!("the person denied it ({via})")).await {
                    self.count(Counters::note_denied);
                }
            }
            Answer::Halted { via } => {
                self.relay.halt(via);
                self.end(State::Denied, "the person stopped AI trading").await;
            }
            Answer::Expired => {
                if self.end(State::Expired, "nobody decided in time").await {
                    self.count(Counters::note_unanswered);
                }
            }
            Answer::Tampered(what) => {
                self.end(State::Tampered, &what).await;
                let lines = vec![format!("Ticket {} was NOT sent.", self.id()), what];
                self.relay.desk.notice(Notice { title: "Somebody interfered with an approval".to_owned(), lines, lasting: true }).await;
            }
            // In the terminal that only means that it was left: the call stays with its prompt on the desktop.
            Answer::Nobody(_) | Answer::Stopped if self.prompt == Prompt::Terminal && ended.is_none() => {}
            Answer::Nobody(what) if !hold::is_watched(&self.relay) => {
                self.end(State::Voided, &format!("nobody was asked: {what}")).await;
            }
            Answer::Nobody(_) => {
                let (state, reason) = self.leave_to_terminal().await;
                self.end(state, &reason).await;
            }
            Answer::Stopped => {
                let (state, reason) = ended.unwrap_or((State::Voided, LEFT.to_owned()));
                self.end(state, &reason).await;
            }
        }
        None
    }

    /// Nothing can be shown here, but a person watches in a terminal: the ticket waits for them as it would for the screen.
    async fn leave_to_terminal(&self) -> (State, String) {
        let side = Side::new(&self.relay, self.held.card.clone());
        let overdue = async {
            while !matches!(self.relay.tickets.load(self.id()), Ok(Some(ticket)) if ticket.is_overdue(wall_ms())) {
                tokio::time::sleep(WATCH).await;
            }
        };
        tokio::select! {
            () = side.stop.cancelled() => {}
            () = self.watch(&side) => {}
            () = overdue => side.end(State::Expired, "nobody decided in the terminal in time"),
        }
        let ended = lock(&side.end).take();
        ended.unwrap_or((State::Voided, LEFT.to_owned()))
    }

    /// Denials and silence pause entries, and only entries (DESIGN section 5, ticket).
    fn count(&self, note: fn(&mut Counters, u64)) {
        let judgement = lock(&self.basis).judgement.clone();
        if limits::group(judgement.class, judgement.opening) == limits::Group::Entry {
            hold::update_counters(&self.relay, |counters| note(counters, wall_ms()));
        }
    }

    /// How long the question stays open once shown: by the ticket's own rule, and in a terminal no longer than the
    /// card on the desktop does.
    fn open_for(&self) -> Duration {
        let whole = if self.held.call.is_market() { ticket::MARKET_DEADLINE } else { ticket::DEADLINE };
        let left = match (self.prompt, self.relay.tickets.load(self.id())) {
            (Prompt::Terminal, Ok(Some(ticket))) => ticket.deadline().map(|at| at.saturating_sub(wall_ms())),
            _ => None,
        };
        Duration::from_millis(left.unwrap_or(whole).min(whole))
    }

    /// The PIN check of the page and the terminal: unsealing *is* the check. What it yields stays here.
    fn verify(&self) -> Option<Verify> {
        if self.held.tier < Tier::Pin {
            return None;
        }
        Some(super::verbs::verify_into(&self.relay, &self.unsealed))
    }

    /// Reads the facts again and again, and shows what they change on the card. An exit's first facts come while its
    /// card is on its way to the screen; all others are read anew once the card can be seen.
    async fn follow_facts(&self, side: &Side) {
        let mut on_screen = side.on_screen.subscribe();
        loop {
            let read = lock(&self.latest).mono;
            if let Some(read) = read {
                if on_screen.wait_for(|shown| *shown).await.is_err() {
                    return;
                }
                let due = read.saturating_add(REFRESH_MS);
                tokio::time::sleep(Duration::from_millis(due.saturating_sub(mono_ms()))).await;
            }
            let facts = self.read_facts().await;
            let Some((policy, settings)) = load_policy(&self.relay).ok().zip(self.relay.settings().ok()) else { continue };
            let judgement = hold::judge_again(&self.relay, self.id(), &self.held.call, &facts, &policy, &settings, &counters(&self.relay));
            let card = make_card(&self.relay, self.id(), &self.held.call, &facts, &judgement, &policy, &settings);
            if !self.settle(&judgement, &card, side) {
                return std::future::pending().await;
            }
            let card = self.marked(card);
            side.updates.send_if_modified(|old| {
                let differs = *old != card;
                *old = card;
                differs
            });
        }
    }

    /// With what changed since the first card, and why it is asked again.
    fn marked(&self, mut card: Card) -> Card {
        card.mark_changes(&lock(&self.first));
        if let Some(again) = &self.again {
            card.warnings.insert(0, again.clone());
        }
        card
    }

    async fn read_facts(&self) -> Facts {
        let mono = Some(mono_ms());
        let facts = self.relay.facts.gather(&self.relay.read, &self.held.call, true).await;
        *lock(&self.latest) = Latest { facts: facts.clone(), mono };
        facts
    }

    /// Takes the first judgement with facts for an exit that was shown without; false where it ends the ticket.
    fn settle(&self, judgement: &Judgement, card: &Card, side: &Side) -> bool {
        let mut basis = lock(&self.basis);
        if basis.proved {
            return true;
        }
        if judgement.verdict == Verdict::Deny {
            side.end(State::Voided, judgement.reason.clone());
            return false;
        }
        *basis = Basis { judgement: judgement.clone(), proved: true };
        lock(&self.first).clone_from(card);
        hold::count_ask(&self.relay, judgement);
        true
    }

    /// Opens the trade connection while the person reads, and looks whether the definitions still are the pinned ones.
    async fn warm(&self, side: &Side) {
        if self.held.tier != Tier::Click || side.on_screen.subscribe().wait_for(|shown| *shown).await.is_err() {
            return;
        }
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
    async fn watch(&self, side: &Side) {
        let (mono, wall) = (mono_ms(), wall_ms());
        loop {
            tokio::time::sleep(WATCH).await;
            let drift = (wall_ms().saturating_sub(wall)).abs_diff(mono_ms().saturating_sub(mono));
            let ended = if self.relay.world.paths.halt().exists() {
                Some((State::Voided, "AI trading was stopped".to_owned()))
            } else if drift > JUMP_MS {
                Some((State::Voided, "the computer slept or its clock was set".to_owned()))
            } else if self.relay.out.unread_ms() > hold::UNREAD_MS {
                Some((State::Voided, "the AI client stopped reading its answers".to_owned()))
            } else {
                self.decided_elsewhere()
            };
            if let Some((state, reason)) = ended {
                side.end(state, reason);
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

    /// Writes down when the card came onto the screen: the deadline runs from there.
    async fn note_shown(&self, side: &Side, shown: oneshot::Receiver<()>) {
        if shown.await.is_err() {
            return;
        }
        let noted = async {
            let _turn = self.relay.tickets.turn(self.id()).await.map_err(|error| error.to_string())?;
            match self.relay.tickets.load(self.id()) {
                Ok(Some(mut ticket)) if ticket.state == State::Held => {
                    ticket.show(wall_ms()).map_err(|illegal| illegal.to_string())?;
                    self.relay.tickets.save(&ticket).map_err(|error| error.to_string())
                }
                _ => Ok(()),
            }
        };
        match noted.await {
            Ok(()) => {
                side.on_screen.send_replace(true);
            }
            Err(why) => side.end(State::Expired, format!("it could not be shown in time: {why}")),
        }
    }

    /// Goes on with another card: it has its time anew, and is what an approval is compared with.
    async fn ask_with(&mut self, card: Card) {
        self.held.card = card;
        let Ok(_turn) = self.relay.tickets.turn(self.held.id.as_str()).await else { return };
        if let Ok(Some(mut ticket)) = self.relay.tickets.load(self.id())
            && ticket.state == State::Held
        {
            ticket.card = Some(self.held.card.clone());
            ticket.tier = ticket.tier.max(self.held.tier);
            ticket.shown_wall = Some(wall_ms());
            if let Err(error) = self.relay.tickets.save(&ticket) {
                tracing::warn!(%error, "the card of a ticket could not be kept");
            }
        }
    }

    /// Ends the ticket unsent, unless it has ended already; whether it was this that ended it.
    async fn end(&self, state: State, reason: &str) -> bool {
        let ended = hold::end_held(&self.relay, self.id(), state, reason).await;
        match &ended {
            Ok(()) => tracing::info!(ticket = self.id(), state = state.word(), reason, "ticket ended"),
            Err(error) => tracing::info!(ticket = self.id(), %error, "the ticket had ended already"),
        }
        self.unprotected().await;
        ended.is_ok()
    }

    /// A protective or closing order that did not go out leaves a notice that stays; once, by the owner.
    async fn unprotected(&self) {
        let unsent = matches!(self.relay.tickets.load(self.id()), Ok(Some(ticket)) if ticket.sent_wall.is_none() && ticket.state.is_final());
        if unsent && self.prompt == Prompt::Desk && matches!(lock(&self.basis).judgement.class, Class::Protect | Class::Exit) {
            lookup::unprotected(&self.relay, self.id(), &self.held.card.headline).await;
        }
    }

    /// An approval has come: judge again, then send, once.
    async fn decide(&mut self, via: &'static str) -> Decided {
        let approved_mono = mono_ms();
        let mut bearer = match self.bearer().await {
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
            let (sending, with) = (Arc::clone(&self.relay), bearer.clone());
            // A sent call is awaited even while the program ends, so it runs among the tasks that the end waits for.
            let sent = self.relay.sent.spawn(async move { sending.trade.send(cleared, &with).await }).await;
            let (not_run, why) = match sent {
                Ok(Ok(sent)) => {
                    self.finish(sent).await;
                    return Decided::Done;
                }
                Ok(Err(given_back)) => given_back,
                Err(_) => {
                    self.finish(Sent::Unknown("the program failed while sending".to_owned())).await;
                    return Decided::Done;
                }
            };
            if !self.give_back(not_run, &why, attempt).await {
                return Decided::Done;
            }
            if matches!(why, NotSent::RateLimited(_)) {
                self.again = Some("NOT SENT: THE SERVICE ASKED TO SLOW DOWN. APPROVE ONCE MORE TO SEND IT".to_owned());
                let card = lock(&self.first).clone();
                return Decided::Again(self.marked(card));
            }
            if matches!(why, NotSent::Unauthorized) {
                match self.renewed(&bearer).await {
                    Ok(renewed) => bearer = renewed,
                    Err(why) => {
                        self.end(State::Voided, &why).await;
                        return Decided::Done;
                    }
                }
            }
        }
        Decided::Done
    }

    /// The trade token. What was sealed with it must be what holds now: somebody may have changed policy or definitions
    /// while it lay there, and nobody can change what the PIN protects.
    async fn bearer(&self) -> Result<Bearer, String> {
        let unsealed = lock(&self.unsealed).clone();
        match unsealed {
            Some(unsealed) => {
                self.as_sealed(&unsealed.extras())?;
                self.look_at_definitions(unsealed.bearer()).await
            }
            None => self.relay.grants.bearer(GrantKind::Trade).await.map_err(|error| error.to_string()),
        }
    }

    fn as_sealed(&self, extras: &SealedExtras) -> Result<(), String> {
        let policy = load_policy(&self.relay)?;
        let now = [("policy", policy.digest().to_owned()), ("pins", self.relay.lists.pins_digest())];
        let changed = now.iter().find(|(key, digest)| extras.get(*key).is_some_and(|sealed| sealed != digest));
        let Some((what, _)) = changed else { return Ok(()) };
        let what = if *what == "policy" { "policy" } else { "tool definitions" };
        Err(format!("the {what} changed since the PIN was set: if that was you, run `countersign presence set pin` once more"))
    }

    /// A sealed lane cannot be warmed: its list of tools is looked at now, before anything is sent.
    async fn look_at_definitions(&self, mut bearer: Bearer) -> Result<Bearer, String> {
        if self.held.tier < Tier::Pin {
            return Ok(bearer);
        }
        let mut tools = self.relay.trade.list_tools(&bearer).await;
        if matches!(tools, Err(Failure::Unauthorized)) {
            bearer = self.renewed(&bearer).await?;
            tools = self.relay.trade.list_tools(&bearer).await;
        }
        let tools = tools.map_err(|failure| format!("the service's tools could not be listed: {failure}"))?;
        if self.relay.lists.absorb_trade(&tools) {
            self.relay.list_changed();
        }
        Ok(bearer)
    }

    async fn renewed(&self, refused: &Bearer) -> Result<Bearer, String> {
        let unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let renewed = match unsealed {
            Some(unsealed) => unsealed.renew(refused).await,
            None => self.relay.grants.renew(GrantKind::Trade, refused).await,
        };
        renewed.map_err(|error| error.to_string())
    }

    /// Judges again under the counters' lock and the ticket's turn, and writes down that it is being sent.
    async fn clear(&mut self, via: &'static str, approved_mono: u64) -> Result<Cleared, Decided> {
        let relay = Arc::clone(&self.relay);
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
        if !self.is_sender() {
            return Err(Decided::Done);
        }
        let cleared = ticket.approve(approval, wall_ms()).map_err(|illegal| {
            tracing::warn!(%illegal, "an approval that does not count");
            self.end_in_turn(&mut ticket, State::Voided, &format!("the approval does not count: {}", illegal.what));
            Decided::Done
        })?;
        let written = journal(&relay, "approved", &ticket, &[("via", via.into()), ("tier", format!("{:?}", self.held.tier).to_lowercase().into())])
            .and_then(|()| relay.tickets.save(&ticket));
        if let Err(error) = written {
            let _ = ticket.not_run(cleared);
            self.end_in_turn(&mut ticket, State::Voided, &format!("the journal cannot be written: {error}"));
            return Err(Decided::Done);
        }
        Ok(cleared)
    }

    /// Takes the right to send, and keeps it: a second try has it already.
    fn is_sender(&self) -> bool {
        let mut sender = lock(&self.sender);
        if sender.is_none() {
            *sender = self.relay.tickets.sender(self.id()).ok().flatten();
        }
        sender.is_some()
    }

    fn end_in_turn(&self, ticket: &mut Ticket, state: State, reason: &str) {
        if ticket.end(state, reason, wall_ms()).is_ok() {
            let _ = journal(&self.relay, state.word(), ticket, &[("reason", reason.into())]);
            let _ = self.relay.tickets.save(ticket);
        }
    }

    async fn fresh_facts(&self) -> Facts {
        let latest = lock(&self.latest).clone();
        match latest.mono {
            Some(mono) if mono_ms().saturating_sub(mono) <= STALE_MS => latest.facts,
            _ => self.read_facts().await,
        }
    }

    /// `Ok(None)`: as good as when it was shown. `Ok(Some)`: ask again. `Err`: not any more.
    async fn judge_again(&mut self, facts: &Facts, ticket: &Ticket) -> Result<Option<Card>, String> {
        let relay = Arc::clone(&self.relay);
        if relay.ending.is_cancelled() {
            return Err(LEFT.to_owned());
        }
        if relay.world.paths.halt().exists() {
            return Err("AI trading was stopped".to_owned());
        }
        let policy = load_policy(&relay)?;
        if policy.digest() != ticket.policy_digest {
            return Err("the policy changed while it was asked".to_owned());
        }
        if let Some((_, why)) = pins_changed(&relay, self.held.call.tool()) {
            return Err(why);
        }
        let settings = &relay.settings()?;
        let paths = &relay.world.paths;
        let counting = FileLock::take(&paths.lock("counters.lock"), Duration::from_secs(2)).await;
        let _turn = counting.map_err(|_| "the counters are held by another process".to_owned())?;
        let mut kept = counters(&relay);
        let judgement = hold::judge_again(&relay, &ticket.id, &self.held.call, facts, &policy, settings, &kept);
        if judgement.verdict == Verdict::Deny {
            return Err(judgement.reason);
        }
        let basis = lock(&self.basis).clone();
        let tier = hold::effective_tier(&relay, settings, &judgement);
        if let Some(worse) = worse(&basis, &judgement, tier > self.held.tier) {
            tracing::info!(ticket = self.id(), worse, "asked again");
            let card = make_card(&relay, self.id(), &self.held.call, facts, &judgement, &policy, settings);
            self.again = Some(format!("CHANGED SINCE YOU APPROVED: {worse}"));
            let card = self.marked(card);
            self.held.tier = tier.max(self.held.tier);
            *lock(&self.basis) = Basis { judgement, proved: true };
            return Ok(Some(card));
        }
        kept.note_sent(&self.held.call, wall_ms());
        file::write_atomic(&paths.counters(), kept.text().as_bytes()).map_err(|error| format!("the counters cannot be kept: {error}"))?;
        Ok(None)
    }

    /// The call provably did not run. Returns whether it may be tried once more: by itself, or after another approval.
    async fn give_back(&self, not_run: NotRun, why: &NotSent, attempt: u32) -> bool {
        let relay = &self.relay;
        let Ok(_turn) = relay.tickets.turn(self.id()).await else { return false };
        let Ok(Some(mut ticket)) = relay.tickets.load(self.id()) else { return false };
        if ticket.not_run(not_run.0).is_err() {
            return false;
        }
        let _ = journal(relay, "not_run", &ticket, &[("reason", why.to_string().into())]);
        let again = match why {
            NotSent::Unauthorized | NotSent::SessionLost | NotSent::Connect(_) => attempt == 0,
            NotSent::RateLimited(_) => ticket.not_run <= 1,
            NotSent::Scope(_) | NotSent::Plan | NotSent::Handshake(_) => false,
        };
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
        // The trade grant has done its work.
        *lock(&self.unsealed) = None;
        let (outcome, kind, said) = match sent {
            Sent::Result(result) => match outcome::read(&self.held.call, &result) {
                outcome::Said::Accepted(said) => (Outcome::Accepted(result), "accepted", said),
                outcome::Said::Otherwise(said) => (Outcome::Accepted(result), "otherwise", said),
                outcome::Said::Rejected(said) => (Outcome::Rejected(result), "rejected", said),
                outcome::Said::Unclear(said) => (Outcome::Unknown(said.clone()), "unknown", said),
            },
            Sent::Refused(why) => {
                let text = serde_json::to_string(&why).unwrap_or_default();
                (Outcome::Rejected(format!(r#"{{"content":[{{"type":"text","text":{text}}}],"isError":true}}"#)), "rejected", why)
            }
            Sent::Unknown(why) => (Outcome::Unknown(why.clone()), "unknown", why),
        };
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        let Some(ticket) = self.write_outcome(outcome, kind, &said).await else { return };
        self.tell(kind, &said).await;
        if kind == "unknown" {
            let before = lock(&self.latest).clone();
            lookup::run(relay, &ticket, before.mono.is_some().then_some(&before.facts)).await;
        }
    }

    /// The journal first; but a journal that cannot be written must not turn a known outcome into an unknown one.
    async fn write_outcome(&self, outcome: Outcome, kind: &str, said: &str) -> Option<Ticket> {
        let relay = &self.relay;
        let _turn = relay.tickets.turn(self.id()).await.ok()?;
        let mut ticket = relay.tickets.load(self.id()).ok().flatten()?;
        if let Err(illegal) = ticket.outcome(outcome, wall_ms()) {
            tracing::error!(%illegal, "an outcome could not be taken down");
        }
        for written in [journal(relay, kind, &ticket, &[("said", said.into())]), relay.tickets.save(&ticket)] {
            if let Err(error) = written {
                tracing::error!(%error, "an outcome could not be written down");
            }
        }
        Some(ticket)
    }

    async fn tell(&self, kind: &str, said: &str) {
        let what = &self.held.card.headline;
        let title = match kind {
            "accepted" => format!("Sent and accepted: {what}"),
            "otherwise" => format!("NOT ALL WAS DONE: {what}"),
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

/// What got worse since the card that was approved. A card that stood without its facts counts only for what the reads
/// prove to be an exit.
fn worse(basis: &Basis, now: &Judgement, needs_more: bool) -> Option<String> {
    if needs_more {
        return Some("it now needs a stronger approval".to_owned());
    }
    if !basis.proved {
        let exit = matches!(now.class, Class::Exit | Class::Protect);
        return (!exit).then(|| "it is not proven to only reduce".to_owned());
    }
    now.worse_than(&basis.judgement)
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
