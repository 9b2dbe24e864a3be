//! Reading a journal on: grown, torn, cut, replaced, written anew in place.

use super::*;
use crate::journal::Journal;
use crate::system::clock::{rfc3339, wall_ms};
use serde_json::Map;
use std::fs::OpenOptions;
use std::io::Write;

struct Room {
    _keep: tempfile::TempDir,
    paths: Paths,
    past: Past,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let past = Past::of(&paths);
        Self {
            _keep: folder,
            paths,
            past,
        }
    }

    fn say(&self, kind: &str) {
        Journal::of(&self.paths).append(kind, Map::new()).unwrap();
    }

    fn raw(&self, text: &str) {
        let path = self.paths.journal();
        let mut out = OpenOptions::new().append(true).create(true).open(path).unwrap();
        out.write_all(text.as_bytes()).unwrap();
    }

    /// What a process that has read before says, which is what one that reads all of it says.
    fn seen(&self) -> Seen {
        let seen = self.past.look_now().unwrap();
        assert_eq!(seen, Past::of(&self.paths).look_now().unwrap(), "read anew");
        seen
    }

    fn stands(&self) -> Option<bool> {
        self.seen().stop.map(|stop| stop.stands)
    }

    fn offset(&self) -> u64 {
        lock(&self.past.so_far).offset
    }
}

fn halted(at: &str) -> String {
    format!("{{\"n\":0,\"at\":\"{at}\",\"kind\":\"halted\",\"hash\":\"{at}\"}}\n")
}

#[test]
fn what_is_appended_is_read_and_nothing_else() {
    let room = Room::new();
    assert_eq!(room.seen(), Seen::default(), "no journal");
    room.say("held");
    assert_eq!(room.stands(), None);
    room.say("halted");
    assert_eq!(room.stands(), Some(true));
    let read = room.offset();
    room.say("resumed");
    assert_eq!(room.stands(), Some(false));
    assert!(read > 0 && room.offset() > read);
    // What lies before the mark is not looked at again: it is read from where the last look ended.
    let path = room.paths.journal();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] = b'#';
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .write_all(&bytes)
        .unwrap();
    room.say("halted");
    assert_eq!(room.stands(), Some(true));
}

#[tokio::test]
async fn a_journal_that_did_not_change_is_not_read() {
    let room = Room::new();
    room.say("halted");
    let seen = room.past.look().await.unwrap();
    assert_eq!(room.past.at_hand().unwrap(), Some(seen));
    room.say("resumed");
    assert_eq!(room.past.at_hand().unwrap(), None, "more was written");
    assert!(!room.past.look().await.unwrap().stop.unwrap().stands);
}

#[test]
fn a_torn_line_counts_at_once_and_once() {
    let room = Room::new();
    room.say("held");
    room.seen();
    let before = room.offset();
    let text = halted("a");
    let (torn, rest) = text.split_at(text.len() - 5);
    room.raw(torn);
    assert_eq!(room.stands(), Some(true), "whoever tore it");
    assert_eq!(room.offset(), before, "it is read again when it has an end");
    room.raw(rest);
    assert_eq!(room.seen().stop.unwrap().hash, "a", "now whole");
    room.raw("{\"n\":1,\"kind\":\"res");
    assert_eq!(room.stands(), Some(true));
    // The next writer ends a torn line and says so.
    room.say("resumed");
    assert_eq!(room.stands(), Some(false));
}

#[test]
fn a_cut_or_replaced_journal_is_read_anew() {
    let room = Room::new();
    let path = room.paths.journal();
    room.say("held");
    let held = std::fs::read(&path).unwrap();
    room.say("halted");
    assert_eq!(room.stands(), Some(true));
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(held.len() as u64)
        .unwrap();
    assert_eq!(room.stands(), None, "cut");
    room.say("halted");
    assert_eq!(room.stands(), Some(true), "and written on");

    // Another file, longer than the first, by a rename.
    let other = path.with_extension("other");
    std::fs::write(&other, halted("b") + &"{\"kind\":\"resumed\"}\n".repeat(200)).unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(
        room.seen().stop.map(|stop| (stop.hash, stop.stands)),
        Some(("b".to_owned(), false))
    );

    // Written anew in its place, as long as before and longer.
    let bytes = std::fs::metadata(&path).unwrap().len();
    for more in [0, 1000] {
        let mut text = halted(&format!("c{more}"));
        let rest = usize::try_from(bytes).unwrap() - text.len() + more;
        text.push_str(&"x".repeat(rest));
        let mut out = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        out.write_all(text.as_bytes()).unwrap();
        assert_eq!(room.seen().stop.unwrap().hash, format!("c{more}"));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(room.seen(), Seen::default(), "gone");
    room.say("halted");
    assert_eq!(room.stands(), Some(true), "and begun anew");
}

#[test]
fn a_journal_that_cannot_be_read_is_no_empty_one() {
    let room = Room::new();
    std::fs::create_dir_all(room.paths.journal()).unwrap();
    room.past.look_now().unwrap_err();
}

#[test]
fn the_words_of_a_line_are_not_those_of_a_text_in_it() {
    let room = Room::new();
    let text = r#"{"kind":"halted"}{"kind":"approved"}"#;
    let fields = Map::from_iter([("said".to_owned(), Value::from(text))]);
    Journal::of(&room.paths).append("held", fields).unwrap();
    assert_eq!(room.seen(), Seen::default());
}

#[test]
fn what_was_sent_is_of_the_day_for_a_day_and_an_hour() {
    let room = Room::new();
    let now = wall_ms();
    room.say("held");
    assert!(!room.seen().has_sent_lately(now));
    let approved = |at: u64| format!("{{\"at\":\"{}\",\"kind\":\"approved\"}}\n", rfc3339(at));
    room.raw(&approved(now - DAY_MS));
    assert!(!room.seen().has_sent_lately(now));
    assert!(room.seen().has_sent_lately(now - 1));
    room.raw("{\"kind\":\"policy_approved\"}\n{\"kind\":\"approved\"\n");
    assert!(!room.seen().has_sent_lately(now), "no sending");
    room.raw(&approved(now - 1000));
    room.raw(&approved(now - DAY_MS));
    assert!(
        room.seen().has_sent_lately(now),
        "the latest counts, not the last"
    );
    room.raw(&approved(now + DAY_MS));
    assert!(room.seen().has_sent_lately(now), "a clock set back");
}
