//! The pages that the browser shows at the end of a sign-in: self-contained, without scripts, with nothing of the
//! request in them. They look like the approval page, so that a person knows whose they are.
//!
//! Owns: the document and what it may load (nothing). Its sentences are in `page/words.rs`.

use super::error::LoginError;
use super::grants::GrantKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use words::Words;

mod words;

const STYLE: &str = include_str!("page/page.css");

/// A page with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) status: u16,
    /// What the style sheet calls it: `read`, `trade`, `none` or `idle`.
    look: &'static str,
    badge: &'static str,
    /// Under which name the service lists what was given; empty where nothing was.
    name: String,
    words: Words,
}

impl Page {
    /// The code was exchanged: access was granted under this name.
    pub(super) fn granted(kind: GrantKind, single: bool, name: &str) -> Self {
        let (look, badge) = match kind {
            GrantKind::Read => ("read", "READING"),
            GrantKind::Trade if single => ("trade", "READING AND TRADING"),
            GrantKind::Trade => ("trade", "TRADING"),
            GrantKind::Plain => ("read", "ACCESS"),
        };
        Self {
            status: 200,
            look,
            badge,
            name: name.to_owned(),
            words: words::granted(kind, single),
        }
    }

    /// The sign-in ended without a grant.
    pub(super) fn ended(error: &LoginError, kind: GrantKind) -> Self {
        Self::without(200, "none", words::ended(error, kind))
    }

    /// Countersign itself is gone, or waits for nothing.
    pub(super) fn over(reason: &'static str) -> Self {
        Self::without(200, "none", words::over(reason))
    }

    /// A request that is not the answer to this sign-in.
    pub(super) fn refused(status: u16, reason: &'static str) -> Self {
        Self::without(status, "idle", words::refused(reason))
    }

    fn without(status: u16, look: &'static str, words: Words) -> Self {
        Self {
            status,
            look,
            badge: if look == "none" {
                "NOTHING GRANTED"
            } else {
                "COUNTERSIGN"
            },
            name: String::new(),
            words,
        }
    }

    /// The whole document.
    pub(super) fn html(&self) -> String {
        let Words {
            title,
            say,
            may,
            may_not,
            next,
            close,
        } = &self.words;
        let (title, say) = (escape(title), coded(say));
        let named = match self.name.as_str() {
            "" => String::new(),
            name => format!("<span class=\"name\">{}</span>", escape(name)),
        };
        let items = |class: &str, all: &[&str]| {
            let item = |text: &&str| format!("<li class=\"{class}\">{}</li>", escape(text));
            all.iter().map(item).collect::<String>()
        };
        let list = match (may.is_empty(), may_not.is_empty()) {
            (true, true) => String::new(),
            _ => format!("<ul>{}{}</ul>", items("may", may), items("not", may_not)),
        };
        let next = match next.as_str() {
            "" => String::new(),
            text => format!("<p class=\"next\">{}</p>", coded(text)),
        };
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{title} – Countersign</title><style>{STYLE}</style></head><body>\
             <main class=\"{look}\"><div class=\"top\"><span class=\"badge\">{badge}</span>{named}</div>\
             <h1>{title}</h1><p class=\"say\">{say}</p>{list}{next}<p class=\"close\">{close}</p>\
             <p class=\"mark\">This page comes from Countersign on your own computer.</p></main></body></html>",
            look = self.look,
            badge = self.badge,
        )
    }
}

/// Allows nothing but our own style sheet, by its digest.
pub(super) fn content_policy() -> String {
    let digest = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Escaped text in which what stands between back-quotes is set as a command.
fn coded(text: &str) -> String {
    let mut code = false;
    let mut out = String::new();
    for (n, part) in text.split('`').enumerate() {
        if n > 0 {
            code = !code;
            out.push_str(if code { "<code>" } else { "</code>" });
        }
        out.push_str(&escape(part));
    }
    if code {
        out.push_str("</code>");
    }
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// One of each way in which a sign-in can end.
    fn endings() -> Vec<LoginError> {
        let text = || "<script>alert('x')</script> & \"more\"".to_owned();
        vec![
            LoginError::Denied,
            LoginError::WrongPlan,
            LoginError::InvalidScope(text()),
            LoginError::NotEnabled(text()),
            LoginError::NotNeeded,
            LoginError::AlreadySignedIn,
            LoginError::Withdrawn,
            LoginError::Elsewhere,
            LoginError::Again,
            LoginError::TooManyRegistrations(Duration::from_secs(61)),
            LoginError::Registration(text()),
            LoginError::WrongIssuer,
            LoginError::WrongScope(text()),
            LoginError::Discovery(text()),
            LoginError::NoPkce,
            LoginError::Network(text()),
            LoginError::Store(text()),
            LoginError::OtherIssuer,
            LoginError::Stopped,
            LoginError::TimedOut(Duration::from_secs(600)),
            LoginError::BadPaste(text()),
            LoginError::Service(text()),
        ]
    }

    #[test]
    fn everything_is_escaped_and_nothing_is_loaded() {
        let name = "Countersign read – <img src=x>";
        let mut pages: Vec<Page> = endings()
            .iter()
            .flat_map(|error| {
                [GrantKind::Read, GrantKind::Trade, GrantKind::Plain].map(|kind| Page::ended(error, kind))
            })
            .collect();
        pages.extend([
            Page::granted(GrantKind::Read, false, name),
            Page::granted(GrantKind::Trade, false, name),
            Page::granted(GrantKind::Trade, true, name),
            Page::granted(GrantKind::Plain, false, name),
            Page::over("it stopped"),
            Page::refused(404, "there is nothing here"),
        ]);
        for page in pages {
            let html = page.html();
            for forbidden in [
                "<script",
                "<img",
                "http",
                "url(",
                "@import",
                "<link",
                "javascript",
            ] {
                assert!(!html.contains(forbidden), "{forbidden}: {html}");
            }
            assert_eq!(html.matches("<h1>").count(), 1);
            assert_eq!(html.matches("<code>").count(), html.matches("</code>").count());
            assert!(html.contains("close this tab"), "{html}");
        }
    }

    /// What went wrong, that nothing was given, and one next step: for each ending.
    #[test]
    fn each_ending_says_what_to_do() {
        for error in endings() {
            for (kind, verb) in [
                (GrantKind::Read, "countersign login"),
                (GrantKind::Trade, "countersign login --trade"),
                (GrantKind::Plain, "restart"),
            ] {
                let words = words::ended(&error, kind);
                assert!(words.say.ends_with('.') && words.next.ends_with('.'), "{words:?}");
                assert!(
                    words.say.chars().next().is_some_and(char::is_uppercase),
                    "{words:?}"
                );
                if kind == GrantKind::Plain {
                    assert!(!words.say.contains("CrossTrade's"), "{words:?}");
                    assert!(!words.say.contains("countersign login"), "{words:?}");
                }
                let named: Vec<&str> = words.next.split('`').skip(1).step_by(2).collect();
                let ours = ["countersign doctor", "countersign logout", "countersign status"];
                assert!(
                    named
                        .iter()
                        .all(|command| command.starts_with(verb) || ours.contains(command)),
                    "{words:?}"
                );
            }
        }
    }
}
