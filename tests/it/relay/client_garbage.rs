//! A client that writes what is no message: the program lives, answers what can be answered, and relays on.

use super::{Bench, peak_mib, quote};
use crate::support::program::Client;
use serde_json::{Value, json};

/// A line, and the id and code of the error that answers it, if one does.
type Case<'a> = (&'a [u8], Option<(Value, i64)>);

async fn works(client: &mut Client) {
    assert_eq!(client.call("GetQuote", &quote()).await["isError"], false);
}

/// What is written until now, as JSON.
async fn said(client: &mut Client) -> Vec<Value> {
    let lines = client.until_now().await;
    lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn broken_lines_are_answered_where_their_id_can_be_read() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1010,"method":"x","params":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let lines: [Case<'_>; 16] = [
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1001,\"method\":\"x\",\"params\":{\"s\":\"\xff\xfe\"}}",
            Some((json!(1001), -32700)),
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1002,\"method\":\"x\0\"}",
            Some((json!(1002), -32700)),
        ),
        (b"\0\0\0\0", None),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1003,\"method\":\"tools/call\",\"params\":{\"name\":",
            Some((json!(1003), -32700)),
        ),
        (b"\x7fELF\x02\x01\x01\x00\xde\xad\xbe\xef", None),
        (deep.as_bytes(), Some((json!(1010), -32600))),
        (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", None),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}", None),
        (b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}", None),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1004,\"id\":1005,\"method\":\"x\"}",
            None,
        ),
        (
            b"{\"jsonrpc\":\"1.0\",\"id\":1006,\"method\":\"x\"}",
            Some((json!(1006), -32600)),
        ),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1007}", Some((json!(1007), -32600))),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1008,\"method\":\"x\",\"params\":7}",
            Some((json!(1008), -32600)),
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1009,\"result\":{\"s\":\"\xff\"}}",
            None,
        ),
        (b"null", None),
        (b"[]", None),
    ];
    for (line, expected) in lines {
        client.bytes(&[line, b"\n"].concat()).await;
        let answers = said(&mut client).await;
        let told: Vec<(Value, i64)> = answers
            .iter()
            .map(|a| (a["id"].clone(), a["error"]["code"].as_i64().unwrap_or(0)))
            .collect();
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{shown}");
    }
    works(&mut client).await;
    assert!(peak_mib(client.id()) < 100, "{} MiB", peak_mib(client.id()));
}

#[tokio::test]
async fn an_error_without_an_id_is_told_from_2025_11_25_on() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-11-25").await;
    client.line("not json").await;
    let answers = said(&mut client).await;
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].get("id"), answers[0]["error"]["code"].as_i64()),
        (None, Some(-32700))
    );
}

#[tokio::test]
async fn a_line_of_more_than_64_mib_is_refused_and_costs_no_memory() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    let chunk = vec![b'x'; 1 << 20];
    for (head, tail) in [
        (
            &br#"{"jsonrpc":"2.0","id":64,"method":"x","params":{"s":""#[..],
            &b"\"}}\n"[..],
        ),
        (
            &br#"{"method":"x","params":{"s":""#[..],
            &b"\"},\"jsonrpc\":\"2.0\",\"id\":64}\n"[..],
        ),
    ] {
        client.bytes(head).await;
        for _ in 0..300 {
            client.bytes(&chunk).await;
        }
        client.bytes(tail).await;
        assert_eq!(client.answer(64).await["error"]["code"], -32600);
    }
    works(&mut client).await;
    assert!(peak_mib(client.id()) < 200, "{} MiB", peak_mib(client.id()));
}

#[tokio::test]
async fn large_messages_pass_and_too_many_of_them_are_refused() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "stall", "seconds": 600, "times": 0, "method": "vendor/large" }))
        .await;
    let filler = "x".repeat(30 << 20);
    for id in 500..512 {
        client
            .line(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"vendor/large","params":{{"s":"{filler}"}}}}"#
            ))
            .await;
    }
    assert_eq!(
        client.answer(511).await["error"]["code"],
        -32600,
        "too much is open"
    );
    works(&mut client).await;
    assert!(peak_mib(client.id()) < 500, "{} MiB", peak_mib(client.id()));
    for id in 500..512 {
        client
            .line(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
            ))
            .await;
    }
    bench.sim.post("reset", &Value::Null).await;
    let id = 600;
    client
        .line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"vendor/large","params":{{"s":"{filler}"}}}}"#
        ))
        .await;
    assert_eq!(
        client.answer(id).await["error"]["code"],
        -32601,
        "the service's own answer"
    );
}

#[tokio::test]
async fn blank_lines_crlf_and_a_byte_order_mark_are_no_matter() {
    let bench = Bench::new().await;
    let mut client = bench.home.serve(&bench.sim).await;
    client
        .bytes(b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n")
        .await;
    client.bytes(&b"\r\n \t\n\n".repeat(10_000 / 3)).await;
    client
        .bytes(b"{\"jsonrpc\":\"2.0\",\r\"id\":2,\"method\":\"ping\"}\r\n")
        .await;
    for id in ["1", "2"] {
        assert_eq!(
            client.raw_answer(id).await,
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
        );
    }
    client.hello_as("2025-06-18", &json!({})).await;
    works(&mut client).await;
}

#[tokio::test]
async fn the_same_id_twice_and_unknown_methods_are_each_answered() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    bench
        .fault(&json!({ "kind": "slow", "tool": "GetQuote", "seconds": 0.5 }))
        .await;
    let call = r#"{"jsonrpc":"2.0","id":"d","method":"tools/call","params":{"name":"GetQuote","arguments":{"instrument":"MES 12-26"}}}"#;
    client.line(call).await;
    client.line(call).await;
    let first = client.raw_answer("\"d\"").await;
    assert!(
        first.contains("-32600"),
        "the second is refused while the first is open: {first}"
    );
    assert!(client.raw_answer("\"d\"").await.contains("\"result\""));
    assert_eq!(bench.count("tools/call").await, 1);
    // 1 and "1" are different ids.
    client
        .line(r#"{"jsonrpc":"2.0","id":1000,"method":"vendor/nothing"}"#)
        .await;
    client
        .line(r#"{"jsonrpc":"2.0","id":"1000","method":"vendor/nothing"}"#)
        .await;
    assert!(client.raw_answer("1000").await.contains("-32601"));
    assert!(client.raw_answer("\"1000\"").await.contains("-32601"));
    for params in [
        "{}",
        "[]",
        r#"{"name":7}"#,
        r#"{"name":"GetQuote","Name":"PlaceOrder"}"#,
        "null",
    ] {
        client
            .line(&format!(
                r#"{{"jsonrpc":"2.0","id":2000,"method":"tools/call","params":{params}}}"#
            ))
            .await;
        assert_eq!(client.answer(2000).await["error"]["code"], -32602, "{params}");
    }
    assert_eq!(client.until_now().await, [""; 0]);
}

#[tokio::test]
async fn half_a_message_and_the_end_is_an_end() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    client
        .bytes(br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"na"#)
        .await;
    let rest = client.close().await;
    assert!(
        rest.iter().all(|line| line.contains("\"id\":9,\"error\"")),
        "{rest:?}"
    );
}

#[tokio::test]
async fn noise_is_survived() {
    let bench = Bench::new().await;
    let mut client = bench.client("2025-06-18").await;
    // Sixteen million bytes of a fixed sequence that looks like chance, with line ends as they fall.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..16 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .take(1 << 20)
        .collect();
        client.bytes(&noise).await;
    }
    client.bytes(b"\n").await;
    works(&mut client).await;
    assert_eq!(client.until_now().await, [""; 0], "nothing there has an id");
    assert!(peak_mib(client.id()) < 100, "{} MiB", peak_mib(client.id()));
}
