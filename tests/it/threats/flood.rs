//! Too many questions: the person sees few of them, and reads go on.

use super::*;

const ORDERS: u32 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g19_a_flood_of_orders_asks_little_and_sends_nothing() {
    let desk = Desk::new().await;
    let (mut one, mut two) = (desk.client().await, desk.client().await);
    let mut ids = Vec::new();
    for n in 0..ORDERS {
        let price = 4000.0 + f64::from(n);
        ids.push((
            one.send_call("PlaceOrder", &bid(price)).await,
            two.send_call("PlaceOrder", &bid(price + 0.25)).await,
        ));
    }
    let mut reads = Vec::new();
    let mut most = 0;
    for _ in 0..20 {
        let since = Instant::now();
        one.call("ListAccounts", &json!({})).await;
        reads.push(since.elapsed());
        most = most.max(
            desk.tickets()
                .iter()
                .filter(|ticket| ticket["state"] == "held")
                .count(),
        );
        assert!(desk.desktop.popups().len() <= 1, "one card at a time");
    }
    reads.sort();
    assert!(reads[10] < Duration::from_secs(2), "reads wait: {reads:?}");
    assert!(most <= 3, "{most} entry tickets were open at once");
    // Whoever floods is answered at once, all but the few that wait.
    assert_eq!(desk.home.run(&["halt"]).await.0, 0);
    let mut told = Vec::new();
    for (first, second) in ids {
        told.push(status(&one.result(first).await).to_owned());
        told.push(status(&two.result(second).await).to_owned());
    }
    let held = desk
        .home
        .journal()
        .iter()
        .filter(|entry| entry["kind"] == "held")
        .count();
    assert!((1..=6).contains(&held), "{held} questions in a minute");
    assert!(
        told.iter()
            .all(|status| matches!(status.as_str(), "refused" | "voided")),
        "{told:?}"
    );
    assert_eq!(told.iter().filter(|status| *status == "voided").count(), held);
    desk.desktop.no_popup();
    nothing_arrived(&desk).await;
}
