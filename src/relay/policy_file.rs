//! The policy as a file, and the record of what the person approved last. A file that differs from the record is
//! itself held (DESIGN section 5): until its changes are approved, nothing goes by it but exits and protective stops,
//! and those by the stricter of the two.
//!
//! Owns: reading both files, what the record says, judging by two policies at once. Refuses to know: how the person is
//! asked (`change`), what lies under the seal (`under_seal`), what a policy means (`gate`).

use super::Relay;
use super::past::Stamp;
use super::settings::{Armed, Settings};
use crate::gate::judge::{Entry, Market};
use crate::gate::policy::Policy;
use crate::gate::{Class, Judgement, Tier, Verdict};
use crate::journal::hash;
use crate::system::{Paths, clock, file};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The largest policy file (bytes). A person reads it whole when it changes.
const MAX_POLICY: u64 = 64 * 1024;
/// The largest record: the policy's text as JSON.
const MAX_RECORD: u64 = 512 * 1024;

/// Reads the policy file as it is now, approved or not; no file is the default policy. Refused where it is a link,
/// another user's, or others may write to it.
///
/// # Errors
/// A sentence that names the file, and line and column where it is wrong.
pub(crate) fn load_policy_at(path: &Path) -> Result<Policy, String> {
    let text = read(path)?;
    parse(path, text.as_deref())
}

/// Reads the text of a policy file.
pub(super) fn parse(path: &Path, text: Option<&str>) -> Result<Policy, String> {
    match text {
        Some(text) => Policy::parse(text).map_err(|error| format!("{}: {error}", path.display())),
        None => Ok(Policy::default()),
    }
}

/// The text of the policy file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let name = path.display();
    let bytes = file::read_ours(path, MAX_POLICY).map_err(|error| format!("{name}: {error}"))?;
    bytes
        .map(|bytes| String::from_utf8(bytes).map_err(|_| format!("{name}: it is not UTF-8 text")))
        .transpose()
}

/// What the person approved last. Lies in the state folder, where any program of this user can write: in the strong
/// tiers its digests lie under the seal too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Approved {
    /// The text of the policy; `None` for the built-in one.
    pub(crate) policy: Option<String>,
    /// What the settings said that decide what an approval takes; `None` where they were never put on record.
    pub(crate) settings: Option<String>,
    /// When, RFC 3339.
    pub(crate) at: Option<String>,
    /// How: `page`, `terminal`, or the verb with which it began.
    pub(crate) via: Option<String>,
    /// Somebody edited this record: the next question shows everything, as if nothing had been approved.
    pub(crate) doubted: bool,
}

impl Approved {
    /// Reads the record; `None` where there was never one. One that cannot be read is doubted.
    pub(crate) fn load(paths: &Paths) -> Option<Self> {
        match file::read_ours(&place(paths), MAX_RECORD) {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| Self::in_doubt())),
            Err(_) => Some(Self::in_doubt()),
        }
    }

    pub(super) fn in_doubt() -> Self {
        Self {
            doubted: true,
            ..Self::default()
        }
    }

    /// Puts it in the place of the record.
    ///
    /// # Errors
    /// As the file system says; the old record then stands.
    pub(crate) fn save(&self, paths: &Paths) -> io::Result<()> {
        file::write_atomic(&place(paths), &serde_json::to_vec(self)?)
    }

    /// Writes that the record cannot be trusted.
    pub(super) fn doubt(paths: &Paths) {
        if let Err(error) = Self::in_doubt().save(paths) {
            tracing::error!(%error, "the record of the approved policy is not what was sealed, and cannot be replaced");
        }
    }

    /// Writes that what the record says of the settings cannot be trusted, where it is not what was sealed. The policy on
    /// record stands: exits go by it.
    pub(super) fn doubt_settings(paths: &Paths, sealed: Option<&String>) {
        let Some(record) = Self::load(paths).filter(|record| !record.doubted) else {
            return;
        };
        if record.settings.as_deref().map(hash).as_ref() == sealed {
            return;
        }
        let left = Self {
            settings: None,
            ..record
        };
        if let Err(error) = left.save(paths) {
            tracing::error!(%error, "the settings on record are not what was sealed, and cannot be taken out");
        }
    }

    /// The digest of the approved policy, as it lies under the seal.
    pub(crate) fn policy_digest(&self) -> String {
        hash(self.policy.as_deref().unwrap_or_default())
    }

    /// Whether these settings are those on record. Where none are, they are not: a record that was deleted must not
    /// make others pass unseen.
    pub(crate) fn has_settings(paths: &Paths, settings: &Settings) -> bool {
        Self::load(paths)
            .is_some_and(|record| !record.doubted && record.settings.as_deref() == Some(&security(settings)))
    }

    /// Puts these settings on record, where anything is: a verb has changed them with the PIN.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn record_settings(paths: &Paths, settings: &Settings) -> io::Result<()> {
        match Self::load(paths) {
            Some(record) if !record.doubted => Self {
                settings: Some(security(settings)),
                ..record
            }
            .save(paths),
            Some(_) | None => Ok(()),
        }
    }

    /// A record of what stands there now.
    pub(crate) fn now(policy: Option<String>, settings: &Settings, via: &str) -> Self {
        Self::of_texts(policy, security(settings), via)
    }

    /// A record of these texts, approved now; the settings as [`security`] says them.
    pub(crate) fn of_texts(policy: Option<String>, settings: String, via: &str) -> Self {
        Self::of(policy, Some(settings), via)
    }

    /// A record of exactly this.
    pub(super) fn of(policy: Option<String>, settings: Option<String>, via: &str) -> Self {
        Self {
            policy,
            settings,
            at: Some(clock::rfc3339(clock::wall_ms())),
            via: Some(via.to_owned()),
            doubted: false,
        }
    }
}

fn place(paths: &Paths) -> PathBuf {
    paths.state().join("approved.json")
}

/// Takes the policy as it stands for approved where nothing was ever approved: at the first sign-in for trading and at
/// the first PIN, when the person is at the desk and nothing could be traded before.
///
/// # Errors
/// Where the policy cannot be read, or the record not be written.
pub(crate) fn adopt_first(paths: &Paths, settings: &Settings, via: &str) -> Result<bool, String> {
    if Approved::load(paths).is_some() {
        return Ok(false);
    }
    let text = read(&paths.policy())?;
    parse(&paths.policy(), text.as_deref())?;
    let approved = Approved::now(text, settings, via);
    approved.save(paths).map_err(|error| error.to_string())?;
    Ok(true)
}

/// What the settings say about what an approval takes, one fact a line: a program that lowered it would gain by it.
/// While a PIN is set, nothing below it is in force, whatever the file says.
pub(crate) fn security(settings: &Settings) -> String {
    let tier = match settings.tier.max(Tier::Pin) {
        Tier::Click | Tier::Pin => "pin",
        Tier::Passkey => "passkey",
    };
    let armed = match settings.armed {
        Armed::Exits => "exits",
        Armed::All => "all",
    };
    let phrase = settings.phrase.as_deref().unwrap_or("none");
    format!("tier = {tier}\narmed = {armed}\nphrase = {phrase}\n")
}

/// How long a look at the files' stamps is enough (monotonic ms). What they do not show, such as who may write to the
/// folder, is read at the latest then; and at the decision all of it is read in any case.
const TRUST_MS: u64 = 2000;

/// Whether the rules can have changed since a waiting call looked last: a look at two stamps instead of two files read and
/// a policy parsed, five times a second for each call.
#[derive(Debug, Default)]
pub(super) struct Looked {
    stamps: Option<[Option<Stamp>; 2]>,
    read_ms: u64,
}

impl Looked {
    /// Whether they have to be read now. True the first time, where either file was touched, appeared or went, and when
    /// the last reading is some time ago.
    pub(super) fn must_read(&mut self, paths: &Paths, now_mono: u64) -> bool {
        let stamp = |path: &Path| path.symlink_metadata().ok().map(|found| Stamp::of(&found));
        // Before the reading: what is written between the two is seen at the next look.
        let now = Some([stamp(&paths.policy()), stamp(&place(paths))]);
        if now == self.stamps && now_mono.saturating_sub(self.read_ms) < TRUST_MS {
            return false;
        }
        (self.stamps, self.read_ms) = (now, now_mono);
        true
    }
}

/// The rules for trade calls: the approved policy, and beside it the file where that says something else by now.
#[derive(Debug)]
pub(super) struct Rules {
    approved: Policy,
    changed: Option<Policy>,
    digest: String,
    /// The digest of the record that `approved` was read from, as the seal has it.
    record: String,
}

impl Rules {
    /// Reads them as they are now.
    ///
    /// # Errors
    /// The file cannot be used: then nothing is judged at all.
    pub(super) fn of(relay: &Relay) -> Result<Self, String> {
        Self::at(&relay.world.paths)
    }

    fn at(paths: &Paths) -> Result<Self, String> {
        let path = paths.policy();
        let text = read(&path)?;
        let now = parse(&path, text.as_deref())?;
        let record = Approved::load(paths);
        let digest_of_record = record.clone().unwrap_or_default().policy_digest();
        let same = record
            .as_ref()
            .map_or(text.is_none(), |record| !record.doubted && record.policy == text);
        if same {
            let digest = now.digest().to_owned();
            return Ok(Self {
                approved: now,
                changed: None,
                digest,
                record: digest_of_record,
            });
        }
        // A record that this version cannot read leaves the new policy alone to judge an exit by.
        let approved = match record.and_then(|record| record.policy) {
            Some(text) => Policy::parse(&text).unwrap_or_else(|_| now.clone()),
            None => Policy::default(),
        };
        let digest = format!("{}, changed to {}", approved.digest(), now.digest());
        Ok(Self {
            approved,
            changed: Some(now),
            digest,
            record: digest_of_record,
        })
    }

    /// The policy that the person approved.
    pub(super) fn approved(&self) -> &Policy {
        &self.approved
    }

    /// What a ticket is judged by: another digest voids it.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The digest of the approved policy as it was read for these rules, to be compared with the sealed one.
    pub(super) fn record_digest(&self) -> &str {
        &self.record
    }

    /// Judges by the approved policy, and while another one waits for the person by both, the stricter counting: then
    /// only what is an exit or a protective stop gets through.
    pub(super) fn judge(&self, by: impl Fn(&Policy) -> Judgement) -> Judgement {
        let judgement = self.judge_unproved(by);
        let leaves = matches!(judgement.class, Class::Exit | Class::Protect);
        if self.changed.is_none() || leaves {
            return judgement;
        }
        Judgement {
            verdict: Verdict::Deny,
            code: CHANGED,
            rule: "state: a changed policy waits for the person".to_owned(),
            reason: "the policy changed and waits for the person".to_owned(),
            ..judgement
        }
    }

    /// The same for an exit whose facts are not read yet: its card may go up, and it is judged again with them.
    pub(super) fn judge_unproved(&self, by: impl Fn(&Policy) -> Judgement) -> Judgement {
        let old = by(&self.approved);
        match &self.changed {
            Some(changed) => stricter(old, by(changed)),
            None => old,
        }
    }
}

/// The code of a refusal because of a changed policy.
pub(super) const CHANGED: &str = "policy_changed";

/// The stricter of two judgements of one call by two policies.
fn stricter(old: Judgement, new: Judgement) -> Judgement {
    let rank = |judgement: &Judgement| match judgement.verdict {
        Verdict::Deny => 2,
        Verdict::Ask => 1,
        Verdict::Allow => 0,
    };
    let tier = old.tier.max(new.tier);
    let live = old.live || new.live;
    let opening = old.opening || new.opening;
    let open_for = old.open_for.min(new.open_for);
    let entry = both(old.entry.clone(), new.entry.clone(), fuller);
    let market = both(old.market, new.market, |one, other| Market {
        price: one.price.or(other.price),
        most: one.most.min(other.most),
    });
    let sent_before = both(old.sent_before, new.sent_before, Ord::min);
    let (mut strict, other) = if rank(&new) > rank(&old) {
        (new, old)
    } else {
        (old, new)
    };
    for warning in other.warnings {
        if !strict.warnings.contains(&warning) {
            strict.warnings.push(warning);
        }
    }
    for looked in other.looked {
        if !strict.looked.contains(&looked) {
            strict.looked.push(looked);
        }
    }
    Judgement {
        tier,
        opening,
        live,
        open_for,
        entry,
        market,
        sent_before,
        ..strict
    }
}

/// What either says, and of two what `strict` makes of them.
fn both<T>(one: Option<T>, other: Option<T>, strict: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(strict(one, other)),
        (one, other) => one.or(other),
    }
}

/// What counts for more: the accounts of both, and the larger quantity; one that nobody can say is the largest.
fn fuller(mut one: Entry, other: Entry) -> Entry {
    for account in other.accounts {
        if !one.accounts.contains(&account) {
            one.accounts.push(account);
        }
    }
    one.quantity = one
        .quantity
        .zip(other.quantity)
        .map(|(one, other)| one.max(other));
    if one.twin.is_empty() {
        one.twin = other.twin;
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> (tempfile::TempDir, Paths) {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        std::fs::create_dir_all(paths.config()).unwrap();
        (folder, paths)
    }

    #[test]
    fn a_waiting_call_reads_the_rules_again_only_where_a_file_was_touched_or_time_went_by() {
        let (_keep, paths) = paths();
        let mut looked = Looked::default();
        assert!(looked.must_read(&paths, 0), "the first time");
        assert!(!looked.must_read(&paths, 200));
        write(&paths, "version = 1\n");
        assert!(looked.must_read(&paths, 400), "a file that appeared");
        assert!(!looked.must_read(&paths, 600));
        // Another text of the same length, in the place of the old one or over it.
        write(&paths, "version= 1 \n");
        assert!(looked.must_read(&paths, 800));
        std::thread::sleep(std::time::Duration::from_millis(30));
        std::fs::write(paths.policy(), "version =1 \n").unwrap();
        assert!(looked.must_read(&paths, 1000));
        Approved::default().save(&paths).unwrap();
        assert!(looked.must_read(&paths, 1200), "the record");
        std::fs::remove_file(paths.policy()).unwrap();
        assert!(looked.must_read(&paths, 1400), "a file that went");
        assert!(!looked.must_read(&paths, 1400 + TRUST_MS - 1));
        assert!(looked.must_read(&paths, 1400 + TRUST_MS), "some time ago");
        assert!(!looked.must_read(&paths, 1400 + TRUST_MS));
    }

    fn write(paths: &Paths, text: &str) {
        file::write_atomic(&paths.policy(), text.as_bytes()).unwrap();
    }

    fn judgement(class: Class, verdict: Verdict, tier: Tier) -> Judgement {
        Judgement {
            verdict,
            class,
            tier,
            rule: String::new(),
            code: "ask",
            reason: String::new(),
            opening: false,
            after: None,
            after_any_month: None,
            live: false,
            warnings: vec![format!("{tier:?}")],
            open_for: 0,
            entry: None,
            market: None,
            sent_before: None,
            looked: Vec::new(),
        }
    }

    #[test]
    fn nothing_on_record_and_no_file_is_the_default_and_a_file_waits() {
        let (_keep, paths) = paths();
        assert!(Rules::at(&paths).unwrap().changed.is_none());
        write(&paths, "version = 1\n");
        assert!(Rules::at(&paths).unwrap().changed.is_some(), "a new policy");
        assert!(adopt_first(&paths, &Settings::default(), "login").unwrap());
        assert!(Rules::at(&paths).unwrap().changed.is_none());
        write(&paths, "version = 1\n# more\n");
        assert!(Rules::at(&paths).unwrap().changed.is_some(), "a changed policy");
        assert!(
            !adopt_first(&paths, &Settings::default(), "login").unwrap(),
            "once"
        );
        assert!(Rules::at(&paths).unwrap().changed.is_some());
        std::fs::remove_file(paths.policy()).unwrap();
        assert!(Rules::at(&paths).unwrap().changed.is_some(), "a deleted policy");
    }

    #[test]
    fn a_record_that_cannot_be_trusted_counts_as_none() {
        let (_keep, paths) = paths();
        adopt_first(&paths, &Settings::default(), "login").unwrap();
        for text in ["", "{", r#"{"policy":null,"more":1}"#, r#"{"doubted":true}"#] {
            std::fs::write(place(&paths), text).unwrap();
            assert!(Rules::at(&paths).unwrap().changed.is_some(), "{text:?}");
        }
        std::fs::remove_file(place(&paths)).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(paths.state().join("elsewhere"), place(&paths)).unwrap();
            assert!(Rules::at(&paths).unwrap().changed.is_some(), "a link");
        }
    }

    #[test]
    fn of_two_judgements_each_part_is_the_stricter_one() {
        let points = |text: &str| crate::gate::value::Decimal::parse(text).unwrap();
        let entry = |accounts: &[&str], quantity, twin: &str| Entry {
            accounts: accounts.iter().map(|&name| name.to_owned()).collect(),
            quantity,
            twin: twin.to_owned(),
        };
        let one = Judgement {
            open_for: 60_000,
            entry: Some(entry(&["a"], Some(2), "")),
            market: Some(Market {
                price: None,
                most: points("4"),
            }),
            sent_before: Some(9),
            ..judgement(Class::Exit, Verdict::Ask, Tier::Click)
        };
        let other = Judgement {
            open_for: 20_000,
            opening: true,
            entry: Some(entry(&["a", "b"], Some(3), "t")),
            market: Some(Market {
                price: Some(points("100")),
                most: points("2.5"),
            }),
            sent_before: Some(5),
            ..judgement(Class::Exit, Verdict::Ask, Tier::Click)
        };
        let none = judgement(Class::Exit, Verdict::Deny, Tier::Click);
        for (old, new) in [(&one, &other), (&other, &one)] {
            let both = stricter(old.clone(), new.clone());
            assert_eq!(both.open_for, 20_000);
            assert!(both.opening);
            assert_eq!(both.entry, Some(entry(&["a", "b"], Some(3), "t")));
            let market = both.market.unwrap();
            assert_eq!((market.price, market.most), (Some(points("100")), points("2.5")));
            assert_eq!(both.sent_before, Some(5));
        }
        for (old, new) in [(&one, &none), (&none, &one)] {
            let both = stricter(old.clone(), new.clone());
            assert_eq!(both.verdict, Verdict::Deny);
            assert_eq!((both.entry, both.market), (one.entry.clone(), one.market));
            assert_eq!(both.sent_before, Some(9));
        }
        let untold = Judgement {
            entry: Some(entry(&["a"], None, "t")),
            ..one.clone()
        };
        let both = stricter(untold, one).entry.unwrap();
        assert_eq!(both.quantity, None, "what nobody can say is the largest");
    }

    #[test]
    fn only_exits_pass_while_a_change_waits_and_by_both_policies() {
        let (_keep, paths) = paths();
        write(&paths, "version = 1\n");
        let rules = Rules::at(&paths).unwrap();
        let by = |class: Class, old: (Verdict, Tier), new: (Verdict, Tier)| {
            rules.judge(|policy| {
                let (verdict, tier) = if policy.digest() == rules.approved().digest() {
                    old
                } else {
                    new
                };
                judgement(class, verdict, tier)
            })
        };
        let (ask, deny, allow) = (
            (Verdict::Ask, Tier::Click),
            (Verdict::Deny, Tier::Click),
            (Verdict::Allow, Tier::Click),
        );
        for class in [Class::Exit, Class::Protect] {
            assert_eq!(by(class, ask, ask).verdict, Verdict::Ask);
            assert_eq!(by(class, deny, allow).verdict, Verdict::Deny);
            assert_eq!(by(class, allow, deny).verdict, Verdict::Deny);
            assert_eq!(by(class, ask, allow).verdict, Verdict::Ask);
            assert_eq!(by(class, allow, ask).verdict, Verdict::Ask);
            assert_eq!(by(class, ask, (Verdict::Ask, Tier::Pin)).tier, Tier::Pin);
        }
        for class in [Class::Order, Class::Cancel, Class::Unknown, Class::Code] {
            let judged = by(class, allow, allow);
            assert_eq!((judged.verdict, judged.code), (Verdict::Deny, CHANGED));
        }
    }
}
