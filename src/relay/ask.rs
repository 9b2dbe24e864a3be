//! A ticket before the person: asked, followed while its card is up, and ended unless it is approved. What an approval
//! sets off is in `send.rs`.

use super::facts::Round;
use super::hold::{self, Held};
use super::judging::{self, counters, make_card};
use super::passkeys::{OrderTouch, Signed};
use super::policy_file::{Looked, Rules};
use super::{Relay, lock, lookup, outcomes, pausing};
use crate::approve::touch::Touch;
use crate::approve::{Answer, Ask, Notice, Verify};
use crate::gate::ticket::{State, Ticket};
use crate::gate::{Card, Class, Counters, Facts, Judgement, Tier, Verdict, limits};
use crate::oauth::GrantKind;
use crate::system::FileLock;
use crate::system::clock::{Moment, mono_ms, wall_ms};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How often the facts on a shown card are read anew.
const REFRESH_MS: u64 = 1800;
/// The same where the service is slow or its requests are short, and no exit waits: others need their turn.
const SLOW_REFRESH_MS: u64 = 5000;
/// A round of reads that took this long (ms) had to wait for its turn.
const SLOW_ROUND_MS: u64 = 700;
/// How often what else may end a ticket is looked at: halt, policy, another process's decision.
const WATCH: Duration = Duration::from_millis(200);
/// How often one ticket may be asked again because something got worse.
const ASKS: u32 = 5;
/// A wall clock that moves this much against the monotonic one means that the machine slept or the clock was set.
const JUMP_MS: u64 = 2000;

pub(super) const JUMPED: &str = "the computer slept or its clock was set";
/// When a position is looked at after a call went through: at once, and when a fill has had its time.
const SETTLING: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(700),
    Duration::from_millis(2500),
];
/// The last look of a ticket that has ended: within the time that the end of the program gives it.
const LAST_LOOK: Duration = Duration::from_secs(1);

pub(super) const LEFT: &str = "the AI client left";

/// Where the person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// On their desktop.
    Desk,
    /// In the terminal in which they run `countersign watch`.
    Terminal,
}

/// What a ticket task keeps while it asks.
pub(super) struct Live {
    pub(super) relay: Arc<Relay>,
    pub(super) held: Held,
    pub(super) prompt: Prompt,
    /// Locked from the decision to the outcome, so that nobody takes a call that is being sent for abandoned.
    pub(super) sender: Mutex<Option<FileLock>>,
    pub(super) latest: Mutex<Latest>,
    /// What the card was judged to be: an approval counts for nothing worse.
    pub(super) basis: Mutex<Basis>,
    /// The first card with facts: what differs from it is marked as changed.
    pub(super) first: Mutex<Card>,
    /// Why it is asked again; it stays on the card.
    pub(super) again: Option<String>,
    pub(super) unsealed: super::verbs::Slot,
    /// What lay under the seal when it was approved; `None` where nothing is sealed.
    pub(super) sealed: Mutex<Option<crate::oauth::SealedExtras>>,
    /// The touch of tier passkey; an approval without it counts for nothing there.
    pub(super) signed: Arc<Mutex<Option<Signed>>>,
    /// The pinned input schema by which it was judged last: it says what stands in headers as well.
    pub(super) schema: Mutex<String>,
    /// When it began: what moves the clocks against each other since then ends the ticket.
    pub(super) since: Moment,
    /// The ticket as it was written when its sending began: its outcome goes into this one, whatever the file says by then.
    pub(super) sending: Mutex<Vec<u8>>,
    /// Its order stands among those of today, and has not been sent yet.
    pub(super) counted: bool,
    /// Whether the person has heard that a position is unprotected.
    alarmed: AtomicBool,
    /// Counted by the relay: the trade lane is closed when no ticket lives any more.
    _alive: Arc<()>,
}

#[derive(Debug, Clone)]
pub(super) struct Latest {
    pub(super) facts: Facts,
    /// When the reads began; `None` before the first.
    pub(super) began: Option<Began>,
}

/// The moment before a round of reads: what was sent after it, they may not show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    pub(super) mono: u64,
    wall: u64,
    /// How many calls this process had sent by then.
    deeds: u64,
}

impl Began {
    pub(super) fn now(relay: &Relay) -> Self {
        Self {
            mono: mono_ms(),
            wall: wall_ms(),
            deeds: *relay.deeds.borrow(),
        }
    }

    /// Whether another call, of whatever process, was sent or answered since; or, with `all`, is on its way.
    pub(super) fn is_overtaken(self, relay: &Relay, but: &str, all: bool) -> bool {
        let later = |ticket: &Arc<Ticket>| {
            let since = |at: u64| at >= self.wall;
            let on_its_way = all && ticket.ended_wall.is_none();
            ticket.id != but
                && ticket
                    .sent_wall
                    .is_some_and(|sent| on_its_way || since(sent) || ticket.ended_wall.is_some_and(since))
        };
        *relay.deeds.borrow() != self.deeds || relay.tickets.all().iter().any(later)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Basis {
    pub(super) judgement: Judgement,
    /// False while an exit's card stands without its facts.
    pub(super) proved: bool,
}

/// What a decision came to.
pub(super) enum Decided {
    /// The ticket has ended, one way or the other, and whoever ended it has told.
    Done,
    /// It was approved and not sent: the person must hear of it, for they believe that it was.
    NotSent(String),
    /// Something got worse: the person is asked again with this card.
    Again(Box<Card>),
}

/// What happens beside a question: it may end it.
struct Side {
    updates: watch::Sender<Card>,
    stop: CancellationToken,
    on_screen: watch::Sender<bool>,
    /// In which state, and why.
    end: Mutex<Option<(State, String)>>,
    /// Or as another card, that goes ahead.
    ahead: Mutex<Option<Card>>,
}

impl Side {
    fn new(relay: &Relay, card: Card) -> Self {
        Self {
            updates: watch::Sender::new(card),
            stop: relay.ending.child_token(),
            on_screen: watch::Sender::new(false),
            end: Mutex::default(),
            ahead: Mutex::default(),
        }
    }

    fn end(&self, state: State, reason: impl Into<String>) {
        *lock(&self.end) = Some((state, reason.into()));
        self.stop.cancel();
    }
}

/// Lives a ticket to its end.
pub(super) async fn live(relay: &Arc<Relay>, held: Held, prompt: Prompt) {
    let latest = Latest {
        facts: held.facts.clone().unwrap_or_default(),
        began: held.facts.as_ref().and(held.began),
    };
    let basis = Basis {
        judgement: held.judgement.clone(),
        proved: held.facts.is_some(),
    };
    // The armed grant serves only what the armed time covers; the tier was lowered for it and for nothing else.
    let armed = held.tier < held.judgement.tier;
    let unsealed = Arc::new(Mutex::new(relay.unsealed.grant().filter(|_| armed)));
    let alive = Arc::clone(&relay.asking);
    let first = Mutex::new(held.card.clone());
    let (latest, basis) = (Mutex::new(latest), Mutex::new(basis));
    let mut live = Live {
        relay: Arc::clone(relay),
        held,
        prompt,
        sender: Mutex::new(None),
        latest,
        basis,
        first,
        again: None,
        unsealed,
        sealed: Mutex::default(),
        signed: Arc::default(),
        schema: Mutex::default(),
        since: Moment::now(),
        sending: Mutex::default(),
        counted: false,
        alarmed: AtomicBool::new(false),
        _alive: alive,
    };
    Box::pin(live.run()).await;
    live.unprotected().await;
    // The relay's own and this one.
    if Arc::strong_count(&relay.asking) <= 2 {
        relay.trade.close().await;
    }
}

impl Live {
    pub(super) fn id(&self) -> &str {
        &self.held.id
    }

    async fn run(&mut self) {
        // Whoever decides in a terminal is asked there, also where the policy would allow it by now.
        if self.held.judgement.verdict == Verdict::Allow && self.prompt == Prompt::Desk {
            match self.decide("policy").await {
                Decided::Done => return,
                Decided::NotSent(why) => return self.tell_not_sent(&why).await,
                Decided::Again(card) => self.ask_with(*card).await,
            }
        }
        for _ in 0..ASKS {
            match Box::pin(self.ask()).await {
                Some(again) => self.ask_with(again).await,
                None => return,
            }
        }
        self.end(
            State::Voided,
            "the market or the account kept changing while it was asked",
        )
        .await;
    }

    /// Asks once. `Some` asks again with another card.
    async fn ask(&mut self) -> Option<Card> {
        let side = Side::new(&self.relay, self.held.card.clone());
        let seen = side.updates.subscribe();
        let (shown, was_shown) = oneshot::channel();
        let ask = Ask {
            card: self.held.card.clone(),
            tier: self.held.tier,
            open_for: self.open_for(),
            verify: self.verify(),
            touch: self.touch(),
        };
        let asking = async {
            match self.prompt {
                Prompt::Desk => self.relay.desk.ask(ask, seen, side.stop.clone(), shown).await,
                Prompt::Terminal => crate::approve::terminal::ask(ask, seen, side.stop.clone(), shown).await,
            }
        };
        let beside = async {
            tokio::join!(
                self.follow_facts(&side),
                self.watch(&side),
                self.note_shown(&side, was_shown),
                self.warm(&side),
                self.follow_deeds(&side)
            );
        };
        let answer = tokio::select! {
            answer = asking => answer,
            () = beside => Answer::Stopped,
        };
        let ahead = lock(&side.ahead).take();
        if let (Answer::Stopped, Some(card)) = (&answer, ahead) {
            return Some(card);
        }
        let ended = lock(&side.end).take();
        self.take_answer(answer, ended).await
    }

    async fn take_answer(&mut self, answer: Answer, ended: Option<(State, String)>) -> Option<Card> {
        match answer {
            Answer::Approved { via } => match self.decide(via).await {
                Decided::Again(card) => return Some(*card),
                Decided::NotSent(why) => self.tell_not_sent(&why).await,
                Decided::Done => {}
            },
            Answer::Denied { via } => {
                if self
                    .end(State::Denied, &format!("the person denied it ({via})"))
                    .await
                {
                    self.count(Counters::note_denied).await;
                }
            }
            Answer::Halted { via } => {
                if let Err(why) = self.relay.halt(via) {
                    let lines = vec![why, "Close the other AI clients, and check the disk.".to_owned()];
                    let title = "AI trading is stopped in THIS client only".to_owned();
                    self.relay
                        .desk
                        .notice(Notice {
                            title,
                            lines,
                            lasting: true,
                        })
                        .await;
                }
                self.end(State::Denied, "the person stopped AI trading").await;
            }
            Answer::Expired => {
                if self.end(State::Expired, "nobody decided in time").await {
                    self.count(Counters::note_unanswered).await;
                }
            }
            Answer::Tampered(what) => {
                self.end(State::Tampered, &what).await;
                let lines = vec![format!("Ticket {} was NOT sent.", self.id()), what];
                self.relay
                    .desk
                    .notice(Notice {
                        title: "Somebody interfered with an approval".to_owned(),
                        lines,
                        lasting: true,
                    })
                    .await;
            }
            // In the terminal that only means that it was left: the call stays with its prompt on the desktop.
            Answer::Nobody(_) | Answer::Stopped if self.prompt == Prompt::Terminal && ended.is_none() => {}
            Answer::Nobody(what) if !hold::is_watched(&self.relay) => {
                self.end(State::Voided, &format!("nobody was asked: {what}"))
                    .await;
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
            while !matches!(self.relay.tickets.peek(self.id()), Ok(Some(ticket)) if ticket.is_overdue(wall_ms()))
            {
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
    async fn count(&self, note: fn(&mut Counters, u64)) {
        let judgement = lock(&self.basis).judgement.clone();
        if limits::group(judgement.class, judgement.opening) == limits::Group::Entry {
            pausing::count(&self.relay, note).await;
        }
    }

    /// How long the question stays open once shown: by the ticket's own rule, and in a terminal no longer than the
    /// card on the desktop does.
    fn open_for(&self) -> Duration {
        let whole = self.held.judgement.open_for;
        let left = match (self.prompt, self.relay.tickets.load(self.id())) {
            (Prompt::Terminal, Ok(Some(ticket))) => ticket.deadline().map(|at| at.saturating_sub(wall_ms())),
            _ => None,
        };
        Duration::from_millis(left.unwrap_or(whole).min(whole))
    }

    /// The PIN check of the page and the terminal: unsealing *is* the check. What it yields stays here.
    fn verify(&self) -> Option<Verify> {
        if self.held.tier != Tier::Pin {
            return None;
        }
        Some(super::verbs::verify_into(&self.relay, &self.unsealed))
    }

    /// The passkey of the page, over this very order. What it yields stays here; what an earlier question yielded is
    /// forgotten.
    fn touch(&self) -> Option<Arc<dyn Touch>> {
        *lock(&self.signed) = None;
        let wanted = self.held.tier == Tier::Passkey;
        wanted.then(|| {
            let touch = OrderTouch::new(
                &self.relay,
                self.id(),
                &self.held.call,
                &self.unsealed,
                &self.signed,
            );
            Arc::new(touch) as Arc<dyn Touch>
        })
    }

    /// Reads the facts again and again, and shows what they change on the card. An exit's first facts come while its
    /// card is on its way to the screen; all others are read anew once the card can be seen.
    async fn follow_facts(&self, side: &Side) {
        let mut on_screen = side.on_screen.subscribe();
        let mut pause = REFRESH_MS;
        let class = self.held.judgement.class;
        let round = if matches!(class, Class::Exit | Class::Protect) {
            Round::Again
        } else {
            Round::Shown
        };
        loop {
            let read = lock(&self.latest).began.map(|began| began.mono);
            if let Some(read) = read {
                if on_screen.wait_for(|shown| *shown).await.is_err() {
                    return;
                }
                let due = read.saturating_add(pause);
                tokio::time::sleep(Duration::from_millis(due.saturating_sub(mono_ms()))).await;
            }
            let began = mono_ms();
            let anew = self.judged_anew(round).await;
            pause = pause_after(mono_ms().saturating_sub(began), class);
            let Some((judgement, card)) = anew else {
                continue;
            };
            if !self.settle(&judgement, &card, side).await {
                return std::future::pending().await;
            }
            if self.goes_ahead(&judgement, &card, side) {
                return std::future::pending().await;
            }
            let card = self.marked(card);
            // Also where it says the same: the page tells how old its facts are.
            side.updates.send_replace(card);
        }
    }

    /// Judgement and card on facts that are read now; `None` where policy or settings cannot be read.
    async fn judged_anew(&self, round: Round) -> Option<(Judgement, Card)> {
        let facts = self.read_facts(round).await;
        self.judged_on(&facts).await
    }

    /// The same on these facts.
    pub(super) async fn judged_on(&self, facts: &Facts) -> Option<(Judgement, Card)> {
        let (relay, call) = (&self.relay, &self.held.call);
        let (rules, settings) = Rules::of(relay).ok().zip(relay.settings().ok())?;
        let kept = counters(relay).await;
        let judgement = rules
            .judge(|policy| judging::judge_again(relay, self.id(), call, facts, policy, &settings, &kept));
        let card = make_card(
            relay,
            self.id(),
            call,
            facts,
            &judgement,
            rules.approved(),
            &settings,
        );
        Some((judgement, self.held.of_its_client(card)))
    }

    /// What was held as an entry opens nothing any more, since another call of the bracket went through: it is asked as
    /// what it is now. A protection goes ahead of everything else, by a card of its own; anything else only as long as
    /// nobody has seen its card.
    fn goes_ahead(&self, judgement: &Judgement, card: &Card, side: &Side) -> bool {
        {
            let mut basis = lock(&self.basis);
            let opened = basis.proved && basis.judgement.opening && basis.judgement.class == Class::Order;
            let protects = judgement.class == Class::Protect;
            let unseen = !*side.on_screen.borrow();
            if !opened || judgement.opening || judgement.verdict != Verdict::Ask || !(protects || unseen) {
                return false;
            }
            *basis = Basis {
                judgement: judgement.clone(),
                proved: true,
            };
        }
        lock(&self.first).clone_from(card);
        if judgement.class != Class::Protect {
            side.updates.send_replace(card.clone());
            return false;
        }
        *lock(&side.ahead) = Some(card.clone());
        side.stop.cancel();
        true
    }

    /// While it waits for the screen: an entry that goes through may make a waiting stop this position's protection (a
    /// bracket as three calls).
    async fn follow_deeds(&self, side: &Side) {
        let mut deeds = self.relay.deeds.subscribe();
        let waits = self.held.card.class == Class::Order && self.prompt == Prompt::Desk;
        while waits && deeds.changed().await.is_ok() {
            for pause in SETTLING {
                tokio::time::sleep(pause).await;
                if *side.on_screen.borrow() {
                    return;
                }
                let Some((judgement, card)) = self.judged_anew(Round::Again).await else {
                    continue;
                };
                if self.goes_ahead(&judgement, &card, side) {
                    return;
                }
            }
        }
    }

    /// With what changed since the first card, and why it is asked again.
    pub(super) fn marked(&self, mut card: Card) -> Card {
        card.mark_changes(&lock(&self.first));
        if let Some(again) = &self.again {
            card.warnings.insert(0, again.clone());
        }
        card
    }

    pub(super) async fn read_facts(&self, round: Round) -> Facts {
        let began = Some(Began::now(&self.relay));
        // A policy that cannot be read ends the ticket elsewhere; here it only asks for fewer facts.
        let rules = Rules::of(&self.relay).ok();
        let default = crate::gate::Policy::default();
        let policy = rules.as_ref().map_or(&default, Rules::approved);
        let facts = self
            .relay
            .facts
            .gather(&self.relay.read, &self.held.call, policy, round)
            .await;
        *lock(&self.latest) = Latest {
            facts: facts.clone(),
            began,
        };
        facts
    }

    /// Takes the first judgement with facts for an exit that was shown without; false where it ends the ticket.
    async fn settle(&self, judgement: &Judgement, card: &Card, side: &Side) -> bool {
        {
            let mut basis = lock(&self.basis);
            if basis.proved {
                return true;
            }
            if judgement.verdict == Verdict::Deny {
                side.end(State::Voided, judgement.reason.clone());
                return false;
            }
            *basis = Basis {
                judgement: judgement.clone(),
                proved: true,
            };
        }
        lock(&self.first).clone_from(card);
        judging::count_ask(&self.relay, judgement).await;
        true
    }

    /// Opens the trade connection while the person reads, and looks whether the definitions still are the pinned ones:
    /// once, and again whenever the service says that its tools have changed.
    async fn warm(&self, side: &Side) {
        if side.on_screen.subscribe().wait_for(|shown| *shown).await.is_err() {
            return;
        }
        // A sealed grant warms nothing before it is open: in the armed time it is.
        let open = lock(&self.unsealed)
            .clone()
            .or_else(|| self.relay.at_hand.grant());
        let bearer = match open {
            Some(open) => open.bearer(),
            None if self.held.tier == Tier::Click => match self.relay.grants.bearer(GrantKind::Trade).await {
                Ok(bearer) => bearer,
                Err(_) => return,
            },
            None => return,
        };
        if let Err(failure) = self.relay.trade.warm(&bearer).await {
            tracing::info!(%failure, "the trade connection could not be warmed");
            return;
        }
        let mut told = self.relay.tools_told.subscribe();
        loop {
            if let Ok(tools) = self.relay.trade.list_tools(&bearer).await
                && self.relay.lists.absorb_trade(&tools)
            {
                self.relay.list_changed();
            }
            if told.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends the question when something else ends the ticket.
    async fn watch(&self, side: &Side) {
        let mut looked = Looked::default();
        loop {
            tokio::time::sleep(WATCH).await;
            let ended = if self.relay.is_halted() {
                Some((State::Voided, "AI trading was stopped".to_owned()))
            } else if self.has_jumped() {
                Some((State::Voided, JUMPED.to_owned()))
            } else if self.relay.out.unread_ms() > hold::UNREAD_MS {
                Some((
                    State::Voided,
                    "the AI client stopped reading its answers".to_owned(),
                ))
            } else {
                self.decided_elsewhere(&mut looked)
            };
            if let Some((state, reason)) = ended {
                side.end(state, reason);
                return;
            }
        }
    }

    /// Whether the computer slept or its clock was set since the ticket was held.
    pub(super) fn has_jumped(&self) -> bool {
        self.since.drift() > JUMP_MS
    }

    fn decided_elsewhere(&self, looked: &mut Looked) -> Option<(State, String)> {
        match self.relay.tickets.peek(self.id()) {
            Ok(Some(ticket)) if ticket.state != State::Held => {
                Some((ticket.state, "decided elsewhere".to_owned()))
            }
            Ok(Some(ticket))
                if looked.must_read(&self.relay.world.paths, mono_ms())
                    && policy_changed(&self.relay, &ticket) =>
            {
                Some((State::Voided, "the policy changed while it was asked".to_owned()))
            }
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
            let _turn = self
                .relay
                .tickets
                .turn(self.id())
                .await
                .map_err(|error| error.to_string())?;
            match self.relay.tickets.load(self.id()) {
                Ok(Some(mut ticket)) if ticket.state == State::Held => {
                    if self.again.is_some() {
                        // Asked again: its time starts anew, when it is seen anew.
                        ticket.shown_wall = Some(wall_ms());
                    } else {
                        ticket.show(wall_ms()).map_err(|illegal| illegal.to_string())?;
                    }
                    self.relay
                        .tickets
                        .keep(&ticket)
                        .await
                        .map_err(|error| error.to_string())
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
        let Ok(_turn) = self.relay.tickets.turn(self.held.id.as_str()).await else {
            return;
        };
        if let Ok(Some(mut ticket)) = self.relay.tickets.load(self.id())
            && ticket.state == State::Held
        {
            ticket.card = Some(self.held.card.clone());
            ticket.tier = ticket.tier.max(self.held.tier);
            // One that only goes ahead has not been seen yet.
            if ticket.shown_wall.is_some() {
                ticket.shown_wall = Some(wall_ms());
            }
            if let Err(error) = self.relay.tickets.keep(&ticket).await {
                tracing::warn!(%error, "the card of a ticket could not be kept");
            }
        }
    }

    /// Ends the ticket unsent, unless it has ended already; whether it was this that ended it.
    pub(super) async fn end(&self, state: State, reason: &str) -> bool {
        let ended = outcomes::end_held(&self.relay, self.id(), state, reason).await;
        match &ended {
            Ok(()) => tracing::info!(ticket = self.id(), state = state.word(), reason, "ticket ended"),
            Err(error) => tracing::info!(ticket = self.id(), %error, "the ticket had ended already"),
        }
        ended.is_ok()
    }

    /// A protective or closing order that did not go out leaves a notice that stays; once, by the owner.
    async fn unprotected(&self) {
        if self.prompt == Prompt::Desk && self.is_unsent() {
            self.unprotected_as("was NOT sent").await;
        }
    }

    /// The same for whatever became of it; told once, by whichever process knows it first hand.
    pub(super) async fn unprotected_as(&self, became: &str) {
        let exits = matches!(lock(&self.basis).judgement.class, Class::Protect | Class::Exit);
        if self.alarmed.load(Ordering::Relaxed) || !(exits || self.protects_by_now().await) {
            return;
        }
        self.alarmed.store(true, Ordering::Relaxed);
        lookup::unprotected(&self.relay, self.id(), &self.held.card.headline, became).await;
    }

    /// Whether a stop that was held as an entry would protect a position by now: another call of the bracket went through
    /// since. Where nothing did, nothing is read.
    async fn protects_by_now(&self) -> bool {
        if self.held.card.class != Class::Order {
            return false;
        }
        let own = self.relay.tickets.load(self.id()).ok().flatten();
        let Some(own) = own.filter(|own| own.class == Class::Order) else {
            return false;
        };
        let sent_since = self.relay.tickets.all().iter().any(|ticket| {
            ticket.account == own.account && ticket.sent_wall.is_some_and(|sent| sent >= own.created_wall)
        });
        if !sent_since {
            return false;
        }
        let judged = tokio::time::timeout(LAST_LOOK, self.judged_anew(Round::Again)).await;
        matches!(judged, Ok(Some((judgement, _))) if judgement.class == Class::Protect)
    }

    /// Whether the ticket has ended without being sent.
    fn is_unsent(&self) -> bool {
        let ticket = self.relay.tickets.load(self.id()).ok().flatten();
        ticket.is_some_and(|ticket| ticket.sent_wall.is_none() && ticket.state.is_final())
    }
}

fn policy_changed(relay: &Relay, ticket: &Ticket) -> bool {
    Rules::of(relay).map_or(true, |rules| rules.digest() != ticket.policy_digest)
}

pub(super) fn pins_changed(relay: &Relay, tool: &str) -> Option<(State, String)> {
    pin_changed(&relay.lists.pin(tool), tool)
}

/// The same by what is known of it.
pub(super) fn pin_changed(pin: &super::lists::Pin, tool: &str) -> Option<(State, String)> {
    match pin {
        super::lists::Pin::Holds(_) => None,
        _ => Some((
            State::Voided,
            format!("the service changed its description of {tool}"),
        )),
    }
}
/// How long after the start of a round of reads the next one is due (ms), as long as this one took.
const fn pause_after(took: u64, class: Class) -> u64 {
    if took >= SLOW_ROUND_MS && !matches!(class, Class::Exit | Class::Protect) {
        SLOW_REFRESH_MS
    } else {
        REFRESH_MS
    }
}
