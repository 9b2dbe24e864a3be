//! A ticket: one held call and its way to exactly one end, and [`Cleared`], the only value that the trade lane takes.
//!
//! Owns: the states, their edges, the deadlines. Refuses to know: files, clocks, who shows the card. Every edge that is
//! not written here is refused as [`Illegal`].
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use serde::{Deserialize, Serialize};

use super::before::Before;
use super::call::{Call, Refusal};
use super::card::Card;
use super::catalogue::Class;
use super::judge::Judgement;
use super::value;
use super::{Millis, Tier};

/// How long a market order's card may stand once it is shown.
pub const MARKET_DEADLINE: Millis = 30_000;
/// How long every other card may stand once it is shown.
pub const DEADLINE: Millis = 120_000;
/// The longest time that a policy may set for either.
pub const LONGEST_DEADLINE: Millis = 600_000;
/// How long a ticket may wait for the screen.
pub const WAIT_FOR_SCREEN: Millis = 60_000;

/// How often a call that provably did not run may be cleared again: once more, and only after judging again.
const MAX_NOT_RUN: u32 = 1;

/// The longest text that a ticket keeps which ended without being sent, in bytes. Orders are far shorter.
const KEPT_TEXT: usize = 16 * 1024;

/// Letters and digits that nobody mixes up.
const ID_LETTERS: [char; 32] = [
    '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
];

/// Where a ticket stands (DESIGN section 5, ticket).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for the person.
    Held,
    /// Approved; the call is on its way.
    Sending,
    /// The service took it.
    Accepted,
    /// The service refused it.
    Rejected,
    /// It may or may not have run.
    Unknown,
    /// The person said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The client took it back.
    Withdrawn,
    /// Its ground fell away: end of the process, halt, changed policy or definition, clock jump.
    Voided,
    /// Somebody meddled with its prompt.
    Tampered,
}

impl State {
    /// Whether something may still happen.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Held | Self::Sending => true,
            Self::Accepted
            | Self::Rejected
            | Self::Unknown
            | Self::Denied
            | Self::Expired
            | Self::Withdrawn
            | Self::Voided
            | Self::Tampered => false,
        }
    }

    /// Whether this is an end.
    pub const fn is_final(self) -> bool {
        !self.is_open()
    }

    /// Whether a held ticket may end so.
    const fn ends_a_held_one(self) -> bool {
        match self {
            Self::Denied | Self::Expired | Self::Withdrawn | Self::Voided | Self::Tampered => true,
            Self::Held | Self::Sending | Self::Accepted | Self::Rejected | Self::Unknown => false,
        }
    }

    /// The word of journals and results.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Voided => "voided",
            Self::Tampered => "tampered",
        }
    }
}

/// An edge that the state machine does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ticket {id} is {from:?}: {what}")]
pub struct Illegal {
    /// The ticket.
    pub id: String,
    /// Where it stands.
    pub from: State,
    /// What was tried.
    pub what: &'static str,
}

/// Who approved, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// `notification`, `page`, `watch` or `policy`.
    pub via: String,
    /// The tier that was met.
    pub tier: Tier,
}

/// How the sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The raw `CallToolResult`.
    Accepted(String),
    /// The raw `CallToolResult`, or why the service refused.
    Rejected(String),
    /// Why nobody knows.
    Unknown(String),
}

/// What a ticket is made from, beside the call and its judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The exact address of the service.
    pub endpoint: String,
    /// The client's own name, as it said.
    pub client: String,
    /// The digest of the pinned definition.
    pub schema_digest: Option<String>,
    /// The digest of the policy.
    pub policy_digest: String,
}

/// One held call. Serialised as it is into its file; `state` decides what may still happen.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Four letters or digits without look-alikes.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// When it was held.
    pub created_wall: Millis,
    /// When its card was first shown.
    pub shown_wall: Option<Millis>,
    /// When it was decided.
    pub decided_wall: Option<Millis>,
    /// When sending began.
    pub sent_wall: Option<Millis>,
    /// When it ended.
    pub ended_wall: Option<Millis>,
    /// The name as written.
    pub name_raw: String,
    /// The arguments as written; empty where they were long, and it ended without being sent.
    pub arguments_raw: String,
    /// The digest over both.
    pub digest: String,
    /// The exact address of the service.
    pub endpoint: String,
    /// The client's name, as it said.
    pub client: String,
    /// The judged class.
    pub class: Class,
    /// Whether it counts as an entry.
    pub opening: bool,
    /// Whether it trades at any price at once.
    pub market: bool,
    /// The tier it needs.
    pub tier: Tier,
    /// The account in lower case, where it names one.
    pub account: Option<String>,
    /// The instrument's root, where it names one.
    pub root: Option<String>,
    /// The card as last shown.
    pub card: Option<Card>,
    /// The raw result of the service.
    pub outcome: Option<String>,
    /// Why it ended so.
    pub reason: Option<String>,
    /// Who decided.
    pub via: Option<String>,
    /// The digest of the pinned definition.
    pub schema_digest: Option<String>,
    /// The digest of the policy.
    pub policy_digest: String,
    /// How often it was cleared and proven not run.
    pub not_run: u32,
    /// When a sending began that the service says it did not run; `None` where not a byte ever left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_wall: Option<Millis>,
    /// What was there before it was sent, for a look after an unknown outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// How long its card may stand once it is shown, by the policy; the usual time where it does not say.
    #[serde(default)]
    pub open_for: Option<Millis>,
}

impl Ticket {
    /// A new held ticket.
    pub fn hold(id: String, call: &Call, judgement: &Judgement, origin: Origin, now_wall: Millis) -> Self {
        Self {
            id,
            state: State::Held,
            created_wall: now_wall,
            shown_wall: None,
            decided_wall: None,
            sent_wall: None,
            ended_wall: None,
            name_raw: call.name_raw().to_owned(),
            arguments_raw: call.arguments_raw().to_owned(),
            digest: call.digest().to_owned(),
            endpoint: origin.endpoint,
            client: origin.client,
            class: judgement.class,
            opening: judgement.opening,
            market: call.is_market(),
            tier: judgement.tier,
            account: call.account().map(str::to_owned),
            root: call.instrument_root().map(str::to_owned),
            card: None,
            outcome: None,
            reason: None,
            via: None,
            schema_digest: origin.schema_digest,
            policy_digest: origin.policy_digest,
            not_run: 0,
            refused_wall: None,
            before: None,
            open_for: Some(judgement.open_for),
        }
    }

    /// The call, read again from the stored bytes; an error where they no longer have the stored digest.
    pub fn call(&self) -> Result<Call, Refusal> {
        let call = Call::from_stored(&self.name_raw, &self.arguments_raw)?;
        if call.digest() != self.digest {
            return Err(Refusal::new(
                "changed_bytes",
                "the stored call is not the one that was held",
            ));
        }
        Ok(call)
    }

    /// The card stands on the screen. Only the first showing starts the deadline.
    pub fn show(&mut self, now_wall: Millis) -> Result<(), Illegal> {
        if self.state != State::Held {
            return Err(self.illegal("only a held ticket is shown"));
        }
        if self.shown_wall.is_none() && now_wall > self.created_wall.saturating_add(WAIT_FOR_SCREEN) {
            return Err(self.illegal("it waited too long for the screen"));
        }
        self.shown_wall.get_or_insert(now_wall);
        Ok(())
    }

    /// The wall time after which nobody can approve it; `None` while it waits for the screen.
    pub fn deadline(&self) -> Option<Millis> {
        let usual = if self.market { MARKET_DEADLINE } else { DEADLINE };
        let span = self.open_for.map_or(usual, |own| own.min(LONGEST_DEADLINE));
        self.shown_wall.map(|shown| shown.saturating_add(span))
    }

    /// Whether its time is over: shown and past its deadline, or waited too long for the screen.
    pub fn is_overdue(&self, now_wall: Millis) -> bool {
        let end = self
            .deadline()
            .unwrap_or(self.created_wall.saturating_add(WAIT_FOR_SCREEN));
        self.state == State::Held && now_wall > end
    }

    /// Whether this ticket still is about this very call. Ticket files lie in a folder that other programs of the
    /// user can write to: what is sent never comes from there.
    pub fn is_about(&self, call: &Call) -> bool {
        self.name_raw == call.name_raw()
            && self.arguments_raw == call.arguments_raw()
            && self.digest == call.digest()
    }

    /// Held to sending: the only way to a [`Cleared`]. `call` is the one that was judged and shown; the stored bytes
    /// must still be its own. A person's approval needs a shown card and its tier; the policy's own (`policy`) needs
    /// neither, and works in tier click only.
    pub fn approve(&mut self, approval: Approval, call: &Call, now_wall: Millis) -> Result<Cleared, Illegal> {
        if self.state != State::Held {
            return Err(self.illegal("only a held ticket is approved"));
        }
        if !self.is_about(call) || self.market != call.is_market() {
            return Err(self.illegal("its stored bytes are not those that were judged and shown"));
        }
        if self.is_overdue(now_wall) || now_wall < self.created_wall {
            return Err(self.illegal("its time is over"));
        }
        if self.not_run > MAX_NOT_RUN {
            return Err(self.illegal("it was tried twice already"));
        }
        if approval.via == "policy" {
            if self.tier != Tier::Click {
                return Err(self.illegal("policy alone approves only in tier click"));
            }
        } else if self.shown_wall.is_none_or(|shown| now_wall < shown) {
            return Err(self.illegal("nobody has seen its card"));
        }
        if approval.tier < self.tier {
            return Err(self.illegal("the approval is below its tier"));
        }
        self.state = State::Sending;
        self.decided_wall = Some(now_wall);
        self.sent_wall = Some(now_wall);
        self.via = Some(approval.via);
        Ok(Cleared {
            ticket: self.id.clone(),
            endpoint: self.endpoint.clone(),
            call: call.clone(),
        })
    }

    /// Held to denied, expired, withdrawn, voided or tampered.
    pub fn end(&mut self, end: State, reason: &str, now_wall: Millis) -> Result<(), Illegal> {
        if self.state != State::Held || !end.ends_a_held_one() {
            return Err(self.illegal("this end is not reached from here"));
        }
        self.state = end;
        self.decided_wall = Some(now_wall);
        self.ended_wall = Some(now_wall);
        self.reason = Some(reason.to_owned());
        self.lighten();
        Ok(())
    }

    /// Lets go of long texts (written code) where the ticket has ended and nothing of it was sent: nobody looks for such
    /// an order, and every process reads a week of tickets. Digests, lengths and short arguments stay.
    pub fn lighten(&mut self) {
        if self.state.is_open() || self.sent_wall.is_some() {
            return;
        }
        if self.arguments_raw.len() > KEPT_TEXT {
            self.arguments_raw = String::new();
        }
        let free = self.card.as_mut().and_then(|card| card.free_text.as_mut());
        if let Some(free) = free.filter(|free| free.text.len() > KEPT_TEXT) {
            free.text = String::new();
        }
    }

    /// Sending to accepted, rejected or unknown.
    pub fn outcome(&mut self, outcome: Outcome, now_wall: Millis) -> Result<(), Illegal> {
        if self.state != State::Sending {
            return Err(self.illegal("only what is being sent has an outcome"));
        }
        match outcome {
            Outcome::Accepted(result) => {
                self.state = State::Accepted;
                self.outcome = Some(result);
            }
            Outcome::Rejected(result) => {
                self.state = State::Rejected;
                self.outcome = Some(result);
            }
            Outcome::Unknown(why) => {
                self.state = State::Unknown;
                self.reason = Some(why);
            }
        }
        self.ended_wall = Some(now_wall);
        Ok(())
    }

    /// Held to unknown: the service said that it did not run a sending, and by now something shows that it may have.
    pub fn doubt(&mut self, why: &str, now_wall: Millis) -> Result<(), Illegal> {
        let Some(sent) = self.refused_wall.filter(|_| self.state == State::Held) else {
            return Err(self.illegal("only what left once and was refused unrun can be doubted"));
        };
        self.state = State::Unknown;
        self.sent_wall = Some(sent);
        self.ended_wall = Some(now_wall);
        self.reason = Some(why.to_owned());
        Ok(())
    }

    /// What becomes of the ticket of a dead owner: held is voided, sending is unknown. `None` where it had ended.
    pub fn recover(&mut self, now_wall: Millis) -> Option<State> {
        let (state, reason) = match self.state {
            State::Held if self.refused_wall.is_some() => (
                State::Voided,
                "the program that held it is gone; the service had said that it did not run it",
            ),
            State::Held => (
                State::Voided,
                "the program that held it is gone; nothing was sent",
            ),
            State::Sending => (
                State::Unknown,
                "the program that sent it is gone; it may or may not have run",
            ),
            State::Accepted
            | State::Rejected
            | State::Unknown
            | State::Denied
            | State::Expired
            | State::Withdrawn
            | State::Voided
            | State::Tampered => return None,
        };
        self.state = state;
        self.ended_wall = Some(now_wall);
        self.reason = Some(reason.to_owned());
        self.lighten();
        Some(state)
    }

    /// Sending back to held, because the lane proved that nothing ran and gave the cleared call back. The deadline
    /// stays: a late second try must be asked again. Where the call had left, note that: [`Self::refused`].
    pub fn not_run(&mut self, not_run: NotRun) -> Result<(), Illegal> {
        let NotRun(cleared) = not_run;
        let own = cleared.ticket == self.id && cleared.call.digest() == self.digest;
        drop(cleared);
        if self.state != State::Sending || !own {
            return Err(self.illegal("only the call that is being sent can be given back"));
        }
        self.state = State::Held;
        self.sent_wall = None;
        self.decided_wall = None;
        self.via = None;
        self.not_run = self.not_run.saturating_add(1);
        Ok(())
    }

    /// The same where the call had left: that it did not run is the service's word, and a later look may show otherwise.
    pub fn refused(&mut self, not_run: NotRun) -> Result<(), Illegal> {
        let sent = self.sent_wall;
        self.not_run(not_run)?;
        self.refused_wall = sent;
        Ok(())
    }

    fn illegal(&self, what: &'static str) -> Illegal {
        Illegal {
            id: value::short(&self.id, 8),
            from: self.state,
            what,
        }
    }
}

/// A ticket id from three random bytes: four letters or digits, 20 bits.
pub fn ticket_id(random: [u8; 3]) -> String {
    let bits = random
        .iter()
        .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    [15_u32, 10, 5, 0]
        .iter()
        .filter_map(|shift| ID_LETTERS.get(usize::try_from((bits >> shift) & 31).unwrap_or_default()))
        .collect()
}

/// A call that may be sent, once. Only [`Ticket::approve`] makes one; the trade lane takes it by value.
///
/// It cannot be built:
/// ```compile_fail
/// let forged = countersign::gate::ticket::Cleared { ticket: String::new() };
/// ```
/// nor taken from thin air:
/// ```compile_fail
/// let forged = countersign::gate::ticket::Cleared::default();
/// ```
/// nor doubled:
/// ```compile_fail
/// fn twice(cleared: countersign::gate::ticket::Cleared) {
///     let copy = cleared.clone();
///     drop((cleared, copy));
/// }
/// ```
/// nor used after it was given away:
/// ```compile_fail
/// fn again(cleared: countersign::gate::ticket::Cleared) {
///     let given = cleared.not_run();
///     drop(cleared);
///     drop(given);
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a cleared call is sent, or given back as not run"]
pub struct Cleared {
    ticket: String,
    endpoint: String,
    call: Call,
}

impl Cleared {
    /// The ticket it came from.
    pub fn ticket(&self) -> &str {
        &self.ticket
    }

    /// The exact address that it was held for.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> &str {
        self.call.digest()
    }

    /// The tool's exact name.
    pub fn tool(&self) -> &str {
        self.call.tool()
    }

    /// The `params` to send: the very bytes that were judged and shown.
    pub fn params(&self) -> String {
        format!(
            r#"{{"name":{},"arguments":{}}}"#,
            self.call.name_raw(),
            self.call.arguments_raw()
        )
    }

    /// The lane's proof that nothing of it ran.
    pub fn not_run(self) -> NotRun {
        NotRun(self)
    }
}

/// A cleared call that provably did not run (connect error, 401 challenge, legacy 404 session, `-32020`/`-32022`).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a call given back goes to its ticket"]
pub struct NotRun(Cleared);
