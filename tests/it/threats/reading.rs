//! What can be read in two ways, and what is not quite what it looks like.

use super::*;

#[tokio::test]
async fn g01_a_key_that_stands_twice_is_refused() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let good = order(r#""quantity":1"#);
    let calls = [
        call_of("PlaceOrder", &order(r#""quantity":1,"quantity":50"#)),
        call_of("PlaceOrder", &order(r#""quantity":1,"\u0071uantity":50"#)),
        call_of(
            "PlaceOrder",
            &order(r#""quantity":1,"bracket":{"stop":1,"stop":2}"#),
        ),
        call_of("PlaceOrder", &order(r#""quantity":{"a":1,"\u0061":2}"#)),
        format!(r#"{{"name":"ListOrders","name":"PlaceOrder","arguments":{good}}}"#),
        format!(r#"{{"name":"PlaceOrder","arguments":{{}},"arguments":{good}}}"#),
    ];
    all_refused(&desk, &mut client, &calls).await;
    // The whole message has two readings: two methods, two params.
    let call = call_of("PlaceOrder", &good);
    for twice in [
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{call}}}"#),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"ListOrders"}},"params":{call}}}"#
        ),
    ] {
        client.line(&twice).await;
    }
    client.until_now().await;
    assert!(!desk.screen.asked());
    nothing_arrived(&desk).await;
}

#[tokio::test]
async fn g02_a_key_in_another_letter_case_is_refused() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let good = order(r#""quantity":1"#);
    let calls = [
        call_of("PlaceOrder", &order(r#""quantity":1,"Quantity":50"#)),
        call_of("PlaceOrder", &order(r#""QUANTITY":1"#)),
        call_of("PlaceOrder", &good.replace("account", "Account")),
        format!(r#"{{"name":"ListOrders","Name":"PlaceOrder","arguments":{good}}}"#),
        format!(r#"{{"name":"PlaceOrder","Arguments":{good},"arguments":{{}}}}"#),
    ];
    all_refused(&desk, &mut client, &calls).await;
}

#[tokio::test]
async fn g03_only_a_plain_number_is_a_quantity() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let odd = [
        "1e2",
        "\"5\"",
        "5.0",
        "-0",
        "-1",
        "0",
        "NaN",
        "Infinity",
        "05",
        "+5",
        "0x5",
        "5_0",
        "true",
        "null",
        "[5]",
        "9007199254740993",
        "18446744073709551617",
        "1E0",
    ];
    let calls: Vec<String> = odd
        .iter()
        .map(|number| call_of("PlaceOrder", &order(&format!(r#""quantity":{number}"#))))
        .collect();
    all_refused(&desk, &mut client, &calls).await;
    let prices = ["1e3", "\"5000\"", "NaN", "-0", "5000.", ".5"];
    let calls: Vec<String> = prices
        .iter()
        .map(|price| {
            let limit = order(r#""quantity":1"#).replace("Market", "Limit");
            call_of(
                "PlaceOrder",
                &limit.replace(r#""quantity""#, &format!(r#""limit_price":{price},"quantity""#)),
            )
        })
        .collect();
    all_refused(&desk, &mut client, &calls).await;
    // And a plain one is held.
    let five = json!({ "account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "tif": "Day", "quantity": 5 });
    let id = desk.hold(&mut client, "PlaceOrder", &five).await;
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    nothing_arrived(&desk).await;
}

/// One contract of anything on Sim101.
const ONE: &str =
    "version = 1\n[account.\"Sim101\"]\nclass = \"sim\"\nmax_quantity = { ES = 1, MES = 1, \"*\" = 0 }\n";

fn of(account: &str, instrument: &str, quantity: u32) -> Value {
    json!({ "account": account, "instrument": instrument, "side": "Buy", "type": "Limit", "limit_price": 5000.0, "tif": "Day", "quantity": quantity })
}

#[tokio::test]
async fn g04_an_account_is_known_in_any_letter_case_and_no_other_spelling() {
    let desk = ruled(ONE).await;
    let mut client = desk.client().await;
    for account in ["Sim101", "SIM101", "sim101", "sIm101"] {
        let told = client.call("PlaceOrder", &of(account, "MES 12-26", 2)).await;
        assert_eq!(
            told["structuredContent"]["code"], "too_large",
            "{account}: {told}"
        );
    }
    let odd = [
        "Sim101 ",
        " Sim101",
        "Sim\u{a0}101",
        "\u{202e}101miS",
        "Sim\u{202e}101",
        "Sim\u{200b}101",
        "\u{405}im101",
        "Sim\u{ff11}01",
        "Sim101\u{0}",
        "Sim101\n",
        "Si\u{301}m101",
    ];
    for account in odd {
        let told = client.call("PlaceOrder", &of(account, "MES 12-26", 1)).await;
        assert_eq!(status(&told), "refused", "{account:?}: {told}");
        assert!(text(&told).starts_with("NOT SENT"), "{told}");
    }
    assert!(!desk.screen.asked());
    let id = desk
        .hold(&mut client, "PlaceOrder", &of("SIM101", "MES 12-26", 1))
        .await;
    let card = desk.tickets()[0]["card"].to_string();
    assert!(card.is_ascii() && !card.contains("\\u"), "{card}");
    let shown = desk.screen.text();
    let popup = shown.split_once("Approve BUY").expect("the popup").1;
    assert!(popup.is_ascii(), "{popup}");
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    nothing_arrived(&desk).await;
}

#[tokio::test]
async fn g05_one_limit_holds_for_every_spelling_of_a_contract() {
    let desk = ruled(ONE).await;
    let mut client = desk.client().await;
    let spellings = ["ES 12-26", "ES", "ES1!", "ESZ26", "es 12-26", "es1!"];
    for spelling in spellings {
        let told = client.call("PlaceOrder", &of("Sim101", spelling, 2)).await;
        assert_eq!(status(&told), "refused", "{spelling}: {told}");
        assert_eq!(
            told["structuredContent"]["code"], "too_large",
            "{spelling}: {told}"
        );
    }
    assert!(!desk.screen.asked());
    let id = desk
        .hold(&mut client, "PlaceOrder", &of("Sim101", "ES1!", 1))
        .await;
    let card = desk.tickets()[0]["card"].to_string();
    assert!(
        card.contains("ES1!") && card.contains("ES 12-26"),
        "the asked form and the contract: {card}"
    );
    desk.desktop.click(Button::Left);
    assert_eq!(status(&client.result(id).await), "denied");
    nothing_arrived(&desk).await;
}

#[tokio::test]
async fn g07_only_exact_names_of_tools_are_tools() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let good = order(r#""quantity":1"#);
    let names = [
        "placeorder",
        "PLACEORDER",
        "PlaceOrder\u{200b}",
        " PlaceOrder",
        "PlaceOrder ",
        "PlaceOrder\n",
        "PlaceOrderV2",
        "Place\u{41e}rder",
        "crosstrade.PlaceOrder",
        "ListOrders\u{200b}",
        "listorders",
        "",
    ];
    let mut calls: Vec<String> = names.iter().map(|name| call_of(name, &good)).collect();
    // The same name, written in another way than the service lists it.
    calls.push(format!(r#"{{"name":"Place\u004frder","arguments":{good}}}"#));
    calls.push(format!(r#"{{"name":["PlaceOrder"],"arguments":{good}}}"#));
    all_refused(&desk, &mut client, &calls).await;
    // Aliases are known by their own names, and held as what they do.
    for (alias, arguments, deed) in [
        (
            "Cancel",
            json!({ "account": "Sim101", "order_id": "nothing" }),
            "cancel",
        ),
        (
            "CancelOrder",
            json!({ "account": "Sim101", "order_id": "nothing" }),
            "cancel",
        ),
    ] {
        let id = client.send_call(alias, &arguments).await;
        desk.card().await;
        let held: Vec<Value> = desk
            .tickets()
            .into_iter()
            .filter(|held| held["state"] == "held")
            .collect();
        assert_eq!(held[0]["class"], deed, "{alias}: {}", held[0]);
        desk.desktop.click(Button::Left);
        assert_eq!(status(&client.result(id).await), "denied");
        desk.desktop.no_popup();
    }
    nothing_arrived(&desk).await;
}

#[tokio::test]
async fn g09_no_envelope_carries_an_order_past_the_gate() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let task = json!({ "name": "PlaceOrder", "arguments": buy(), "task": { "ttl": 60000 } });
    is_refusal("task", &client.request("tools/call", &task).await);
    // Methods that nobody knows go on, with the key that cannot trade, and the service does not know them either.
    let before = desk.sim.calls().await.len();
    for method in [
        "tools/callMany",
        "tools/Call",
        "tools/call ",
        "tasks/run",
        "crosstrade/PlaceOrder",
    ] {
        let calls = json!({ "name": "PlaceOrder", "arguments": buy(), "calls": [{ "name": "PlaceOrder", "arguments": buy() }] });
        let answer = client.request(method, &calls).await;
        assert!(answer.get("error").is_some(), "{method}: {answer}");
    }
    for call in &desk.sim.calls().await[before..] {
        assert_eq!(call["grant"], "mcp:read", "{call}");
    }
    // In this revision a batch is no message.
    let call = |id: u64, name: &str, arguments: &Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name, "arguments": arguments } });
    client
        .line(
            &json!([
                call(901, "ListOrders", &json!({})),
                call(902, "PlaceOrder", &buy())
            ])
            .to_string(),
        )
        .await;
    for id in [901, 902] {
        assert_eq!(client.answer(id).await["error"]["code"], -32600);
    }
    assert!(!desk.screen.asked());
    assert_eq!(desk.sim.executed().await, [""; 0]);
    assert_eq!(desk.sent("PlaceOrder").await, 0);
}

#[tokio::test]
async fn e10_what_is_nested_or_stringified_is_no_argument() {
    let desk = Desk::new().await;
    let mut client = desk.client().await;
    let inner = json!(order(r#""quantity":1"#)).to_string();
    let calls = [
        call_of("PlaceOrder", &format!(r#"{{"args_json":{inner}}}"#)),
        call_of("PlaceOrder", &inner),
        call_of("PlaceOrder", &format!("[{}]", order(r#""quantity":1"#))),
        call_of("PlaceOrder", &order(r#""quantity":{"value":1}"#)),
        call_of("PlaceOrder", &order(r#""quantity":[1]"#)),
        call_of("PlaceOrder", &order(r#""quantity":1,"extra":{"quantity":50}"#)),
        call_of("PlaceOrder", &order(r#""quantity":1,"order":{"quantity":50}"#)),
        call_of(
            "PlaceOrder",
            &order(r#""quantity":1"#).replace(r#""Sim101""#, r#"{"name":"Sim101"}"#),
        ),
        call_of(
            "PlaceOrder",
            &order(r#""quantity":1"#).replace(r#""Sim101""#, r#"["Sim101","PA-123456"]"#),
        ),
    ];
    all_refused(&desk, &mut client, &calls).await;
}
