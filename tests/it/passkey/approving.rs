//! The way it should go: registered, approved, executed once.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_and_approved_each_order_goes_once_by_its_own_touch() {
    let mut keyed = Keyed::new().await;
    let mut client = keyed.desk.client().await;
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    keyed.browser.screenshot("passkey-pin");
    keyed.unlock();
    assert_eq!(
        keyed.desk.sim.executed().await,
        [""; 0],
        "the PIN alone approves nothing"
    );
    keyed.browser.screenshot("passkey-touch");
    keyed.browser.click("#approve");
    let told = client.result(id).await;
    assert_eq!(status(&told), "accepted", "{}", text(&told));
    assert_eq!(keyed.desk.sim.executed().await, ["PlaceOrder"]);
    // The same process has the grant at hand: the next order, the very same one, takes a touch and no PIN.
    let id = client.send_call("PlaceOrder", &buy()).await;
    keyed.open().await;
    assert!(
        !keyed.browser.text().contains("Your PIN"),
        "{}",
        keyed.browser.text()
    );
    keyed.browser.click("#approve");
    assert_eq!(status(&client.result(id).await), "accepted");
    keyed
        .desk
        .check(
            &["PlaceOrder", "PlaceOrder"],
            &[
                "passkey_registered",
                "held",
                "approved",
                "accepted",
                "held",
                "approved",
                "accepted",
            ],
        )
        .await;
}
