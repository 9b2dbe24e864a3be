//! What comes back comes too slowly, or not at all: these wait out the limits.

use super::*;

#[tokio::test]
async fn no_head() {
    let mut bench = Bench::new("plain-stall-head").await;
    bench
        .case("answer's head never comes", &MINUTE, raw(vec![Step::Silence]))
        .await;
    bench.done().await;
}

#[tokio::test]
async fn half_a_head() {
    let mut bench = Bench::new("plain-stall-half-head").await;
    let half = b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec();
    bench
        .case(
            "answer's head stops in the middle",
            &MINUTE,
            raw(vec![Step::Send(half), Step::Silence]),
        )
        .await;
    bench.done().await;
}

#[tokio::test]
async fn half_a_body() {
    let mut bench = Bench::new("plain-stall-body").await;
    let half = |text: String| vec![Step::Send(text[..text.len() / 2].into()), Step::Silence];
    bench
        .case("JSON body stops in the middle", &MINUTE, body(half))
        .await;
    bench.done().await;
}

#[tokio::test]
async fn half_an_event() {
    let mut bench = Bench::new("plain-stall-event").await;
    let half = |text: String| {
        vec![
            Step::Send(format!("data: {}", &text[..text.len() / 2]).into_bytes()),
            Step::Silence,
        ]
    };
    bench
        .case("event stops in the middle", &MINUTE, stream(half))
        .await;
    bench.done().await;
}

#[tokio::test]
async fn a_body_of_one_byte_a_second() {
    let mut bench = Bench::new("plain-drip-body").await;
    let drip = |text: String| {
        vec![
            Step::Drip(text.into_bytes(), Duration::from_secs(1)),
            Step::Silence,
        ]
    };
    // It would never end: more is declared than comes.
    bench
        .case(
            "body of one byte a second",
            &Want {
                within: 100,
                ..MINUTE
            },
            move |request, _| {
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n";
                Some(Play::Steps(
                    [vec![Step::Send(head.into())], drip(fine(request).repeat(20))].concat(),
                ))
            },
        )
        .await;
    bench.done().await;
}

#[tokio::test]
async fn an_event_of_one_byte_a_second() {
    let mut bench = Bench::new("plain-drip-event").await;
    bench
        .case(
            "event of one byte a second",
            &Want {
                within: 100,
                ..MINUTE
            },
            stream(|text| {
                vec![Step::Drip(
                    format!("data: {}", text.repeat(20)).into_bytes(),
                    Duration::from_secs(1),
                )]
            }),
        )
        .await;
    bench.done().await;
}
