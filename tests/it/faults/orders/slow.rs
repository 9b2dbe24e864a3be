//! What comes back comes too slowly: these wait out the minute that the answer to an order has.

use super::*;

#[tokio::test]
async fn no_head_within_a_minute() {
    let mut bench = Bench::new("orders-stall-head").await;
    let minute = |expected: Expected| Expected {
        within: 90,
        ..expected
    };
    bench
        .case(
            "answer's head never comes",
            &minute(RAN),
            ran_raw(|_| vec![Step::Silence]),
        )
        .await;
    bench.done().await;
}

#[tokio::test]
async fn no_body_within_a_minute() {
    let mut bench = Bench::new("orders-stall-body").await;
    let minute = Expected { within: 90, ..RAN };
    // The head comes late: the minute is for both together.
    bench
        .case(
            "head after 30 s, then a body that stops",
            &minute,
            ran_raw(|message| {
                let text = message.to_string();
                vec![
                    Step::Wait(Duration::from_secs(30)),
                    Step::Send(head("application/json", text.len())),
                    Step::Send(b"{".to_vec()),
                    Step::Silence,
                ]
            }),
        )
        .await;
    bench.done().await;
}

#[tokio::test]
async fn one_byte_a_second() {
    let mut bench = Bench::new("orders-drip").await;
    let minute = Expected { within: 90, ..RAN };
    bench
        .case(
            "one byte a second",
            &minute,
            ran_raw(|message| {
                let text = message.to_string();
                vec![Step::Drip(
                    [head("application/json", text.len()), text.into_bytes()].concat(),
                    Duration::from_secs(1),
                )]
            }),
        )
        .await;
    bench.done().await;
}

#[tokio::test]
async fn an_answer_that_comes_too_late() {
    let mut bench = Bench::new("orders-late").await;
    let minute = Expected { within: 90, ..RAN };
    bench
        .case(
            "answer after 65 s",
            &minute,
            ran_raw(|message| {
                let text = message.to_string();
                vec![
                    Step::Wait(Duration::from_secs(65)),
                    Step::Send(head("application/json", text.len())),
                    Step::Send(text.into_bytes()),
                ]
            }),
        )
        .await;
    bench.done().await;
}
