//! What an approval sets off: judged again, sent once, told.

use super::ask::{Basis, Decided, LEFT, Live, pins_changed};
use super::judging::{self, counters, load_policy, make_card};
use super::outcomes::{self, journal};
use super::{Relay, lock, lookup};
use crate::approve::Notice;
use crate::gate::ticket::{Approval, Outcome, State, Ticket};
use crate::gate::{Card, Class, Cleared, Facts, Judgement, NotRun, Tier, Verdict, outcome};
use crate::oauth::{Bearer, GrantKind, SealedExtras};
use crate::system::clock::{mono_ms, wall_ms};
use crate::system::{FileLock, file};
use crate::upstream::{Failure, NotSent, Sent};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Facts older than this are read once more before an approval counts (DESIGN section 5, judged twice).
const STALE_MS: u64 = 2000;
/// Sending starts within this time of the approval or not at all.
const START_MS: u64 = 10_000;
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
        self.unprotected().await;
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
        let approved_mono = mono_ms();
        let mut bearer = match self.bearer().await {
            Ok(bearer) => bearer,
            Err(why) => {
                let _ = outcomes::end_held(&self.relay, self.id(), State::Voided, &why).await;
                return Decided::NotSent(why);
            }
        };
        for attempt in 0..2 {
            let cleared = match self.clear(via, approved_mono).await {
                Ok(cleared) => cleared,
                Err(decided) => return decided,
            };
            let (sending, with, still) = (Arc::clone(&self.relay), bearer.clone(), self.still());
            let start_by = approved_mono.saturating_add(START_MS);
            // A sent call is awaited even while the program ends, so it runs among the tasks that the end waits for.
            let sent = self
                .relay
                .sent
                .spawn(async move { sending.trade.send(cleared, &with, start_by, &still).await })
                .await;
            let (not_run, why) = match sent {
                Ok(Ok(sent)) => {
                    self.finish(sent).await;
                    return Decided::Done;
                }
                Ok(Err(given_back)) => given_back,
                Err(_) => {
                    self.finish(Sent::Unknown("the program failed while sending".to_owned()))
                        .await;
                    return Decided::Done;
                }
            };
            if let Err(why) = self.give_back(not_run, &why, attempt).await {
                return Decided::NotSent(why);
            }
            if matches!(why, NotSent::RateLimited(_)) {
                self.again =
                    Some("NOT SENT: THE SERVICE ASKED TO SLOW DOWN. APPROVE ONCE MORE TO SEND IT".to_owned());
                let card = lock(&self.first).clone();
                return Decided::Again(Box::new(self.marked(card)));
            }
            if matches!(why, NotSent::Unauthorized) {
                match self.renewed(&bearer).await {
                    Ok(renewed) => bearer = renewed,
                    Err(why) => {
                        let _ = outcomes::end_held(&self.relay, self.id(), State::Voided, &why).await;
                        return Decided::NotSent(why);
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
        if self.held.tier < self.held.judgement.tier && self.relay.unsealed.grant().is_none() {
            return Err("the armed time was over".to_owned());
        }
        match unsealed {
            Some(unsealed) => {
                self.as_sealed(&unsealed.extras())?;
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

    fn as_sealed(&self, extras: &SealedExtras) -> Result<(), String> {
        let policy = load_policy(&self.relay)?;
        let now = [
            ("policy", policy.digest().to_owned()),
            ("pins", self.relay.lists.pins_digest()),
        ];
        let changed = now
            .iter()
            .find(|(key, digest)| extras.get(*key).is_some_and(|sealed| sealed != digest));
        let Some((what, _)) = changed else { return Ok(()) };
        let what = if *what == "policy" {
            "policy"
        } else {
            "tool definitions"
        };
        Err(format!(
            "the {what} changed since the PIN was set: if that was you, run `countersign presence set pin` once more"
        ))
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
        let unsealed = lock(&self.unsealed).clone();
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
            return Err(Decided::NotSent("another process held its ticket".to_owned()));
        };
        let mut ticket = match relay.tickets.load(self.id()) {
            Ok(Some(ticket)) if ticket.state == State::Held => ticket,
            // Another process was quicker, and tells what came of it.
            Ok(Some(_)) => return Err(Decided::Done),
            Ok(None) => return Err(Decided::NotSent("its ticket is gone".to_owned())),
            Err(error) => return Err(Decided::NotSent(format!("its ticket cannot be read: {error}"))),
        };
        // The file lies where other programs of the user can write. What is sent comes from memory; a file that says
        // something else was meddled with.
        if !ticket.is_about(&self.held.call)
            || ticket.endpoint != relay.endpoint.url()
            || ticket.policy_digest != self.held.policy_digest
        {
            let what = "its ticket file was changed by another program";
            self.end_in_turn(&mut ticket, State::Tampered, what);
            return Err(Decided::NotSent(what.to_owned()));
        }
        let verdict = self.judge_again(&facts, &ticket).await;
        match verdict {
            Ok(None) => {}
            Ok(Some(card)) => return Err(Decided::Again(Box::new(card))),
            Err(reason) => {
                self.end_in_turn(&mut ticket, State::Voided, &reason);
                return Err(Decided::NotSent(reason));
            }
        }
        if mono_ms().saturating_sub(approved_mono) > START_MS {
            let why = "sending could not start within 10 s of the approval";
            self.end_in_turn(&mut ticket, State::Voided, why);
            return Err(Decided::NotSent(why.to_owned()));
        }
        let approval = Approval {
            via: via.to_owned(),
            tier: self.held.tier,
        };
        if !self.is_sender() {
            return Err(Decided::Done);
        }
        let cleared = ticket
            .approve(approval, &self.held.call, wall_ms())
            .map_err(|illegal| {
                tracing::warn!(%illegal, "an approval that does not count");
                let why = format!("the approval does not count: {}", illegal.what);
                self.end_in_turn(&mut ticket, State::Voided, &why);
                Decided::NotSent(why)
            })?;
        let written = journal(
            &relay,
            "approved",
            &ticket,
            &[
                ("via", via.into()),
                ("tier", format!("{:?}", self.held.tier).to_lowercase().into()),
            ],
        )
        .and_then(|()| relay.tickets.save(&ticket));
        if let Err(error) = written {
            let _ = ticket.not_run(cleared.not_run());
            let why = format!("the journal cannot be written: {error}");
            self.end_in_turn(&mut ticket, State::Voided, &why);
            return Err(Decided::NotSent(why));
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
        if relay.is_halted() {
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
        let judgement = judging::judge_again(
            &relay,
            &ticket.id,
            &self.held.call,
            facts,
            &policy,
            settings,
            &kept,
        );
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
                &policy,
                settings,
            );
            self.again = Some(format!("CHANGED SINCE YOU APPROVED: {worse}"));
            let card = self.marked(card);
            self.held.tier = tier.max(self.held.tier);
            *lock(&self.basis) = Basis {
                judgement,
                proved: true,
            };
            return Ok(Some(card));
        }
        kept.note_sent(&ticket.id, &judgement, wall_ms());
        file::write_atomic(&paths.counters(), kept.text().as_bytes())
            .map_err(|error| format!("the counters cannot be kept: {error}"))?;
        Ok(None)
    }

    /// The call provably did not run. Where it may be tried once more, by itself or after another approval, the ticket
    /// is held again; else it has ended, and the error says why.
    async fn give_back(&self, not_run: NotRun, why: &NotSent, attempt: u32) -> Result<(), String> {
        let relay = &self.relay;
        let unkept = |what: String| format!("{why}; {what}");
        let _turn = relay
            .tickets
            .turn(self.id())
            .await
            .map_err(|error| unkept(error.to_string()))?;
        let loaded = relay
            .tickets
            .load(self.id())
            .map_err(|error| unkept(error.to_string()))?;
        let mut ticket = loaded.ok_or_else(|| unkept("its ticket is gone".to_owned()))?;
        ticket
            .not_run(not_run)
            .map_err(|illegal| unkept(illegal.to_string()))?;
        let _ = journal(relay, "not_run", &ticket, &[("reason", why.to_string().into())]);
        let again = match why {
            NotSent::Unauthorized | NotSent::SessionLost | NotSent::Connect(_) => attempt == 0,
            NotSent::RateLimited(_) => ticket.not_run <= 1,
            NotSent::Scope(_) | NotSent::Plan | NotSent::Handshake(_) | NotSent::Stopped(_) => false,
        };
        if again {
            return relay
                .tickets
                .save(&ticket)
                .map_err(|error| unkept(error.to_string()));
        }
        self.end_in_turn(&mut ticket, State::Voided, &why.to_string());
        // What did not run is no order of today.
        judging::update_counters(relay, |counters| counters.forget(self.id(), wall_ms()));
        Err(why.to_string())
    }

    /// The call was sent: write down what came back, and tell the person.
    async fn finish(&self, sent: Sent) {
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
        // Whatever the files do, the person hears what is known.
        self.tell(kind, &said).await;
        if let Some(ticket) = ticket.filter(|_| kind == "unknown") {
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
        for written in [
            journal(relay, kind, &ticket, &[("said", said.into())]),
            relay.tickets.save(&ticket),
        ] {
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
            lines.push(
                "It may or may not have been executed. Check orders and positions in NinjaTrader.".to_owned(),
            );
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

fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(200)
        .collect()
}

impl Relay {
    /// Stops AI trading on this computer, for all processes at once; in this one whatever the disk does.
    ///
    /// # Errors
    /// Where the other processes cannot be told.
    pub(crate) fn halt(&self, via: &str) -> Result<(), String> {
        self.halted.store(true, Ordering::SeqCst);
        self.unsealed.disarm();
        let content = format!(
            "{{\"at\":\"{}\",\"via\":\"{via}\"}}\n",
            crate::system::clock::rfc3339(wall_ms())
        );
        let written = file::write_atomic(&self.world.paths.halt(), content.as_bytes());
        outcomes::note(self, "halted", &[("via", via.into())]);
        // From here on the file speaks for this process too, so that `resume` lifts it everywhere.
        if written.is_ok() {
            self.halted.store(false, Ordering::SeqCst);
        }
        written.map_err(|error| format!("the stop could not be written: {error}"))
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
