//! What concerns passkeys alone: the agent has logged the PIN, and has no key.

use super::*;

/// Each of these was tried, and this is what came of it.
fn came(said: &str, expected: &[(&str, &str)]) {
    for (what, why) in expected {
        assert!(tried(said, &format!("{what} ->")).contains(why), "{what}: {said}");
    }
}

/// It opens the page before the person's tab, types the right PIN, is told the challenge, and forges whatever it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_the_pin_without_the_key_approves_nothing() {
    let mut place = Place::new().await;
    place.seal(Sealed::Passkey).await;
    let mut client = place.desk.client().await;
    let id = place.waits(&mut client, 4000.0).await;
    place.desk.card().await;
    let said = place.agent("touch.py", &["order", PIN]).await;
    came(
        &said,
        &[
            ("the right PIN", "Nothing is approved yet"),
            ("read the challenge", "read"),
            ("no signature", "takes your passkey"),
            ("its own key", "by a key that is not registered"),
            ("its own key under the registered id", "signature is not right"),
            ("an empty signature", "signature is not right"),
            ("a signature of another page", "another page asked for it"),
            ("a recorded signature", "something else than what was asked"),
            (
                "a recorded signature for this challenge",
                "signature is not right",
            ),
            ("a new key in place of a signature", "not what was asked for"),
        ],
    );
    place.nothing("made-up signatures").await;
    // The program has the grant at hand by now: a terminal and a scripted mouse open no other way.
    place.agent("watch.sh", &[]).await;
    place.desk.desktop.settle();
    place.desk.desktop.click(Button::Middle);
    place.nothing("a terminal and a mouse").await;
    place.desk.desktop.settle();
    place.desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    client.close().await;
    place.the_person_approves_once(Sealed::Passkey).await;
}

/// It runs the verbs that loosen, with the right PIN and a browser of its own; and adds a key, without the letters of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_the_pin_without_the_key_loosens_nothing_and_adds_no_key() {
    let mut place = Place::new().await;
    place.seal(Sealed::Passkey).await;
    let said = place.agent("touch.py", &["verbs", PIN]).await;
    came(
        &said,
        &[
            ("list the keys with the right PIN", "1 keys"),
            ("presence add-key: its page asks for", "a signature"),
            ("presence add-key", "exit 5"),
            ("presence set", "exit 5"),
            ("list the keys afterwards", "the same"),
        ],
    );
    assert!(!said.contains("exit 0"), "{said}");
    place.nothing("verbs with the right PIN").await;
    place.the_person_approves_once(Sealed::Passkey).await;
}

/// A passkey, honestly: the seal opens to the PIN alone. Whoever has it, and files and keychain beside it, needs no key and no
/// Countersign.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_tier_passkey_a_known_pin_with_files_and_keychain_trades_without_the_key() {
    let mut place = Place::new().await;
    place.seal(Sealed::Passkey).await;
    let stolen = place.agent("steal.py", &["--pin", PIN]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    assert!(tried(&stolen, "order with what lay under the seal").contains("HTTP 200"));
    assert_eq!(
        place.desk.sim.executed().await,
        ["PlaceOrder"],
        "this is what a PIN that nobody learns is for"
    );
}
