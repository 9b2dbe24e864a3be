//! `completions` and `man`: made from the words themselves, so that they cannot say something else. Both need no home
//! folder and leave nothing behind: packages are built with them.

use super::args::Cli;
use super::out::Out;
use super::{Exit, fail};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io;
use std::path::Path;

/// What the page of the whole program says beside its words: one line each, as troff.
const MORE: &str = r#".SH "EXIT STATUS"
0 fine; 1 failure; 2 wrong words; 3 not signed in; 4 not reachable; 5 denied; 6 nobody decided in time; 7 refused by
your rules, or stopped; 8 a config file is wrong; 9 partly done, or something waits for you; 130 interrupted.
.SH ENVIRONMENT
.TP
\fBCOUNTERSIGN_HOME\fR
Holds everything: rules, settings, sign\-ins, journal, logs. Else the usual folders of the system.
.TP
\fBCOUNTERSIGN_STORE\fR
\fBkeychain\fR or \fBfile\fR: where the key of the sign\-ins lies. With \fBfile\fR, programs that run as you can read it.
.TP
\fBCOUNTERSIGN_LOG\fR
How much is logged: \fBerror\fR, \fBwarn\fR, \fBinfo\fR, \fBdebug\fR, \fBtrace\fR or \fBoff\fR. Comes before \fBRUST_LOG\fR.
.TP
\fBBROWSER\fR
The browser that opens pages (Linux). Browsers without windows are refused.
.SH FILES
\fBpolicy.toml\fR has your rules, \fBsettings.toml\fR what it takes to approve; \fBcountersign doctor\fR says where they lie.
.SH SAFETY
No verb, flag or variable approves an order. Denying and stopping are always free: \fBcountersign halt\fR.
"#;

/// `completions SHELL`.
pub(super) fn completions(out: Out, shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut script);
    out.raw(String::from_utf8_lossy(&script).trim_end());
    Exit::Fine
}

/// `man [--to FOLDER]`.
pub(super) fn man(out: Out, folder: Option<&Path>) -> Exit {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(error) => return failed(out, "the pages cannot be made", &error),
    };
    let Some(folder) = folder else {
        for (_, page) in &pages {
            out.raw(page.trim_end());
        }
        return Exit::Fine;
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        pages
            .iter()
            .try_for_each(|(name, page)| std::fs::write(folder.join(name), page))
    });
    if let Err(error) = written {
        return failed(out, &folder.display().to_string(), &error);
    }
    let names: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
    out.data(
        &format!("{} pages are in {}", pages.len(), folder.display()),
        &serde_json::json!({ "folder": folder.display().to_string(), "pages": names }),
    );
    Exit::Fine
}

fn failed(out: Out, what: &str, error: &io::Error) -> Exit {
    let _ = fail(
        out,
        &format!("{what}: {error}"),
        "name a folder that you can write",
        Exit::Failure,
    );
    Exit::Failure
}

/// File name and text of each page: the program's own first, then one for each verb.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut whole = Cli::command();
    whole.build();
    let mut pages = Vec::new();
    add(&whole, &mut pages, MORE)?;
    Ok(pages)
}

/// troff reads ASCII; everything else has a name there.
fn plain(text: &str) -> String {
    let named = |c: char| {
        if c.is_ascii() {
            c.to_string()
        } else {
            format!("\\[u{:04X}]", u32::from(c))
        }
    };
    text.chars().map(named).collect()
}

fn add(command: &Command, pages: &mut Vec<(String, String)>, more: &str) -> io::Result<()> {
    let page = Man::new(command.clone())
        .manual("Countersign")
        .source(concat!("countersign ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text)?;
    let text = plain(&String::from_utf8_lossy(&text));
    pages.push((page.get_filename(), format!("{}\n{more}", text.trim_end())));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        add(verb, pages, "")?;
    }
    Ok(())
}
