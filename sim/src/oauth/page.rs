//! The pages that a person sees: consent, refusal, and the list of AI clients.

use super::grants::Grant;
use super::{READ, TRADE, USERS};
use crate::clock;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#1c2530}\
h1{font-size:1.4rem}fieldset{border:1px solid #c4ccd4;border-radius:6px;margin:1rem 0;padding:.6rem 1rem}\
legend{font-weight:600}label{display:block;margin:.3rem 0}small{color:#5a6672}\
button{font:inherit;padding:.5rem 1.6rem;border-radius:6px;border:1px solid #8894a0;background:#fff;margin-right:.8rem}\
button.allow{background:#12633a;border-color:#12633a;color:#fff}table{border-collapse:collapse;width:100%}\
td,th{border-bottom:1px solid #dde3e8;text-align:left;padding:.4rem}.who{font-weight:600}";

/// Text that is safe between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                _ => out.push(c),
            }
            out
        })
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\
         <body>{body}<p><small>CrossTrade simulator. No real account, no real money.</small></p></body></html>",
        escape(title)
    )
}

/// A page with one paragraph.
pub(crate) fn plain(title: &str, text: &str) -> String {
    document(
        title,
        &format!("<h1>{}</h1><p>{}</p>", escape(title), escape(text)),
    )
}

/// The consent page: who asks, for what, as whom.
pub(crate) fn consent(client: &str, redirect: &str, scope: &str, user: &str, request: &str) -> String {
    let users: String = USERS
        .iter()
        .map(|name| radio("user", name, name, *name == user))
        .collect();
    let scopes = [
        (
            READ,
            "Read only: see accounts, positions, orders and market data. Cannot trade. (mcp:read)",
        ),
        (
            TRADE,
            "Trade: everything that reading allows, and place, change and cancel orders, run strategies and write code in NinjaTrader. (mcp:trade)",
        ),
    ];
    let scopes: String = scopes
        .iter()
        .map(|(value, words)| radio("scope", value, words, *value == scope))
        .collect();
    let body = format!(
        "<h1>Allow access to your CrossTrade account?</h1>\
         <p><span class=\"who\" id=\"client\">{client}</span> asks to use CrossTrade for you.<br>\
         <small>You will be sent back to {redirect}</small></p>\
         <form method=\"post\" action=\"/v1/oauth/mcp/authorize\">\
         <input type=\"hidden\" name=\"request\" value=\"{request}\">\
         <fieldset><legend>What it may do</legend>{scopes}</fieldset>\
         <fieldset><legend>CrossTrade user</legend>{users}</fieldset>\
         <p><button class=\"allow\" id=\"allow\" name=\"decision\" value=\"allow\">Allow</button>\
         <button id=\"deny\" name=\"decision\" value=\"deny\">Deny</button></p></form>\
         <p><small>You can withdraw access at any time on the <a href=\"/ai-clients\">AI Clients page</a>.</small></p>",
        client = escape(client),
        redirect = escape(redirect),
        request = escape(request),
    );
    document("Allow access?", &body)
}

fn radio(name: &str, value: &str, words: &str, checked: bool) -> String {
    format!(
        "<label><input type=\"radio\" name=\"{name}\" value=\"{}\"{}> {}</label>",
        escape(value),
        if checked { " checked" } else { "" },
        escape(words)
    )
}

/// The AI Clients page: every grant that is not revoked, with a button each.
pub(crate) fn ai_clients(grants: &[Grant]) -> String {
    let rows: String = grants.iter().filter(|g| !g.revoked).map(row).collect();
    let table = if rows.is_empty() {
        "<p>No AI client has access.</p>".to_owned()
    } else {
        format!(
            "<table><tr><th>Client</th><th>User</th><th>Scope</th><th>Created</th><th>Last activity</th><th></th></tr>{rows}</table>"
        )
    };
    document("AI Clients", &format!("<h1>AI Clients</h1>{table}"))
}

fn row(grant: &Grant) -> String {
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td><form method=\"post\" action=\"/ai-clients\">\
         <button name=\"grant\" value=\"{}\">Revoke</button></form></td></tr>",
        escape(&grant.client_name),
        escape(&grant.user),
        escape(&grant.scope),
        clock::rfc3339(grant.created_ms),
        clock::rfc3339(grant.used_ms),
        grant.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_name_is_text_and_never_markup() {
        let page = consent("<b>x</b>\"'&", "http://127.0.0.1/", READ, "trader-a", "r");
        assert!(!page.contains("<b>x"));
        assert!(page.contains("&lt;b&gt;x&lt;/b&gt;&quot;&#39;&amp;"));
    }
}
