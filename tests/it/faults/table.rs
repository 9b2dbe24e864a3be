//! What was measured, row by row: kept beside the build, and compared with `docs/networks.md`, which is made of it.
//!
//! `tests/networks.sh` measures everything anew and writes the page.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/networks.md");

/// Part of the page: its heading, what stands under it, the columns, and the families whose rows it has.
struct Section {
    heading: &'static str,
    text: &'static str,
    columns: &'static str,
    families: &'static [&'static str],
}

const INTRO: &str = "\
# Bad networks

What comes of a call when the network, or what stands in it, does not do its part. Each row is a test that runs the real program against a
server of bytes which hurts exactly that request and counts how often it arrived. `tests/networks.sh` measures everything and writes this
page; a test that finds something else than its row here fails. Times are those of an unoptimised build on a busy machine; where a time limit
decides, they show the limit.

The limits: 10 s to reach the server (name, connection, TLS), tried twice; 60 s from the request to the head of its answer; from then on 16 KiB a minute
at least, or the end; 5 minutes of silence between the events of a stream (a comment of the server's counts as a sign of life, so that a long
call lives as long as its server says so and the client does not cancel it); for an order one minute in all, and then its outcome is looked
for in orders and positions. A read that failed within 20 s is tried once more. 256 requests are with the server at once, 1,024 may be open.
A body may have 128 MiB, an event 64 MiB; four answers above 1 MiB are taken in at once, small ones beside them.

A request over HTTPS goes through the proxy that `HTTPS_PROXY` or `ALL_PROXY` names (unless `NO_PROXY` names the server), also an order: the
proxy is asked for a tunnel to the server's name and sees TLS, neither the order nor a token. A request to this computer goes through none. A
proxy that does not work is an error, never a reason to go past it. `countersign doctor` says which proxy is used.
";

const COLUMNS: &str = "| fault | the client saw | time | requests seen | next call |";

const SECTIONS: [Section; 5] = [
    Section {
        heading: "An order",
        text: "\
CrossTrade's profile. The simulator is the service, and says how often the order ran. `unknown` means: it was sent once, nobody knows what
came of it, it is looked for and never sent again. `voided` means: it provably did not run, or was not sent. Where an answer says that it did
not run, no approval is used a second time: orders and positions are looked at, and the person is asked once more. The policy of these tests
lets the orders through; where a person has to be asked there is nobody on that machine.",
        columns: "| fault | the client saw | time | requests seen (executed) | next order |",
        families: &[
            "orders-cut",
            "orders-idle",
            "orders-answers",
            "orders-statuses",
            "orders-lies",
            "orders-redirects",
            "orders-http2",
            "orders-stall-head",
            "orders-stall-body",
            "orders-drip",
            "orders-late",
            "orders-asleep",
            "orders-proxy",
        ],
    },
    Section {
        heading: "A read",
        text: "\
CrossTrade's profile: the same refusal for three calls in a row. Access is renewed at most once for a call, no window is opened, and
the calls after it are answered.",
        columns: "| fault | the client saw | time | requests seen | next call |",
        families: &["reads-refused"],
    },
    Section {
        heading: "Any server",
        text: "\
The plain profile. A tool call is never sent twice where it may have run; a read may be. `sent` is the word that programs find in
`error.data.countersign.sent`.",
        columns: COLUMNS,
        families: &[
            "plain-cut",
            "plain-answers",
            "plain-statuses",
            "plain-sessions",
            "plain-redirects",
            "plain-redirects-tls",
            "plain-http2",
            "plain-stall-head",
            "plain-stall-half-head",
            "plain-stall-body",
            "plain-stall-event",
            "plain-drip-body",
            "plain-drip-event",
            "plain-idle",
            "plain-asleep",
        ],
    },
    Section {
        heading: "The way to the server",
        text: "The plain profile; reads and calls alike. Nothing of the request has left where it says `no`.",
        columns: COLUMNS,
        families: &[
            "reach-refused",
            "reach-name",
            "reach-blackhole",
            "reach-tls",
            "reach-tls-silence",
            "reach-ipv6",
            "reach-proxy",
            "reach-no-proxy",
            "reach-proxy-dead",
            "reach-proxy-socks",
        ],
    },
    Section {
        heading: "Many at once",
        text: "The plain profile. Memory is the program's peak (PSS), of an unoptimised build.",
        columns: "| situation | the client saw | time | requests seen | memory |",
        families: &[
            "many-256",
            "many-over",
            "many-beside",
            "many-100mb",
            "many-event",
            "many-bomb",
            "many-unread",
        ],
    },
];

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) fault: String,
    pub(crate) saw: String,
    pub(crate) took: Duration,
    pub(crate) seen: String,
    /// What became of the next call; in the last section the memory.
    pub(crate) next: String,
}

impl Row {
    fn cells(&self) -> [String; 5] {
        [
            &self.fault,
            &self.saw,
            &seconds(self.took),
            &self.seen,
            &self.next,
        ]
        .map(|cell| cell.replace('|', "/"))
    }
}

/// The rows of one family.
#[derive(Debug)]
pub(crate) struct Table {
    family: &'static str,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(family: &'static str) -> Self {
        Self {
            family,
            rows: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The row that was added last.
    pub(crate) fn last(&self) -> &Row {
        self.rows.last().expect("a row")
    }

    /// Writes the rows down, and compares them with the page where that has them.
    pub(crate) fn done(self) {
        let cells: Vec<[String; 5]> = self.rows.iter().map(Row::cells).collect();
        let path = measured(self.family);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, json!(cells).to_string()).expect("written");
        if std::env::var_os("COUNTERSIGN_TEST_MEASURE").is_some() {
            return;
        }
        let page = std::fs::read_to_string(PAGE).expect("docs/networks.md");
        let section = SECTIONS
            .iter()
            .find(|section| section.families.contains(&self.family));
        let heading = format!("\n## {}\n", section.expect("a section").heading);
        let part = page.split_once(&heading).map_or("", |(_, rest)| rest);
        let part = part.split("\n## ").next().unwrap_or_default();
        for row in cells {
            let start = format!("| {} |", row[0]);
            let line = part.lines().find(|line| line.starts_with(&start));
            let line =
                line.unwrap_or_else(|| panic!("docs/networks.md has no row {start}: run tests/networks.sh"));
            let told: Vec<&str> = line.split('|').map(str::trim).collect();
            let memory = self.family.starts_with("many-");
            let same = word(told[2]) == word(&row[1]) && told[4] == row[3] && (memory || told[5] == row[4]);
            assert!(
                same,
                "docs/networks.md says otherwise (tests/networks.sh writes it anew):\n{line}\n{row:?}"
            );
        }
    }
}

/// What decides in the words for the client: what comes after it may name one of several causes.
fn word(saw: &str) -> &str {
    saw.split(": ").next().unwrap_or_default()
}

fn measured(family: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("networks/{family}.json"))
}

fn seconds(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}

/// What stands above the rows of a section.
fn head(section: &Section) -> String {
    let rules: String = section.columns.split('|').skip(2).map(|_| "---|").collect();
    format!(
        "\n## {}\n\n{}\n\n{}\n|{rules}\n",
        section.heading, section.text, section.columns
    )
}

/// The page says what is written here above each table, and has rows below it. With `COUNTERSIGN_TEST_MEASURE=page`
/// (`tests/networks.sh`) it is written first, of what was measured last.
#[test]
fn the_page() {
    if std::env::var_os("COUNTERSIGN_TEST_MEASURE").is_some_and(|what| what == "page") {
        let mut page = INTRO.to_owned();
        for section in SECTIONS {
            page.push_str(&head(&section));
            for family in section.families {
                let text = std::fs::read_to_string(measured(family))
                    .unwrap_or_else(|_| panic!("{family} was not measured"));
                let rows: Vec<Vec<Value>> = serde_json::from_str(&text).expect("rows");
                for row in rows {
                    let cells: Vec<&str> = row.iter().filter_map(Value::as_str).collect();
                    writeln!(page, "| {} |", cells.join(" | ")).expect("text");
                }
            }
        }
        std::fs::write(PAGE, page).expect("written");
    }
    let page = std::fs::read_to_string(PAGE).expect("docs/networks.md");
    let mut rest = page.strip_prefix(INTRO).expect("the beginning");
    for section in SECTIONS {
        rest = rest
            .strip_prefix(head(&section).as_str())
            .unwrap_or_else(|| panic!("{} is not as it is written here", section.heading));
        let rows = rest.lines().take_while(|line| line.starts_with("| ")).count();
        assert!(rows >= section.families.len(), "{}: {rows} rows", section.heading);
        rest = rest
            .get(rest.find("\n\n## ").map_or(rest.len(), |at| at + 1)..)
            .expect("a place");
    }
    assert_eq!(rest, "", "something stands behind the last table");
}
