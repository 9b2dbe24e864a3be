//! The connection breaks under an order, or the computer sleeps.

use super::*;

#[tokio::test]
async fn connections_that_break() {
    let mut bench = Bench::new("orders-cut").await;
    bench
        .case("cut before it is run (FIN)", &LOST, raw(vec![Step::End]))
        .await;
    bench
        .case("cut before it is run (RST)", &LOST, raw(vec![Step::Reset]))
        .await;
    bench
        .case("cut after it was run (FIN)", &RAN, ran_raw(|_| vec![Step::End]))
        .await;
    bench
        .case("cut after it was run (RST)", &RAN, ran_raw(|_| vec![Step::Reset]))
        .await;
    let half = |message: Value| {
        let text = message.to_string();
        vec![
            Step::Send(head("application/json", text.len())),
            Step::Send(text[..text.len() / 2].into()),
            Step::End,
        ]
    };
    bench
        .case("JSON body cut in the middle", &RAN, ran_raw(half))
        .await;
    let half = |message: Value| {
        let text = message.to_string();
        events(format!("event: message\ndata: {}", &text[..text.len() / 2]))
    };
    bench.case("event cut in the middle", &RAN, ran_raw(half)).await;
    let no_blank = |message: Value| events(format!("data: {message}\n"));
    bench
        .case(
            "stream ends before the event's blank line",
            &RAN,
            ran_raw(no_blank),
        )
        .await;
    bench
        .case(
            "stream ends without an event",
            &RAN,
            ran_raw(|_| events(String::new())),
        )
        .await;
    let garbage = || vec![Step::Send(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), Step::End];
    bench.case("bytes that are no HTTP", &LOST, raw(garbage())).await;
    bench.done().await;
}

/// The service closes each connection right after each answer, without saying so: a connection that looks idle is gone when
/// the order is sent on it. It arrives once, or not at all and is sent on another connection because not a byte of it left.
#[tokio::test]
async fn idle_connections_that_are_closed_as_the_order_is_sent() {
    let mut bench = Bench::new("orders-idle").await;
    let mut told = std::collections::BTreeMap::new();
    let mut longest = Duration::ZERO;
    for _ in 0..8 {
        bench.front.rule(|request, _| {
            if is_order(request) || request.method == "GET" {
                return None;
            }
            Some(Play::ran(|answer| {
                Play::Steps(vec![Step::Send(answer.bytes()), Step::End])
            }))
        });
        let came = bench.order().await;
        assert!(came.seen <= 1 && came.ran == came.seen, "{}", came.text);
        assert!(
            ["accepted", "unknown", "voided"].contains(&&*came.status),
            "{}",
            came.text
        );
        assert_eq!(came.status == "accepted", came.ran == 1, "{}", came.text);
        assert!(came.status != "voided" || came.seen == 0, "{}", came.text);
        longest = longest.max(came.took);
        *told.entry(came.status).or_insert(0) += 1;
    }
    bench.front.heal();
    let next = bench.order().await;
    assert_eq!(next.status, "accepted", "{}", next.text);
    let told: Vec<String> = told
        .iter()
        .map(|(status, times)| format!("`{status}` {times} times"))
        .collect();
    bench.table.add(Row {
        fault: "idle connection closed just before (8 orders)".to_owned(),
        saw: format!("told as it was: {}", told.join(", ")),
        took: longest,
        seen: "each 1 at most".to_owned(),
        next: next.status,
    });
    bench.done().await;
}

/// HTTP/2: a stream that is reset, a connection that is taken down. By that protocol a refused stream was not processed; the
/// word of something in between is no proof for an order.
#[tokio::test]
async fn http2() {
    let mut bench = Bench::second("orders-http2").await;
    for reason in [
        h2::Reason::REFUSED_STREAM,
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::CANCEL,
    ] {
        bench
            .case(
                &format!("HTTP/2: RST_STREAM {reason:?}"),
                &LOST,
                once(Play::ResetStream(reason)),
            )
            .await;
    }
    bench
        .case(
            "HTTP/2: RST_STREAM INTERNAL_ERROR after it was run",
            &RAN,
            ran(|_| Play::ResetStream(h2::Reason::INTERNAL_ERROR)),
        )
        .await;
    for reason in [h2::Reason::NO_ERROR, h2::Reason::ENHANCE_YOUR_CALM] {
        bench
            .case(
                &format!("HTTP/2: GOAWAY {reason:?} instead of an answer"),
                &LOST,
                once(Play::GoAway(reason)),
            )
            .await;
    }
    bench
        .case(
            "HTTP/2: GOAWAY NO_ERROR after it was run",
            &RAN,
            ran(|_| Play::GoAway(h2::Reason::NO_ERROR)),
        )
        .await;
    bench
        .case(
            "HTTP/2: GOAWAY, and the answer still comes",
            &FINE,
            ran(Play::GoAwayGently),
        )
        .await;
    // As after a change of the network: the connection seems to stand, and leads nowhere. It is found out, and the next order
    // goes on another one.
    bench
        .case(
            "HTTP/2: the connection leads nowhere any more, after it was run",
            &RAN,
            ran(|_| Play::Freeze),
        )
        .await;
    bench.done().await;
}

/// The computer sleeps while the order is on its way (the process is stopped), and wakes when the answer is there.
#[tokio::test]
async fn asleep_while_it_is_sent() {
    let mut bench = Bench::new("orders-asleep").await;
    let (wakes, awake) = tokio::sync::watch::channel(false);
    let pid = bench.client.id().to_string();
    let signal = move |name: &str| {
        let done = std::process::Command::new("kill").args([name, &pid]).status();
        assert!(done.expect("kill").success());
    };
    let sleeps = signal.clone();
    let asleep = tokio::spawn(async move {
        let _ = awake.clone().wait_for(|come| *come).await;
        sleeps("-STOP");
        tokio::time::sleep(Duration::from_secs(5)).await;
        signal("-CONT");
    });
    bench
        .case(
            "asleep for 5 s while it is on its way",
            &FINE,
            ran(move |answer| {
                let _ = wakes.send(true);
                Play::Steps(vec![
                    Step::Wait(Duration::from_secs(2)),
                    Step::Send(answer.bytes()),
                ])
            }),
        )
        .await;
    asleep.await.expect("it slept");
    bench.done().await;
}
