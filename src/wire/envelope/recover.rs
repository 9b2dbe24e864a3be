//! Finds the id of what is no readable message, so that whoever waits for an answer gets one.

use super::super::json;
use super::Id;

/// What can be told of a message that does not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The id at the top level, if one legal id stands there.
    pub id: Option<Id>,
    /// It has a `result` or an `error`, so it answers something and must not be answered itself.
    pub response: bool,
}

/// The id at the top level of a broken, cut or overlong message. See [`recover`].
pub fn recover_id(head: &[u8]) -> Option<Id> {
    recover(head).id
}

/// Reads as far as `head` is the beginning of a JSON object. If no id was found thus, a last member
/// `"id": …}` at the very end counts as well: many clients write the id last, and whatever stands right before the
/// outermost closing brace belongs to the top level.
pub fn recover(head: &[u8]) -> Recovered {
    let text = String::from_utf8_lossy(head);
    let (mut ids, mut found) = (0, Recovered::default());
    json::survey(&text, |key, value| match &*key {
        "id" => {
            ids += 1;
            found.id = value.and_then(legal);
        }
        "result" | "error" => found.response = true,
        _ => {}
    });
    match ids {
        0 => found.id = last_member(&text),
        1 => {}
        // Two ids: whoever sent this may mean either.
        _ => found.id = None,
    }
    found
}

/// An id that bytes outside of UTF-8 were taken out of is not the sender's id.
fn legal(raw: &str) -> Option<Id> {
    Id::from_raw(raw).filter(|_| !raw.contains(char::REPLACEMENT_CHARACTER))
}

fn last_member(text: &str) -> Option<Id> {
    let before = text.trim_end().strip_suffix('}')?.trim_end();
    let (front, _) = before.rsplit_once(':')?;
    let key = front.trim_end().strip_suffix("\"id\"")?.trim_end();
    let value = before.get(front.len() + 1..)?.trim_start();
    legal(value).filter(|_| key.ends_with([',', '{']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, id: Option<&str>, response: bool) {
        let found = recover(head.as_bytes());
        assert_eq!(
            (found.id.as_ref().map(Id::raw), found.response),
            (id, response),
            "{head}"
        );
    }

    #[test]
    fn the_id_of_a_cut_message_is_found_if_it_is_whole() {
        check(
            r#"{"jsonrpc":"2.0","id":12,"method":"x","params":{"a":"#,
            Some("12"),
            false,
        );
        check(
            r#"{"jsonrpc":"2.0","id":"a\u0062", "params":"cut"#,
            Some(r#""a\u0062""#),
            false,
        );
        check(r#"{"jsonrpc":"2.0","id":12"#, None, false);
        check(r#"{"jsonrpc":"2.0","id":"#, None, false);
        check(r#"{"id":7,"result":[1,"#, Some("7"), true);
        check(r#"{"error":{},"id":7,"#, Some("7"), true);
        check(r#"{"params":{"id":1},"method""#, None, false);
        check(r#"{"id":1,"id":2,"x":"#, None, false);
        check(r#"{"id":null,"method":"x","#, None, false);
        check(r#"{"id":1.0,"method":"x","#, None, false);
        check(r#"{"id":1,"method":"x"}{"id":2}"#, Some("1"), false);
        check("", None, false);
        check("id", None, false);
        check("[1,2", None, false);
    }

    #[test]
    fn the_id_at_the_very_end_is_found() {
        check(
            r#"{"method":"x","params":{"a":"cut … here"},"jsonrpc":"2.0","id":5}"#,
            Some("5"),
            false,
        );
        check(
            r#"{"method":"x","params":{"a":"never ends ,"jsonrpc":"2.0", "id" : 5 } "#,
            Some("5"),
            false,
        );
        check(
            r#"{"result":{"a":"never ends ,"jsonrpc":"2.0","id":5}"#,
            Some("5"),
            true,
        );
        check(r#"{"params":{"a":"\x","id":5}}"#, None, false);
        check(r#"{"params":"\x","an\"id":5}"#, None, false);
        check(r#"{"params":"\x","id":nonsense}"#, None, false);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_the_id() {
        assert_eq!(recover_id(b"{\"method\":\"\xff\",\"id\":3}").unwrap().raw(), "3");
        assert_eq!(recover_id(b"{\"method\":\"x\",\"id\":\"\xff\"}"), None);
    }
}
