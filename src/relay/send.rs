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
use std::time::Duration;

/// Facts older than this are read once more before an approval counts (DESIGN section 5, judged twice).
const STALE_MS: u64 = 2000;
/// Sending starts within this time of the approval or not at all.
const START_MS: u64 = 10_000;

impl Live {
    /// An approval has come. Whoever approved is told when it comes to nothing.
    pub(super) async fn decide(&mut self, via: &'static str) -> Decided {
        let decided = self.send_once(via).await;
        if matches!(decided, Decided::Done)
            && let Some(ticket) = self.unsent()
        {
            let lines = vec![format!("Ticket {}", self.id()), ascii(ticket.reason.as_deref().unwrap_or_default())];
            self.relay.desk.notice(Notice { title: format!("NOT SENT: {}", self.held.card.headline), lines, lasting: true }).await;
        }
        decided
    }

    /// Judges again, then sends, once.
    async fn send_once(&mut self, via: &'static str) -> Decided {
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
                return Decided::Again(Box::new(self.marked(card)));
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
            // Whoever holds the turn this long decides; here nothing more happens.
            return Err(Decided::Done);
        };
        let mut ticket = match relay.tickets.load(self.id()) {
            Ok(Some(ticket)) if ticket.state == State::Held => ticket,
            // Another process was quicker: the ticket is no longer ours to decide.
            Ok(_) | Err(_) => return Err(Decided::Done),
        };
        let verdict = self.judge_again(&facts, &ticket).await;
        match verdict {
            Ok(None) => {}
            Ok(Some(card)) => return Err(Decided::Again(Box::new(card))),
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
        let judgement = judging::judge_again(&relay, &ticket.id, &self.held.call, facts, &policy, settings, &kept);
        if judgement.verdict == Verdict::Deny {
            return Err(judgement.reason);
        }
        let basis = lock(&self.basis).clone();
        let tier = judging::effective_tier(&relay, settings, &judgement);
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
        }
        again
    }

    /// The call was sent: write down what came back, and tell the person.
    async fn finish(&self, sent: Sent) {
        let relay = &self.relay;
        // The trade grant has done its work.
        *lock(&self.unsealed) = None;
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
        outcomes::note(self, "halted", &[("via", via.into())]);
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
        }
    }

    #[test]
    fn a_card_without_facts_counts_only_for_a_proven_exit() {
        let unproved = Basis { judgement: judgement(Class::Exit, "?"), proved: false };
        assert_eq!(worse(&unproved, &judgement(Class::Exit, "flat"), false), None);
        assert_eq!(worse(&unproved, &judgement(Class::Protect, "+2"), false), None);
        assert!(worse(&unproved, &judgement(Class::Order, "flat"), false).is_some());
        assert!(worse(&unproved, &judgement(Class::Exit, "flat"), true).is_some(), "a stronger tier is asked for");
        let proved = Basis { judgement: judgement(Class::Exit, "flat"), proved: true };
        assert_eq!(worse(&proved, &judgement(Class::Exit, "flat"), false), None);
        assert!(worse(&proved, &judgement(Class::Exit, "+1"), false).is_some());
        assert!(worse(&proved, &judgement(Class::Order, "flat"), false).is_some());
    }
}
