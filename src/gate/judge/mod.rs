//! The judgement of one call: policy, limits and facts together (DESIGN section 5).
//!
//! Owns: the verdict, its class, tier and reason. Refuses to know: tickets, cards, who shows what. What cannot be read
//! never yields `allow`; deny overrides everything.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

mod brakes;
mod looked;
mod money;
mod price;
mod reach;
mod size;
mod state;

pub use looked::{Came, Looked, Room};
pub(in crate::gate) use money::day_result;

use super::call::Call;
use super::catalogue::{Class, Form};
use super::effect::{Effect, effect};
use super::facts::Facts;
use super::limits::{Counters, Group, group};
use super::policy::{Do, Policy};
use super::ticket::Ticket;
use super::value::{self, Decimal};
use super::{Millis, Tier};
use reach::Reach;
use state::{Refused, refused};
use std::sync::Arc;

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Sent without asking.
    Allow,
    /// The person decides.
    Ask,
    /// Refused.
    Deny,
}

/// The verdict with everything that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of the call.
    pub verdict: Verdict,
    /// The class with what the reads prove.
    pub class: Class,
    /// What it takes to approve.
    pub tier: Tier,
    /// The deciding line.
    pub rule: String,
    /// A stable word for machines.
    pub code: &'static str,
    /// For the client when denied; starts with what was not done.
    pub reason: String,
    /// Whether risk may open or grow.
    pub opening: bool,
    /// The resulting position as canonical text.
    pub after: Option<String>,
    /// The same without its month, where the call leaves the month to the service.
    pub after_any_month: Option<String>,
    /// Whether any account in reach is not proven to be play money.
    pub live: bool,
    /// The warnings of the card.
    pub warnings: Vec<String>,
    /// How long its card may stand once it is shown.
    pub open_for: Millis,
    /// What it counts as when it is sent; `None` for what opens no risk.
    pub entry: Option<Entry>,
    /// Where the market was, where it may move only so far until the approval.
    pub market: Option<Market>,
    /// How long ago the very same order was sent, where that is not long (milliseconds).
    pub sent_before: Option<Millis>,
    /// Every limit that was looked at, in its order.
    pub looked: Vec<Looked>,
}

/// What an order that may open risk counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The accounts that it reaches or is copied to, in lower case; none where they are not known by name.
    pub accounts: Vec<String>,
    /// Contracts; `None` where nobody can say.
    pub quantity: Option<u32>,
    /// What two orders that are the same have in common; empty where a repeat changes nothing.
    pub twin: String,
}

/// Where the market was, and how far it may move until the approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Market {
    /// Its price, where a fresh quote was read.
    pub price: Option<Decimal>,
    /// The policy's `max_drift` in points.
    pub most: Decimal,
}

/// A twin that was sent within this time is told on the card.
const LATELY: Millis = 10 * 60_000;

impl Judgement {
    /// What got worse since an earlier judgement of the same call, for the second judgement at the approval: then
    /// nothing is sent and the person is asked again.
    pub fn worse_than(&self, earlier: &Self) -> Option<String> {
        if self.verdict > earlier.verdict {
            return Some(format!("it is now refused: {}", self.reason));
        }
        if self.tier > earlier.tier {
            return Some("it now needs a stronger approval".to_owned());
        }
        if self.live && !earlier.live {
            return Some("the account is not proven to be a simulation any more".to_owned());
        }
        if self.opening && !earlier.opening {
            return Some("it can now open a position".to_owned());
        }
        if state::is_exit(earlier.class) && !state::is_exit(self.class) {
            return Some("it is not proven to only reduce any more".to_owned());
        }
        if self.after != earlier.after && !self.only_named_the_month(earlier) {
            let now = self.after.as_deref().unwrap_or("?");
            let then = earlier.after.as_deref().unwrap_or("?");
            return Some(format!("the resulting position is now {now}, not {then}"));
        }
        if let Some(moved) = self.drifted(earlier) {
            return Some(moved);
        }
        self.warnings
            .iter()
            .find(|warning| !earlier.warnings.contains(warning))
            .map(|warning| format!("new: {warning}"))
    }

    /// Whether the position is the same one, and only its month was not read yet when the card was judged. The call left
    /// the month to the service then as it does now. Another month, or one that can no longer be read, is a change.
    fn only_named_the_month(&self, earlier: &Self) -> bool {
        self.after_any_month.is_some() && self.after_any_month == earlier.after
    }

    /// Whether the market moved further than the policy allows since the card was judged.
    fn drifted(&self, earlier: &Self) -> Option<String> {
        let (then, now) = (earlier.market?, self.market?);
        let most = then.most.min(now.most);
        match (then.price, now.price) {
            (Some(then), Some(now)) if now.minus(then).magnitude() > most => Some(format!(
                "the market is at {now} now; it was at {then}, and max_drift is {most} points"
            )),
            (Some(_), None) => Some("the market's price cannot be read any more".to_owned()),
            (_, _) => None,
        }
    }
}

/// What the judgement needs beside call, facts and policy.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The wall clock.
    pub now_wall: Millis,
    /// The tier of this installation.
    pub installation_tier: Tier,
    /// The counters, read under their lock.
    pub counters: &'a Counters,
    /// How many entry tickets are open, this one not counted.
    pub open_entry_tickets: usize,
    /// Accounts (lower case) and instrument roots with an unresolved unknown outcome.
    pub unknown_outcomes: &'a [(String, String)],
    /// Whether the person has not acknowledged those yet.
    pub unacknowledged: bool,
    /// The same of calls that are on their way this moment: no list shows what they do.
    pub on_their_way: &'a [(String, String)],
    /// Calls that the service took a moment ago.
    pub lately: &'a [Arc<Ticket>],
}

/// Judges one call before anyone is asked.
pub fn judge(call: &Call, facts: &Facts, policy: &Policy, situation: &Situation<'_>) -> Judgement {
    judged(call, facts, policy, situation, Moment::Asking)
}

/// Judges one call at its approval (DESIGN section 5, judged twice). What limits asking is left out: the call's own
/// ask and its own ticket are counted by now, and a person is there. What limits sending still holds.
pub fn judge_again(call: &Call, facts: &Facts, policy: &Policy, situation: &Situation<'_>) -> Judgement {
    judged(call, facts, policy, situation, Moment::Approved)
}

/// Judges one call that nobody made, as `policy explain` does: facts that were not read refuse nothing.
pub fn explain(call: &Call, facts: &Facts, policy: &Policy, situation: &Situation<'_>) -> Judgement {
    judged(call, facts, policy, situation, Moment::Explaining)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Asking,
    Approved,
    /// Nobody asks: what would come of it, with facts that may not be there.
    Explaining,
}

fn judged(
    call: &Call,
    facts: &Facts,
    policy: &Policy,
    situation: &Situation<'_>,
    moment: Moment,
) -> Judgement {
    let effect = effect(call, facts);
    let reach = Reach::of(call, facts, policy, &effect);
    let now = situation.now_wall;
    let entry = entry(call, &effect, &reach);
    let looked = brakes::look(call, facts, &effect, policy, situation, &reach, entry.as_ref());
    let accounts: Vec<Option<&str>> = reach.all().map(reach::Reached::name).collect();
    let twin = entry
        .as_ref()
        .and_then(|entry| situation.counters.last_twin(&entry.twin, None, now));
    let mut judgement = Judgement {
        verdict: Verdict::Ask,
        class: effect.class,
        tier: reach.tier(policy, situation.installation_tier),
        rule: "default: everything that is not a read asks".to_owned(),
        code: "ask",
        reason: String::new(),
        opening: effect.opening,
        after: effect.after_text.clone(),
        after_any_month: effect.after_any_month.clone(),
        live: reach.live,
        warnings: effect.warnings.clone(),
        open_for: policy.ticket_time(call.is_market()),
        entry,
        market: price::market(call, facts, &effect, policy, &accounts, now),
        sent_before: twin.filter(|age| *age < LATELY),
        looked,
    };
    judgement.warnings.extend(reach.warnings.iter().cloned());
    let unresolved = state::matches_unknown(call, situation);
    if unresolved && effect.opening {
        judgement
            .warnings
            .push("THE OUTCOME OF AN EARLIER ORDER IS NOT KNOWN".to_owned());
    }
    // What reads prove to only close holds as long as nothing else closes beside it.
    let exits = state::is_exit(effect.class);
    let beside = exits && state::may_be_at(call, situation.on_their_way);
    if beside {
        judgement
            .warnings
            .push("AN ORDER THERE HAS NO ANSWER YET: BOTH TOGETHER MAY CLOSE TOO MUCH".to_owned());
    }
    let missing = (exits || effect.opening) && state::lists_lag(call, facts, situation);
    if missing {
        judgement
            .warnings
            .push("THE LISTS DO NOT SHOW AN ORDER OF A MOMENT AGO YET".to_owned());
    }
    if judgement.sent_before.is_some() {
        judgement
            .warnings
            .push("THE VERY SAME ORDER WAS SENT LATELY".to_owned());
    }
    for unread in judgement
        .looked
        .iter()
        .filter(|one| matches!(one.came, Came::Unread(_)))
    {
        let warning = unread.warning();
        if !judgement.warnings.contains(&warning) {
            judgement.warnings.push(warning);
        }
    }
    let read = moment != Moment::Explaining;
    let refused = state::not_connected(facts)
        .or_else(|| state::blocked(call, &reach, policy, &effect))
        .or_else(|| state::denied_by_rule(call, &effect, &reach, policy))
        .or_else(|| state::change_unread(call, &effect, &reach, policy).filter(|_| read))
        .or_else(|| braked(&judgement.looked, read))
        .or_else(|| state::unread_position(call, facts, &effect, &reach).filter(|_| read))
        .or_else(|| state::unknown_outcome(&effect, &reach, situation, unresolved))
        .or_else(|| state::limits(&effect, situation, moment == Moment::Asking));
    if let Some(refusal) = refused {
        judgement.verdict = Verdict::Deny;
        judgement.code = refusal.code;
        judgement.reason = format!("Nothing was sent: {}.", refusal.reason);
        judgement.rule = refusal.rule;
        return judgement;
    }
    decide(&mut judgement, call, facts, policy, &reach, beside || missing);
    judgement
}

/// The first limit that refuses; one whose fact is unread does so where the money may be real.
fn braked(looked: &[Looked], read: bool) -> Option<Refused> {
    looked.iter().find_map(|one| {
        let code = match one.came {
            Came::Refused(code) => code,
            Came::Unread(code) if one.live && read => code,
            Came::Passed | Came::Unread(_) => return None,
        };
        let account = one
            .account
            .as_deref()
            .map_or_else(String::new, |name| format!(" for {}", value::short(name, 64)));
        let reason = format!("{} (the policy's line {}{account})", one.detail, one.line);
        Some(refused(code, reason, one.rule()))
    })
}

/// What it counts as, where it may open risk.
fn entry(call: &Call, effect: &Effect<'_>, reach: &Reach) -> Option<Entry> {
    let counts = match effect.class {
        Class::Order | Class::Strategy | Class::Unknown => effect.opening,
        Class::Read
        | Class::Protect
        | Class::Exit
        | Class::Cancel
        | Class::Code
        | Class::Job
        | Class::Alert
        | Class::Workspace
        | Class::Connection => false,
    };
    (counts && group(effect.class, effect.opening) == Group::Entry).then(|| Entry {
        accounts: reach.names(),
        quantity: if effect.class == Class::Unknown {
            Some(1)
        } else {
            size::ordered(call, effect)
        },
        twin: twin(call),
    })
}

/// What two orders that are the same have in common, whichever way they are written.
fn twin(call: &Call) -> String {
    if call.form() == Form::Change {
        return String::new();
    }
    if call.form() == Form::Unknown {
        return call.digest().chars().take(16).collect();
    }
    let fields = call.fields();
    let price =
        |price: Option<&value::Price>| price.map_or_else(String::new, |price| price.value.to_string());
    let parts = [
        format!("{:?}", call.form()),
        call.account().unwrap_or_default().to_owned(),
        call.instrument_root().unwrap_or_default().to_owned(),
        fields.side.map_or("", value::Side::word).to_owned(),
        fields.kind.map_or("", value::OrderKind::word).to_owned(),
        fields
            .quantity
            .map_or_else(String::new, |quantity| quantity.to_string()),
        price(fields.limit.as_ref()),
        price(fields.stop.as_ref()),
        price(fields.target.as_ref()),
        price(fields.stop_loss.as_ref()),
        fields.template.clone().unwrap_or_default(),
        fields.class.clone().unwrap_or_default(),
        fields.strategy_id.clone().unwrap_or_default(),
    ];
    let mut digest = value::sha256(&[parts.join("\0").as_bytes()]);
    digest.truncate(16);
    digest
}

/// Allow or ask. An allow needs every account proven play money, tier click, and everything read.
fn decide(
    judgement: &mut Judgement,
    call: &Call,
    facts: &Facts,
    policy: &Policy,
    reach: &Reach,
    beside: bool,
) {
    let mut decided: Option<(Do, String)> = None;
    for account in reach.all().map(reach::Reached::name) {
        let Some(rule) = policy.deciding(judgement.class, call.tool(), account) else {
            return;
        };
        if decided.as_ref().is_none_or(|(action, _)| rule.action() > *action) {
            decided = Some((rule.action(), rule.line()));
        }
    }
    let Some((action, line)) = decided else { return };
    if action != Do::Allow {
        judgement.rule = line;
        return;
    }
    let why_not = if call.account().is_none() && call.named_account().is_some() {
        Some("it may reach every account, not only the one that it names")
    } else if names_an_unread_order(call, facts) {
        Some("an order that it names was not found")
    } else if beside {
        Some("an order there has no answer yet, or is in no list yet")
    } else if judgement.live {
        Some("the account is not proven to be a simulation")
    } else if judgement.tier != Tier::Click {
        Some("the tier asks for more than a click")
    } else if unread(call, facts) {
        Some("the state could not be read")
    } else if judgement
        .looked
        .iter()
        .any(|one| matches!(one.came, Came::Unread(_)))
    {
        Some("a limit could not be looked at")
    } else {
        None
    };
    if let Some(why) = why_not {
        judgement.rule = format!("{line}; asked because {why}");
        return;
    }
    judgement.verdict = Verdict::Allow;
    judgement.code = "allow";
    judgement.rule = line;
}

fn names_an_unread_order(call: &Call, facts: &Facts) -> bool {
    let fields = call.fields();
    let one = fields.order_id.iter().filter(|_| call.names_an_order());
    one.chain(&fields.order_ids).any(|id| facts.order(id).is_none())
}

fn unread(call: &Call, facts: &Facts) -> bool {
    let state = match call.class() {
        Class::Order | Class::Protect | Class::Exit | Class::Cancel | Class::Strategy | Class::Connection => {
            facts.positions.known().is_none() || facts.orders.known().is_none()
        }
        Class::Read | Class::Code | Class::Job | Class::Alert | Class::Workspace | Class::Unknown => false,
    };
    state || facts.accounts.known().is_none()
}
