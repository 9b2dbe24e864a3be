//! The sealed tiers: what the agent takes, starts, calls, edits and forges places no order, and the person's own factor then
//! does, once.

use super::*;

/// What the agent takes, and the copies that it starts, while nothing waits; then the person, once.
async fn nothing_is_placed_by_what_it_takes_and_copies(tier: Sealed) {
    let mut place = Place::new().await;
    place.seal(tier).await;
    let client = place.desk.client().await;
    let stolen = place.agent("steal.py", &[]).await;
    assert!(
        tried(&stolen, "secret-tool lookup").ends_with("read"),
        "the keychain is open to it"
    );
    assert!(tried(&stolen, "open the vault").contains("2 grants"));
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    assert!(tried(&stolen, "order with the read token").contains("insufficient_scope"));
    assert_eq!(place.desk.sim.executed().await, [""; 0]);

    let copies = place.agent("copies.sh", &[]).await;
    let links = tried(&copies, "links that its browser was given");
    assert!(links.ends_with("-> 1"), "its own copy asked its own browser");
    let copy = tried(&copies, "a copy of the state, its settings at click");
    assert!(
        copy.contains("sealed") || copy.contains("not approved the change"),
        "it was pressed, and opened nothing: {copy}"
    );
    place.nothing("copies").await;
    client.close().await;

    place.the_person_approves_once(tier).await;
    // Nothing of the unsealed grant was left lying about.
    let stolen = place.agent("steal.py", &["--widen"]).await;
    assert!(tried(&stolen, "take the trade grant").ends_with("sealed"));
    assert!(
        stolen.contains("refresh the read grant with scope mcp:trade"),
        "{stolen}"
    );
    assert_eq!(place.desk.sim.executed().await, ["PlaceOrder"]);
}

/// Every verb, and every file, while nothing waits; then the person, once.
async fn nothing_is_placed_by_verbs_and_edits(tier: Sealed) {
    let mut place = Place::new().await;
    place.seal(tier).await;
    let client = place.desk.client().await;
    let verbs = place.agent("verbs.sh", &[]).await;
    assert!(
        tried(&verbs, "presence set click, a guess by stdin").contains("wrong PIN"),
        "{verbs}"
    );
    // With passkeys no terminal is listened to: it is asked on the page, and the verb was ended waiting for that.
    let waits_for = match tier {
        Sealed::Pin => "PIN",
        Sealed::Passkey => "exit 124",
    };
    assert!(
        tried(&verbs, "resume in a terminal of its own").contains(waits_for),
        "{verbs}"
    );
    assert!(tried(&verbs, "approve 7QK4").contains("exit 2"));
    place.nothing("verbs").await;
    assert!(
        tried(&verbs, "call after that").contains("stopped"),
        "a stop outlasts its file: {verbs}"
    );
    place.the_person_allows_again().await;
    let files = place.agent("files.sh", &[]).await;
    assert!(
        ["sealed", "not approved the change"].iter().any(|word| tried(
            &files,
            "settings at click, and a click"
        )
        .contains(word)),
        "{files}"
    );
    assert!(tried(&files, "a journal line that says approved").contains("exits with 1"));
    place.nothing("files").await;
    client.close().await;
    place.the_person_approves_once(tier).await;
}

/// What the agent does to an order that waits on the person's desk; then the person, once.
async fn nothing_is_placed_by_meddling_with_a_held_call(tier: Sealed) {
    let mut place = Place::new().await;
    place.seal(tier).await;
    let mut client = place.desk.client().await;
    let id = place.waits(&mut client, 4000.0).await;
    let page = place.agent("loopback.py", &["--steal"]).await;
    assert!(
        tried(&page, "read the link from the browser's words").contains("-> 1 found"),
        "{page}"
    );
    assert!(tried(&page, "open the link first").contains("200"), "{page}");
    assert!(
        tried(&page, "approve with a guessed PIN").contains("wrong PIN"),
        "{page}"
    );
    place.nothing("the page").await;
    place.desk.desktop.settle();
    place.desk.desktop.click(Button::Middle);
    place.nothing("a scripted click").await;
    place.agent("watch.sh", &[]).await;
    place.nothing("a terminal of its own").await;
    place.desk.desktop.settle();
    place.desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    place.desk.desktop.no_popup();
    for (way, price) in [("forge", 4001.0), ("rewrite", 4002.0), ("close", 4003.0)] {
        let id = place.waits(&mut client, price).await;
        place.desk.card().await;
        place.agent("bus.sh", &[way]).await;
        let told = client.result(id).await;
        assert_eq!(status(&told), "tampered", "{way}: {told}");
        place.nothing(way).await;
    }
    client.close().await;
    place.the_person_approves_once(tier).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_stolen_tokens_and_second_copies_place_nothing_in_tier_pin() {
    nothing_is_placed_by_what_it_takes_and_copies(Sealed::Pin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_verbs_and_edited_files_place_nothing_in_tier_pin() {
    nothing_is_placed_by_verbs_and_edits(Sealed::Pin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_meddling_with_a_held_call_places_nothing_in_tier_pin() {
    nothing_is_placed_by_meddling_with_a_held_call(Sealed::Pin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_stolen_tokens_and_second_copies_place_nothing_in_tier_passkey() {
    nothing_is_placed_by_what_it_takes_and_copies(Sealed::Passkey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_verbs_and_edited_files_place_nothing_in_tier_passkey() {
    nothing_is_placed_by_verbs_and_edits(Sealed::Passkey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_meddling_with_a_held_call_places_nothing_in_tier_passkey() {
    nothing_is_placed_by_meddling_with_a_held_call(Sealed::Passkey).await;
}

/// The settings say "a click" because the agent wrote that. The person's next sign-in for trading goes under the PIN all
/// the same: what lies under a seal says so itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e15_loosened_settings_do_not_take_the_seal_off_at_the_next_sign_in() {
    let mut place = Place::new().await;
    place.seal(Sealed::Pin).await;
    place.desk.sim.post("consent", &json!({})).await;
    place.desk.home.settings("tier = \"click\"\n");
    let (code, _, err) = place.desk.home.try_login(&place.desk.sim, &["--trade"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("under your PIN"), "{err}");
    let (code, _, err) = place
        .desk
        .home
        .try_login(&place.desk.sim, &["--single-grant"])
        .await;
    assert_eq!(code, 2, "{err}");
    let stolen = place.agent("steal.py", &[]).await;
    assert!(
        tried(&stolen, "take the trade grant").ends_with("sealed"),
        "{stolen}"
    );
    place.nothing("signing in again").await;
}

/// Guessing PINs is slowed from the third wrong one on, over all processes, and the next right PIN still opens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_guessed_pins_are_slowed_over_all_processes() {
    let mut place = Place::new().await;
    place.seal(Sealed::Pin).await;
    let words = [
        "presence",
        "set",
        "click",
        "--pin-stdin",
        "--url",
        &place.desk.sim.url,
    ];
    let mut waits = 0;
    for guess in 0..6 {
        let (code, _, err) = place
            .desk
            .home
            .run_with(&words, &format!("a guess number {guess}\n"))
            .await;
        assert_eq!(code, 5, "{err}");
        waits += u32::from(err.contains("too many wrong PINs"));
    }
    assert!(waits >= 2, "six guesses in a row were all looked at");
    place.nothing("guesses").await;
}

/// What a copy of the vault that was made before the PIN is good for: its renewal is spent, and the access token in it
/// lives for what the service gives it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_a_copy_of_the_vault_from_before_the_pin_cannot_be_renewed() {
    let mut place = Place::new().await;
    let before = place.desk.home.folder().join("before");
    std::fs::copy(place.desk.home.folder().join("state/vault"), &before).expect("a copy");
    place.seal(Sealed::Pin).await;
    place
        .desk
        .sim
        .post("expire", &json!({ "scope": "mcp:trade" }))
        .await;
    let stolen = place.agent("steal.py", &[&before.to_string_lossy()]).await;
    assert!(
        tried(&stolen, "order with the trade token").contains("HTTP 401"),
        "{stolen}"
    );
    place.nothing("an old copy").await;
}

/// The file store keeps nothing from a program of the same user; the seal lies on top of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_the_file_store_gives_the_vault_away_and_not_what_is_sealed() {
    let mut place = Place::with_store("file").await;
    place.seal(Sealed::Pin).await;
    let stolen = place.agent("steal.py", &[]).await;
    assert!(tried(&stolen, "read the key file").ends_with("read"), "{stolen}");
    assert!(
        tried(&stolen, "order with the read token").contains("insufficient_scope"),
        "{stolen}"
    );
    assert!(
        tried(&stolen, "take the trade grant").ends_with("sealed"),
        "{stolen}"
    );
    assert_eq!(place.desk.sim.executed().await, [""; 0]);
}
