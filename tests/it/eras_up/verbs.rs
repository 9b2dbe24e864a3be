//! What verbs ask by themselves, of a service that speaks 2026-07-28 alone.

use super::*;

#[tokio::test]
async fn sign_ins_and_calls_work_with_a_modern_service() {
    let (home, sim) = (Home::new(), Sim::start(&["--era", "modern"]));
    home.login(&sim, false).await;
    home.login(&sim, true).await;
    let (code, out, err) = home.run(&["call", "ListAccounts", "--url", &sim.url]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("Sim101"), "{out}");
    let (_, out, err) = home.run(&["doctor", "--json", "--url", &sim.url]).await;
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let checks = told["checks"].as_array().expect("checks");
    let service = checks
        .iter()
        .find(|check| {
            check["what"]
                .as_str()
                .is_some_and(|what| what.contains("answered in"))
        })
        .unwrap_or_else(|| panic!("{told}"));
    assert_eq!(service["state"], "ok", "{service}");
    assert_eq!(handshakes(&sim).await, 0, "{}", sim.get("requests").await);
    assert_eq!(sim.executed().await, [""; 0]);
}

/// Another user in the browser is found out in the newer era as well.
#[tokio::test]
async fn a_trade_sign_in_of_another_user_is_refused() {
    let (home, sim) = (Home::new(), Sim::start(&["--era", "modern"]));
    home.login(&sim, false).await;
    sim.post("consent", &json!({ "user": "trader-b" })).await;
    let (code, _, err) = home.try_login(&sim, &["--trade"]).await;
    assert_ne!(code, 0);
    assert!(err.contains("different CrossTrade users"), "{err}");
}
