//! What every edit keeps.

use super::*;
use crate::clients::entry;
use crate::clients::{Places, System};
use crate::system::Env;
use proptest::prelude::*;
use std::path::Path;

const JSON: Way = Way::Json("mcpServers");
const TOML: Way = Way::Toml("mcp_servers");

fn ours() -> Entry {
    let places = Places::of(
        System::Linux,
        Path::new("/home/trader"),
        &Env::of([]),
        "/usr/bin/countersign",
    );
    entry::start(&places)
}

fn there_and_back(way: Way, text: &str) {
    let with = set(way, text, &ours()).unwrap();
    assert!(servers(way, &with).unwrap().contains_key(entry::NAME), "{with}");
    assert_eq!(
        set(way, &with, &ours()).unwrap(),
        with,
        "a second time changes nothing"
    );
    let splice = Splice::between(text, &with);
    assert_eq!(splice.back(&with).unwrap(), text);
    assert_eq!(splice.forth(text).unwrap(), with);
    let without = unset(way, &with, true).unwrap();
    assert!(
        !servers(way, &without).unwrap().contains_key(entry::NAME),
        "{without}"
    );
}

#[test]
fn json_of_every_kind() {
    for text in [
        "{}",
        "{ }\n",
        "{\n}\n",
        "{\"a\":1}",
        "{\"mcpServers\":{}}",
        "{\r\n\t\"mcpServers\": {\r\n\t\t\"other\": {\"command\": \"x\"} // why\r\n\t}\r\n}\r\n",
        "\u{feff}{\n  // a comment\n  \"mcpServers\": {\n    \"other\": {},\n  },\n}\n",
        "",
        "\n",
        "\u{feff}",
        "// nothing but a comment\n",
        "{\"ünïcode\": \"\\u00fc\", \"mcpServers\": {\"a\": {}, \"b\": {\"env\": {\"K\": \"v\"}}}}",
    ] {
        there_and_back(JSON, text);
    }
}

#[test]
fn toml_of_every_kind() {
    for text in [
        "",
        "# only a comment",
        "model = \"x\"\r\n\r\n[mcp_servers.other]\r\ncommand = \"y\" # why\r\n\r\n# the end\r\n",
        "mcp_servers = { other = { command = \"y\" } }\n",
        "[mcp_servers]\n",
        "[mcp_servers.other]\ncommand = 'y'\n[mcp_servers.other.env]\nK = \"v\"\n[tui]\ntheme = \"dark\"\nx = nan\n",
        "mcp_servers.other.command = \"y\"\n",
        "\u{feff}a = 1\n",
    ] {
        there_and_back(TOML, text);
    }
}

#[test]
fn lines_end_as_the_files_lines_end() {
    let with = set(JSON, "{\r\n  \"a\": 1\r\n}\r\n", &ours()).unwrap();
    assert_eq!(
        with.matches('\n').count(),
        with.matches("\r\n").count(),
        "{with:?}"
    );
    let with = set(TOML, "a = 1\r\n# b\r\n", &ours()).unwrap();
    assert_eq!(
        with.matches('\n').count(),
        with.matches("\r\n").count(),
        "{with:?}"
    );
}

#[test]
fn what_cannot_be_read_is_refused_without_quoting_it() {
    for (way, text) in [
        (JSON, "{\"key\": \"SECRET"),
        (JSON, "[]"),
        (JSON, "{\"mcpServers\": []}"),
        (JSON, "{\"mcpServers\": {}, \"mcpServers\": {}}"),
        (
            JSON,
            "{\"mcpServers\": {\"countersign\": {}, \"countersign\": {}}}",
        ),
        (JSON, "{'SECRET': 1}"),
        (JSON, "{\"a\": 1 \"SECRET\": 2}"),
        (TOML, "SECRET"),
        (TOML, "mcp_servers = 3"),
        (TOML, "a = 1\na = \"SECRET\""),
    ] {
        let why = set(way, text, &ours()).unwrap_err();
        assert!(!why.contains("SECRET"), "{why}");
    }
}

#[test]
fn what_the_person_added_to_our_entry_stays() {
    let text = "{\"mcpServers\": {\"countersign\": {\"command\": \"/old\", /* mine */ \"disabled\": true}}}";
    let with = set(JSON, text, &ours()).unwrap();
    assert!(with.contains("/* mine */ \"disabled\": true"), "{with}");
    assert!(
        with.contains("/usr/bin/countersign") && !with.contains("/old"),
        "{with}"
    );
    let text = "[mcp_servers.countersign]\ncommand = \"/old\"\nenabled = false # mine\n";
    let with = set(TOML, text, &ours()).unwrap();
    assert!(
        with.contains("enabled = false # mine") && !with.contains("/old"),
        "{with}"
    );
}

/// Random JSON with comments, blanks and trailing commas.
fn any_json() -> impl Strategy<Value = String> {
    let blank = prop::sample::select(vec!["", " ", "\n", "\r\n", "\t", " /* c */ ", "// c\n", "\n\n  "]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i32>().prop_map(|n| n.to_string()),
        "[a-zäß☂/*:,{}\\[\\] ]{0,8}".prop_map(|text| serde_json::json!(text).to_string()),
    ];
    let value = leaf.prop_recursive(4, 40, 5, move |inner| {
        let blank = blank.clone();
        let member = ("[a-e]{1,2}", inner.clone(), blank.clone(), blank.clone());
        let object = (prop::collection::vec(member, 0..5), blank.clone(), any::<bool>()).prop_map(
            |(members, end, comma)| {
                let mut seen = std::collections::BTreeSet::new();
                let members: Vec<String> = members
                    .into_iter()
                    .filter(|(key, ..)| seen.insert(key.clone()))
                    .map(|(key, value, a, b)| format!("{a}\"{key}\"{b}:{a}{value}{b}"))
                    .collect();
                let comma = if comma && !members.is_empty() { "," } else { "" };
                format!("{{{}{comma}{end}}}", members.join(","))
            },
        );
        let list = (prop::collection::vec((inner, blank.clone()), 0..4), blank).prop_map(|(items, end)| {
            let items: Vec<String> = items
                .into_iter()
                .map(|(item, blank)| format!("{blank}{item}"))
                .collect();
            format!("[{}{end}]", items.join(","))
        });
        prop_oneof![object, list]
    });
    let blank = prop::sample::select(vec!["", " ", "\n", "\r\n", "/* c */", "// c\n"]);
    let servers = prop::collection::vec(value.clone(), 0..3);
    (value.clone(), value, servers, any::<(bool, bool, bool)>(), blank).prop_map(
        |(a, b, servers, (holder, bom, last), blank)| {
            let servers: Vec<String> = (0..)
                .zip(&servers)
                .map(|(n, value)| format!("{blank}\"s{n}\": {value}"))
                .collect();
            let holder = if holder {
                let holder = format!("\"mcpServers\":{blank}{{{}{blank}}}", servers.join(","));
                if last {
                    format!(",{blank}{holder}")
                } else {
                    format!(",{blank}{holder}{blank},\"z\":{b}")
                }
            } else {
                String::new()
            };
            format!(
                "{}{blank}{{{blank}\"x\": {a}{blank}{holder}{blank}}}{blank}",
                if bom { "\u{feff}" } else { "" }
            )
        },
    )
}

fn any_toml() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "# a comment",
        "",
        "   ",
        "a = 1",
        "b = \"x\" # why",
        "'c d' = [1,\n  2, # two\n]",
        "e = { f = 1 }",
        "g = nan",
        "h = 1979-05-27T07:32:00Z",
        "i = '''\nraw\n'''",
    ]);
    let table = prop::sample::select(vec![
        "[t]",
        "[t.u]",
        "[[list]]",
        "[mcp_servers.other]",
        "[mcp_servers.other.env]",
        "[mcp_servers.\"a b\"]",
        "[ z ]",
    ]);
    let part = (table, prop::collection::vec(line.clone(), 0..4));
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    (
        prop::collection::vec(line, 0..4),
        prop::collection::vec(part, 0..6),
        end,
        any::<(bool, bool)>(),
    )
        .prop_map(|(top, parts, end, (bom, last))| {
            let mut seen = std::collections::BTreeSet::new();
            let mut once = |table: &str, line: &str| {
                let key = line.split('=').next().unwrap_or_default().trim().to_owned();
                key.is_empty() || key.starts_with('#') || seen.insert((table.to_owned(), key))
            };
            let mut lines: Vec<String> = top
                .iter()
                .filter(|line| once("", line))
                .map(|line| (*line).to_owned())
                .collect();
            let mut tables = std::collections::BTreeSet::new();
            for (n, (table, inside)) in parts.iter().enumerate() {
                if !tables.insert(*table) {
                    continue;
                }
                lines.push((*table).to_owned());
                let name = format!("{n}");
                lines.extend(
                    inside
                        .iter()
                        .filter(|line| once(&name, line))
                        .map(|line| (*line).to_owned()),
                );
            }
            let text = lines.join("\n").replace('\n', end);
            format!(
                "{}{text}{}",
                if bom { "\u{feff}" } else { "" },
                if last { end } else { "" }
            )
        })
}

proptest! {
    #[test]
    fn any_json_comes_back(text in any_json()) {
        there_and_back(JSON, &text);
    }

    #[test]
    fn any_toml_comes_back(text in any_toml()) {
        if document(TOML, &text).is_ok() {
            there_and_back(TOML, &text);
        }
    }

    #[test]
    fn a_splice_leads_forth_and_back(a in ".{0,40}", b in ".{0,40}") {
        let splice = Splice::between(&a, &b);
        prop_assert_eq!(splice.forth(&a), Some(b.clone()));
        prop_assert_eq!(splice.back(&b), Some(a));
    }
}
