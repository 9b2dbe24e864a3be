//! The judgement of one call: policy, limits and facts together (DESIGN section 5).
//!
//! Owns: the verdict, its class, tier and reason. Refuses to know: tickets, cards, who shows what. What cannot be read
//! never yields `allow`; deny overrides everything.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::call::Call;
use super::catalogue::{Class, Form};
use super::effect::{Effect, effect};
use super::facts::Facts;
use super::limits::Counters;
use super::policy::{AccountClass, Do, Policy};
use super::value;
use super::{Millis, Tier};

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
    /// Whether any account in reach is not proven to be play money.
    pub live: bool,
    /// The warnings of the card.
    pub warnings: Vec<String>,
}

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
        if is_exit(earlier.class) && !is_exit(self.class) {
            return Some("it is not proven to only reduce any more".to_owned());
        }
        if self.after != earlier.after {
            let now = self.after.as_deref().unwrap_or("?");
            let then = earlier.after.as_deref().unwrap_or("?");
            return Some(format!("the resulting position is now {now}, not {then}"));
        }
        self.warnings
            .iter()
            .find(|warning| !earlier.warnings.contains(warning))
            .map(|warning| format!("new: {warning}"))
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Asking,
    Approved,
}

fn judged(
    call: &Call,
    facts: &Facts,
    policy: &Policy,
    situation: &Situation<'_>,
    moment: Moment,
) -> Judgement {
    let effect = effect(call, facts);
    let reach = Reach::of(call, facts, policy);
    let mut judgement = Judgement {
        verdict: Verdict::Ask,
        class: effect.class,
        tier: reach.tier(policy, situation.installation_tier),
        rule: "default: everything that is not a read asks".to_owned(),
        code: "ask",
        reason: String::new(),
        opening: effect.opening,
        after: effect.after_text.clone(),
        live: reach.live,
        warnings: effect.warnings.clone(),
    };
    judgement.warnings.extend(reach.warnings.iter().cloned());
    let unresolved = matches_unknown(call, situation);
    if unresolved && effect.opening {
        judgement
            .warnings
            .push("THE OUTCOME OF AN EARLIER ORDER IS NOT KNOWN".to_owned());
    }
    let refused = not_connected(facts)
        .or_else(|| blocked(call, &reach, policy, &effect))
        .or_else(|| denied_by_rule(call, &effect, &reach, policy))
        .or_else(|| change_unread(call, &effect, &reach, policy))
        .or_else(|| too_large(call, &effect, &reach, policy))
        .or_else(|| unread_position(call, facts, &effect, &reach))
        .or_else(|| unknown_outcome(&effect, &reach, situation, unresolved))
        .or_else(|| limits(&effect, policy, situation, moment));
    if let Some(refusal) = refused {
        judgement.verdict = Verdict::Deny;
        judgement.code = refusal.code;
        judgement.reason = format!("Nothing was sent: {}.", refusal.reason);
        judgement.rule = refusal.rule;
        return judgement;
    }
    decide(&mut judgement, call, facts, policy, &reach);
    judgement
}

/// A refusal on its way into the judgement.
struct Refused {
    code: &'static str,
    reason: String,
    rule: String,
}

fn refused(code: &'static str, reason: impl Into<String>, rule: impl Into<String>) -> Refused {
    Refused {
        code,
        reason: reason.into(),
        rule: rule.into(),
    }
}

/// The accounts that a call may touch.
pub(super) struct Reach {
    /// Lower-case names; `None` stands for accounts that are not known by name.
    accounts: Vec<Option<String>>,
    /// Whether any of them is not proven to be play money by policy and provider.
    pub(super) live: bool,
    warnings: Vec<String>,
    /// Whether the call acts on accounts at all.
    bound: bool,
}

impl Reach {
    pub(super) fn of(call: &Call, facts: &Facts, policy: &Policy) -> Self {
        let mut accounts: Vec<Option<String>> = match (call.account(), facts.accounts.known()) {
            (Some(account), _) => vec![Some(account.to_owned())],
            (None, Some(all)) if !all.is_empty() => all
                .iter()
                .map(|account| Some(account.name.to_ascii_lowercase()))
                .collect(),
            (None, Some(_) | None) => vec![None],
        };
        // Whatever else the call may touch: the account that it names without being bound by it, and those of the
        // orders that it names.
        let ids = call
            .fields()
            .order_ids
            .iter()
            .chain(call.fields().order_id.iter());
        let owners = ids
            .filter(|_| call.names_an_order() || !call.fields().order_ids.is_empty())
            .filter_map(|id| facts.order(id))
            .map(|order| order.account.clone());
        let named = call.named_account().map(str::to_ascii_lowercase);
        for more in owners.chain(named) {
            if !accounts
                .iter()
                .any(|known| known.as_deref() == Some(more.as_str()))
            {
                accounts.push(Some(more));
            }
        }
        let bound = match call.class() {
            Class::Order
            | Class::Protect
            | Class::Exit
            | Class::Cancel
            | Class::Strategy
            | Class::Connection
            | Class::Unknown => true,
            Class::Read | Class::Code | Class::Job | Class::Alert | Class::Workspace => false,
        };
        let mut warnings = Vec::new();
        let mut live = false;
        for account in &accounts {
            let Some(name) = account else {
                live = true;
                continue;
            };
            let by_policy = policy.class_of(name) == Some(AccountClass::Sim);
            let by_provider = facts.account(name).and_then(super::facts::Account::is_simulator);
            live |= !(by_policy && by_provider == Some(true));
            if by_policy && by_provider == Some(false) {
                warnings.push("THE POLICY SAYS SIM, THE PROVIDER DOES NOT".to_owned());
            }
        }
        warnings.dedup();
        Self {
            accounts,
            live,
            warnings,
            bound,
        }
    }

    fn each(&self) -> impl Iterator<Item = Option<&str>> {
        self.accounts.iter().map(Option::as_deref)
    }

    fn tier(&self, policy: &Policy, installation: Tier) -> Tier {
        self.each()
            .fold(installation, |tier, account| policy.tier_for(account, tier))
    }
}

fn not_connected(facts: &Facts) -> Option<Refused> {
    facts.not_connected().then(|| {
        refused(
            "not_connected",
            "NinjaTrader is not connected (start it with the CrossTrade add-on, then ask again)",
            "state: the add-on must answer",
        )
    })
}

fn blocked(call: &Call, reach: &Reach, policy: &Policy, effect: &Effect<'_>) -> Option<Refused> {
    if !reach.bound {
        return None;
    }
    let account = reach.each().find(|account| policy.blocked(*account))?;
    let name = account.map_or_else(
        || "an account that may be meant".to_owned(),
        |name| value::short(name, 64),
    );
    let wide = matches!(call.form(), Form::Flatten | Form::FlattenEverything) && call.account().is_none();
    let exit = match (is_exit(effect.class), wide) {
        (true, true) => {
            "; to close others, use `Flatten` with the account; to close it, use NinjaTrader itself"
        }
        (true, false) => "; to close it, use NinjaTrader itself",
        (false, _) => "",
    };
    Some(refused(
        "account_blocked",
        format!("the policy blocks {name}{exit}"),
        format!("account {name}: blocked"),
    ))
}

const fn is_exit(class: Class) -> bool {
    matches!(class, Class::Exit | Class::Protect)
}

fn denied_by_rule(call: &Call, effect: &Effect<'_>, reach: &Reach, policy: &Policy) -> Option<Refused> {
    let rule = reach
        .each()
        .filter_map(|account| policy.deciding(effect.class, call.tool(), account))
        .find(|rule| rule.action() == Do::Deny)?;
    let exit = if is_exit(effect.class) {
        "; to close it, use NinjaTrader itself"
    } else {
        ""
    };
    Some(refused(
        "policy_denied",
        format!("the policy denies it ({}){exit}", rule.line()),
        rule.line(),
    ))
}

/// A new size for an order that was not read: nobody can say of what, nor how much it adds. Where a maximum could apply
/// it would be passed by; where the money may be real nobody should be asked to sign it blind.
fn change_unread(call: &Call, effect: &Effect<'_>, reach: &Reach, policy: &Policy) -> Option<Refused> {
    let quantity = call.fields().quantity.filter(|_| call.form() == Form::Change)?;
    let bounded = reach.each().any(|account| policy.bounds_quantity(account));
    let unread = match effect.named {
        None => bounded || reach.live,
        Some(order) => bounded && order.instrument.is_none(),
    };
    unread.then(|| {
        refused(
            "size_unread",
            format!("the order whose size would become {quantity} could not be read"),
            "state: an order must be read before its size is changed",
        )
    })
}

/// The maximum quantity of one order; proven exits and protections are free of it.
fn too_large(call: &Call, effect: &Effect<'_>, reach: &Reach, policy: &Policy) -> Option<Refused> {
    if !effect.opening {
        return None;
    }
    let root = effect
        .named
        .and_then(|order| order.instrument.as_ref())
        .or(call.instrument())
        .map(|instrument| instrument.root.clone())
        .or_else(|| call.instrument_root().map(str::to_owned))?;
    let asked = call.fields().quantity;
    let form = call.form();
    let quantity = if form == Form::Reverse {
        effect
            .before
            .map(|before| u32::try_from(before.unsigned_abs()).unwrap_or(u32::MAX))
    } else if form == Form::Change {
        asked.or(effect.named.map(|order| order.quantity))
    } else if effect.class == Class::Strategy {
        Some(asked.unwrap_or(1))
    } else {
        asked
    };
    let most = reach
        .each()
        .filter_map(|account| policy.max_quantity(account, &root))
        .min()?;
    match quantity {
        Some(quantity) if quantity <= most => None,
        Some(quantity) => Some(refused(
            "too_large",
            format!("{quantity} {root} is above the policy's maximum of {most}"),
            format!("max_quantity {root} = {most}"),
        )),
        None => Some(refused(
            "size_unread",
            format!("the size could not be read, and the policy's maximum for {root} is {most}"),
            format!("max_quantity {root} = {most}"),
        )),
    }
}

/// On a live account an opening order needs a read position.
fn unread_position(call: &Call, facts: &Facts, effect: &Effect<'_>, reach: &Reach) -> Option<Refused> {
    let orders = effect.class == Class::Order && call.class() == Class::Order;
    let missing = facts.positions.known().is_none();
    (orders && effect.opening && reach.live && missing).then(|| {
        refused(
            "position_unread",
            "the position of this account could not be read, and an order that may open risk needs it",
            "state: the position must be read on a live account",
        )
    })
}

fn matches_unknown(call: &Call, situation: &Situation<'_>) -> bool {
    situation.unknown_outcomes.iter().any(|(account, root)| {
        // An outcome without an account or a root may be anywhere.
        let may_be = |own: Option<&str>, there: &str| {
            there.is_empty() || own.is_none_or(|own| own.eq_ignore_ascii_case(there))
        };
        may_be(call.account(), account) && may_be(call.instrument_root(), root)
    })
}

fn unknown_outcome(
    effect: &Effect<'_>,
    reach: &Reach,
    situation: &Situation<'_>,
    unresolved: bool,
) -> Option<Refused> {
    (unresolved && situation.unacknowledged && effect.opening && reach.live).then(|| {
        refused(
            "unknown_outcome",
            "an earlier order there has an unknown outcome; the person must look at it first and then run `countersign acknowledge`",
            "state: an unknown outcome waits for the person",
        )
    })
}

fn limits(
    effect: &Effect<'_>,
    policy: &Policy,
    situation: &Situation<'_>,
    moment: Moment,
) -> Option<Refused> {
    let counters = situation.counters;
    // `brake` holds the limits of sending too; the second look is for the approval.
    let asking = (moment == Moment::Asking).then(|| {
        counters.brake(
            effect.class,
            effect.opening,
            policy,
            situation.open_entry_tickets,
            situation.now_wall,
        )
    });
    let (code, reason) = asking
        .flatten()
        .or_else(|| counters.sending_brake(effect.class, effect.opening, policy, situation.now_wall))?;
    Some(refused(code, reason, format!("limit: {code}")))
}

/// Allow or ask. An allow needs every account proven play money, tier click, and everything read.
fn decide(judgement: &mut Judgement, call: &Call, facts: &Facts, policy: &Policy, reach: &Reach) {
    let mut decided: Option<(Do, String)> = None;
    for account in reach.each() {
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
    } else if judgement.live {
        Some("the account is not proven to be a simulation")
    } else if judgement.tier != Tier::Click {
        Some("the tier asks for more than a click")
    } else if unread(call, facts) {
        Some("the state could not be read")
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
