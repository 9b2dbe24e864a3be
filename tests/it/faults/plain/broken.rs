//! The connection breaks under a request, or the computer sleeps.

use super::*;

#[tokio::test]
async fn connections_that_break() {
    let mut bench = Bench::new("plain-cut").await;
    bench
        .case(
            "cut instead of an answer (FIN)",
            &want("broke", 2, 1),
            raw(vec![Step::End]),
        )
        .await;
    bench
        .case(
            "cut instead of an answer (RST)",
            &want("broke", 2, 1),
            raw(vec![Step::Reset]),
        )
        .await;
    bench
        .case(
            "cut once (FIN)",
            &Want {
                read: (FINE, 2),
                call: ("broke", 1),
                within: 30,
            },
            |_, nth| (nth == 0).then(|| Play::Steps(vec![Step::End])),
        )
        .await;
    let half = |text: String| vec![Step::Send(text[..text.len() / 2].into()), Step::End];
    bench
        .case("JSON body cut in the middle", &want("cut", 2, 1), body(half))
        .await;
    let half = |text: String| events(format!("data: {}", &text[..text.len() / 2]));
    bench
        .case(
            "event cut in the middle",
            &want("without the answer", 2, 1),
            stream(half),
        )
        .await;
    bench
        .case(
            "stream ends without an event",
            &want("without the answer", 2, 1),
            stream(|_| events(String::new())),
        )
        .await;
    // The server takes the stream up again where it was cut only in theory.
    bench
        .case(
            "event id, then cut; taking it up is refused",
            &want("without the answer", 2, 1),
            stream(|_| events("id: 7\nretry: 10\ndata:\n\n".into())),
        )
        .await;
    let garbage = vec![Step::Send(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), Step::End];
    bench
        .case("bytes that are no HTTP", &want("broke", 2, 1), raw(garbage))
        .await;
    let long = vec![
        Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Step::Repeat(b"x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_vec(), 40_000),
        Step::Silence,
    ];
    bench
        .case("head without end", &want("broke", 2, 1), raw(long))
        .await;
    bench.done().await;
}

/// The server closes each connection right after each answer, without saying so: the next request may be written to one that
/// is gone.
#[tokio::test]
async fn idle_connections_that_are_closed_as_it_is_sent() {
    let mut bench = Bench::new("plain-idle").await;
    bench.server.rule(|request, _| match usual(request) {
        Play::Answer(answer) => Some(Play::Steps(vec![Step::Send(answer.bytes()), Step::End])),
        other => Some(other),
    });
    let (mut fine, mut unknown, mut longest) = (0, 0, Duration::ZERO);
    for _ in 0..60 {
        let before = bench.server.count(is_asked);
        let (saw, took) = bench.ask("tools/call").await;
        let seen = bench.server.count(is_asked) - before;
        assert!(seen <= 1, "{saw}");
        if saw == FINE {
            fine += 1;
        } else {
            assert!(saw.contains("sent `unknown`"), "{saw}");
            unknown += 1;
        }
        longest = longest.max(took);
        // Two reads in a row may meet such a connection each; a read is tried twice.
        let (read, _) = bench.ask("resources/read").await;
        assert!(read == FINE || read.contains("sent `unknown`"), "{read}");
    }
    bench.server.heal();
    let (next, _) = bench.ask("tools/call").await;
    assert_eq!(next, FINE);
    bench.table.add(Row {
        fault: "idle connection closed just before (60 calls)".to_owned(),
        saw: format!("answered, or not known: {fine} answered, {unknown} not known"),
        took: longest,
        seen: "each 1 at most".to_owned(),
        next,
    });
    bench.done().await;
}

/// The computer sleeps (the process is stopped) while a call is under way and a connection is idle; the server cuts what is
/// idle meanwhile.
#[tokio::test]
async fn asleep() {
    let mut bench = Bench::new("plain-asleep").await;
    let pid = bench.client.id().to_string();
    let signal = |name: &str| {
        let done = std::process::Command::new("kill").args([name, &pid]).status();
        assert!(done.expect("kill").success());
    };
    assert_eq!(bench.ask("tools/call").await.0, FINE);
    let (open, opens) = tokio::sync::watch::channel(false);
    bench.server.rule(move |request, _| {
        let waits = Step::Until(opens.clone());
        (request.what() == "tools/call").then(|| match usual(request) {
            Play::Answer(answer) => Play::Steps(vec![waits, Step::Send(answer.bytes())]),
            other => other,
        })
    });
    let id = bench
        .client
        .send("tools/call", &json!({ "name": "some_tool", "arguments": {} }))
        .await;
    let end = Instant::now() + Duration::from_secs(20);
    while bench.server.count(is_asked) < 2 {
        assert!(Instant::now() < end, "it is under way");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal("-STOP");
    open.send(true).expect("it waits");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    signal("-CONT");
    let saw = told(&bench.client.answer(id).await);
    let took = began.elapsed();
    assert_eq!(saw, FINE);
    bench.server.heal();
    // And with nothing under way: every idle connection is gone when it wakes.
    signal("-STOP");
    bench.server.cut();
    tokio::time::sleep(Duration::from_secs(5)).await;
    signal("-CONT");
    let before = bench.server.count(is_asked);
    let (next, _) = bench.ask("tools/call").await;
    let seen = bench.server.count(is_asked) - before;
    assert!(
        next == FINE && seen == 1 || next.contains("sent `unknown`") && seen <= 1,
        "{next} {seen}"
    );
    let (again, _) = bench.ask("tools/call").await;
    assert_eq!(again, FINE);
    bench.table.add(Row {
        fault: "asleep for 5 s with a call under way (time: after waking)".to_owned(),
        saw,
        took,
        seen: "1".to_owned(),
        next: again,
    });
    bench.done().await;
}
