//! What an approval sets off: judged again, sent once, told.

use super::again::{Look, ascii};
use super::ask::{Basis, Decided, JUMPED, LEFT, Live, pin_changed};
use super::facts::Round;
use super::judging::{self, counters, make_card};
use super::lists::Pin;
use super::outcomes::{self, journal};
use super::passkeys::Signed;
use super::under_seal::Standing;
use super::unwritten::{Late, Locks};
use super::{Relay, lock, lookup, words};
use crate::approve::Notice;
use crate::gate::ticket::{Approval, Outcome, State, Ticket};
use crate::gate::{Before, Card, Class, Cleared, Counters, Facts, Judgement, Tier, Verdict, limits, outcome};
use crate::oauth::{Bearer, GrantKind, SealedExtras};
use crate::system::clock::{mono_ms, wall_ms};
use crate::system::{FileLock, aside, file};
use crate::upstream::{Failure, GivenBack, NotSent, Sent};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Facts older than this are read once more before an approval counts (DESIGN section 5, judged twice).
const STALE_MS: u64 = 2000;
/// Sending starts within this time of the approval or not at all.
const START_MS: u64 = 10_000;
/// How long an order waits for the one before it. With what is read and written after it, it starts in time.
const IN_LINE: Duration = Duration::from_secs(5);
/// The longest answer to an order that a ticket keeps (bytes). Real ones are below a kilobyte.
const MAX_OUTCOME: usize = 1024 * 1024;

impl Live {
    /// An approval that came to nothing: the page or the popup has said "approved", so this is told and stays.
    pub(super) async fn tell_not_sent(&self, why: &str) {
        let lines = vec![
            format!("Ticket {}: you approved it, and it was NOT sent.", self.id()),
            ascii(why),
        ];
        let title = format!("NOT SENT: {}", self.held.card.headline);
        self.relay
            .desk
            .notice(Notice {
                title,
                lines,
                lasting: true,
            })
            .await;
        self.unprotected_as("was NOT sent").await;
    }

    /// What forbids sending at the very last moment.
    fn still(&self) -> impl Fn() -> Result<(), String> + Send + Sync + 'static {
        let relay = Arc::clone(&self.relay);
        move || {
            if relay.ending.is_cancelled() {
                return Err(LEFT.to_owned());
            }
            if relay.is_halted() {
                Err("AI trading was stopped".to_owned())
            } else {
                Ok(())
            }
        }
    }

    /// An approval has come: judge again, then send, once.
    pub(super) async fn decide(&mut self, via: &'static str) -> Decided {
        let decided = self.judge_and_send(via).await;
        // What did not go is no order of today, and its repeat no duplicate.
        if std::mem::take(&mut self.counted) {
            let id = self.id().to_owned();
            judging::update_counters(&self.relay, move |counters| counters.forget(&id, wall_ms())).await;
        }
        decided
    }

    async fn judge_and_send(&mut self, via: &'static str) -> Decided {
        let approved_mono = mono_ms();
        let signed = lock(&self.signed).take();
        if let Err(why) = self.is_signed(signed.as_ref()) {
            return self.void(why.to_owned()).await;
        }
        let mut bearer = match self.bearer().await {
            Ok(bearer) => bearer,
            Err(why) => return self.void(why).await,
        };
        let mut line = match self.in_line().await {
            Ok(line) => line,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return self.asked_anew(words::STILL_ON_ITS_WAY).await;
            }
            Err(error) => {
                return self
                    .void(format!("the state folder cannot be written: {error}"))
                    .await;
            }
        };
        for attempt in 0..2 {
            let anew = attempt > 0 || self.again.is_some();
            let cleared = match self.clear(via, signed.as_ref(), approved_mono, anew).await {
                Ok(cleared) => cleared,
                Err(decided) => return decided,
            };
            // Until what came of it is written down, the end of the program waits.
            let on_its_way = self.relay.sent.token();
            let (sending, with, still) = (Arc::clone(&self.relay), bearer.clone(), self.still());
            let start_by = approved_mono.saturating_add(START_MS);
            let schema = lock(&self.schema).clone();
            // A sent call is awaited even while the program ends, so it runs among the tasks that the end waits for.
            let sent = self
                .relay
                .sent
                .spawn(async move {
                    sending
                        .trade
                        .send(cleared, &with, &schema, start_by, &still)
                        .await
                })
                .await;
            let back = match sent {
                Ok(Ok(Sent::Refused(said))) => {
                    let sent = match self.look(true).await {
                        Look::Trace(trace) => Sent::Unknown(words::refused_but(&said, &trace)),
                        Look::Nothing | Look::Unread => Sent::Refused(said),
                    };
                    self.counted = false;
                    self.finish(sent, on_its_way, line.take()).await;
                    return Decided::Done;
                }
                Ok(Ok(sent)) => {
                    self.counted = false;
                    self.finish(sent, on_its_way, line.take()).await;
                    return Decided::Done;
                }
                Ok(Err(back)) => back,
                Err(_) => {
                    self.counted = false;
                    let failed = Sent::Unknown("the program failed while sending".to_owned());
                    self.finish(failed, on_its_way, line.take()).await;
                    return Decided::Done;
                }
            };
            let GivenBack { not_run, why, left } = back;
            let look = self.look(left).await;
            if let Look::Trace(trace) = &look {
                // Spent: nothing makes it a call again.
                drop(not_run);
                self.counted = false;
                let unknown = Sent::Unknown(words::refused_but(&why.to_string(), trace));
                self.finish(unknown, on_its_way, line.take()).await;
                return Decided::Done;
            }
            if let Err(why) = self.give_back(not_run, &why, left, attempt).await {
                return Decided::NotSent(why);
            }
            drop(on_its_way);
            match self.made_good(&why, &bearer).await {
                Ok(same_or_renewed) => bearer = same_or_renewed,
                Err(why) => return self.void(why).await,
            }
            if left || matches!(why, NotSent::RateLimited(_)) {
                return self
                    .asked_anew(match look {
                        Look::Unread => words::NOT_LOOKED_UP,
                        Look::Trace(_) | Look::Nothing => words::not_taken(&why),
                    })
                    .await;
            }
        }
        Decided::Done
    }

    /// In tier passkey an approval is a touch over this very order, whatever brought the answer.
    fn is_signed(&self, signed: Option<&Signed>) -> Result<(), &'static str> {
        let endpoint = self.relay.endpoint.url();
        if self.held.tier < Tier::Passkey
            || signed.is_some_and(|signed| signed.is_for(self.id(), endpoint, &self.held.call))
        {
            return Ok(());
        }
        Err("no passkey has signed this order")
    }

    /// The trade token. What was sealed with it must be what holds now: somebody may have changed policy or definitions
    /// while it lay there, and nobody can change what the PIN protects.
    async fn bearer(&self) -> Result<Bearer, String> {
        let unsealed = lock(&self.unsealed).clone();
        if self.held.tier < self.held.judgement.tier && self.relay.unsealed.grant().is_none() {
            return Err("the armed time was over".to_owned());
        }
        match unsealed {
            Some(unsealed) => {
                // As they are now: what was approved since the PIN opened it here lies in the vault.
                let extras = unsealed.extras_now().await.map_err(|error| error.to_string())?;
                // Said early, before the service is asked; what decides is read once more, with what judges the call.
                let standing = Standing::now(&self.relay, self.held.call.tool()).await?;
                self.is_as_sealed(&standing, &extras)?;
                *lock(&self.sealed) = Some(extras);
                self.look_at_definitions(unsealed.bearer()).await
            }
            None => self
                .relay
                .grants
                .bearer(GrantKind::Trade)
                .await
                .map_err(|error| error.to_string()),
        }
    }

    fn is_as_sealed(&self, standing: &Standing, extras: &SealedExtras) -> Result<(), String> {
        let class = lock(&self.basis).judgement.class;
        standing.as_sealed(&self.relay, extras, class, self.held.tier)
    }

    /// What lies under a seal may not have been warmed, in the armed time as well: its list of tools is looked at now,
    /// before anything is sent.
    pub(super) async fn look_at_definitions(&self, mut bearer: Bearer) -> Result<Bearer, String> {
        let mut tools = self.relay.trade.list_tools(&bearer).await;
        if matches!(tools, Err(Failure::Unauthorized)) {
            bearer = self.renewed(&bearer).await?;
            tools = self.relay.trade.list_tools(&bearer).await;
        }
        let tools = tools.map_err(|failure| format!("the service's tools could not be listed: {failure}"))?;
        if self.relay.lists.absorb_trade(&tools) {
            self.relay.list_changed();
        }
        let left_out = self.relay.trade.left_out();
        self.relay.note_left_out(&left_out, &tools).await;
        Ok(bearer)
    }

    pub(super) async fn renewed(&self, refused: &Bearer) -> Result<Bearer, String> {
        let unsealed = lock(&self.unsealed).clone();
        let renewed = match unsealed {
            Some(unsealed) => unsealed.renew(refused).await,
            None => self.relay.grants.renew(GrantKind::Trade, refused).await,
        };
        renewed.map_err(|error| error.to_string())
    }

    /// Judges again under the counters' lock and the ticket's turn, and writes down that it is being sent.
    async fn clear(
        &mut self,
        via: &'static str,
        signed: Option<&Signed>,
        approved_mono: u64,
        anew: bool,
    ) -> Result<Cleared, Decided> {
        let relay = Arc::clone(&self.relay);
        // The service may have said that it refused the call unrun. What it did in truth stands in facts from after it only.
        let _ = if anew {
            self.read_facts(Round::Again).await
        } else {
            self.fresh_facts(STALE_MS, true).await
        };
        let start_by = approved_mono.saturating_add(START_MS);
        let _turn = loop {
            match relay.tickets.turn(self.id()).await {
                Ok(turn) => break turn,
                Err(error) if error.kind() == io::ErrorKind::TimedOut && mono_ms() < start_by => {}
                Err(_) => return Err(self.not_here("another process held its ticket".to_owned()).await),
            }
        };
        let ticket = match relay.tickets.load(self.id()) {
            Ok(Some(ticket)) if ticket.state == State::Held => ticket,
            // Another process was quicker, and tells what came of it.
            Ok(Some(_)) => return Err(Decided::Done),
            Ok(None) => return Err(self.not_here("its ticket is gone".to_owned()).await),
            Err(error) => return Err(self.not_here(format!("its ticket cannot be read: {error}")).await),
        };
        // The file lies where other programs of the user can write. What is sent comes from memory; a file that says
        // something else was meddled with.
        if !ticket.is_about(&self.held.call)
            || ticket.endpoint != relay.endpoint.url()
            || ticket.policy_digest != self.held.policy_digest
        {
            let what = "its ticket file was changed by another program";
            self.end_in_turn(ticket, State::Tampered, what).await;
            return Err(Decided::NotSent(what.to_owned()));
        }
        // Again only where the turn was long in coming, or another order went meanwhile.
        let facts = self.fresh_facts(2 * STALE_MS, false).await;
        let mut ticket = self.undoubted(ticket, &facts).await?;
        let verdict = self.judge_again(&facts, &ticket).await;
        match verdict {
            Ok(None) => {}
            Ok(Some(card)) => return Err(Decided::Again(Box::new(card))),
            Err(reason) => {
                self.end_in_turn(ticket, State::Voided, &reason).await;
                return Err(Decided::NotSent(reason));
            }
        }
        if mono_ms().saturating_sub(approved_mono) > START_MS {
            let why = "sending could not start within 10 s of the approval";
            self.end_in_turn(ticket, State::Voided, why).await;
            return Err(Decided::NotSent(why.to_owned()));
        }
        let approval = Approval {
            via: via.to_owned(),
            tier: self.held.tier,
        };
        if self.has_jumped() {
            self.end_in_turn(ticket, State::Voided, JUMPED).await;
            return Err(Decided::NotSent(JUMPED.to_owned()));
        }
        if !self.is_sender() {
            // Whoever has it counts it.
            self.counted = false;
            return Err(Decided::Done);
        }
        // A look after an unknown outcome, by whatever process, tells its trace from what was there before.
        ticket.before = Some(Before::of(&self.held.call, &facts));
        let cleared = match ticket.approve(approval, &self.held.call, wall_ms()) {
            Ok(cleared) => cleared,
            Err(illegal) => {
                tracing::warn!(%illegal, "an approval that does not count");
                let why = format!("the approval does not count: {}", illegal.what);
                self.end_in_turn(ticket, State::Voided, &why).await;
                return Err(Decided::NotSent(why));
            }
        };
        let mut fields = vec![
            ("via", via.into()),
            ("tier", format!("{:?}", self.held.tier).to_lowercase().into()),
        ];
        fields.extend(signed.map(Signed::for_journal).into_iter().flatten());
        let journaled = journal(&relay, "approved", &ticket, &fields).await;
        let written = match journaled {
            Ok(()) => relay.tickets.keep(&ticket).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            let _ = ticket.not_run(cleared.not_run());
            let why = format!("the journal cannot be written: {error}");
            self.end_in_turn(ticket, State::Voided, &why).await;
            return Err(Decided::NotSent(why));
        }
        *lock(&self.sending) = serde_json::to_vec(&ticket).unwrap_or_default();
        Ok(cleared)
    }

    /// Ends the ticket unsent, which was approved here.
    async fn void(&self, why: String) -> Decided {
        if outcomes::end_held(&self.relay, self.id(), State::Voided, &why)
            .await
            .is_ok()
        {
            return Decided::NotSent(why);
        }
        match self.relay.tickets.load(self.id()) {
            // Another process was quicker, and tells what came of it.
            Ok(Some(ticket)) if ticket.state != State::Held => Decided::Done,
            _ => self.not_here(why).await,
        }
    }

    /// It could not be decided on here. That it was not sent is said only by whoever has the right to send it: else another
    /// process may be sending it this moment.
    async fn not_here(&self, why: String) -> Decided {
        if self.is_sender() {
            // What was said stays true: whoever has the turn could still take this right before its own time is over.
            let (ending, sender) = (self.relay.ending.clone(), lock(&self.sender).take());
            self.relay.tasks.spawn(async move {
                let _ = tokio::time::timeout(Duration::from_millis(START_MS), ending.cancelled()).await;
                drop(sender);
            });
            return Decided::NotSent(why);
        }
        let lines = vec![
            "Another process is deciding on it, and may send it. Do not send it again before you looked."
                .to_owned(),
            format!("Look at ticket {}: `countersign journal show`.", self.id()),
            ascii(&why),
        ];
        let title = format!("DECIDED ELSEWHERE: {}", self.held.card.headline);
        let notice = Notice {
            title,
            lines,
            lasting: true,
        };
        self.relay.desk.notice(notice).await;
        Decided::Done
    }

    /// Takes the right to send, and keeps it: a second try has it already.
    pub(super) fn is_sender(&self) -> bool {
        let mut sender = lock(&self.sender);
        if sender.is_none() {
            *sender = self.relay.tickets.sender(self.id()).ok().flatten();
        }
        sender.is_some()
    }

    /// Ends the held ticket, whose turn we have; an end that the disk does not take is kept and told all the same.
    pub(super) async fn end_in_turn(&self, mut ticket: Ticket, state: State, reason: &str) {
        if ticket.end(state, reason, wall_ms()).is_ok() {
            // An end that the disk does not take is kept with this lock: nobody sends the call meanwhile.
            self.is_sender();
            let locks = Locks::Sender(lock(&self.sender).take());
            let late = Late::new(ticket, state.word(), ("reason", reason), locks);
            let _ = self.relay.write_or_keep(late).await;
        }
    }

    /// Facts not older than this, and from before no order that has ended since; nor, where `all` is asked for, from
    /// while one is on its way.
    async fn fresh_facts(&self, stale: u64, all: bool) -> Facts {
        let latest = lock(&self.latest).clone();
        match latest.began {
            Some(began)
                if mono_ms().saturating_sub(began.mono) <= stale
                    && !began.is_overtaken(&self.relay, self.id(), all) =>
            {
                latest.facts
            }
            _ => self.read_facts(Round::Again).await,
        }
    }

    /// One order of all processes at a time, so that each is judged on what the one before it did. A way out waits for
    /// none, and what opens nothing waits only so long for an answer that does not come.
    ///
    /// # Errors
    /// `TimedOut` where an entry would go beside an order of which nobody knows what it does: no list shows that one yet,
    /// so both together could pass every limit on a position.
    async fn in_line(&self) -> io::Result<Option<FileLock>> {
        let (class, opening) = {
            let basis = lock(&self.basis);
            (basis.judgement.class, basis.judgement.opening)
        };
        let group = limits::group(class, opening);
        if group == limits::Group::Free {
            return Ok(None);
        }
        let line = self.relay.world.paths.lock("sending.lock");
        match FileLock::take(&line, IN_LINE).await {
            Ok(line) => Ok(Some(line)),
            Err(_) if group != limits::Group::Entry => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `Ok(None)`: as good as when it was shown. `Ok(Some)`: ask again. `Err`: not any more.
    async fn judge_again(&mut self, facts: &Facts, ticket: &Ticket) -> Result<Option<Card>, String> {
        let relay = Arc::clone(&self.relay);
        if relay.ending.is_cancelled() {
            return Err(LEFT.to_owned());
        }
        if relay.is_halted() {
            return Err("AI trading was stopped".to_owned());
        }
        // One reading: what judges it here is what was sealed, and what it was held by. A file that another program
        // changes back and forth is either seen by all three or by none.
        let standing = Standing::now(&relay, self.held.call.tool()).await?;
        let sealed = lock(&self.sealed).clone();
        if let Some(extras) = &sealed {
            self.is_as_sealed(&standing, extras)?;
        }
        let Standing {
            rules, settings, pin, ..
        } = &standing;
        if rules.digest() != ticket.policy_digest {
            return Err("the policy changed while it was asked".to_owned());
        }
        if let Some((_, why)) = pin_changed(pin, self.held.call.tool()) {
            return Err(why);
        }
        if let Pin::Holds(schema) = pin {
            lock(&self.schema).clone_from(schema);
        }
        let paths = &relay.world.paths;
        let judged = |kept: &Counters| {
            rules.judge(|policy| {
                judging::judge_again(&relay, &ticket.id, &self.held.call, facts, policy, settings, kept)
            })
        };
        let mut kept = counters(&relay).await;
        let mut judgement = judged(&kept);
        // No limit stops a proven way out, so it waits for nobody's counting.
        let is_free = |judgement: &Judgement| {
            judgement.verdict != Verdict::Deny
                && limits::group(judgement.class, judgement.opening) == limits::Group::Free
        };
        let mut counting = None;
        if !is_free(&judgement) {
            let taken = FileLock::take(&paths.lock("counters.lock"), Duration::from_secs(2)).await;
            counting = Some(taken.map_err(|_| "the counters are held by another process".to_owned())?);
            kept = counters(&relay).await;
            judgement = judged(&kept);
        }
        if judgement.verdict == Verdict::Deny {
            return Err(judgement.reason);
        }
        let basis = lock(&self.basis).clone();
        let tier = judging::effective_tier(&relay, &judgement);
        if let Some(worse) = worse(&basis, &judgement, tier > self.held.tier) {
            tracing::info!(ticket = self.id(), worse, "asked again");
            let card = make_card(
                &relay,
                self.id(),
                &self.held.call,
                facts,
                &judgement,
                rules.approved(),
                settings,
            );
            let card = self.held.of_its_client(card);
            self.again = Some(format!("CHANGED SINCE YOU APPROVED: {worse}"));
            let card = self.marked(card);
            self.held.tier = tier.max(self.held.tier);
            *lock(&self.basis) = Basis {
                judgement,
                proved: true,
            };
            return Ok(Some(card));
        }
        if counting.is_none() {
            let (relay, id) = (Arc::clone(&relay), ticket.id.clone());
            relay.sent.clone().spawn(async move {
                judging::update_counters(&relay, move |kept| kept.note_sent(&id, &judgement, wall_ms()))
                    .await;
            });
            return Ok(None);
        }
        kept.note_sent(&ticket.id, &judgement, wall_ms());
        self.counted = true;
        let (path, text) = (paths.counters(), kept.text());
        aside(move || file::write_atomic(&path, text.as_bytes()))
            .await
            .map_err(|error| format!("the counters cannot be kept: {error}"))?;
        Ok(None)
    }

    /// The call was sent: write down what came back, and tell the person. From the outcome on the next order goes.
    async fn finish(&self, sent: Sent, on_its_way: TaskTrackerToken, line: Option<FileLock>) {
        let relay = &self.relay;
        // The trade grant has done its work.
        *lock(&self.unsealed) = None;
        let (outcome, kind, said) = match sent {
            Sent::Result(result) => match outcome::read(&self.held.call, &result) {
                outcome::Said::Accepted(said) => (Outcome::Accepted(kept(result)), "accepted", said),
                outcome::Said::Otherwise(said) => (Outcome::Accepted(kept(result)), "otherwise", said),
                outcome::Said::Rejected(said) => (Outcome::Rejected(kept(result)), "rejected", said),
                outcome::Said::Unclear(said) => (Outcome::Unknown(said.clone()), "unknown", said),
            },
            Sent::Refused(why) => {
                let text = serde_json::to_string(&why).unwrap_or_default();
                (
                    Outcome::Rejected(format!(
                        r#"{{"content":[{{"type":"text","text":{text}}}],"isError":true}}"#
                    )),
                    "rejected",
                    why,
                )
            }
            Sent::Unknown(why) => (Outcome::Unknown(why.clone()), "unknown", why),
        };
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        let ticket = self.write_outcome(outcome, kind, &said).await;
        drop(on_its_way);
        // What was read before is old now, and what waits may have become an exit or a protection.
        relay.facts.forget();
        relay.deeds.send_modify(|deeds| *deeds = deeds.wrapping_add(1));
        drop(line);
        // Whatever the files do, the person hears what is known.
        self.tell(kind, &said).await;
        if kind == "rejected" {
            self.unprotected_as("was REJECTED by the service").await;
        }
        if let Some(ticket) = ticket.filter(|_| kind == "unknown") {
            lookup::run(relay, &ticket, lookup::Since::Now).await;
        }
    }

    /// The journal first; but a journal that cannot be written must not turn a known outcome into an unknown one. The
    /// ticket is the one in memory: its file may be gone, or say something else by now.
    async fn write_outcome(&self, outcome: Outcome, kind: &'static str, said: &str) -> Option<Ticket> {
        let relay = &self.relay;
        let mut ticket: Ticket = serde_json::from_slice(&lock(&self.sending)).ok()?;
        if let Err(illegal) = ticket.outcome(outcome, wall_ms()) {
            tracing::error!(%illegal, "an outcome could not be taken down");
        }
        let locks = Locks::Sender(lock(&self.sender).take());
        let late = Late::new(ticket, kind, ("said", said), locks);
        let ticket = late.copy().ok();
        // Without its turn as well: nobody else decides on what is being sent.
        let _turn = relay.tickets.turn(self.id()).await.ok();
        let _ = relay.write_or_keep(late).await;
        ticket
    }

    async fn tell(&self, kind: &str, said: &str) {
        let what = &self.held.card.headline;
        let title = match kind {
            "accepted" => format!("Sent and accepted: {what}"),
            "otherwise" => format!("NOT ALL WAS DONE: {what}"),
            "rejected" => format!("REJECTED by the service: {what}"),
            _ => format!("OUTCOME UNKNOWN: {what}"),
        };
        let mut lines = vec![format!("Ticket {}", self.id()), ascii(&words::readable(said))];
        if kind == "unknown" {
            lines.push(words::MAY_HAVE_RUN.to_owned());
            lines.push(words::LOOKING.to_owned());
        }
        self.relay
            .desk
            .notice(Notice {
                title,
                lines,
                lasting: kind != "accepted",
            })
            .await;
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

/// An answer as the ticket keeps it. One that would make the ticket unreadable is replaced by what it was.
fn kept(result: String) -> String {
    if result.len() <= MAX_OUTCOME {
        return result;
    }
    let text = format!(
        "The service's answer was {} bytes long and was not kept.",
        result.len()
    );
    serde_json::json!({ "content": [{ "type": "text", "text": text }] }).to_string()
}

impl Relay {
    /// Stops AI trading on this computer, for all processes at once; in this one whatever the disk does.
    ///
    /// # Errors
    /// Where the other processes cannot be told.
    pub(crate) fn halt(&self, via: &str) -> Result<(), String> {
        self.halted.store(true, Ordering::SeqCst);
        self.unsealed.disarm();
        self.at_hand.drop_it();
        let content = format!(
            "{{\"at\":\"{}\",\"via\":\"{via}\"}}\n",
            crate::system::clock::rfc3339(wall_ms())
        );
        let written = file::write_atomic(&self.world.paths.halt(), content.as_bytes());
        outcomes::note_now(self, "halted", &[("via", via.into())]);
        // From here on the file speaks for this process too, so that `resume` lifts it everywhere.
        if written.is_ok() {
            self.halted.store(false, Ordering::SeqCst);
        }
        written.map_err(|error| format!("the stop could not be written: {error}"))
    }

    /// Whether the journal says that AI trading is stopped although the file that says so is gone: then the file is put
    /// back. Whoever removed it did not ask the person.
    ///
    /// # Errors
    /// The journal cannot be read: then it is not known.
    pub(crate) async fn is_halted_on_record(&self) -> io::Result<bool> {
        if self.world.paths.halt().try_exists().unwrap_or(true) {
            return Ok(false);
        }
        let seen = self.past.look().await?;
        let Some(stop) = seen.stop.filter(|stop| stop.stands) else {
            return Ok(false);
        };
        let content = format!("{{\"at\":\"{}\",\"via\":\"journal\"}}\n", stop.at);
        if let Err(error) = file::write_atomic(&self.world.paths.halt(), content.as_bytes()) {
            tracing::warn!(%error, "the file that stops AI trading could not be put back");
        }
        Ok(true)
    }

    /// Whether AI trading is stopped. A folder that cannot be looked into counts as a stop.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::SeqCst) || self.world.paths.halt().try_exists().unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(class: Class, after: &str) -> Judgement {
        Judgement {
            verdict: Verdict::Ask,
            class,
            tier: Tier::Click,
            rule: String::new(),
            code: "ask",
            reason: String::new(),
            opening: false,
            after: Some(after.to_owned()),
            after_any_month: None,
            live: false,
            warnings: Vec::new(),
            open_for: 0,
            entry: None,
            market: None,
            sent_before: None,
            looked: Vec::new(),
        }
    }

    #[test]
    fn a_card_without_facts_counts_only_for_a_proven_exit() {
        let unproved = Basis {
            judgement: judgement(Class::Exit, "?"),
            proved: false,
        };
        assert_eq!(worse(&unproved, &judgement(Class::Exit, "flat"), false), None);
        assert_eq!(worse(&unproved, &judgement(Class::Protect, "+2"), false), None);
        assert!(worse(&unproved, &judgement(Class::Order, "flat"), false).is_some());
        assert!(
            worse(&unproved, &judgement(Class::Exit, "flat"), true).is_some(),
            "a stronger tier is asked for"
        );
        let proved = Basis {
            judgement: judgement(Class::Exit, "flat"),
            proved: true,
        };
        assert_eq!(worse(&proved, &judgement(Class::Exit, "flat"), false), None);
        assert!(worse(&proved, &judgement(Class::Exit, "+1"), false).is_some());
        assert!(worse(&proved, &judgement(Class::Order, "flat"), false).is_some());
    }
}
