//! Sign-in, tokens, refusal, withdrawal.

use crosstrade_sim::options::Options;
use serde_json::json;

use crate::support::{Desk, Mcp, VERIFIER, body, buy_one, header, query, quiet, redirected, tokens};

#[tokio::test]
async fn an_unknown_caller_is_told_where_to_sign_in() {
    let desk = Desk::new(quiet()).await;
    let response = desk
        .http
        .post(&desk.sim.addresses.mcp_url)
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    let challenge = header(&response, "www-authenticate");
    let wanted = format!(
        "Bearer resource_metadata=\"{}\"",
        desk.url("/.well-known/oauth-protected-resource")
    );
    assert_eq!(challenge, wanted);
    let resource = desk
        .http
        .get(desk.url("/.well-known/oauth-protected-resource"))
        .send()
        .await
        .unwrap();
    let resource = body(resource).await;
    assert_eq!(resource["resource"], desk.sim.addresses.mcp_url);
    assert_eq!(resource["authorization_servers"][0], desk.sim.addresses.issuer);
    let server = desk
        .http
        .get(desk.url("/.well-known/oauth-authorization-server"))
        .send()
        .await
        .unwrap();
    let server = body(server).await;
    assert_eq!(server["issuer"], desk.sim.addresses.issuer);
    assert_eq!(server["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(server["authorization_response_iss_parameter_supported"], true);
}

#[tokio::test]
async fn a_person_reads_the_page_and_decides() {
    let desk = Desk::new(Options {
        auto_consent: false,
        ..quiet()
    })
    .await;
    let client_id = desk.client_id("Countersign <read> – HOST").await;
    for (decision, user, scope) in [
        ("deny", "trader-a", "mcp:read"),
        ("allow", "trader-b", "mcp:read"),
    ] {
        let page = desk
            .http
            .get(desk.authorize_url(&client_id, "mcp:read"))
            .send()
            .await
            .unwrap();
        assert_eq!(header(&page, "x-frame-options"), "DENY");
        let page = page.text().await.unwrap();
        assert!(page.contains("Countersign &lt;read&gt; – HOST") && page.contains("Cannot trade"));
        let request = page
            .split("name=\"request\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned();
        let form = [
            ("request", request.as_str()),
            ("user", user),
            ("scope", scope),
            ("decision", decision),
        ];
        let back = redirected(&desk.form("/v1/oauth/mcp/authorize", &form).await);
        assert_eq!(query(&back, "state").as_deref(), Some("a state"));
        assert_eq!(query(&back, "iss"), Some(desk.sim.addresses.issuer.clone()));
        let again = desk.form("/v1/oauth/mcp/authorize", &form).await;
        assert_eq!(again.status(), 400, "a request is decided once");
        if decision == "deny" {
            assert_eq!(query(&back, "error").as_deref(), Some("access_denied"));
            continue;
        }
        let answer = body(
            desk.exchange(&client_id, &query(&back, "code").unwrap(), VERIFIER)
                .await,
        )
        .await;
        let mcp = Mcp::open(&desk, tokens(&client_id, &answer), "2025-06-18").await;
        let accounts = mcp.call("ListAccounts", json!({})).await;
        assert_eq!(accounts["accounts"][0]["name"], "Sim201");
    }
}

#[tokio::test]
async fn a_code_is_for_one_use_by_the_one_who_asked() {
    let desk = Desk::new(quiet()).await;
    let client_id = desk.client_id("A").await;
    let other = desk.client_id("B").await;
    let code = async || {
        let sent = desk
            .http
            .get(desk.authorize_url(&client_id, "mcp:read"))
            .send()
            .await
            .unwrap();
        query(&redirected(&sent), "code").unwrap()
    };
    let first = code().await;
    assert_eq!(desk.exchange(&client_id, &first, "wrong").await.status(), 400);
    assert_eq!(desk.exchange(&other, &first, VERIFIER).await.status(), 400);
    let answer = body(desk.exchange(&client_id, &first, VERIFIER).await).await;
    assert_eq!(answer["scope"], "mcp:read");
    let again = desk.exchange(&client_id, &first, VERIFIER).await;
    assert_eq!(body(again).await["error"], "invalid_grant");
    let used = tokens(&client_id, &answer);
    assert_eq!(
        desk.refresh(&used).await.status(),
        400,
        "a replayed code takes its tokens back"
    );
}

#[tokio::test]
async fn what_is_wrong_in_the_request_goes_back_with_state_and_iss() {
    let desk = Desk::new(quiet()).await;
    let client_id = desk.client_id("A").await;
    for (name, value, error) in [
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "mcp:everything", "invalid_scope"),
        ("resource", "http://127.0.0.1:1/other", "invalid_target"),
        ("response_type", "token", "unsupported_response_type"),
    ] {
        let mut url = desk.authorize_url(&client_id, "mcp:read");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pairs = pairs
            .into_iter()
            .map(|(n, v)| if n == name { (n, value.to_owned()) } else { (n, v) });
        url.query_pairs_mut().clear().extend_pairs(pairs);
        let back = redirected(&desk.http.get(url).send().await.unwrap());
        assert_eq!(query(&back, "error").as_deref(), Some(error));
        assert_eq!(query(&back, "iss"), Some(desk.sim.addresses.issuer.clone()));
    }
    let mut url = desk.authorize_url(&client_id, "mcp:read");
    let text = url.as_str().replace("33418", "33420");
    url = text.parse().unwrap();
    let refused = desk.http.get(url).send().await.unwrap();
    assert_eq!(
        refused.status(),
        400,
        "an unregistered redirect is never followed"
    );
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_the_family() {
    let desk = Desk::new(quiet()).await;
    let first = desk.login("mcp:read").await;
    let second = tokens(&first.client_id, &body(desk.refresh(&first).await).await);
    let mcp = Mcp::open(&desk, second.clone(), "2025-06-18").await;
    assert_eq!(body(desk.refresh(&first).await).await["error"], "invalid_grant");
    assert_eq!(
        mcp.send_call("ListAccounts", json!({})).await.unwrap().status(),
        401
    );
    assert_eq!(desk.refresh(&second).await.status(), 400);
    let counts = desk.ask("/tokens").await;
    assert_eq!(
        (&counts["refreshes"], &counts["reuse_detections"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays() {
    let desk = Desk::new(Options {
        no_rotation: true,
        ..quiet()
    })
    .await;
    let first = desk.login("mcp:read").await;
    for _ in 0..3 {
        let next = tokens(&first.client_id, &body(desk.refresh(&first).await).await);
        assert_eq!(next.refresh, first.refresh);
    }
}

#[tokio::test]
async fn revocation_reaches_the_access_token_and_the_page() {
    let desk = Desk::new(quiet()).await;
    let mcp = desk.session("mcp:trade").await;
    let page = desk
        .http
        .get(desk.url("/ai-clients"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("Test mcp:trade") && page.contains("Revoke"));
    let form = [
        ("token", mcp.tokens.refresh.as_str()),
        ("client_id", mcp.tokens.client_id.as_str()),
    ];
    assert_eq!(desk.form("/v1/oauth/mcp/revoke", &form).await.status(), 200);
    assert_eq!(
        mcp.send_call("PlaceOrder", buy_one()).await.unwrap().status(),
        401
    );
    assert_eq!(
        desk.form("/v1/oauth/mcp/revoke", &[("token", "unknown")])
            .await
            .status(),
        200
    );
    let page = desk
        .http
        .get(desk.url("/ai-clients"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("No AI client has access"));
    assert_eq!(desk.executed().await, 0);
}

#[tokio::test]
async fn a_person_withdraws_and_time_withdraws() {
    let desk = Desk::new(quiet()).await;
    let read = desk.session("mcp:read").await;
    let trade = desk.session("mcp:trade").await;
    assert_eq!(
        desk.order("/expire", r#"{"scope":"mcp:read"}"#).await["expired"],
        1
    );
    assert_eq!(
        read.send_call("ListAccounts", json!({})).await.unwrap().status(),
        401
    );
    assert_eq!(
        desk.refresh(&read.tokens).await.status(),
        200,
        "expired is not revoked"
    );
    assert_eq!(
        desk.order("/revoke", r#"{"scope":"mcp:trade"}"#).await["revoked"],
        1
    );
    assert_eq!(
        trade.send_call("ListAccounts", json!({})).await.unwrap().status(),
        401
    );
    assert_eq!(
        body(desk.refresh(&trade.tokens).await).await["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn the_eleventh_registration_waits() {
    let desk = Desk::new(quiet()).await;
    for _ in 0..10 {
        assert_eq!(desk.register("A").await.status(), 201);
    }
    let refused = desk.register("A").await;
    assert_eq!(refused.status(), 429);
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 3000);
    assert_eq!(body(refused).await["error"], "too_many_registrations");
}

#[tokio::test]
async fn an_exclusive_service_and_a_stubborn_user() {
    let desk = Desk::new(Options {
        exclusive_grants: true,
        ..quiet()
    })
    .await;
    let read = desk.session("mcp:read").await;
    let _trade = desk.session("mcp:trade").await;
    assert_eq!(
        read.send_call("ListAccounts", json!({})).await.unwrap().status(),
        401
    );
    desk.order("/consent", r#"{"scope":"mcp:trade"}"#).await;
    assert_eq!(
        desk.login("mcp:read").await.scope,
        "mcp:trade",
        "the person chose more than was asked"
    );
}
