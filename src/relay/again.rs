//! A call that was approved and came back unrun: whether it may be sent once more, and who decides that.
//!
//! Where not a byte left, it is judged and tried once more by itself. Where it left, that it did not run is the service's
//! word alone: another machine behind the same address may have run it. Then no approval is used a second time: the lists
//! are looked at, and what shows a trace of it is an unknown outcome; else the person is asked anew.
//!
//! Refuses to know: what proves that a call did not run (`upstream::trade_lane`), what a trace is (`gate::seen`).

use super::ask::{Basis, Decided, Live, pins_changed};
use super::facts::Round;
use super::judging;
use super::outcomes::journal;
use super::unwritten::{Late, Locks};
use super::{lock, lookup, words};
use crate::gate::ticket::{State, Ticket};
use crate::gate::{Facts, NotRun, Verdict, outcome};
use crate::oauth::Bearer;
use crate::system::clock::wall_ms;
use crate::upstream::NotSent;

/// What the lists show of a call that the service says it did not run.
#[derive(Debug)]
pub(super) enum Look {
    /// This, which may come from it.
    Trace(String),
    /// Nothing. Nor could there be anything where it did not leave.
    Nothing,
    /// They could not be read.
    Unread,
}

impl Live {
    /// Looks for a call that came back.
    pub(super) async fn look(&self, left: bool) -> Look {
        if !left {
            return Look::Nothing;
        }
        let Ok(ticket) = serde_json::from_slice::<Ticket>(&lock(&self.sending)) else {
            return Look::Unread;
        };
        let facts = self.read_facts(Round::Again).await;
        match lookup::trace(&self.relay, &ticket, &self.held.call, &facts) {
            Some(trace) => Look::Trace(trace),
            None if outcome::would_show(&self.held.call, ticket.before.as_ref(), &facts) => Look::Nothing,
            None => Look::Unread,
        }
    }

    /// The call provably did not run. Where it may be tried once more, by itself or after another approval, the ticket
    /// is held again; else it has ended, and the error says why. The ticket is the one in memory: its file may be gone, or
    /// say something else by now.
    pub(super) async fn give_back(
        &self,
        not_run: NotRun,
        why: &NotSent,
        left: bool,
        attempt: u32,
    ) -> Result<(), String> {
        let relay = &self.relay;
        // Without its turn as well: nobody else decides on what is being sent.
        let _turn = relay.tickets.turn(self.id()).await.ok();
        let mut ticket: Ticket = serde_json::from_slice(&lock(&self.sending))
            .map_err(|error| format!("{why}; its ticket is gone: {error}"))?;
        let back = if left {
            ticket.refused(not_run)
        } else {
            ticket.not_run(not_run)
        };
        back.map_err(|illegal| format!("{why}; {illegal}"))?;
        let _ = journal(relay, "not_run", &ticket, &[("reason", why.to_string().into())]).await;
        let again =
            match why {
                NotSent::Unauthorized | NotSent::SessionLost | NotSent::Headers | NotSent::Revision => {
                    if left { ticket.not_run <= 1 } else { attempt == 0 }
                }
                NotSent::Connect(_) => attempt == 0,
                NotSent::RateLimited(_) => ticket.not_run <= 1,
                NotSent::Scope(_) | NotSent::Plan | NotSent::Handshake(_) | NotSent::Stopped(_) => false,
            };
        let mut why = why.to_string();
        if again {
            match relay.tickets.keep(&ticket).await {
                Ok(()) => return Ok(()),
                Err(error) => why = format!("{why}; the ticket cannot be written: {error}"),
            }
        }
        self.end_in_turn(ticket, State::Voided, &why).await;
        Err(why)
    }

    /// Does what the next try needs; the token for it.
    ///
    /// # Errors
    /// Why there is none. A description that is another one by now ends it before anything is sent (DESIGN, definitions
    /// are pinned).
    pub(super) async fn made_good(&self, why: &NotSent, bearer: &Bearer) -> Result<Bearer, String> {
        match why {
            NotSent::Headers => {
                let bearer = self.look_at_definitions(bearer.clone()).await?;
                match pins_changed(&self.relay, self.held.call.tool()) {
                    Some((_, why)) => Err(why),
                    None => Ok(bearer),
                }
            }
            NotSent::Unauthorized => self.renewed(bearer).await,
            NotSent::Connect(_)
            | NotSent::SessionLost
            | NotSent::Scope(_)
            | NotSent::Plan
            | NotSent::RateLimited(_)
            | NotSent::Revision
            | NotSent::Handshake(_)
            | NotSent::Stopped(_) => Ok(bearer.clone()),
        }
    }

    /// Asks the person once more, with this in the first line of the card, on the facts as they were read last: what changed
    /// since the first card is marked.
    pub(super) async fn asked_anew(&mut self, first_line: &str) -> Decided {
        let facts = lock(&self.latest).facts.clone();
        let card = match self.judged_on(&facts).await {
            Some((judgement, card)) => {
                let tier = judging::effective_tier(&self.relay, &judgement);
                if judgement.verdict != Verdict::Deny {
                    self.held.tier = tier.max(self.held.tier);
                    *lock(&self.basis) = Basis {
                        judgement,
                        proved: true,
                    };
                }
                card
            }
            None => lock(&self.first).clone(),
        };
        self.again = Some(first_line.to_owned());
        Decided::Again(Box::new(self.marked(card)))
    }

    /// At the second approval of a call that the service once refused unrun: the ticket, where nothing shows a trace of
    /// it. Lists lag: where one shows it by now, it is not sent again, and its outcome is unknown. The caller has the
    /// ticket's turn.
    pub(super) async fn undoubted(&self, mut ticket: Ticket, facts: &Facts) -> Result<Ticket, Decided> {
        if ticket.refused_wall.is_none() {
            return Ok(ticket);
        }
        let Some(trace) = lookup::trace(&self.relay, &ticket, &self.held.call, facts) else {
            return Ok(ticket);
        };
        let why = words::refused_and_seen(&trace);
        // Whoever has the right to send it decides on it.
        if !self.is_sender() {
            return Err(Decided::Done);
        }
        if let Err(illegal) = ticket.doubt(&why, wall_ms()) {
            return Err(Decided::NotSent(illegal.to_string()));
        }
        let locks = Locks::Sender(lock(&self.sender).take());
        let late = Late::new(ticket, "unknown", ("said", &why), locks);
        let ended = late.copy();
        let locks = self.relay.write_or_keep(late).await;
        if let Ok(ended) = ended {
            lookup::doubted(&self.relay, locks, ended);
        }
        Err(Decided::Done)
    }
}

/// Text for the screen.
pub(super) fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(200)
        .collect()
}
