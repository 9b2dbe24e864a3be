//! An order through a proxy of the environment: bytes of TLS, which the proxy cannot read; and where the proxy does not open the
//! way, nothing of the order has left.

use super::*;

#[tokio::test]
async fn an_order_through_a_proxy() {
    let (mut bench, proxy) = Bench::through_proxy("orders-proxy").await;
    // A quiet network: every order goes through the tunnel.
    bench.case("HTTPS_PROXY is set", &FINE, |_| None).await;
    for (fault, answer) in [
        (
            "the proxy refuses (403)",
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "the proxy wants a password (407)",
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        unsent(&mut bench, &proxy, fault, answer).await;
    }
    // The tunnel breaks after the service ran it.
    bench
        .case(
            "the tunnel breaks after it was run",
            &RAN,
            ran_raw(|_| vec![Step::Reset]),
        )
        .await;
    let heard = proxy.heard();
    assert!(
        !heard.is_empty() && heard.iter().all(|head| head.starts_with("CONNECT ct.example:")),
        "{heard:?}"
    );
    let heard = heard.concat().to_lowercase();
    assert!(
        !heard.contains("authorization: bearer"),
        "the proxy sees no token"
    );
    assert!(!heard.contains("placeorder"), "nor the order");
    bench.done().await;
}

/// One row: an order for which the proxy opens no way, and the next one.
async fn unsent(bench: &mut Bench, proxy: &Proxy, fault: &str, answer: &'static str) {
    bench.front.cut();
    proxy.answer(Some(answer));
    let came = bench.one_order().await;
    proxy.answer(None);
    assert_eq!((came.seen, came.ran), (0, 0), "{fault}: {}", came.text);
    assert!(came.text.starts_with("NOT SENT"), "{fault}: {}", came.text);
    assert!(came.took < Duration::from_secs(40), "{fault}: {:?}", came.took);
    let next = bench.order().await;
    assert_eq!(
        (&*next.status, next.seen, next.ran),
        ("accepted", 1, 1),
        "{fault}: {}",
        next.text
    );
    bench.table.add(Row {
        fault: fault.to_owned(),
        saw: format!("`{}`: {}", came.status, short(&came)),
        took: came.took,
        seen: format!("{} ({} run)", came.seen, came.ran),
        next: next.status,
    });
}
