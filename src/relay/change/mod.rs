//! What changed and waits for the person: the policy (with the settings that decide what an approval takes), or the
//! definitions of tools. Each is one card with the changed lines whole, decided once (DESIGN section 5).
//!
//! Owns: finding a change, its card. Refuses to know: how it is asked (`ask`), whether it was asked before (`question`),
//! where what is approved is kept (`policy_file`, `lists`, `under_seal`).

mod ask;
mod diff;
mod question;

pub(crate) use ask::{NotApplied, Raised, Where, apply, raise, watch_here};
pub(crate) use question::{Question, Standing, deny};

use super::lists::Lists;
use super::policy_file::{self, Approved};
use super::settings::Settings;
use super::words;
use crate::gate::Class;
use crate::gate::card::{Card, CardLine, FreeText, Mark};
use crate::journal::hash;
use crate::system::Paths;

/// The most text of definitions on one card (bytes). More is not asked about: nobody would read it.
const MAX_TOOLS: usize = 256 * 1024;

/// Over the changed lines; how many bytes of them there are stands behind it.
const DIFF_TITLE: &str = "Changed lines (- before, + now)";

/// What can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The policy file, and the settings that decide what an approval takes.
    Policy,
    /// The definitions of tools that are not known to be read-only.
    Tools,
}

impl Kind {
    /// Both, in the order in which they are asked.
    pub(crate) const ALL: [Self; 2] = [Self::Policy, Self::Tools];

    /// What stands for a ticket's id: tickets have four letters, so none has this one.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Policy => "POLICY",
            Self::Tools => "TOOLS",
        }
    }

    /// The kind with this id.
    pub(crate) fn of(id: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.id().eq_ignore_ascii_case(id))
    }

    /// The first word of its journal lines.
    const fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Tools => "tools",
        }
    }
}

/// What an approval puts in force.
#[derive(Debug, Clone)]
enum New {
    /// This text of the policy, with these settings.
    Policy {
        text: Option<String>,
        settings: String,
        /// What both were compared with: it must be what was sealed.
        record: Compared,
    },
    /// These definitions: name and digest.
    Tools {
        wanted: Vec<(String, String)>,
        /// The digest of the pins that they were compared with, and of the pins that they make.
        pins: (String, String),
    },
}

/// Digests of the record that a change was compared with.
#[derive(Debug, Clone)]
struct Compared {
    policy: String,
    /// `None` where no settings were on record.
    settings: Option<String>,
}

/// One change, as it would be shown.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    /// Stands for what was and what is: another one is another question.
    pub(crate) what: String,
    /// Headline of the card.
    pub(crate) headline: String,
    approve: &'static str,
    warnings: Vec<String>,
    lines: Vec<(&'static str, String)>,
    text: FreeText,
    new: New,
    /// Nothing can be compared with what was approved: everything is shown.
    whole: bool,
}

/// What is waiting now. `sealed` where a trade grant lies under a PIN: then the settings count too.
///
/// # Errors
/// The policy or the settings cannot be used at all.
pub(crate) fn found(
    kind: Kind,
    paths: &Paths,
    lists: &Lists,
    sealed: bool,
) -> Result<Option<Change>, String> {
    match kind {
        Kind::Policy => policy(paths, sealed),
        Kind::Tools => tools(lists),
    }
}

fn policy(paths: &Paths, sealed: bool) -> Result<Option<Change>, String> {
    let path = paths.policy();
    let now = policy_file::read(&path)?;
    policy_file::parse(&path, now.as_deref())?;
    let settings = policy_file::security(&Settings::load(paths)?);
    let record = Approved::load(paths);
    let doubted = record.as_ref().is_some_and(|record| record.doubted);
    let first = record.is_none();
    let record = record.unwrap_or_default();
    let compared = Compared {
        policy: record.policy_digest(),
        settings: record.settings.as_deref().map(hash),
    };
    let rules_changed = doubted || record.policy != now;
    // What was never put on record is shown whole, or a deleted record would make it pass unseen.
    let old_settings = record.settings.clone().filter(|_| !doubted).unwrap_or_default();
    let settings_changed = sealed && old_settings != settings;
    if !rules_changed && !settings_changed {
        return Ok(None);
    }
    let old = record.policy.unwrap_or_default();
    let mut text = diff::diff(&old, now.as_deref().unwrap_or_default());
    if settings_changed {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str("  settings.toml:\n");
        text.push_str(&diff::diff(&old_settings, &settings));
    }
    let (headline, approve) = match (&now, rules_changed) {
        (_, false) => ("YOUR SETTINGS CHANGED", "Use the new settings"),
        (None, true) if doubted => ("YOUR POLICY: NO FILE", "Use the built-in rules"),
        (None, true) => ("YOUR POLICY FILE WAS DELETED", "Use the built-in rules"),
        (Some(_), true) if doubted => ("YOUR POLICY, WHOLE", "Use this policy"),
        (Some(_), true) if first => ("A POLICY FILE IS NEW", "Use the new policy"),
        (Some(_), true) => ("YOUR POLICY FILE CHANGED", "Use the new policy"),
    };
    let mut warnings = vec![words::MAY_LOOSEN.to_owned()];
    if doubted {
        warnings.insert(0, words::RECORD_EDITED.to_owned());
    }
    let before = match (&record.at, doubted) {
        (_, true) => "not known".to_owned(),
        (Some(at), false) => at.chars().take(16).collect::<String>().replace('T', " ") + " UTC",
        (None, false) => "nothing: the built-in rules".to_owned(),
    };
    let digest = hash(now.as_deref().unwrap_or_default());
    let file = if rules_changed { path } else { paths.settings() };
    Ok(Some(Change {
        kind: Kind::Policy,
        what: hash(&format!(
            "{doubted}\n{old}\0{}\0{settings}",
            now.as_deref().unwrap_or("\0")
        )),
        headline: headline.to_owned(),
        approve,
        warnings,
        lines: vec![
            ("File", shown_path(&file)),
            ("Approved before", before),
            ("Until you decide", words::UNTIL_DECIDED.to_owned()),
        ],
        text: FreeText {
            title: DIFF_TITLE.to_owned(),
            bytes: text.len(),
            text,
            sha256: digest,
        },
        new: New::Policy {
            text: now,
            settings,
            record: compared,
        },
        whole: doubted,
    }))
}

/// The end of a path names the file; the front of a long one is left out.
fn shown_path(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let over = text.chars().count().saturating_sub(96);
    if over == 0 {
        text
    } else {
        format!("...{}", text.chars().skip(over).collect::<String>())
    }
}

fn tools(lists: &Lists) -> Result<Option<Change>, String> {
    lists.sync();
    let (differing, before, after) = lists.differing();
    if differing.is_empty() {
        return Ok(None);
    }
    let (mut text, mut named) = (String::new(), Vec::new());
    for definition in &differing {
        let word = if definition.before.is_some() {
            "CHANGED"
        } else {
            "NEW"
        };
        let digest: String = definition.digest.chars().take(16).collect();
        let head = format!(
            "{word} {}  (digest {digest})\n",
            crate::approve::text::ascii(&definition.name)
        );
        text.push_str(&head);
        let before = definition.before.as_deref().unwrap_or_default();
        text.push_str(&diff::diff(before, &definition.now));
        text.push('\n');
        named.push((definition.name.clone(), definition.digest.clone()));
    }
    let what = named.iter().fold(String::new(), |all, (name, digest)| {
        format!("{all}{name}\0{digest}\n")
    });
    let changed = differing.iter().filter(|one| one.before.is_some()).count();
    let new = differing.len() - changed;
    if text.len() > MAX_TOOLS {
        return Err(words::TOOLS_TOO_LONG.to_owned());
    }
    let what = hash(&format!("{before}\n{what}"));
    Ok(Some(Change {
        kind: Kind::Tools,
        headline: format!("TOOL DESCRIPTIONS: {changed} CHANGED, {new} NEW"),
        approve: "Trust the new descriptions",
        warnings: vec![words::TOOLS_MAY.to_owned()],
        lines: vec![
            ("Service", lists.endpoint().to_owned()),
            ("Until you decide", words::UNTIL_TOOLS.to_owned()),
        ],
        text: FreeText {
            title: DIFF_TITLE.to_owned(),
            bytes: text.len(),
            text,
            sha256: what.clone(),
        },
        what,
        new: New::Tools {
            wanted: named,
            pins: (before, after),
        },
        whole: false,
    }))
}

impl Change {
    /// The card, on which the changed lines stand whole: so it is approved on the page or in a terminal alone.
    fn card(&self, phrase: Option<String>) -> Card {
        let line = |(label, value): &(&str, String)| CardLine {
            label: (*label).to_owned(),
            value: value.clone(),
            mark: Mark::Plain,
        };
        Card {
            ticket: self.kind.id().to_owned(),
            badge: String::new(),
            account: String::new(),
            side: String::new(),
            headline: self.headline.clone(),
            approve: self.approve.to_owned(),
            deny: "Keep refusing".to_owned(),
            lines: self.lines.iter().map(line).collect(),
            warnings: self.warnings.clone(),
            free_text: Some(self.text.clone()),
            client: "Countersign".to_owned(),
            phrase,
            class: Class::Unknown,
            digest_short: self.text.sha256.chars().take(8).collect(),
        }
    }

    /// The digest of what would be in force.
    pub(crate) fn digest(&self) -> &str {
        &self.text.sha256
    }
}
