//! The starter policy that comes of three questions.
//!
//! Owns: the answers, how they are read, and the text that they make. Refuses to know: files, and how the person is asked.
//! What it writes is read by the real parser before it goes to the disk.

use crate::gate::Policy;
use crate::gate::instrument::Instrument;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What an account is, in the words of policy files; `blocked` is no class but an answer.
pub(super) const CLASSES: [&str; 5] = ["live", "funded", "eval", "sim", "blocked"];

/// The person's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    /// Account names as the service spells them, and what they are.
    pub(super) accounts: BTreeMap<String, String>,
    /// Instrument roots and the most contracts of one order.
    pub(super) quantity: Vec<(String, u32)>,
    /// Contracts over a whole account, in minis.
    pub(super) contracts: u32,
    /// From and to, on the clock of `zone`; `None`: at any time.
    pub(super) hours: Option<(String, String)>,
    /// An IANA time zone.
    pub(super) zone: String,
    /// Dollars; `None`: no floor.
    pub(super) loss: Option<u32>,
}

impl Default for Answers {
    /// Small sizes, New York's day session, a loss floor.
    fn default() -> Self {
        Self {
            accounts: BTreeMap::new(),
            quantity: vec![("MES".to_owned(), 1), ("MNQ".to_owned(), 1)],
            contracts: 1,
            hours: Some(("09:35".to_owned(), "15:45".to_owned())),
            zone: "America/New_York".to_owned(),
            loss: Some(300),
        }
    }
}

impl Answers {
    /// Takes in one `key=value` of the command line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take(&mut self, pair: &str) -> Result<(), String> {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("{pair}: it has no \"=\""));
        };
        let wrong = |why: String| format!("{key}: {why}");
        match key {
            "quantity" => self.quantity = quantities(value).map_err(wrong)?,
            "contracts" => self.contracts = number(value).map_err(wrong)?,
            "hours" => self.hours = hours(value).map_err(wrong)?,
            "zone" => value.clone_into(&mut self.zone),
            "loss" => self.loss = dollars(value).map_err(wrong)?,
            _ => match key.strip_prefix("account.") {
                Some(name) if !is_plain(name) => {
                    return Err(wrong(
                        "such a name cannot stand in the rules: write plain letters, without * or quotes"
                            .to_owned(),
                    ));
                }
                Some(name) if CLASSES.contains(&value) => {
                    self.accounts.insert(name.to_owned(), value.to_owned());
                }
                Some(_) => return Err(wrong(format!("it is one of {}", CLASSES.join(", ")))),
                None => {
                    return Err(format!(
                        "{key}: there are account.NAME, quantity, contracts, hours, zone and loss"
                    ));
                }
            },
        }
        Ok(())
    }

    /// The policy file.
    ///
    /// # Errors
    /// Where the real parser does not take it: a time zone that does not exist, for example.
    pub(super) fn policy(&self) -> Result<String, String> {
        let text = self.render();
        Policy::parse(&text)
            .map(|_| text)
            .map_err(|error| error.to_string())
    }

    fn render(&self) -> String {
        let mut text = String::from(HEAD);
        for (name, class) in &self.accounts {
            if !is_plain(name) {
                continue;
            }
            let _ = write!(text, "\n[account.\"{name}\"]\n");
            match class.as_str() {
                "blocked" => text.push_str("blocked = true                # no AI client may touch it\n"),
                "sim" => text.push_str(SIM),
                class => {
                    let _ = writeln!(text, "class = \"{class}\"");
                    self.limits(&mut text);
                }
            }
        }
        text.push_str("\n# Every account that is not named above.\n[account.\"*\"]\nclass = \"live\"\n");
        self.limits(&mut text);
        text.push_str(TAIL);
        text
    }

    fn limits(&self, text: &mut String) {
        let each: Vec<String> = self
            .quantity
            .iter()
            .map(|(root, most)| format!("{root} = {most}"))
            .collect();
        let each = each.join(", ");
        let _ = writeln!(
            text,
            "max_quantity = {{ {each}, \"*\" = 0 }}   # contracts of one order; \"*\" = 0 refuses every other instrument"
        );
        let _ = writeln!(
            text,
            "max_contracts = {}             # over the whole account, in minis; 10 micros count as one",
            self.contracts
        );
        text.push_str(
            "collar_percent = 2.0          # prices of new orders at most this far from the market\n",
        );
        if let Some(loss) = self.loss {
            let _ = writeln!(
                text,
                "daily_loss_floor = {loss}        # nothing new once the day's loss has come to this many dollars"
            );
        }
        if let Some((from, to)) = &self.hours {
            let _ = writeln!(
                text,
                "window = {{ zone = \"{}\", days = \"Mon-Fri\", from = \"{from}\", to = \"{to}\" }}   # new orders only then",
                self.zone
            );
        }
    }
}

/// Whether a name can stand in the file and means that account alone. What cannot is under `"*"`, the strict entry.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'*'))
}

/// `MES 2, MNQ 1` or `MES=2 MNQ=1`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn quantities(text: &str) -> Result<Vec<(String, u32)>, String> {
    let words: Vec<&str> = text
        .split(|c: char| c == ',' || c == '=' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    let mut all = Vec::new();
    for pair in words.chunks(2) {
        let [root, most] = pair else {
            return Err("name and number in turn, such as MES 2, MNQ 1".to_owned());
        };
        let root = root.to_ascii_uppercase();
        if !Instrument::read(&root).is_some_and(|read| read.canonical() == root && read.root == root) {
            return Err(format!(
                "{root} is no instrument; write the name alone, such as MES"
            ));
        }
        let most = number(most)?;
        if all.iter().any(|(known, _)| *known == root) {
            return Err(format!("{root} is there twice"));
        }
        all.push((root, most));
    }
    if all.is_empty() {
        return Err("at least one instrument, such as MES 1".to_owned());
    }
    Ok(all)
}

/// A small whole number above zero.
///
/// # Errors
/// What is wrong with it.
pub(super) fn number(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(number @ 1..=1000) => Ok(number),
        _ => Err(format!("{text:?} is no number from 1 to 1000")),
    }
}

/// `09:35-15:45`, or `any`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn hours(text: &str) -> Result<Option<(String, String)>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("any") {
        return Ok(None);
    }
    let wrong = || "from-to, such as 09:35-15:45, or any".to_owned();
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let clock = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
    };
    match (clock(from), clock(to)) {
        (Some(from), Some(to)) if from != to => Ok(Some((from, to))),
        _ => Err(wrong()),
    }
}

/// Whole dollars, or `none`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn dollars(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim().trim_start_matches('$');
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    match text.parse() {
        Ok(dollars @ 1..=10_000_000) => Ok(Some(dollars)),
        _ => Err("whole dollars, such as 300, or none".to_owned()),
    }
}

const HEAD: &str = r"# Your rules for what an AI client may ask for; written by `countersign setup` from your answers.
#
# Reading passes, everything else asks you. These rules only make that tighter: what they refuse, you are not even asked.
# Closing a position, or a stop that only protects one, passes every limit here and needs your approval alone.
# Change what you like. A change waits until you approve it once; a mistake stops all orders until it is corrected:
#     countersign policy check       names line and column
# More limits, with explanations: countersign policy init, in a folder of its own (COUNTERSIGN_HOME).

version = 1

[limits]
orders_per_minute = 4         # orders that open or add risk; ways out do not count
orders_per_day = 40
duplicate_seconds = 20        # the very same order is not sent twice within this time
max_drift_ticks = 20          # you are asked again if the market moved further while you read
";

const SIM: &str = r#"class = "sim"                 # play money; believed only if NinjaTrader says so too
max_quantity = { "*" = 10 }   # contracts of one order
"#;

const TAIL: &str = r#"
[[rule]]                      # no code from an AI into NinjaTrader
class = "code"
do = "deny"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_and_any_class_are_read_by_the_real_parser() {
        let mut answers = Answers::default();
        assert!(answers.policy().is_ok());
        for class in CLASSES {
            answers.take(&format!("account.X-{class}={class}")).unwrap();
        }
        for pair in [
            "quantity=ES 2,mes=4",
            "contracts=3",
            "hours=18:00-2:05",
            "zone=America/Chicago",
            "loss=none",
        ] {
            answers.take(pair).unwrap();
        }
        let text = answers.policy().unwrap();
        for part in [
            "max_quantity = { ES = 2, MES = 4, \"*\" = 0 }",
            "from = \"18:00\", to = \"02:05\"",
            "[account.\"X-blocked\"]\nblocked = true",
            "class = \"funded\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("daily_loss_floor"), "{text}");
        // Play money has no limits, and `policy check` says so; nothing else is worth a note.
        let notes = Policy::parse(&text).unwrap().notes();
        assert!(
            notes
                .iter()
                .all(|note| note.text.starts_with("x-sim has an entry of its own")),
            "{notes:?}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for pair in [
            "quantity=MES",
            "quantity=",
            "quantity=ES 12-26 2",
            "quantity=MES 0",
            "quantity=MES 1 MES 2",
            "contracts=-1",
            "hours=9-17",
            "hours=25:00-26:00",
            "hours=09:00-09:00",
            "loss=-5",
            "account.X=real",
            "size=1",
            "x",
        ] {
            assert!(Answers::default().take(pair).is_err(), "{pair}");
        }
        let mut elsewhere = Answers::default();
        elsewhere.take("zone=Mars/Olympus").unwrap();
        assert!(elsewhere.policy().is_err());
    }

    #[test]
    fn a_name_that_could_say_more_than_a_name_is_left_to_the_strict_entry() {
        for name in ["A\"]\n[account.\"B", "PA-*", "A\\u0042", "Kontö"] {
            let mut answers = Answers::default();
            answers.accounts.insert(name.to_owned(), "sim".to_owned());
            let text = answers.policy().unwrap();
            assert!(!text.contains("class = \"sim\""), "{text}");
        }
    }
}
