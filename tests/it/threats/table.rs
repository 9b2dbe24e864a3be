//! Rows of the threat table that no other module proves.

use super::*;

/// A call that was taken back cannot be approved any more, and asked again it is a new question.
#[tokio::test]
async fn e11_what_was_cancelled_is_not_approved_afterwards() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
    let place = desk.desktop.aim(Button::Middle);
    let first = desk.tickets()[0]["id"].as_str().expect("an id").to_owned();
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.line(&cancel.to_string()).await;
    desk.journaled("withdrawn").await;
    desk.desktop.press(&place);
    // The old ticket's file is put back as it was while it was held.
    let file = desk.home.folder().join(format!("state/tickets/{first}.json"));
    let ended = std::fs::read_to_string(&file).expect("the ticket");
    let again = ended.replace("\"withdrawn\"", "\"held\"");
    assert_ne!(ended, again);
    std::fs::write(&file, again).expect("written");
    desk.desktop.press(&place);
    let mut second = desk.client().await;
    let told = second
        .call("countersign_await_approval", &json!({ "ticket": first }))
        .await;
    assert_ne!(status(&told), "accepted", "{told}");
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

/// Many small orders in place of a large one, where the person's rules let small ones through: the day's count holds.
#[tokio::test]
async fn e28_slices_are_counted() {
    let policy = "version = 1\n[limits]\norders_per_day = 3\n[account.\"Sim101\"]\nclass = \"sim\"\nmax_quantity = { MES = 1 }\n\
                  [[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"allow\"\n";
    let desk = ruled(policy).await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    let mut told = Vec::new();
    for n in 0..4 {
        for (client, price) in [(&mut one, 5000.0), (&mut two, 5100.0)] {
            let result = client.call("PlaceOrder", &bid(price + f64::from(n))).await;
            told.push(status(&result).to_owned());
        }
    }
    assert_eq!(
        told.iter().filter(|status| *status == "accepted").count(),
        3,
        "{told:?}"
    );
    assert_eq!(
        told.iter().filter(|status| *status == "refused").count(),
        5,
        "{told:?}"
    );
    assert!(!desk.screen.asked());
    assert_eq!(desk.sim.executed().await, ["PlaceOrder"; 3]);
}

/// Code trades without any order call: it is held, a click on the popup is not enough, and nothing of it is on the popup.
#[tokio::test]
async fn e29_code_and_strategies_are_held_and_a_click_does_not_approve_code() {
    let desk = Desk::new().await;
    let (browser, _) = page::noting_browser(&desk.desktop.folder().join("person"));
    let home = Home::on(desk.desktop.folder(), desk.desktop.env())
        .with("COUNTERSIGN_STORE", "file")
        .with("BROWSER", &browser);
    let mut client = home.serve(&desk.sim).await.hello().await;
    let source = "public class MarkerStrategy : Strategy { void Go() { EnterLong(50); } }";
    let code = [
        (
            "WriteNinjaScriptFile",
            json!({ "name": "MarkerStrategy", "kind": "strategy", "source": source }),
        ),
        (
            "CompileNinjaScript",
            json!({ "class_name": "MarkerStrategy", "source": source, "in_memory": false }),
        ),
    ];
    for (tool, arguments) in code {
        let id = client.send_call(tool, &arguments).await;
        desk.card().await;
        desk.desktop.click(Button::Middle);
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!(desk.sim.executed().await, [""; 0], "{tool}");
        desk.desktop.settle();
        desk.desktop.click(Button::Left);
        let told = client.result(id).await;
        assert_eq!(status(&told), "denied", "{tool}: {}", text(&told));
        desk.desktop.no_popup();
    }
    assert!(
        !desk.screen.text().contains("EnterLong"),
        "source code on a popup"
    );
    nothing_arrived(&desk).await;
}
