//! Trade calls, as a client may write them: what is held means one thing to every parser, and its card shows it.

use crate::oracle::{self, NoTree, Tree};
use crate::parts;
use countersign::gate::call::{self, Call, Route};
use countersign::gate::card::{CardContext, card};
use countersign::gate::facts::ReadFailure;
use countersign::gate::judge::{self, Situation};
use countersign::gate::ticket::{Approval, Origin, Ticket};
use countersign::gate::{Class, Counters, Facts, Judgement, Policy, Tier, Verdict, catalogue};

/// The wall clock of all checks, in milliseconds.
pub(crate) const NOW: u64 = 1_795_366_800_000;

/// Reads a call and holds the reading against a second one.
pub(crate) fn read(name_raw: &str, arguments: &str, schema: Option<&str>) -> Option<Call> {
    match call::route(name_raw, Some(arguments), schema, &|_| false) {
        Err(refusal) => {
            assert!(!refusal.code.is_empty() && !refusal.reason.is_empty());
            None
        }
        Ok(Route::Read) => {
            let name = serde_json::from_str::<String>(name_raw).unwrap_or_default();
            assert!(catalogue::is_known_read_tool(&name), "{name} went out as a read");
            None
        }
        Ok(Route::Held(call)) => {
            assert_eq!((call.name_raw(), call.arguments_raw()), (name_raw, arguments));
            assert_eq!(
                serde_json::from_str::<String>(name_raw).ok().as_deref(),
                Some(call.tool())
            );
            match oracle::tree(arguments) {
                Ok(Tree::Object(_)) | Err(NoTree::Limit) => {}
                other => assert!(call.tool().is_empty(), "held with arguments that are {other:?}"),
            }
            assert!(call.reads().len() <= 8, "too many reads");
            for read in call.reads() {
                assert!(catalogue::is_known_read_tool(read.tool), "{}", read.tool);
                assert!(matches!(oracle::tree(&read.arguments), Ok(Tree::Object(_))));
            }
            let again = Call::from_stored(name_raw, arguments);
            assert_eq!(again.as_ref().map(Call::digest), Ok(call.digest()));
            assert_eq!(again.as_ref().map(Call::fields), Ok(call.fields()));
            assert_ne!(call.class(), Class::Read);
            Some(call)
        }
    }
}

/// A name as it stands in a corpus: a JSON literal, or the plain word.
pub(crate) fn literal(name: &str) -> String {
    if name.starts_with('"') {
        name.to_owned()
    } else {
        serde_json::Value::from(name).to_string()
    }
}

/// Name, arguments.
pub fn call(data: &[u8]) {
    let [name, arguments] = parts(data);
    let Some(call) = read(&literal(&name), &arguments, None) else {
        return;
    };
    let mut unread = Facts::default();
    for read in call.reads() {
        unread.absorb(&read, Err(ReadFailure::TimedOut), NOW);
    }
    shown(&call, &unread, &Policy::default(), &Counters::parse(None));
}

/// Name, arguments, schema: what is held is known to the pinned schema.
pub fn schema(data: &[u8]) {
    let [name, arguments, schema] = parts(data);
    let Some(call) = read(&literal(&name), &arguments, Some(&schema)) else {
        return;
    };
    if matches!(call.class(), Class::Unknown | Class::Job | Class::Read) {
        return;
    }
    let (Ok(Tree::Object(given)), Ok(Tree::Object(schema))) =
        (oracle::tree(&arguments), oracle::tree(&schema))
    else {
        return;
    };
    let known = schema.iter().find(|(key, _)| key == "properties");
    for (key, _) in given {
        let is_known =
            matches!(known, Some((_, Tree::Object(known))) if known.iter().any(|(name, _)| *name == key));
        assert!(is_known, "{key} is not in the schema");
    }
}

/// Name, arguments, policy, counters, then the answers to the call's reads in their order.
pub fn judge_parts(data: &[u8]) -> Option<(Call, Facts, Policy, Counters)> {
    let [name, arguments, policy, counters, rest] = parts(data);
    let call = read(&literal(&name), &arguments, None)?;
    let policy = Policy::parse(&policy).ok()?;
    let counters = Counters::parse(
        Some(&counters)
            .filter(|text| !text.is_empty())
            .map(String::as_str),
    );
    let mut facts = Facts::default();
    let mut answers = rest.split(crate::PART);
    for read in call.reads() {
        let answer = match answers.next() {
            None => continue,
            Some("") => Err(ReadFailure::TimedOut),
            Some("408") => Err(ReadFailure::NotConnected),
            Some(text) => Ok(text),
        };
        facts.absorb(&read, answer, NOW - 500);
    }
    Some((call, facts, policy, counters))
}

/// The same, judged and shown: whatever the service said and the person wrote.
pub fn judge(data: &[u8]) {
    if let Some((call, facts, policy, counters)) = judge_parts(data) {
        shown(&call, &facts, &policy, &counters);
    }
}

fn shown(call: &Call, facts: &Facts, policy: &Policy, counters: &Counters) {
    let situation = |tier| Situation {
        now_wall: NOW,
        installation_tier: tier,
        counters,
        open_entry_tickets: 0,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    };
    let judgement = judged(call, facts, policy, &situation(Tier::Click));
    let strict = judged(call, facts, policy, &situation(Tier::Passkey));
    assert_ne!(strict.verdict, Verdict::Allow, "allowed above tier click");
    assert_eq!(strict.tier, Tier::Passkey, "policy lowered the tier");
    let context = CardContext {
        ticket: "7QX3",
        client: "a client",
        phrase: None,
        now_wall: NOW,
    };
    let card = card(call, facts, &judgement, policy, &context);
    let text = card.text();
    let odd = text.chars().find(|letter| !matches!(letter, ' '..='~' | '\n'));
    assert_eq!(odd, None, "the card shows what is not plain: {text}");
    assert!(!card.headline.is_empty() && !card.approve.is_empty() && !card.headline.contains('\n'));
    ticket(call, &judgement);
}

fn judged(call: &Call, facts: &Facts, policy: &Policy, situation: &Situation<'_>) -> Judgement {
    let judgement = judge::judge(call, facts, policy, situation);
    let again = judge::judge_again(call, facts, policy, situation);
    // What limits asking alone is left out the second time; nothing else may differ.
    assert!(
        again.verdict <= judgement.verdict,
        "the second judgement is stricter on the same facts"
    );
    assert_eq!(
        (again.class, again.opening, &again.after, again.live),
        (
            judgement.class,
            judgement.opening,
            &judgement.after,
            judgement.live
        )
    );
    assert_eq!(judgement.worse_than(&judgement), None);
    if judgement.verdict == Verdict::Allow {
        assert!(!judgement.live && judgement.tier == Tier::Click, "{judgement:?}");
    }
    if judgement.verdict == Verdict::Deny {
        assert!(
            judgement.reason.starts_with("Nothing was sent"),
            "{}",
            judgement.reason
        );
    }
    judgement
}

/// The ticket of a held call survives its file, and clears this call alone, with its own bytes.
fn ticket(call: &Call, judgement: &Judgement) {
    let origin = Origin {
        endpoint: "https://example.invalid/mcp".to_owned(),
        client: "a client".to_owned(),
        schema_digest: None,
        policy_digest: String::new(),
    };
    let mut ticket = Ticket::hold("7QX3".to_owned(), call, judgement, origin, NOW);
    assert!(ticket.show(NOW).is_ok());
    let stored = serde_json::to_string(&ticket).unwrap_or_default();
    assert_eq!(
        serde_json::from_str::<Ticket>(&stored).ok().as_ref(),
        Some(&ticket)
    );
    assert_eq!(ticket.call().as_ref(), Ok(call));
    let approval = || Approval {
        via: "page".to_owned(),
        tier: Tier::Passkey,
    };
    let cleared = ticket.approve(approval(), call, NOW + 1);
    assert!(cleared.is_ok_and(|cleared| {
        cleared.params()
            == format!(
                r#"{{"name":{},"arguments":{}}}"#,
                call.name_raw(),
                call.arguments_raw()
            )
    }));
    assert!(
        ticket.approve(approval(), call, NOW + 1).is_err(),
        "cleared twice"
    );
}
