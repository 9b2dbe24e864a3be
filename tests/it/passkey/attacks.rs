//! Somebody else's pages, keys, answers and edits. Zero executions wherever it is refused.

use super::*;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};

impl Keyed {
    /// An order on the page, opened with the PIN: the page's origin, the tab's session and what is asked for.
    async fn asked(
        &mut self,
        order: &Value,
    ) -> (crate::support::program::Client, u64, String, String, Value) {
        let mut client = self.desk.client().await;
        let id = client.send_call("PlaceOrder", order).await;
        let origin = self.open().await;
        self.unlock();
        let (session, view) = self.told();
        assert!(view["touch"].is_object(), "{view}");
        (client, id, origin, session, view)
    }

    /// Nothing was executed, nothing was asked for with the trade grant, and the order can still be denied.
    async fn ends_unsent(mut self, mut client: crate::support::program::Client, id: u64) {
        assert_eq!(self.desk.sim.executed().await, [""; 0]);
        self.browser.click("#deny");
        assert_eq!(status(&client.result(id).await), "denied");
        assert_eq!(self.desk.sent("PlaceOrder").await, 0);
    }
}

fn body(session: &str, view: &Value, touch: &Value) -> Value {
    json!({ "session": session, "core": view["core"], "touch": touch })
}

fn of(view: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&view["touch"]["challenge"]), text(&view["touch"]["keys"][0]))
}

fn error(told: &Value) -> String {
    told["error"].as_str().unwrap_or_default().to_owned()
}

/// The key itself does not check its person: the browser refuses; and where the page is altered not to ask for that, we do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_touch_without_verification_of_the_person_is_refused() {
    let mut keyed = Keyed::new().await;
    let (client, id, origin, session, view) = keyed.asked(&buy()).await;
    keyed.move_to(false, |_| {});
    keyed.browser.click("#approve");
    keyed.browser.until("Nothing was approved");
    let (challenge, key) = of(&view);
    let signed = keyed.sign(&challenge, &key, "discouraged");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &signed)).await;
    assert!(error(&told).contains("did not check who touched it"), "{told}");
    keyed.desk.journaled("passkey_refused").await;
    keyed.ends_unsent(client, id).await;
}

/// One answer is looked at once. The same order again is another challenge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_is_good_for_one_order_once() {
    let mut keyed = Keyed::new().await;
    let (mut client, id, origin, session, view) = keyed.asked(&buy()).await;
    let (challenge, key) = of(&view);
    let signed = keyed.sign(&challenge, &key, "required");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &signed)).await;
    assert!(told["ended"].is_string(), "{told}");
    assert_eq!(status(&client.result(id).await), "accepted");
    let again = keyed
        .desk
        .sim
        .http()
        .post(format!("{origin}/approve"))
        .send()
        .await;
    drop(again);
    // The very same order: the signature of the first one does not fit.
    let id = client.send_call("PlaceOrder", &buy()).await;
    let origin = keyed.open().await;
    let (session, view) = keyed.told();
    assert_ne!(of(&view).0, challenge);
    for touch in [signed.clone(), signed] {
        let (_, view) = keyed.told();
        let (_, told) = keyed.post(&origin, &body(&session, &view, &touch)).await;
        assert!(
            error(&told).contains("something else than what was asked"),
            "{told}"
        );
    }
    // A new signature for the challenge that a refused answer has spent does not fit either.
    let stale = keyed.sign(&of(&view).0, &of(&view).1, "required");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &stale)).await;
    assert!(
        error(&told).contains("something else than what was asked"),
        "{told}"
    );
    keyed.browser.click("#deny");
    assert_eq!(status(&client.result(id).await), "denied");
    assert_eq!(keyed.desk.sim.executed().await, ["PlaceOrder"]);
    assert_eq!(keyed.desk.sent("PlaceOrder").await, 1);
}

/// What was signed is changed afterwards, or was never what we asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tampered_digest_is_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    let mut keyed = Keyed::new().await;
    let (client, id, origin, session, view) = keyed.asked(&buy()).await;
    let key = of(&view).1;
    // Signed for other bytes.
    let other = keyed.sign(&B64.encode([7; 32]), &key, "required");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &other)).await;
    assert!(
        error(&told).contains("something else than what was asked"),
        "{told}"
    );
    // Signed for other bytes, and then made to say ours.
    let (_, view) = keyed.told();
    let mut forged = other;
    let client_data = B64
        .decode(forged["clientDataJSON"].as_str().expect("a text"))
        .expect("base64");
    let told = String::from_utf8(client_data)
        .expect("JSON")
        .replace(&B64.encode([7; 32]), &of(&view).0);
    forged["clientDataJSON"] = B64.encode(told).into();
    let (_, told) = keyed.post(&origin, &body(&session, &view, &forged)).await;
    assert!(error(&told).contains("signature is not right"), "{told}");
    // For another version of the card than the one that stands.
    let (_, view) = keyed.told();
    let signed = keyed.sign(&of(&view).0, &key, "required");
    for core in [0, 2] {
        let brought = json!({ "session": session, "core": core, "touch": signed });
        let (_, told) = keyed.post(&origin, &brought).await;
        assert!(error(&told).contains("It changed while you answered"), "{told}");
    }
    // Without any signature, and with one that is not whole.
    let (_, told) = keyed
        .post(&origin, &json!({ "session": session, "core": view["core"] }))
        .await;
    assert!(error(&told).contains("takes your passkey"), "{told}");
    let (code, _) = keyed
        .post(&origin, &body(&session, &view, &json!({ "id": "x" })))
        .await;
    assert_eq!(code, 400);
    keyed.ends_unsent(client, id).await;
}

/// A page on another port has our credential id and our real challenge, and gets the touch: its origin is in what is signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_on_another_port_is_refused() {
    let mut keyed = Keyed::new().await;
    let (client, id, origin, session, view) = keyed.asked(&buy()).await;
    let (challenge, key) = of(&view);
    let evil = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = evil.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in evil.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]);
            let page = "<h1>Free gift: touch your key</h1>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    keyed.browser.open(&format!("http://localhost:{port}/"));
    keyed.browser.until("Free gift");
    let signed = keyed.sign(&challenge, &key, "required");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &signed)).await;
    assert!(error(&told).contains("another page asked for it"), "{told}");
    // Back on our page, by its address alone: the tab still knows its session.
    keyed.browser.open(&format!("{origin}/"));
    keyed.browser.until("Deny");
    keyed.ends_unsent(client, id).await;
}

/// A key that nobody registered here, in the same browser, signs the real challenge on the real page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unregistered_key_is_refused() {
    let mut keyed = Keyed::new().await;
    let (client, id, origin, session, view) = keyed.asked(&buy()).await;
    // The note beside the vault may be edited: it lets nobody in.
    keyed.desk.home.file(
        "state/passkeys.json",
        &format!("{{\"{}\":[\"mine (abcdefgh)\"]}}", keyed.desk.sim.url),
    );
    let made = keyed.browser.eval(
        "navigator.credentials.create({ publicKey: { challenge: new Uint8Array(32), rp: { id: 'localhost', name: 'x' }, \
         user: { id: new Uint8Array(16), name: 'x', displayName: 'x' }, pubKeyCredParams: [{ type: 'public-key', alg: -7 }] } }) \
         .then((key) => key.id)",
    );
    let made = made.as_str().expect("a new key").to_owned();
    let signed = keyed.sign(&of(&view).0, &made, "required");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &signed)).await;
    assert!(error(&told).contains("by a key that is not registered"), "{told}");
    // And under the id of the one that is.
    let (_, view) = keyed.told();
    let mut signed = keyed.sign(&of(&view).0, &made, "required");
    signed["id"] = of(&view).1.into();
    let (_, told) = keyed.post(&origin, &body(&session, &view, &signed)).await;
    assert!(error(&told).contains("signature is not right"), "{told}");
    keyed.ends_unsent(client, id).await;
}

/// A copy of the key counts from where it was copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_went_back_is_refused() {
    let mut keyed = Keyed::new().await;
    let (client, id, origin, session, view) = keyed.asked(&buy()).await;
    keyed.move_to(true, |credential| credential["signCount"] = 0.into());
    let (challenge, key) = of(&view);
    let signed = keyed.sign(&challenge, &key, "required");
    let (_, told) = keyed.post(&origin, &body(&session, &view, &signed)).await;
    assert!(error(&told).contains("counter went back"), "{told}");
    keyed.ends_unsent(client, id).await;
}

/// Both loopbacks are ours while the page is up; by number, under another name, or from another origin it is nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_speaks_for_the_page() {
    let mut keyed = Keyed::new().await;
    let (client, id, origin, session, view) = keyed.asked(&buy()).await;
    let port: u16 = origin
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port");
    let squatter = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).expect_err("both are taken");
    assert_eq!(squatter.kind(), std::io::ErrorKind::AddrInUse);
    let signed = keyed.sign(&of(&view).0, &of(&view).1, "required");
    let good = body(&session, &view, &signed);
    for (page, from) in [
        (
            origin.clone(),
            format!("http://localhost:{}", port.wrapping_add(1)),
        ),
        (origin.clone(), "null".to_owned()),
        (origin.clone(), format!("http://127.0.0.1:{port}")),
        (format!("http://127.0.0.1:{port}"), origin.clone()),
        (
            format!("http://127.0.0.1:{port}"),
            format!("http://127.0.0.1:{port}"),
        ),
    ] {
        let (code, told) = keyed.post_as(&page, &from, &good).await;
        assert_eq!(code, 403, "{page} {from}: {told}");
    }
    let (code, _) = keyed
        .post(&origin, &body("another session", &view, &signed))
        .await;
    assert_eq!(code, 403);
    keyed.ends_unsent(client, id).await;
}

/// The link opens one tab: whoever has the address later gets nothing, not even the challenge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_opens_once() {
    let mut keyed = Keyed::new().await;
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    let address = take(&keyed.link_file()).await;
    keyed.browser.open(&address);
    keyed.browser.until("Deny");
    read_it().await;
    let (origin, token) = address.split_once("/#").expect("a link");
    let open = keyed
        .desk
        .sim
        .http()
        .post(format!("{origin}/open"))
        .header("content-type", "application/json")
        .header("origin", origin)
        .body(json!({ "token": token }).to_string());
    assert_eq!(open.send().await.expect("an answer").status().as_u16(), 403);
    // Before the PIN the page itself knows neither challenge nor key.
    let (_, view) = keyed.told();
    assert!(view["touch"].is_null() && view["pin"] == true, "{view}");
    keyed.ends_unsent(client, id).await;
}

/// The settings are edited to ask for less. The PIN alone then opens the seal, and the seal says what it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_were_edited_to_ask_for_less_send_nothing() {
    let mut keyed = Keyed::new().await;
    let position = json!({ "account": "Sim101", "instrument": "MES 12-26", "quantity": 1 });
    keyed.desk.sim.post("position", &position).await;
    for tier in ["pin", "click"] {
        let edited = format!("requests_per_second = 0.0\ntier = \"{tier}\"\n");
        keyed.desk.home.meddle("config/settings.toml", &edited);
        let mut client = keyed.desk.client().await;
        // An order waits until the person has approved what changed.
        let told = client.call("PlaceOrder", &buy()).await;
        assert_eq!(
            told["structuredContent"]["code"],
            "policy_changed",
            "{}",
            text(&told)
        );
        client.close().await;
    }
    // An exit is asked about all the same, by the PIN that the edited file wants; what lies under the seal wants more.
    let edited = "requests_per_second = 0.0\ntier = \"pin\"\n";
    keyed.desk.home.meddle("config/settings.toml", edited);
    let mut client = keyed.desk.client().await;
    let close = json!({ "account": "Sim101", "instrument": "MES 12-26" });
    // The page about what changed is over; its link is none to follow.
    let _ = std::fs::remove_file(keyed.link_file());
    let id = client.send_call("ClosePosition", &close).await;
    keyed.open().await;
    keyed.browser.eval("document.getElementById('pin').focus()");
    keyed.browser.type_text(PIN);
    keyed.browser.key("Enter", 13);
    let told = client.result(id).await;
    assert_eq!(status(&told), "voided", "{}", text(&told));
    assert!(text(&told).contains("edited file"), "{}", text(&told));
    client.close().await;
    assert_eq!(keyed.desk.sim.executed().await, [""; 0]);
    assert_eq!(keyed.desk.sent("PlaceOrder").await, 0);
}

/// Every byte of the vault is behind the PIN and bound to its place: an edited one opens for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_vault_opens_for_nobody() {
    let mut keyed = Keyed::new().await;
    let path = keyed.desk.home.folder().join("state/vault");
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    let mut vault = std::fs::read(&path).expect("the vault");
    let middle = vault.len() / 2;
    vault[middle] ^= 1;
    std::fs::write(&path, vault).expect("written");
    keyed.browser.click("#pin");
    keyed.browser.type_text(PIN);
    keyed.browser.click("#approve");
    keyed.browser.until("vault");
    assert!(!keyed.browser.text().contains("The PIN is right"));
    keyed.ends_unsent(client, id).await;
}
