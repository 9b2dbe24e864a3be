//! What lies under the seal beside the tokens (tiers pin and passkey): digests of the approved policy, of the settings
//! that decide what an approval takes, of the pinned definitions, and up to which stop trading was allowed again. Files
//! of the state folder can be edited by any program of this user; these cannot, without the PIN.
//!
//! Owns: what is put there and what a mismatch says. Refuses to know: PINs, tokens, how the seal is made. Registered
//! keys lie there too, and are another room's.

use super::lists::{Lists, Pin};
use super::past::{Past, Seen};
use super::policy_file::{self, Approved, Rules};
use super::settings::Settings;
use super::{Relay, outcomes};
use crate::gate::{Class, Tier};
use crate::journal::hash;
use crate::oauth::SealedExtras;
use crate::passkey::TIER;
use crate::system::Paths;

/// The names of the digests.
pub(super) const POLICY: &str = "policy";
pub(super) const SETTINGS: &str = "settings";
pub(super) const PINS: &str = "pins";
/// The hash of the last `halted` line of the journal that the person has allowed trading after; empty for none.
const HALTS: &str = "halts";

/// What goes under a new seal. A stop that stands now is not allowed again by that.
pub(crate) fn to_seal(paths: &Paths, lists: &Lists, settings: &Settings) -> SealedExtras {
    let record = Approved::load(paths);
    // A record that says nothing of them was doubted: then none are sealed as approved.
    let of_settings = match &record {
        Some(record) => record.settings.clone().unwrap_or_default(),
        None => policy_file::security(settings),
    };
    let record = record.unwrap_or_default();
    // What cannot be read allows nothing.
    let seen = Past::of(paths).look_now().unwrap_or_default();
    let allowed = if is_stopped(paths, &seen) {
        String::new()
    } else {
        seen.stop.map(|stop| stop.hash).unwrap_or_default()
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

/// What a call is judged by, read once: the very texts that decide are those that are compared with the seal.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) rules: Rules,
    pub(super) settings: Settings,
    /// What is known of the tool's definition.
    pub(super) pin: Pin,
    /// The digest of all pins, from the same reading.
    pins: String,
    /// The journal as it was looked at just before.
    past: Result<Seen, String>,
}

impl Standing {
    /// Reads it all as it is now.
    ///
    /// # Errors
    /// Policy or settings cannot be used.
    pub(super) async fn now(relay: &Relay, tool: &str) -> Result<Self, String> {
        let past = relay.past.look().await.map_err(|error| error.to_string());
        let (pin, pins) = relay.lists.pin_of_all(tool);
        Ok(Self {
            rules: Rules::of(relay)?,
            settings: relay.settings()?,
            pin,
            pins,
            past,
        })
    }

    /// Whether this is what was sealed. Nothing is sent where it is not.
    ///
    /// # Errors
    /// What differs, and what puts it right.
    pub(super) fn as_sealed(
        &self,
        relay: &Relay,
        extras: &SealedExtras,
        class: Class,
        tier: Tier,
    ) -> Result<(), String> {
        // Settings lie where any program of the user can write; the tier under the seal does not.
        if extras.get(TIER).is_some_and(|sealed| sealed == "passkey") && tier < Tier::Passkey {
            return Err(
                "this sign-in was put under your passkeys, and the settings ask for less: `countersign presence set` \
                 changes the tier, an edited file does not"
                    .to_owned(),
            );
        }
        let differs = |key: &str, now: &str| extras.get(key).is_some_and(|sealed| sealed != now);
        let seen = self.past.as_ref().map_err(|why| {
            format!("the journal cannot be read ({why}): whether AI trading was stopped is not known")
        })?;
        if let Some(why) = not_allowed_again(seen, extras) {
            return Err(why);
        }
        if differs(POLICY, self.rules.record_digest()) {
            return Err(record_differs(relay, extras, &self.settings));
        }
        if differs(PINS, &self.pins) {
            return Err(pins_differ(relay, extras));
        }
        // An exit is not stopped by a setting: what it takes was decided by the seal.
        let leaves = matches!(class, Class::Exit | Class::Protect);
        if !leaves && let Err(why) = settings_as_sealed(&self.settings, extras) {
            Approved::doubt_settings(&relay.world.paths, extras.get(SETTINGS));
            return Err(why);
        }
        Ok(())
    }
}

/// The pinned definitions are not what was sealed. Where those that upstream lists now are, the person approved them and
/// only the record was not written: they take its place.
fn pins_differ(relay: &Relay, extras: &SealedExtras) -> String {
    let sealed = extras.get(PINS).map(String::as_str).unwrap_or_default();
    match relay.lists.pin_as_sealed(sealed) {
        Ok(true) => {
            relay.list_changed();
            "the tool descriptions that you approved were not on record yet; they are now. Nothing was sent: ask again".to_owned()
        }
        Ok(false) => "the record of tool descriptions was edited by another program: `countersign login --trade` puts the right ones on record, and after it you are shown your policy once".to_owned(),
        Err(error) => format!("the tool descriptions that you approved could not be put on record: {error}"),
    }
}

/// At a new sign-in where one lay under a PIN: the record lies where any program can write, so it goes on only where
/// the old seal, opened with its PIN, says the same. Else the next trade call shows the whole policy once.
///
/// # Errors
/// As the file system says: then nothing may be sealed.
pub(crate) fn doubt_unproved(paths: &Paths, opened: Option<&SealedExtras>) -> std::io::Result<bool> {
    let record = Approved::load(paths).unwrap_or_default();
    let says = |key: &str, now: String| opened.and_then(|extras| extras.get(key)) == Some(&now);
    let proved = !record.doubted
        && says(POLICY, record.policy_digest())
        && record
            .settings
            .as_deref()
            .is_some_and(|settings| says(SETTINGS, hash(settings)));
    if !proved {
        Approved::in_doubt().save(paths)?;
    }
    Ok(proved)
}

/// Whether these settings decide as the sealed ones what an approval takes.
///
/// # Errors
/// What to do where they do not.
pub(super) fn settings_as_sealed(settings: &Settings, extras: &SealedExtras) -> Result<(), String> {
    let now = hash(&policy_file::security(settings));
    if extras.get(SETTINGS).is_some_and(|sealed| *sealed != now) {
        return Err("the settings (tier, armed or phrase) were edited: undo that, or look at them and approve them with `countersign policy apply`".to_owned());
    }
    Ok(())
}

/// The record is not what was sealed. Where the policy file itself is, that is what was approved, and takes its place.
fn record_differs(relay: &Relay, extras: &SealedExtras, settings: &Settings) -> String {
    let paths = &relay.world.paths;
    let file = policy_file::read(&paths.policy()).ok();
    let proved = file.filter(|text| extras.get(POLICY) == Some(&hash(text.as_deref().unwrap_or_default())));
    // Settings that are not the sealed ones wait for the person; what the policy lets out does not.
    let settings = Some(policy_file::security(settings))
        .filter(|now| extras.get(SETTINGS).is_none_or(|sealed| *sealed == hash(now)));
    let mended = proved.is_some_and(|text| Approved::of(text, settings, "seal").save(paths).is_ok());
    outcomes::note_now(relay, "policy_doubted", &[("mended", mended.into())]);
    if mended {
        return "the approved policy record was edited by another program; it was put right from the policy file, which is the one that you approved. Nothing was sent: ask again".to_owned();
    }
    Approved::doubt(paths);
    "the approved policy record was edited by another program: look at the whole policy and approve it with `countersign policy apply`".to_owned()
}

/// A stop that was not allowed again with this PIN, whatever became of the file that says so.
fn not_allowed_again(seen: &Seen, extras: &SealedExtras) -> Option<String> {
    let allowed = extras.get(HALTS)?;
    let stop = seen.stop.as_ref()?;
    (*allowed != stop.hash).then(|| {
        format!(
            "AI trading was stopped at {}; it was not allowed again by you: `countersign resume` asks for that",
            stop.at
        )
    })
}

/// Puts under the seal that the person has allowed trading after the last stop.
pub(super) fn allow_again(seen: &Seen, extras: &mut SealedExtras) {
    let hash = seen
        .stop
        .as_ref()
        .map(|stop| stop.hash.clone())
        .unwrap_or_default();
    extras.insert(HALTS.to_owned(), hash);
}

/// Whether AI trading is stopped: by the file, or by a journal whose last word on it is a stop.
pub(crate) fn is_stopped(paths: &Paths, seen: &Seen) -> bool {
    paths.halt().try_exists().unwrap_or(true) || seen.stop.as_ref().is_some_and(|stop| stop.stands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Policy;
    use crate::journal::Journal;
    use crate::oauth::Endpoint;
    use crate::relay::settings::Armed;
    use crate::system::{Env, World, file};
    use serde_json::Map;

    #[test]
    fn a_stop_stands_until_it_is_allowed_again_under_the_seal() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let say = |kind: &str| Journal::of(&paths).append(kind, Map::new()).unwrap();
        let past = Past::of(&paths);
        let seen = || past.look_now().unwrap();
        let is_stopped = || is_stopped(&paths, &seen());
        let not_allowed_again = |extras: &SealedExtras| not_allowed_again(&seen(), extras);
        let mut extras = SealedExtras::from([(HALTS.to_owned(), String::new())]);
        assert!(!is_stopped() && not_allowed_again(&extras).is_none());
        say("held");
        say("halted");
        assert!(is_stopped(), "without its file");
        assert!(not_allowed_again(&extras).unwrap().contains("not allowed again"));
        // What a program can write itself.
        say("resumed");
        assert!(!is_stopped());
        assert!(not_allowed_again(&extras).is_some(), "not under the seal");
        allow_again(&seen(), &mut extras);
        assert!(not_allowed_again(&extras).is_none());
        say("halted");
        assert!(not_allowed_again(&extras).is_some(), "another stop");
        assert!(
            not_allowed_again(&SealedExtras::new()).is_none(),
            "a seal from before says nothing about it"
        );
    }

    #[test]
    fn a_new_sign_in_takes_only_a_record_that_the_old_seal_knows() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let lists = Lists::load(&paths, "https://endpoint.example/mcp");
        let (settings, rules) = (Settings::default(), Some("version = 1\n".to_owned()));
        let honest = Approved::now(rules.clone(), &settings, "login");
        honest.save(&paths).unwrap();
        let old = to_seal(&paths, &lists, &settings);
        assert!(doubt_unproved(&paths, Some(&old)).unwrap());
        assert_eq!(Approved::load(&paths), Some(honest.clone()));
        let mut armed = settings.clone();
        armed.armed = Armed::All;
        let others = [
            Approved::now(Some("version = 1\n# loosened\n".to_owned()), &settings, "page"),
            Approved::now(rules, &armed, "page"),
            Approved::in_doubt(),
        ];
        for other in others {
            other.save(&paths).unwrap();
            assert!(!doubt_unproved(&paths, Some(&old)).unwrap());
            assert_eq!(Approved::load(&paths), Some(Approved::in_doubt()), "{other:?}");
        }
        // Another PIN was typed: the old seal says nothing.
        honest.save(&paths).unwrap();
        assert!(!doubt_unproved(&paths, None).unwrap());
        // Deleted: what stands in the file is not taken for the first.
        std::fs::remove_file(paths.state().join("approved.json")).unwrap();
        assert!(!doubt_unproved(&paths, Some(&old)).unwrap());
        assert!(!policy_file::adopt_first(&paths, &settings, "login").unwrap());
        let new = to_seal(&paths, &lists, &armed);
        assert_eq!(new[SETTINGS], hash(""), "edited settings are not sealed either");
    }

    #[test]
    fn edited_settings_leave_the_policy_on_record() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let record = Approved::now(Some("version = 1\n".to_owned()), &Settings::default(), "page");
        record.save(&paths).unwrap();
        let sealed = hash(record.settings.as_deref().unwrap());
        // The settings file alone was edited: the record still says what was approved.
        Approved::doubt_settings(&paths, Some(&sealed));
        assert_eq!(Approved::load(&paths), Some(record.clone()));
        // The record was edited with it.
        Approved::doubt_settings(&paths, Some(&hash("other")));
        let left = Approved::load(&paths).unwrap();
        assert_eq!((left.policy, left.settings), (record.policy, None));
        assert!(!left.doubted && !Approved::has_settings(&paths, &Settings::default()));
    }

    const GOOD: &str = "version = 1\n";
    const EVIL: &str = "version = 1\n# another program's\n";

    /// Policy and record together, so that neither looks changed.
    fn put(paths: &Paths, text: &str, settings: &Settings) {
        file::write_atomic(&paths.policy(), text.as_bytes()).unwrap();
        settings.save(paths).unwrap();
        let record = Approved::now(Some(text.to_owned()), settings, "test");
        record.save(paths).unwrap();
    }

    #[tokio::test]
    async fn what_judges_is_what_is_compared_with_the_seal_whatever_the_files_say_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        let world = World {
            env: Env::default(),
            paths: paths.clone(),
        };
        let endpoint = Endpoint::parse("http://127.0.0.1:9/mcp").unwrap();
        let relay = Relay::detached(world, endpoint).unwrap();
        let (good, wide) = (
            Settings::default(),
            Settings {
                armed: Armed::All,
                ..Settings::default()
            },
        );
        put(&paths, GOOD, &good);
        let extras = to_seal(&paths, &relay.lists, &good);
        let read = || Standing::now(&relay, "PlaceOrder");
        let check = |standing: &Standing| standing.as_sealed(&relay, &extras, Class::Order, Tier::Pin);
        check(&read().await.unwrap()).unwrap();

        // Read while they were another program's, and put back before they are compared.
        put(&paths, EVIL, &good);
        let standing = read().await.unwrap();
        put(&paths, GOOD, &good);
        assert!(check(&standing).unwrap_err().contains("policy record was edited"));
        put(&paths, GOOD, &wide);
        let standing = read().await.unwrap();
        put(&paths, GOOD, &good);
        assert!(check(&standing).unwrap_err().contains("settings"));
        // And read while they were good, they are what judges, whatever is put there afterwards.
        put(&paths, GOOD, &good);
        let standing = read().await.unwrap();
        put(&paths, EVIL, &wide);
        check(&standing).unwrap();
        assert_eq!(
            standing.rules.approved().digest(),
            Policy::parse(GOOD).unwrap().digest()
        );
        assert_eq!(standing.settings, good);

        // The same for the pins: digest and definition are of one moment.
        put(&paths, GOOD, &good);
        let tool = |text: &str| format!(r#"{{"name":"PlaceOrder","description":"{text}"}}"#);
        relay.lists.absorb_trade(&[tool("a")]);
        relay.lists.pin_listed().unwrap();
        let standing = read().await.unwrap();
        assert!(matches!(standing.pin, Pin::Holds(_)));
        assert!(check(&standing).unwrap_err().contains("tool descriptions"));
        let extras = to_seal(&paths, &relay.lists, &good);
        let standing = read().await.unwrap();
        relay.lists.absorb_trade(&[tool("b")]);
        relay.lists.pin_listed().unwrap();
        standing
            .as_sealed(&relay, &extras, Class::Order, Tier::Pin)
            .unwrap();
    }
}
