//! Takes out of a text what nobody else needs to see: account names but for their last three letters, the person's phrase,
//! home folder and computer's name, and whatever looks like a key or a code.
//!
//! Keys, codes and PINs are never written down by this program: their types cannot be printed. This is the second fence.

use crate::cli::Context;
use crate::journal;
use crate::relay::settings::Settings;
use crate::relay::tickets::Tickets;
use crate::system::{file, machine};
use serde_json::Value;
use std::collections::BTreeSet;

const BLANK: &str = "[blanked]";
/// A run of letters and digits of this length is a key, a code or a digest.
const KEY: usize = 20;
/// Names shorter than this could be any word.
const LEAST_NAME: usize = 4;
/// The most of the policy file and of the counters that is looked through for account names (bytes).
const MAX_FILE: u64 = 1024 * 1024;
/// Words behind which a secret may stand.
const SECRET_WORDS: [&str; 9] = [
    "authorization",
    "bearer",
    "code",
    "password",
    "phrase",
    "pin",
    "secret",
    "token",
    "verifier",
];

pub(super) struct Blank {
    /// What is replaced, in lower case, with what stands there instead; longest first.
    known: Vec<(String, String)>,
}

impl Blank {
    /// What this installation knows of its own names.
    pub(super) fn of(context: &Context) -> Self {
        let (paths, env) = (&context.world.paths, &context.world.env);
        let mut accounts = BTreeSet::new();
        if let Ok(Some(text)) = file::read_text(&paths.policy(), MAX_FILE)
            && let Ok(policy) = toml::from_str::<toml::Table>(&text)
        {
            of_policy(&policy, &mut accounts);
        }
        for name in ["approved.json", "counters.json"] {
            let text = file::read_text(&paths.state().join(name), MAX_FILE)
                .ok()
                .flatten();
            if let Some(value) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
                of_json(&value, false, &mut accounts);
                let approved = value.get("policy").and_then(Value::as_str);
                if let Some(policy) = approved.and_then(|text| toml::from_str::<toml::Table>(text).ok()) {
                    of_policy(&policy, &mut accounts);
                }
            }
        }
        for ticket in Tickets::of(paths).all() {
            accounts.extend(ticket.account.clone());
            if let Ok(arguments) = serde_json::from_str::<Value>(&ticket.arguments_raw) {
                of_json(&arguments, false, &mut accounts);
            }
        }
        if let Ok(Some(source)) = journal::open(&paths.journal()) {
            for entry in journal::entries(source).map_while(Result::ok) {
                of_json(&entry.object, false, &mut accounts);
            }
        }
        let mut known: Vec<(String, String)> = accounts
            .iter()
            .flat_map(|name| name.split('*').chain([name.as_str()]))
            .filter(|name| name.len() >= LEAST_NAME)
            .map(|name| (name.to_ascii_lowercase(), shortened(name)))
            .collect();
        for home in [env.text("HOME"), env.text("USERPROFILE")].into_iter().flatten() {
            known.push((home.to_ascii_lowercase(), "~".to_owned()));
        }
        let host = machine::host_name();
        if host.len() >= LEAST_NAME && host != "localhost" && host != "this computer" {
            known.push((host.to_ascii_lowercase(), "HOST".to_owned()));
        }
        if let Some(phrase) = Settings::load(paths).ok().and_then(|settings| settings.phrase) {
            known.push((phrase.to_ascii_lowercase(), BLANK.to_owned()));
        }
        Self::with(known)
    }

    fn with(mut known: Vec<(String, String)>) -> Self {
        known.retain(|(name, _)| name.len() > 1);
        known.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        known.dedup_by(|a, b| a.0 == b.0);
        Self { known }
    }

    /// A text of any kind.
    pub(super) fn text(&self, text: &str) -> String {
        let lines = text.split('\n').map(|line| runs(&secrets(&self.names(line))));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// All texts of an object; the names of its members stay.
    pub(super) fn object(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.object(item)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(key, value)| (key, self.object(value)))
                .collect(),
            other => other,
        }
    }

    /// A TOML file of ours: without its comments, which may say anything.
    pub(super) fn config(&self, text: &str) -> String {
        match toml::from_str::<toml::Table>(text) {
            Ok(table) => toml::to_string(&self.table(table)).unwrap_or_default(),
            // What it means cannot be told: no text in quotes is left.
            Err(error) => {
                let left = self.text(&without_headers(&unquoted(text)));
                format!("# it cannot be read: {}\n{left}", error.message())
            }
        }
    }

    fn table(&self, table: toml::Table) -> toml::Table {
        let mut out = toml::Table::new();
        for (key, value) in table {
            let value = match (key.as_str(), value) {
                ("account", toml::Value::Table(accounts)) => {
                    let mut renamed = toml::Table::new();
                    for (n, (name, entry)) in accounts.into_iter().enumerate() {
                        let mut short = shortened(&name);
                        if renamed.contains_key(&short) {
                            short = format!("{short} ({n})");
                        }
                        renamed.insert(short, self.value(entry));
                    }
                    toml::Value::Table(renamed)
                }
                ("account" | "copies_to", value) => short_value(value),
                ("phrase", _) => toml::Value::String(BLANK.to_owned()),
                (_, value) => self.value(value),
            };
            out.insert(key, value);
        }
        out
    }

    fn value(&self, value: toml::Value) -> toml::Value {
        match value {
            toml::Value::String(text) => toml::Value::String(self.text(&text)),
            toml::Value::Table(table) => toml::Value::Table(self.table(table)),
            toml::Value::Array(items) => {
                toml::Value::Array(items.into_iter().map(|item| self.value(item)).collect())
            }
            other => other,
        }
    }

    /// Without what is known by name, however it is written.
    fn names(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (name, instead) in &self.known {
            // Letters outside ASCII keep their length in lower case here, so places stay what they are.
            let low = line.to_ascii_lowercase();
            if !low.contains(name.as_str()) {
                continue;
            }
            let (mut out, mut from) = (String::new(), 0);
            for (at, found) in low.match_indices(name.as_str()) {
                out.push_str(line.get(from..at).unwrap_or_default());
                out.push_str(instead);
                from = at.saturating_add(found.len());
            }
            out.push_str(line.get(from..).unwrap_or_default());
            line = out;
        }
        line
    }
}

/// The accounts that a policy names.
fn of_policy(table: &toml::Table, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        match (key.as_str(), value) {
            ("account", toml::Value::Table(accounts)) => {
                for (name, entry) in accounts {
                    found.insert(name.clone());
                    if let Some(entry) = entry.as_table() {
                        of_policy(entry, found);
                    }
                }
            }
            ("account", toml::Value::String(name)) => {
                found.insert(name.clone());
            }
            ("copies_to", toml::Value::Array(names)) => {
                found.extend(names.iter().filter_map(|name| name.as_str().map(str::to_owned)));
            }
            (_, toml::Value::Table(table)) => of_policy(table, found),
            (_, toml::Value::Array(tables)) => {
                tables
                    .iter()
                    .filter_map(toml::Value::as_table)
                    .for_each(|table| of_policy(table, found));
            }
            _ => {}
        }
    }
}

/// The texts under members whose names speak of accounts.
fn of_json(value: &Value, named: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if named => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| of_json(item, named, found)),
        Value::Object(members) => {
            for (key, value) in members {
                of_json(value, key.to_ascii_lowercase().contains("account"), found);
            }
        }
        _ => {}
    }
}

/// `Sim101` as `...101`.
fn shortened(name: &str) -> String {
    if name.trim_matches('*').is_empty() {
        return name.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let last = letters.get(letters.len().saturating_sub(3)..).unwrap_or_default();
    let last = if letters.len() > 3 { last } else { &[] };
    format!("...{}", last.iter().collect::<String>())
}

fn short_value(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::String(name) => toml::Value::String(shortened(&name)),
        toml::Value::Array(names) => toml::Value::Array(names.into_iter().map(short_value).collect()),
        other => other,
    }
}

/// Blanks what stands behind a word that announces a secret: behind `pin` and `phrase` to the end of the line, for those
/// have blanks inside.
fn secrets(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, word, after)) = next_word(rest) {
        out.push_str(before);
        out.push_str(word);
        rest = after;
        let word = word.to_ascii_lowercase();
        if !announces(&word) {
            continue;
        }
        let gap = rest.len() - rest.trim_start_matches(['"', '\'', '=', ':', ' ']).len();
        let (between, value) = rest.split_at_checked(gap).unwrap_or((rest, ""));
        let told = between.contains(['=', ':']);
        let whole = told && matches!(word.as_str(), "pin" | "phrase");
        let end = if whole {
            value.len()
        } else {
            value
                .find([' ', '"', '\'', '&', ',', '}', ')', ';'])
                .unwrap_or(value.len())
        };
        let (value, after) = value.split_at_checked(end).unwrap_or((value, ""));
        // A word of a sentence is no secret, and neither is the number of an error.
        if gap > 0 && value.len() >= 8 && (told || word == "bearer") {
            out.push_str(between);
            out.push_str(BLANK);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `code`, and `client_secret` as well.
fn announces(word: &str) -> bool {
    let last = word.rsplit('_').next().unwrap_or(word);
    SECRET_WORDS.contains(&word) || SECRET_WORDS.contains(&last)
}

/// What stands before the next word, the word, and what stands behind it.
fn next_word(text: &str) -> Option<(&str, &str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (before, rest) = text.split_at_checked(text.find(is_part)?)?;
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end)?;
    Some((before, word, after))
}

/// Blanks what is too long and too mixed for a word, and shortens what looks like the number of an account.
fn runs(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
        out.push_str(before);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (run, after) = from.split_at_checked(end).unwrap_or((from, ""));
        out.push_str(&run_of(run));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn run_of(run: &str) -> String {
    let letters = run.chars().filter(char::is_ascii_alphabetic).count();
    let digits = run.chars().filter(char::is_ascii_digit).count();
    // Our own log files carry a date in their names.
    let own = run.starts_with("countersign-2") && digits <= 11;
    if run.len() >= KEY && letters > 0 && digits > 0 && !own {
        return BLANK.to_owned();
    }
    let in_a_row = run
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .max()
        .unwrap_or(0);
    if letters > 0 && in_a_row >= 5 {
        return shortened(run);
    }
    run.to_owned()
}

/// Names of accounts may stand in a header without quotes: only its first part is left.
fn without_headers(text: &str) -> String {
    let line = |line: &str| match line.trim_start().strip_prefix('[') {
        Some(inner) if inner.contains('.') => {
            format!(
                "[{}.…]",
                inner
                    .trim_start_matches('[')
                    .split('.')
                    .next()
                    .unwrap_or_default()
            )
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Without comments, and without what stands in quotes.
fn unquoted(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut quote = None;
        for c in line.chars() {
            match quote {
                Some(open) if c == open => {
                    quote = None;
                    out.push_str("...");
                    out.push(c);
                }
                Some(_) => {}
                None if c == '#' => break,
                None => {
                    if c == '"' || c == '\'' {
                        quote = Some(c);
                    }
                    out.push(c);
                }
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> Blank {
        Blank::with(vec![
            ("sim101".to_owned(), shortened("Sim101")),
            ("/home/trader".to_owned(), "~".to_owned()),
            ("blue heron".to_owned(), BLANK.to_owned()),
        ])
    }

    #[test]
    fn texts_lose_what_nobody_else_needs() {
        for (text, left) in [
            (
                "2026-11-22T23:50:53.120Z [4711]  INFO countersign::relay: leaving why=\"EOF\"",
                None,
            ),
            ("account SIM101 and sim101", Some("account ...101 and ...101")),
            ("/home/trader/.config/countersign", Some("~/.config/countersign")),
            (
                "the phrase is Blue Heron here",
                Some("the phrase is [blanked] here"),
            ),
            (
                "Authorization: Bearer abcdefghijklmn",
                Some("Authorization: Bearer [blanked]"),
            ),
            (
                "GET /callback?code=4f9aX2bc&state=ok",
                Some("GET /callback?code=[blanked]&state=ok"),
            ),
            (
                "{\"access_token\":\"tok_9f8e7d6c5b4a39281706\"}",
                Some("{\"access_token\":\"[blanked]\"}"),
            ),
            ("pin: otter lamp seven brick canoe", Some("pin: [blanked]")),
            (
                "eyJhbGciOiJIUzI1NiJ9xx.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlMTIzNDU2Nzg5",
                Some("[blanked].[blanked].[blanked]"),
            ),
            ("APEX123456 filled", Some("...456 filled")),
            ("code=-32600 and a code that works", None),
            ("logs/countersign-2026-11-22-001.log", None),
            ("port 54321, 1763855453 ms", None),
            ("a long-word-without-any-number-in-it stays", None),
        ] {
            assert_eq!(blank().text(text), left.unwrap_or(text));
        }
    }

    #[test]
    fn a_config_file_keeps_its_rules_and_loses_names_and_comments() {
        let text = "# my broker is Broker 778899\nphrase = \"blue heron\"\n[account.\"PA-APEX-12345\"]\nclass = \"live\" # secret note\nmax_contracts = 3\ncopies_to = [\"Follower9\"]\n[account.\"*\"]\nblocked = true\n[[rule]]\naccount = \"Sim101\"\ndo = \"ask\"\n";
        let left = blank().config(text);
        for gone in ["778899", "heron", "12345", "note", "Follower", "Sim101"] {
            assert!(!left.contains(gone), "{gone}: {left}");
        }
        for kept in [
            "...345",
            "class = \"live\"",
            "max_contracts = 3",
            "...er9",
            "\"*\"",
            "...101",
            "do = \"ask\"",
        ] {
            assert!(left.contains(kept), "{kept}: {left}");
        }
        let broken = blank().config("[account.\"PA-APEX-12345\"]\nclas = 'live' # note\nx = [");
        assert!(
            !broken.contains("APEX") && !broken.contains("note") && broken.contains("clas = "),
            "{broken}"
        );
    }
}
