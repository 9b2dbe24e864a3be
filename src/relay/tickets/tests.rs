//! Tickets read again: what is known never hides what lies in the folder.

use super::*;
use crate::gate::policy::Policy;
use crate::gate::ticket::Origin;
use crate::gate::{Call, Counters, Facts, Tier, judge};

const WHEN: u64 = 1_760_000_000_000;

fn ticket(id: &str, tool: &str, arguments: &str) -> Ticket {
    let call = Call::from_stored(&format!("\"{tool}\""), arguments).unwrap();
    let counters = Counters::parse(None);
    let situation = judge::Situation {
        now_wall: WHEN,
        installation_tier: Tier::Click,
        counters: &counters,
        open_entry_tickets: 0,
        unknown_outcomes: &[],
        unacknowledged: false,
        on_their_way: &[],
        lately: &[],
    };
    let judgement = judge::judge(&call, &Facts::default(), &Policy::default(), &situation);
    let origin = Origin {
        endpoint: "https://service.invalid/mcp".to_owned(),
        client: "Test".to_owned(),
        schema_digest: None,
        policy_digest: "p".to_owned(),
    };
    Ticket::hold(id.to_owned(), &call, &judgement, origin, WHEN)
}

fn order(id: &str) -> Ticket {
    let arguments = r#"{"account":"Sim101","instrument":"MES","side":"Buy","quantity":1,"type":"Market"}"#;
    ticket(id, "PlaceOrder", arguments)
}

fn folder() -> (tempfile::TempDir, Tickets) {
    let home = tempfile::tempdir().unwrap();
    let tickets = Tickets::of(&Paths::under(home.path()));
    (home, tickets)
}

/// Files that were written long ago: what is known of them is used from the first look on.
fn age(tickets: &Tickets, id: &str) {
    let file = std::fs::File::options()
        .write(true)
        .open(tickets.path(id, "json"))
        .unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(WHEN);
    file.set_modified(long_ago).unwrap();
}

fn states(tickets: &Tickets) -> Vec<(String, State)> {
    let mut states: Vec<_> = tickets
        .all()
        .iter()
        .map(|ticket| (ticket.id.clone(), ticket.state))
        .collect();
    states.sort_by(|one, other| one.0.cmp(&other.0));
    states
}

#[test]
fn what_another_process_writes_is_seen_at_once() {
    let (home, tickets) = folder();
    // Its own folder of the same place knows nothing of the first one's reading.
    let other = Tickets::of(&Paths::under(home.path()));
    let mut own = order("AAAA");
    other.save(&own).unwrap();
    for old in [true, false] {
        if old {
            age(&other, "AAAA");
        }
        let clone = tickets.clone();
        for _ in 0..3 {
            assert_eq!(states(&clone), [("AAAA".to_owned(), State::Held)]);
        }
        let whole = std::fs::metadata(tickets.path("AAAA", "json")).unwrap();
        // As long as before, and of the same time: still another file.
        own.client = if old { "Tset".to_owned() } else { "Sett".to_owned() };
        other.save(&own).unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(tickets.path("AAAA", "json"))
            .unwrap();
        file.set_modified(whole.modified().unwrap()).unwrap();
        let now = file.metadata().unwrap();
        assert_eq!(
            (now.len(), now.modified().unwrap()),
            (whole.len(), whole.modified().unwrap())
        );
        assert_eq!(tickets.all()[0].client, own.client);
        assert_eq!(clone.all()[0].client, own.client);
        assert_eq!(tickets.peek("AAAA").unwrap().unwrap().client, own.client);
    }
    own.end(State::Denied, "no", WHEN + 1).unwrap();
    other.save(&own).unwrap();
    assert_eq!(states(&tickets), [("AAAA".to_owned(), State::Denied)]);
    other.save(&order("BBBB")).unwrap();
    std::fs::remove_file(tickets.path("AAAA", "json")).unwrap();
    assert!(tickets.peek("AAAA").unwrap().is_none() && tickets.peek("../AAAA").unwrap().is_none());
    assert_eq!(states(&tickets), [("BBBB".to_owned(), State::Held)]);
}

/// Two writes within one step of the file system's clock, through the same file: nothing but reading tells them apart.
#[test]
fn a_file_that_was_just_written_is_read_again() {
    let (_home, tickets) = folder();
    let mut own = order("AAAA");
    for client in ["aaaa", "bbbb", "cccc", "dddd"].repeat(25) {
        own.client = client.to_owned();
        std::fs::create_dir_all(&tickets.folder).unwrap();
        std::fs::write(tickets.path("AAAA", "json"), serde_json::to_vec(&own).unwrap()).unwrap();
        assert_eq!(tickets.all()[0].client, client);
    }
}

#[test]
fn what_is_known_is_not_read_again() {
    let (_home, tickets) = folder();
    tickets.save(&order("AAAA")).unwrap();
    age(&tickets, "AAAA");
    let by_clone = |clone: Tickets| clone.all();
    let (one, two) = (tickets.all(), by_clone(tickets.clone()));
    assert!(Arc::ptr_eq(&one[0], &two[0]));
    // Just written: read once more.
    tickets.save(&order("AAAA")).unwrap();
    let (one, two) = (tickets.all(), tickets.all());
    assert!(!Arc::ptr_eq(&one[0], &two[0]));
}

#[test]
fn what_cannot_be_read_is_told_until_it_can() {
    let (_home, tickets) = folder();
    let own = order("AAAA");
    tickets.save(&own).unwrap();
    age(&tickets, "AAAA");
    assert_eq!(tickets.all().len(), 1);
    let whole = serde_json::to_vec(&own).unwrap();
    for broken in [&b""[..], b"{}", &whole[..whole.len() / 2], &[b' '; 3]] {
        file::write_atomic(&tickets.path("AAAA", "json"), broken).unwrap();
        for old in [false, true, true] {
            let survey = tickets.survey();
            assert_eq!(
                (survey.tickets.len(), survey.unreadable),
                (0, vec!["AAAA".to_owned()])
            );
            if old {
                age(&tickets, "AAAA");
            }
        }
    }
    tickets.save(&own).unwrap();
    let survey = tickets.survey();
    assert_eq!((survey.tickets.len(), survey.unreadable), (1, Vec::new()));
    // A name that is no ticket's is nobody's doubt.
    file::write_atomic(&tickets.folder.join("much-too-long.json"), b"").unwrap();
    assert!(tickets.survey().unreadable.is_empty());
}

/// Written code that was held and never sent: neither its file nor what is known of it stays long.
#[test]
fn of_what_was_never_sent_no_long_text_is_kept() {
    let (_home, tickets) = folder();
    let code = format!(r#"{{"class_name":"X","source":"{}"}}"#, "x".repeat(200_000));
    let mut own = ticket("AAAA", "CompileNinjaScript", &code);
    tickets.save(&own).unwrap();
    assert_eq!(tickets.all()[0].arguments_raw, code, "while it waits it is whole");
    // As an earlier version left it.
    let digest = own.digest.clone();
    own.state = State::Withdrawn;
    tickets.save(&own).unwrap();
    assert_eq!(tickets.all()[0].arguments_raw, "");
    assert_eq!(tickets.all()[0].digest, digest);
    own.state = State::Held;
    own.end(State::Withdrawn, "taken back", WHEN).unwrap();
    tickets.save(&own).unwrap();
    let kept = std::fs::metadata(tickets.path("AAAA", "json")).unwrap();
    assert!(kept.len() < 2000, "{}", kept.len());
    assert_eq!(tickets.load("AAAA").unwrap().unwrap().digest, digest);
    // What was sent stays whole: it may have to be looked for.
    let mut sent = ticket("BBBB", "CompileNinjaScript", &code);
    sent.sent_wall = Some(WHEN);
    sent.state = State::Sending;
    sent.recover(WHEN).unwrap();
    tickets.save(&sent).unwrap();
    let all = tickets.all();
    let sent = all.iter().find(|ticket| ticket.id == "BBBB").unwrap();
    assert_eq!((sent.state, sent.call().is_ok()), (State::Unknown, true));
}
