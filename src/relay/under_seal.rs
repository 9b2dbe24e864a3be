//! What lies under the seal beside the tokens (tiers pin and passkey): digests of the approved policy, of the settings
//! that decide what an approval takes, of the pinned definitions, and up to which stop trading was allowed again. Files
//! of the state folder can be edited by any program of this user; these cannot, without the PIN.
//!
//! Owns: what is put there and what a mismatch says. Refuses to know: PINs, tokens, how the seal is made. Registered
//! keys lie there too, and are another room's.

use super::lists::Lists;
use super::policy_file::{self, Approved};
use super::settings::Settings;
use super::{Relay, outcomes};
use crate::gate::{Class, Tier};
use crate::journal::hash;
use crate::oauth::SealedExtras;
use crate::passkey::TIER;
use crate::system::{Paths, file};
use serde_json::Value;

/// The names of the digests.
pub(super) const POLICY: &str = "policy";
pub(super) const SETTINGS: &str = "settings";
pub(super) const PINS: &str = "pins";
/// The hash of the last `halted` line of the journal that the person has allowed trading after; empty for none.
const HALTS: &str = "halts";

/// The longest journal that is looked through for stops.
const MAX_JOURNAL: u64 = 1024 * 1024 * 1024;

/// What goes under a new seal. A stop that stands now is not allowed again by that.
pub(crate) fn to_seal(paths: &Paths, lists: &Lists, settings: &Settings) -> SealedExtras {
    let record = Approved::load(paths).unwrap_or_default();
    let of_settings = record
        .settings
        .clone()
        .unwrap_or_else(|| policy_file::security(settings));
    let allowed = if is_stopped(paths) {
        String::new()
    } else {
        last_stop(paths).map(|stop| stop.hash).unwrap_or_default()
    };
    let extras = [
        (POLICY, record.policy_digest()),
        (SETTINGS, hash(&of_settings)),
        (PINS, lists.pins_digest()),
        (HALTS, allowed),
    ];
    extras.map(|(key, digest)| (key.to_owned(), digest)).into()
}

/// The part that says what the settings were.
pub(crate) fn of_settings(settings: &Settings) -> SealedExtras {
    SealedExtras::from([(SETTINGS.to_owned(), hash(&policy_file::security(settings)))])
}

/// Whether what holds now is what was sealed. Nothing is sent where it is not.
///
/// # Errors
/// What differs, and what puts it right.
pub(super) fn as_sealed(
    relay: &Relay,
    extras: &SealedExtras,
    class: Class,
    tier: Tier,
) -> Result<(), String> {
    let paths = &relay.world.paths;
    // Settings lie where any program of the user can write; the tier under the seal does not.
    if extras.get(TIER).is_some_and(|sealed| sealed == "passkey") && tier < Tier::Passkey {
        return Err(
            "this sign-in was put under your passkeys, and the settings ask for less: `countersign presence set` \
             changes the tier, an edited file does not"
                .to_owned(),
        );
    }
    let differs = |key: &str, now: &str| extras.get(key).is_some_and(|sealed| sealed != now);
    if let Some(why) = not_allowed_again(paths, extras) {
        return Err(why);
    }
    let record = Approved::load(paths).unwrap_or_default();
    if differs(POLICY, &record.policy_digest()) {
        return Err(record_differs(relay, extras));
    }
    if differs(PINS, &relay.lists.pins_digest()) {
        return Err("the record of tool descriptions was edited by another program: `countersign login --trade` puts the right ones on record".to_owned());
    }
    // An exit is not stopped by a setting: what it takes was decided by the seal.
    let leaves = matches!(class, Class::Exit | Class::Protect);
    if !leaves && let Err(why) = settings_as_sealed(relay, extras) {
        Approved::doubt(paths);
        return Err(why);
    }
    Ok(())
}

/// Whether the settings that decide what an approval takes are those that were sealed.
///
/// # Errors
/// What to do where they are not.
pub(super) fn settings_as_sealed(relay: &Relay, extras: &SealedExtras) -> Result<(), String> {
    let now = hash(&policy_file::security(&relay.settings()?));
    if extras.get(SETTINGS).is_some_and(|sealed| *sealed != now) {
        return Err("the settings (tier, armed or phrase) were edited: undo that, or look at them and approve them with `countersign policy apply`".to_owned());
    }
    Ok(())
}

/// The record is not what was sealed. Where the policy file itself is, that is what was approved, and takes its place.
fn record_differs(relay: &Relay, extras: &SealedExtras) -> String {
    let paths = &relay.world.paths;
    let file = policy_file::read(&paths.policy()).ok();
    let proved = file.filter(|text| {
        extras.get(POLICY) == Some(&hash(text.as_deref().unwrap_or_default()))
            && settings_as_sealed(relay, extras).is_ok()
    });
    let mended = proved
        .zip(relay.settings().ok())
        .is_some_and(|(text, settings)| Approved::now(text, &settings, "seal").save(paths).is_ok());
    outcomes::note_now(relay, "policy_doubted", &[("mended", mended.into())]);
    if mended {
        return "the approved policy record was edited by another program; it was put right from the policy file, which is the one that you approved. Nothing was sent: ask again".to_owned();
    }
    Approved::doubt(paths);
    "the approved policy record was edited by another program: look at the whole policy and approve it with `countersign policy apply`".to_owned()
}

/// A stop that was not allowed again with this PIN, whatever became of the file that says so.
fn not_allowed_again(paths: &Paths, extras: &SealedExtras) -> Option<String> {
    let allowed = extras.get(HALTS)?;
    let stop = last_stop(paths)?;
    (*allowed != stop.hash).then(|| {
        format!(
            "AI trading was stopped at {}; it was not allowed again by you: `countersign resume` asks for that",
            stop.at
        )
    })
}

/// Puts under the seal that the person has allowed trading after the last stop.
pub(super) fn allow_again(paths: &Paths, extras: &mut SealedExtras) {
    let hash = last_stop(paths).map(|stop| stop.hash).unwrap_or_default();
    extras.insert(HALTS.to_owned(), hash);
}

/// A stop in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    hash: String,
    /// RFC 3339.
    pub(crate) at: String,
    /// No `resumed` line follows.
    stands: bool,
}

/// The last stop in the journal. A line that a program wrote there itself counts as well: then it is stopped.
pub(crate) fn last_stop(paths: &Paths) -> Option<Stop> {
    let bytes = file::read_bounded(&paths.journal(), MAX_JOURNAL).ok().flatten()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut last = None;
    // The quotes inside of any text are escaped: these words unescaped are a member of the line.
    for line in text.lines() {
        if line.contains(r#""kind":"halted""#) {
            let object: Value = serde_json::from_str(line).unwrap_or_default();
            let word = |key: &str| {
                object
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            last = Some(Stop {
                hash: word("hash"),
                at: word("at"),
                stands: true,
            });
        } else if line.contains(r#""kind":"resumed""#)
            && let Some(stop) = &mut last
        {
            stop.stands = false;
        }
    }
    last
}

/// Whether AI trading is stopped: by the file, or by a journal whose last word on it is a stop.
pub(crate) fn is_stopped(paths: &Paths) -> bool {
    paths.halt().try_exists().unwrap_or(true) || last_stop(paths).is_some_and(|stop| stop.stands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use serde_json::Map;

    #[test]
    fn a_stop_stands_until_it_is_allowed_again_under_the_seal() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let say = |kind: &str| Journal::of(&paths).append(kind, Map::new()).unwrap();
        let mut extras = SealedExtras::from([(HALTS.to_owned(), String::new())]);
        assert!(!is_stopped(&paths) && not_allowed_again(&paths, &extras).is_none());
        say("held");
        say("halted");
        assert!(is_stopped(&paths), "without its file");
        assert!(
            not_allowed_again(&paths, &extras)
                .unwrap()
                .contains("not allowed again")
        );
        // What a program can write itself.
        say("resumed");
        assert!(!is_stopped(&paths));
        assert!(not_allowed_again(&paths, &extras).is_some(), "not under the seal");
        allow_again(&paths, &mut extras);
        assert!(not_allowed_again(&paths, &extras).is_none());
        say("halted");
        assert!(not_allowed_again(&paths, &extras).is_some(), "another stop");
        assert!(
            not_allowed_again(&paths, &SealedExtras::new()).is_none(),
            "a seal from before says nothing about it"
        );
    }

    #[test]
    fn the_words_of_a_line_are_not_those_of_a_text_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let text = r#"{"kind":"halted"}"#;
        let fields = Map::from_iter([("said".to_owned(), Value::from(text))]);
        Journal::of(&paths).append("held", fields).unwrap();
        assert_eq!(last_stop(&paths), None);
    }
}
