//! The pages that the browser shows at the end of a sign-in: self-contained, without scripts, with nothing of the
//! request in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = "body{font:17px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1c2430}\
main{max-width:34rem;margin:14vh auto;padding:2rem 2.4rem;background:#fff;border-radius:14px;\
box-shadow:0 2px 18px rgba(20,30,50,.10)}\
h1{font-size:1.45rem;margin:0 0 .8rem}p{margin:.5rem 0}.mark{color:#5b6675;font-size:.85rem;margin-top:1.6rem}\
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e8ebf0}main{background:#1e242e;box-shadow:none}\
.mark{color:#98a2b3}}";

/// A page with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) status: u16,
    title: &'static str,
    text: String,
}

impl Page {
    /// The code was exchanged: access was granted.
    pub(super) fn granted() -> Self {
        Self {
            status: 200,
            title: "Access granted",
            text: "Countersign has what it needs from the service and is checking it. You can close this window and \
                   go back to where you started."
                .to_owned(),
        }
    }

    /// The sign-in ended without a grant.
    pub(super) fn ended(reason: &str) -> Self {
        Self {
            status: 200,
            title: "Not signed in",
            text: capitalised(reason),
        }
    }

    /// A request that is not the answer to this sign-in.
    pub(super) fn refused(status: u16, reason: &str) -> Self {
        Self {
            status,
            title: "This page is not in use",
            text: capitalised(reason),
        }
    }

    /// The whole document.
    pub(super) fn html(&self) -> String {
        let (title, text) = (escape(self.title), escape(&self.text));
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{title} – Countersign</title><style>{STYLE}</style></head><body>\
             <main><h1>{title}</h1><p>{text}</p><p class=\"mark\">Countersign</p></main></body></html>"
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

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
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

    #[test]
    fn everything_is_escaped() {
        let html = Page::ended("<script>alert('x')</script> & \"more\"").html();
        assert!(!html.contains("<script"), "{html}");
        assert!(
            html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;."),
            "{html}"
        );
        assert!(!html.contains("http"), "no outside assets: {html}");
    }
}
