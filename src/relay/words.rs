//! Every sentence that a model or its person reads from us, in one place. Each says first what was *not* done, and
//! then the one right next step. A golden test holds them all.

mod sign_in;

pub(super) use sign_in::{SignIn, sign_in, signed};
pub use sign_in::{sign_in_ended, signed_in, trade_sign_in, withdrawn};

use super::change::{Kind, Raised, Standing};
use crate::gate::outcome::Seen;
use crate::upstream::NotSent;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The local tool that waits for a decision.
pub const AWAIT: &str = "countersign_await_approval";
/// The local tool that takes a waiting call back.
pub const WITHDRAW: &str = "countersign_withdraw";
/// The local tool that tells how things stand.
pub const STATUS: &str = "countersign_status";
/// The local tool that is all there is before the first sign-in.
pub const SIGN_IN: &str = "countersign_sign_in";

/// Our own JSON-RPC error code: outside the range that JSON-RPC reserves, so that it cannot pass for upstream's.
pub const OUR_ERROR: i32 = -31_000;

/// Whether a call left the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasSent {
    /// No byte of it.
    No,
    /// Yes, and its outcome is known.
    Yes,
    /// It may have: the outcome is unknown.
    Unknown,
}

impl WasSent {
    fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Unknown => "unknown",
        }
    }
}

/// The `data` of our own JSON-RPC errors.
pub fn data(sent: WasSent, ticket: Option<&str>) -> String {
    let mut inner = json!({ "sent": sent.word() });
    if let (Some(ticket), Some(object)) = (ticket, inner.as_object_mut()) {
        object.insert("ticket".into(), ticket.into());
    }
    json!({ "countersign": inner }).to_string()
}

/// What the service said, for a person: an object of JSON as its first plain members, any other text as it is.
pub fn readable(said: &str) -> String {
    let members = crate::wire::json::members(said).unwrap_or_default();
    let told: Vec<String> = members
        .iter()
        .filter_map(|member| {
            let value = match member.value.as_bytes().first()? {
                b'"' => crate::wire::json::string(member.value)
                    .ok()
                    .filter(|text| !text.is_empty())?,
                b'-' | b'0'..=b'9' => member.value.into(),
                b't' => "yes".into(),
                b'f' => "no".into(),
                _ => return None,
            };
            Some(format!("{}: {value}", member.key))
        })
        .take(6)
        .collect();
    if told.is_empty() {
        said.to_owned()
    } else {
        told.join(", ")
    }
}

/// A tool result of our own: text for the model, the same facts as structured content.
pub fn result(text: &str, facts: Value, is_error: bool) -> String {
    let content = vec![ContentBlock::text(text)];
    let mut result = if is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    result.result_type = None;
    result.structured_content = Some(facts);
    serde_json::to_string(&result).unwrap_or_else(|_| r#"{"content":[],"isError":true}"#.to_owned())
}

/// The JSON-RPC code for a request that is no request.
pub fn invalid_request() -> i32 {
    ErrorCode::INVALID_REQUEST.0
}

/// The JSON-RPC code for a method that is not there.
pub fn method_not_found() -> i32 {
    ErrorCode::METHOD_NOT_FOUND.0
}

/// The JSON-RPC code for parameters that are wrong.
pub fn invalid_params() -> i32 {
    ErrorCode::INVALID_PARAMS.0
}

/// A trade call that was refused before anyone was asked.
pub fn refused(code: &str, reason: &str) -> String {
    let text = format!("NOT SENT. {reason}");
    result(
        &text,
        json!({ "status": "refused", "sent": "no", "code": code, "reason": reason }),
        true,
    )
}

/// On the card of a changed policy: nobody can tell by a program whether it loosens.
pub const MAY_LOOSEN: &str = "IT MAY ALLOW MORE THAN BEFORE: READ EVERY CHANGED LINE";
/// On the card of a policy whose record was edited.
pub const RECORD_EDITED: &str =
    "ANOTHER PROGRAM EDITED THE RECORD OF WHAT YOU APPROVED: EVERYTHING IS SHOWN AS NEW";
/// On the card of a changed policy.
pub const UNTIL_DECIDED: &str = "all trade calls are refused except exits and protective stops";
/// On the card of changed definitions.
pub const TOOLS_MAY: &str = "A TOOL THAT IS DESCRIBED ANEW MAY DO SOMETHING ELSE THAN BEFORE";
/// Of changed definitions that no card can show.
pub const TOOLS_TOO_LONG: &str = "too many tool descriptions changed to be shown on one card: look at them with `countersign tools --json` and put them on record with `countersign login --trade`";
/// On the card of changed definitions.
pub const UNTIL_TOOLS: &str = "these tools are refused, all others work";

/// Why a trade call is refused while a change waits for the person, and the one next step.
pub(crate) fn change_waits(what: Kind, tool: &str, raised: &Raised) -> String {
    let changed = match what {
        Kind::Policy => "The policy changed (or a setting that decides what an approval takes), and the person has not approved the change".to_owned(),
        Kind::Tools => format!("The service's description of {tool} is new or changed, and the person has not approved it"),
    };
    let exits = match what {
        Kind::Policy => "Closing a position and protective stops still work.",
        Kind::Tools => "To get out of a position that needs this tool, flatten in NinjaTrader.",
    };
    let next = match raised {
        Raised::Asked | Raised::Waiting => {
            "They have been asked on their own screen: tell them, and call again after they approved it."
                .to_owned()
        }
        Raised::Paused(standing, until) => {
            let word = match standing {
                Standing::Denied => "said no to the change",
                Standing::Unanswered | Standing::Open | Standing::Dropped => {
                    "did not answer when asked about the change"
                }
            };
            format!(
                "The person {word}, and is not asked again before {until}. Do not repeat the call: they can approve it any time with `countersign policy apply`."
            )
        }
        Raised::Nobody(why) => format!(
            "The person could not be asked here ({why}): ask them to run `countersign policy apply` in a terminal."
        ),
        Raised::Settled => "It was decided this moment: call again.".to_owned(),
    };
    format!("{changed}. {exits} {next}")
}

/// A trade call that waits for the person.
pub fn waiting(ticket: &str, what: &str, until: Option<&str>) -> String {
    let until = until
        .map(|at| format!(" The question closes at {at}."))
        .unwrap_or_default();
    let text = format!(
        "NOT SENT yet: {what} waits for the person's approval on their own screen as ticket {ticket}.{until} \
         Tell the person that it waits there, then call {AWAIT} with ticket \"{ticket}\". \
         Do not call the trade tool again: the order goes out by itself at the moment of approval."
    );
    result(
        &text,
        json!({ "status": "not_sent_waiting_for_person", "sent": "no", "ticket": ticket, "next": AWAIT }),
        false,
    )
}

/// A second call that is the same as an open one.
pub fn already_waiting(ticket: &str, what: &str) -> String {
    let text = format!(
        "{what} is already waiting for the person as {ticket}; this call placed nothing. Call {AWAIT} with ticket \"{ticket}\"."
    );
    result(
        &text,
        json!({ "status": "already_waiting", "sent": "no", "ticket": ticket, "next": AWAIT }),
        false,
    )
}

/// A second call that is the same as one which was approved and is on its way now.
pub fn already_on_its_way(ticket: &str, what: &str) -> String {
    let text = format!(
        "This call placed nothing. The same call was approved before it and is being sent now, as {ticket}: {what}. \
         Do not call the trade tool again; call {AWAIT} with ticket \"{ticket}\" for what became of it."
    );
    result(
        &text,
        json!({ "status": "sending", "sent": "unknown", "repeated": true, "ticket": ticket, "next": AWAIT }),
        false,
    )
}

/// A ticket that ended without being sent.
pub fn ended(ticket: &str, state: &str, reason: &str, what: &str) -> String {
    let became = if state == "expired" {
        state.to_owned()
    } else {
        format!("was {state}")
    };
    let next = match state {
        "denied" => "Do not ask again unless the person tells you to.",
        "expired" => "Ask the person whether they still want it before you call again.",
        "withdrawn" => "It was taken back before a decision.",
        _ => "Tell the person; call again only if they want it.",
    };
    // Some reasons are whole sentences.
    let why = reason.trim_end_matches('.');
    let text = format!("NOT SENT. {what} (ticket {ticket}) {became}: {why}. {next}");
    result(
        &text,
        json!({ "status": state, "sent": "no", "ticket": ticket, "reason": reason }),
        true,
    )
}

/// How an order was let through, before its name: by the person, or by rules of theirs that ask nobody (`allow`).
fn let_through(by_rule: bool) -> &'static str {
    if by_rule {
        "without a question, as the person's rules allow here:"
    } else {
        "after the person approved"
    }
}

/// A ticket whose call was sent and answered; `upstream` is the service's own result. `by_rule`: nobody was asked.
pub fn answered(ticket: &str, accepted: bool, upstream: &str, what: &str, by_rule: bool) -> String {
    let how = let_through(by_rule);
    let upstream: Value = serde_json::from_str(upstream).unwrap_or_else(|_| upstream.into());
    let said = service_text(&upstream);
    let (status, text) = if accepted {
        (
            "accepted",
            format!("SENT once, {how} {what} (ticket {ticket}); the service accepted it: {said}"),
        )
    } else {
        (
            "rejected",
            format!("SENT once, {how} {what} (ticket {ticket}); the service REJECTED it: {said}"),
        )
    };
    result(
        &text,
        json!({ "status": status, "sent": "yes", "ticket": ticket, "result": upstream }),
        !accepted,
    )
}

/// A ticket whose call was sent and ended otherwise than asked: in part, or with nothing to do.
pub fn otherwise(ticket: &str, upstream: &str, said: &str, what: &str, by_rule: bool) -> String {
    let how = let_through(by_rule);
    let upstream: Value = serde_json::from_str(upstream).unwrap_or_else(|_| upstream.into());
    let text = format!("SENT once, {how} {what} (ticket {ticket}); NOT ALL of it was done: {said}");
    result(
        &text,
        json!({ "status": "otherwise", "sent": "yes", "ticket": ticket, "result": upstream }),
        true,
    )
}

/// A ticket whose call may have been executed.
pub fn unknown(ticket: &str, why: &str, look: Option<&str>, what: &str) -> String {
    let look = look.unwrap_or("Countersign is looking at orders and positions; ask again in a minute");
    let text = format!(
        "OUTCOME UNKNOWN. {what} (ticket {ticket}) was sent once and no clear answer came back: {why}. It may or may not have been \
         executed. Do NOT send it again. {look}. Tell the person to check orders and positions in NinjaTrader, and call \
         {AWAIT} with ticket \"{ticket}\" for what was found."
    );
    result(
        &text,
        json!({ "status": "unknown", "sent": "unknown", "ticket": ticket, "reason": why, "found": look }),
        true,
    )
}

/// For the person, after an order whose answer was lost.
pub const MAY_HAVE_RUN: &str =
    "It may or may not have been executed. Check orders and positions in NinjaTrader.";
/// For the person: what is done about it.
pub const LOOKING: &str = "Countersign looks for it for a minute and tells you what it sees.";

/// The first line of a card that comes back: the order before it has no answer yet.
pub const STILL_ON_ITS_WAY: &str =
    "NOT SENT: THE ORDER BEFORE IT HAS NO ANSWER YET. APPROVE ONCE MORE TO SEND IT";

/// The first line of a card that comes back: the service says that it did not run the call, and nothing but its word is there.
pub const NOT_LOOKED_UP: &str =
    "CHECK NINJATRADER FIRST: IT WAS REFUSED, BUT NO LIST CAN BE READ. APPROVE ONCE MORE TO SEND IT";

/// The first line of a card that comes back: the service did not take the call, and says so.
pub fn not_taken(why: &NotSent) -> &'static str {
    match why {
        NotSent::RateLimited(_) => "NOT SENT: THE SERVICE ASKED TO SLOW DOWN. APPROVE ONCE MORE TO SEND IT",
        NotSent::Unauthorized => {
            "NOT SENT: THE SERVICE REFUSED THE SIGN-IN, WHICH IS RENEWED. APPROVE ONCE MORE TO SEND IT"
        }
        NotSent::SessionLost => {
            "NOT SENT: THE SERVICE HAD FORGOTTEN THE CONNECTION. APPROVE ONCE MORE TO SEND IT"
        }
        NotSent::Connect(_)
        | NotSent::Scope(_)
        | NotSent::Plan
        | NotSent::Headers
        | NotSent::Revision
        | NotSent::Handshake(_)
        | NotSent::Stopped(_) => "NOT SENT: THE SERVICE REFUSED ITS FORM. APPROVE ONCE MORE TO SEND IT",
    }
}

/// Why an outcome is unknown although the service said that it did not run the call.
pub fn refused_but(why: &str, trace: &str) -> String {
    format!("{why}; yet something is there that may be this call's: {trace}")
}

/// The same, found out when it was to be sent a second time.
pub fn refused_and_seen(trace: &str) -> String {
    format!(
        "the service had said that it did not run it; yet something is there that may be this call's: {trace}"
    )
}

/// What a look after an unknown outcome saw, and what that proves. `seconds` since it was sent.
pub fn looked(seen: &Seen, seconds: u64, again: bool) -> String {
    let text = match seen {
        Seen::Done { what, settled, .. } => {
            let more = if *settled {
                ""
            } else {
                ". Its status may still change"
            };
            format!("FOUND: {what}. It was not so before, so the service did execute this call{more}")
        }
        Seen::Dead { what, .. } => {
            format!("FOUND: {what}. The service took this call, and nothing of it is in force now")
        }
        Seen::Maybe(what) => format!("SEEN after looking, and no proof: {what}"),
        Seen::NotFound => format!(
            "NOT FOUND in orders, fills and positions {seconds} s after it was sent. Lists can lag: this does not prove \
             that it did not run"
        ),
        Seen::CouldNotLook(why) => {
            format!("Countersign COULD NOT LOOK: {why}. So it is not known whether it ran")
        }
    };
    if again {
        format!("{text}. Countersign looks again")
    } else {
        text
    }
}

/// How things stand, for `countersign_status`.
pub fn standing(signed_in: &str, tickets: usize, paused: Option<&str>, doubts: &[String]) -> String {
    let mut text = format!("{signed_in} Tickets of the last 24 hours: {tickets}.");
    if let Some(until) = paused {
        let _ = write!(
            text,
            " NEW ORDERS ARE PAUSED until {until}: the person is away or declined several. Do not ask again until they \
             write. Exits and protective stops can be asked for all the same."
        );
    }
    if !doubts.is_empty() {
        let _ = write!(
            text,
            " OUTCOME UNKNOWN of {}: sent once, and it may or may not have run. Never send it again, not with another \
             price or size either; the person must look in NinjaTrader and run `countersign acknowledge`.",
            doubts.join(", ")
        );
    }
    text
}

/// The pause of entries, for the person: title and lines.
pub fn paused(until: &str) -> (String, Vec<String>) {
    (
        format!("New orders are paused until {until}"),
        vec![
            "You denied several or did not answer: the AI is told not to ask again.".to_owned(),
            "Exits and protective stops still ask you. To end the pause now, press the button or run: countersign resume"
                .to_owned(),
        ],
    )
}

/// More new orders at once than the line takes.
pub const TOO_MANY_AT_ONCE: &str = "Too many orders came at once, and this one was not looked at. Wait for the \
answers to the others. To close a position use a tool that closes: it still reaches the person.";

/// The button of that notice.
pub const END_PAUSE: &str = "End the pause";

/// The program ends before it could look.
pub const NOT_LOOKED: &str = "NOT LOOKED YET: Countersign was closed. It looks when an AI client next starts it; until then check NinjaTrader";

/// A ticket whose state cannot be read: it may have been sent.
pub fn unreadable(ticket: &str, why: &str) -> String {
    let text = format!(
        "STATE UNKNOWN. Ticket {ticket} cannot be read ({why}), so it is not known whether its call was sent. Do NOT send it again. \
         Tell the person to check orders and positions in NinjaTrader."
    );
    result(
        &text,
        json!({ "status": "unreadable", "sent": "unknown", "ticket": ticket, "reason": why }),
        true,
    )
}

/// A waiting call that could not be taken back.
pub fn not_withdrawn(ticket: &str, what: &str, why: &str) -> String {
    let text = format!(
        "NOT withdrawn: {what} (ticket {ticket}) still waits for the person ({why}). Tell the person to deny it if they do not want it."
    );
    result(
        &text,
        json!({ "status": "not_withdrawn", "sent": "no", "ticket": ticket, "reason": why }),
        true,
    )
}

/// The call is on its way and the answer is not there yet.
pub fn sending(ticket: &str, what: &str) -> String {
    let text = format!(
        "The person approved {what} (ticket {ticket}); it is being sent now and the answer is not there yet. \
         Do not call the trade tool again; call {AWAIT} with ticket \"{ticket}\"."
    );
    result(
        &text,
        json!({ "status": "sending", "sent": "unknown", "ticket": ticket, "next": AWAIT }),
        false,
    )
}

/// An outcome that nobody has read yet answers an identical call: that call placed nothing.
pub fn earlier(ticket: &str, outcome: &str) -> String {
    let mut value: Value = serde_json::from_str(outcome).unwrap_or_default();
    let said = value
        .get("content")
        .and_then(|c| c.get(0))
        .and_then(|c| c.get("text"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = format!(
        "This call placed nothing: the same call was made before as ticket {ticket}. Its outcome: {said}"
    );
    let mut facts = value
        .get_mut("structuredContent")
        .map(Value::take)
        .unwrap_or_default();
    if let Some(facts) = facts.as_object_mut() {
        facts.insert("repeated".into(), true.into());
    }
    let is_error = value.get("isError").and_then(Value::as_bool).unwrap_or(true);
    result(&text, facts, is_error)
}

/// No ticket of that id.
pub fn no_ticket(ticket: &str) -> String {
    let shown: String = ticket
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    let text = format!(
        "There is no ticket \"{shown}\". Call {STATUS} for today's tickets. Nothing was sent by this call."
    );
    result(&text, json!({ "status": "no_such_ticket", "sent": "no" }), true)
}

/// A read that failed upstream; `code` is for programs: `unreachable`, `withdrawn`, `failed`.
pub fn read_failed(code: &str, why: &str) -> String {
    let text = format!("NOT DONE. {why}.");
    result(
        &text,
        json!({ "status": "failed", "sent": "no", "code": code, "reason": why }),
        true,
    )
}

/// Why a tool that the service lists is not offered: what its definition wants in headers cannot be meant.
pub fn left_out(tool: &str, why: &str) -> String {
    format!(
        "CrossTrade describes {tool} in a way that the protocol forbids ({why}), so nobody can call it safely. Only CrossTrade can mend \
         that; until then use NinjaTrader for it"
    )
}

/// What the service itself said, as one line of text: the first text block, bounded.
fn service_text(result: &Value) -> String {
    let block = result
        .get("content")
        .and_then(|c| c.get(0))
        .and_then(|c| c.get("text"))
        .and_then(Value::as_str);
    let text = block.map_or_else(|| result.to_string(), str::to_owned);
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(600)
        .collect();
    line
}

/// The instructions in the handshake: how a model works with held calls.
pub const INSTRUCTIONS: &str = "CrossTrade through Countersign. Reads pass through. Every call that trades, changes orders, \
deploys code or sends alerts is HELD until the person at this computer approves exactly that call on their own screen; you \
cannot approve it and must not try. If an answer starts with NOT SENT, nothing was done: say so. If it says the call is \
waiting, tell the person and call countersign_await_approval with the ticket; never repeat the trade call. If an outcome is \
UNKNOWN, never send the order again; ask the person to check NinjaTrader.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Commands;
    use crate::relay::signin::Asked;

    /// All that `countersign_status` says of the sign-ins.
    fn every_standing() -> Vec<String> {
        use SignIn::{Ended, Good, None};
        let mut all = Vec::new();
        for (read, trade, ended, halted) in [
            (None, None, Option::None, false),
            (None, None, Some("the person said no"), false),
            (Ended("invalid_grant"), None, Option::None, false),
            (Good, None, Option::None, false),
            (Good, Ended("invalid_grant"), Option::None, false),
            (Good, Good, Option::None, true),
            (Good, Good, Option::None, false),
        ] {
            for commands in [Commands::Known, Commands::Unknown] {
                let told = signed(read, trade, ended, halted, commands);
                if !all.contains(&told) {
                    all.push(told);
                }
            }
        }
        all
    }

    #[test]
    fn what_the_service_said_is_shown_without_its_braces() {
        assert_eq!(
            readable(r#"{"order_id":"ord-1","state":"Working","legs":[1],"ok":true,"quantity":2}"#),
            "order_id: ord-1, state: Working, ok: yes, quantity: 2"
        );
        for as_it_is in ["Order placed", "{}", "[1]", "{\"a\":{}}", ""] {
            assert_eq!(readable(as_it_is), as_it_is);
        }
    }

    /// One sentence on one line: what a program and what a model reads.
    fn line(name: &str, result: &str) -> String {
        let value: Value = serde_json::from_str(result).unwrap();
        let facts = &value["structuredContent"];
        let word = |key: &str| facts[key].as_str().unwrap_or("-").to_owned();
        let text = value["content"][0]["text"].as_str().unwrap();
        format!(
            "{name} [{}, sent {}, error {}]\n  {text}",
            word("status"),
            word("sent"),
            value["isError"]
        )
    }

    #[test]
    fn every_sentence_is_as_it_was_reviewed() {
        let upstream =
            r#"{"content":[{"type":"text","text":"{\"order_id\":\"ord-1\",\"status\":\"Filled\"}"}]}"#;
        let (ticket, what) = ("7QK4", "BUY 1 MES 12-26");
        let later = |standing| Raised::Paused(standing, "15:41:07".to_owned());
        let url = || "http://127.0.0.1:1/authorize".to_owned();
        let all = [
            line(
                "refused",
                &refused("blocked", "This account is blocked by your policy."),
            ),
            line("too many at once", &refused("too_many_at_once", TOO_MANY_AT_ONCE)),
            line(
                "the policy changed",
                &refused(
                    "policy_changed",
                    &change_waits(Kind::Policy, "PlaceOrder", &Raised::Asked),
                ),
            ),
            line(
                "the policy changed, denied",
                &refused(
                    "policy_changed",
                    &change_waits(Kind::Policy, "PlaceOrder", &later(Standing::Denied)),
                ),
            ),
            line(
                "the policy changed, nobody there",
                &refused(
                    "policy_changed",
                    &change_waits(
                        Kind::Policy,
                        "PlaceOrder",
                        &Raised::Nobody("no browser".to_owned()),
                    ),
                ),
            ),
            line(
                "a definition changed",
                &refused(
                    "definition_changed",
                    &change_waits(Kind::Tools, "PlaceOrder", &Raised::Waiting),
                ),
            ),
            line(
                "a definition changed, unanswered",
                &refused(
                    "definition_new",
                    &change_waits(Kind::Tools, "PlaceAll", &later(Standing::Unanswered)),
                ),
            ),
            line(
                "settled this moment",
                &refused(
                    "definition_new",
                    &change_waits(Kind::Tools, "PlaceAll", &Raised::Settled),
                ),
            ),
            line(
                "a definition that cannot be followed",
                &refused(
                    "definition_unsound",
                    &format!(
                        "{}.",
                        left_out("PlaceOrder", "two arguments want the header Mcp-Param-Account")
                    ),
                ),
            ),
            line("waiting", &waiting(ticket, what, Some("15:41:07"))),
            line("already waiting", &already_waiting(ticket, what)),
            line("already on its way", &already_on_its_way(ticket, what)),
            line(
                "denied",
                &ended(ticket, "denied", "the person denied it (notification)", what),
            ),
            line(
                "expired",
                &ended(ticket, "expired", "nobody decided in time", what),
            ),
            line(
                "withdrawn",
                &ended(ticket, "withdrawn", "the AI client took it back", what),
            ),
            line("voided", &ended(ticket, "voided", "AI trading was stopped", what)),
            line("accepted", &answered(ticket, true, upstream, what, false)),
            line(
                "accepted, nobody asked",
                &answered(ticket, true, upstream, what, true),
            ),
            line("rejected", &answered(ticket, false, upstream, what, false)),
            line(
                "otherwise",
                &otherwise(ticket, upstream, "2 of 3 cancelled", what, false),
            ),
            line("unknown", &unknown(ticket, "no answer within 60 s", None, what)),
            line(
                "unknown, looked",
                &unknown(ticket, "no answer within 60 s", Some("NOT FOUND so far"), what),
            ),
            format!(
                "looks\n  {}",
                [
                    looked(
                        &Seen::Done {
                            what: "the new order O7 BUY MARKET 1 MES 12-26, Filled".to_owned(),
                            settled: true,
                            order: None
                        },
                        5,
                        false
                    ),
                    looked(
                        &Seen::Done {
                            what: "the new order O7 BUY LIMIT 1 MES 12-26, Submitted".to_owned(),
                            settled: false,
                            order: None
                        },
                        2,
                        true
                    ),
                    looked(
                        &Seen::Dead {
                            what: "the new order O7 BUY MARKET 1 MES 12-26, Rejected".to_owned(),
                            order: "O7".to_owned()
                        },
                        5,
                        false
                    ),
                    looked(&Seen::Maybe("the position moved".to_owned()), 60, false),
                    looked(&Seen::NotFound, 15, true),
                    looked(&Seen::NotFound, 60, false),
                    looked(
                        &Seen::CouldNotLook("NinjaTrader or its add-on is not connected".to_owned()),
                        60,
                        false
                    ),
                    NOT_LOOKED.to_owned(),
                ]
                .join("\n  ")
            ),
            format!(
                "standing\n  {}",
                standing("Signed in.", 2, Some("15:45:00"), &["7QK4".to_owned()])
            ),
            format!("paused\n  {:?}", paused("15:45:00")),
            format!("on its way\n  {STILL_ON_ITS_WAY}"),
            format!(
                "not taken\n  {}",
                [
                    NotSent::RateLimited(None),
                    NotSent::Unauthorized,
                    NotSent::SessionLost,
                    NotSent::Headers,
                ]
                .map(|why| not_taken(&why))
                .into_iter()
                .chain([NOT_LOOKED_UP])
                .collect::<Vec<_>>()
                .join("\n  ")
            ),
            format!(
                "refused, but\n  {}\n  {}",
                refused_but("the service had forgotten the session", "the new order O7"),
                refused_and_seen("the new order O7")
            ),
            line("unreadable", &unreadable(ticket, "permission denied")),
            line(
                "not withdrawn",
                &not_withdrawn(ticket, what, "the journal cannot be written"),
            ),
            line("sending", &sending(ticket, what)),
            line(
                "earlier",
                &earlier(ticket, &answered(ticket, true, upstream, what, false)),
            ),
            line("no ticket", &no_ticket("ZZ<>ZZ")),
            line(
                "sign in",
                &sign_in(&Asked::Here {
                    url: url(),
                    opened: true,
                }),
            ),
            line(
                "sign in, no browser",
                &sign_in(&Asked::Here {
                    url: url(),
                    opened: false,
                }),
            ),
            line("sign in, elsewhere", &sign_in(&Asked::Elsewhere)),
            line(
                "sign-in ended",
                &sign_in_ended("the person said no", Commands::Known),
            ),
            line(
                "sign-in ended, no command",
                &sign_in_ended("the person said no", Commands::Unknown),
            ),
            line(
                "access ended",
                &read_failed("withdrawn", &withdrawn("invalid_grant", Commands::Known)),
            ),
            line(
                "access ended, no command",
                &read_failed("withdrawn", &withdrawn("invalid_grant", Commands::Unknown)),
            ),
            line("signed in", &signed_in()),
            line("trade sign-in", &trade_sign_in(Commands::Known)),
            line("trade sign-in, no command", &trade_sign_in(Commands::Unknown)),
            format!("how the sign-ins stand\n  {}", every_standing().join("\n  ")),
            line(
                "read failed",
                &read_failed("failed", "The service answered with HTTP 500"),
            ),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn what_was_not_sent_says_so_first() {
        for result in [
            refused("x", "y."),
            waiting("A", "b", None),
            ended("A", "denied", "c", "b"),
            trade_sign_in(Commands::Known),
        ] {
            let value: Value = serde_json::from_str(&result).unwrap();
            assert!(
                value["content"][0]["text"]
                    .as_str()
                    .unwrap()
                    .starts_with("NOT SENT"),
                "{result}"
            );
        }
    }
}
