//! Signing in.

use super::super::registration;
use super::fake::Fixed;
use super::*;
use std::time::Duration;
use tokio::sync::mpsc;

#[tokio::test]
async fn both_grants_by_the_browser() {
    let desk = Desk::new().await;
    let grants = desk.grants();
    assert_eq!(
        grants.bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
    let pending = grants.begin_login(request(GrantKind::Read)).await.unwrap();
    let (new, (status, page)) = finish(pending).await;
    assert_eq!(status, 200);
    assert!(page.contains("Access granted"), "{page}");
    let new = new.unwrap();
    assert_eq!(new.scope(), Some("mcp:read"));
    new.keep().await.unwrap();
    sign_in(&grants, GrantKind::Trade)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();

    let read = grants.bearer(GrantKind::Read).await.unwrap();
    let trade = grants.bearer(GrantKind::Trade).await.unwrap();
    assert!(!read.same_as(&trade));
    let names: Vec<String> = desk.fake.get(|state| {
        state
            .clients
            .values()
            .map(|client| client["client_name"].as_str().unwrap().to_owned())
            .collect()
    });
    assert_eq!(names.len(), 2, "a registration for each grant");
    assert!(names.contains(&"Countersign read – desk".to_owned()), "{names:?}");
    assert!(
        names.contains(&"Countersign trade – desk".to_owned()),
        "{names:?}"
    );
    let wish = desk
        .fake
        .get(|state| state.clients.values().next().unwrap().clone());
    assert_eq!(wish["application_type"], "native");
    assert_eq!(wish["token_endpoint_auth_method"], "none");
    assert_eq!(wish["redirect_uris"].as_array().unwrap().len(), 3);
    for path in ["/oauth/authorize", "/oauth/token"] {
        assert_eq!(desk.fake.last(path).fields["resource"], desk.fake.mcp_url());
    }
    let other = desk.grants().bearer(GrantKind::Read).await.unwrap();
    assert!(other.same_as(&read), "another process finds it in the vault");
    let overview = grants.overview().await.unwrap();
    assert_eq!(overview.len(), 2);
    assert!(
        overview
            .iter()
            .all(|info| !info.sealed && info.renewable == Some(true))
    );
}

#[tokio::test]
async fn nothing_is_discovered_without_a_401() {
    let desk = Desk::new().await;
    desk.fake.fix("/v1/api/mcp", Fixed::json(200, "{}"));
    let refused = desk.grants().begin_login(request(GrantKind::Read)).await;
    assert_eq!(refused.unwrap_err(), LoginError::NotNeeded);
    assert_eq!(desk.fake.paths(), ["/v1/api/mcp"]);
    desk.fake.fix(
        "/v1/api/mcp",
        Fixed {
            status: 404,
            ..Fixed::default()
        },
    );
    let refused = desk.grants().begin_login(request(GrantKind::Read)).await;
    assert!(matches!(refused, Err(LoginError::NotEnabled(_))), "{refused:?}");
    assert_eq!(desk.fake.count("/v1/api/mcp"), desk.fake.paths().len());
}

#[tokio::test]
async fn a_registration_is_used_again() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let pending = desk.grants().begin_login(request(GrantKind::Read)).await.unwrap();
    drop(pending);
    let _ = desk.signed_in(GrantKind::Read).await;
    assert_eq!(desk.fake.count("/oauth/register"), 1);
}

#[tokio::test]
async fn a_stale_registration_is_renewed_once() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    desk.fake.set(|state| state.clients.clear());
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    assert_eq!(desk.fake.count("/oauth/register"), 2);
    // Lost between the consent page and the token endpoint: told, discarded, and new the next time.
    let pending = grants.begin_login(request(GrantKind::Read)).await.unwrap();
    desk.fake
        .fix("/oauth/token", Fixed::json(401, r#"{"error":"invalid_client"}"#));
    let (new, (_, page)) = finish(pending).await;
    assert_eq!(new.unwrap_err(), LoginError::Again);
    assert!(page.contains("Not signed in"), "{page}");
    desk.fake.set(|state| state.fixed.clear());
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    assert_eq!(desk.fake.count("/oauth/register"), 3);
}

#[tokio::test]
async fn registrations_are_counted() {
    let desk = Desk::new().await;
    let grants = desk.grants();
    desk.fake.fix(
        "/oauth/register",
        Fixed::json(400, r#"{"error":"invalid_redirect_uri"}"#),
    );
    for _ in 0..10 {
        let refused = grants.begin_login(request(GrantKind::Read)).await;
        assert_eq!(
            refused.unwrap_err(),
            LoginError::Registration("invalid_redirect_uri".to_owned())
        );
    }
    let refused = desk
        .grants()
        .begin_login(request(GrantKind::Trade))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, LoginError::TooManyRegistrations(wait) if wait > Duration::from_secs(3000)),
        "{refused}"
    );
    assert_eq!(desk.fake.count("/oauth/register"), 10);
}

#[tokio::test]
async fn a_429_says_when() {
    let desk = Desk::new().await;
    let mut busy = Fixed::json(429, r#"{"error":"too_many_registrations"}"#);
    busy.headers.push(("retry-after".to_owned(), "1500".to_owned()));
    desk.fake.fix("/oauth/register", busy);
    let refused = desk
        .grants()
        .begin_login(request(GrantKind::Read))
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        LoginError::TooManyRegistrations(Duration::from_secs(1500))
    );
    assert_eq!(
        refused.to_string(),
        "too many registrations in the last hour: try again in 25 min"
    );
}

#[tokio::test]
async fn a_strict_server_gets_a_smaller_registration() {
    let desk = Desk::new().await;
    desk.fake.fix(
        "/oauth/register",
        Fixed::json(400, r#"{"error":"invalid_client_metadata"}"#),
    );
    let refused = desk
        .grants()
        .begin_login(request(GrantKind::Read))
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        LoginError::Registration("invalid_client_metadata".to_owned())
    );
    assert_eq!(
        desk.fake.count("/oauth/register"),
        2,
        "once with, once without application_type"
    );
    assert!(
        !desk
            .fake
            .last("/oauth/register")
            .body
            .contains("application_type")
    );
}

#[tokio::test]
async fn a_read_grant_that_could_trade_is_given_back() {
    let desk = Desk::new().await;
    for wrong in ["mcp:trade", "mcp:read mcp:trade", "mcp:read offline_access"] {
        desk.fake.set(|state| state.scope = Some(wrong.to_owned()));
        let refused = sign_in(&desk.grants(), GrantKind::Read).await.unwrap_err();
        assert!(
            matches!(&refused, LoginError::WrongScope(text) if text.contains("it was revoked")),
            "{refused}"
        );
    }
    assert_eq!(
        desk.fake.get(|state| (state.access.len(), state.revoked.len())),
        (0, 6)
    );
    desk.fake.set(|state| state.scope = Some("mcp:read".to_owned()));
    let refused = sign_in(&desk.grants(), GrantKind::Trade).await.unwrap_err();
    assert!(matches!(refused, LoginError::WrongScope(_)), "{refused}");
    desk.fake.set(|state| state.tell_scope = false);
    let new = sign_in(&desk.grants(), GrantKind::Read).await.unwrap();
    assert_eq!(new.scope(), None, "left to the caller");
    new.keep().await.unwrap();
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let desk = Desk::new().await;
    let grants = desk.grants();
    for (code, error) in [
        ("access_denied", LoginError::Denied),
        ("subscription_required", LoginError::WrongPlan),
        ("invalid_scope", LoginError::InvalidScope("mcp:read".to_owned())),
        ("server_error", LoginError::Network("server_error".to_owned())),
    ] {
        let pending = grants.begin_login(request(GrantKind::Read)).await.unwrap();
        let state = pending.attempt_state();
        let back = format!(
            "{}?error={code}&state={state}&iss={}",
            pending.redirect_url(),
            desk.fake.issuer()
        );
        let (new, (_, page)) = tokio::join!(pending.wait(CancellationToken::new()), async move {
            browse(&back).await
        });
        assert_eq!(new.unwrap_err(), error);
        assert!(page.contains("Not signed in"), "{page}");
    }
    assert!(grants.overview().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_callback_answers_its_own_browser_only() {
    let desk = Desk::new().await;
    let pending = desk.grants().begin_login(request(GrantKind::Read)).await.unwrap();
    let (url, redirect, state) = (
        pending.url.clone(),
        pending.redirect_url().to_owned(),
        pending.attempt_state(),
    );
    let port = url::Url::parse(&redirect).unwrap().port().unwrap();
    let strangers = async move {
        let get = |url: String| async move { http().get(url).send().await.unwrap().status().as_u16() };
        assert_eq!(get(format!("{redirect}?code=x&state=wrong")).await, 400);
        assert_eq!(get(redirect.clone()).await, 400);
        assert_eq!(get(format!("http://127.0.0.1:{port}/favicon.ico")).await, 404);
        assert_eq!(get(format!("{redirect}/more?code=x&state={state}")).await, 404);
        let post = http()
            .post(format!("{redirect}?code=x&state={state}"))
            .send()
            .await
            .unwrap();
        assert_eq!(post.status().as_u16(), 405);
        let rebound = http()
            .get(format!("{redirect}?code=x&state={state}"))
            .header("host", "evil.example");
        assert_eq!(rebound.send().await.unwrap().status().as_u16(), 403);
        let script = get(format!("{redirect}?state=%3Cscript%3Ealert(1)%3C/script%3E")).await;
        assert_eq!(script, 400);
        let answer = http().get(&redirect).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        browse(&url).await
    };
    let (new, (status, _)) = tokio::join!(pending.wait(CancellationToken::new()), strangers);
    new.unwrap().keep().await.unwrap();
    assert_eq!(status, 200);
    let gone = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    assert!(gone.is_err(), "the door is closed with the attempt");
}

#[tokio::test]
async fn an_answer_from_another_issuer_is_not_believed() {
    let desk = Desk::new().await;
    desk.fake.set(|state| state.with_iss = false);
    let refused = sign_in(&desk.grants(), GrantKind::Read).await;
    assert_eq!(
        refused.unwrap_err(),
        LoginError::WrongIssuer,
        "iss is promised and missing"
    );
    assert_eq!(desk.fake.count("/oauth/token"), 0);
    desk.fake.set(|state| {
        state.metadata.insert(
            "authorization_response_iss_parameter_supported".to_owned(),
            false.into(),
        );
    });
    assert!(
        sign_in(&desk.grants(), GrantKind::Read).await.is_ok(),
        "neither promised nor there"
    );
}

#[tokio::test]
async fn pasted_addresses_pass_the_same_checks() {
    let desk = Desk::new().await;
    let taken: Vec<_> = desk
        .ports
        .iter()
        .map(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).unwrap())
        .collect();
    let grants = desk.grants();
    let pending = grants.begin_login(request(GrantKind::Read)).await.unwrap();
    assert!(!pending.is_awaited(), "all ports are taken");
    let back = http().get(&pending.url).send().await.unwrap().headers()["location"]
        .to_str()
        .unwrap()
        .to_owned();
    let check = pending.paste_check();
    assert!(check.check("https://evil.example/?code=1").is_err());
    assert!(check.check(&back).is_ok());
    let (send, pastes) = mpsc::channel(4);
    send.send("nonsense".to_owned()).await.unwrap();
    send.send(back.replace("state=", "state=x")).await.unwrap();
    send.send(back.clone()).await.unwrap();
    let new = pending
        .wait_or_paste(CancellationToken::new(), pastes)
        .await
        .unwrap();
    new.keep().await.unwrap();
    assert!(grants.bearer(GrantKind::Read).await.is_ok());
    let pending = grants.begin_login(request(GrantKind::Read)).await.unwrap();
    let refused = pending.paste(&back).await.unwrap_err();
    assert!(
        matches!(refused, LoginError::BadPaste(_)),
        "an old address: {refused}"
    );
    drop(taken);
}

#[tokio::test]
async fn a_taken_port_leads_to_the_next_one() {
    let desk = Desk::new().await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", desk.ports[0])).unwrap();
    let pending = desk.grants().begin_login(request(GrantKind::Read)).await.unwrap();
    assert_eq!(
        pending.redirect_url(),
        format!("http://127.0.0.1:{}/callback", desk.ports[1])
    );
    assert!(finish(pending).await.0.is_ok());
    drop(taken);
}

#[tokio::test]
async fn one_process_signs_in_and_the_others_find_it() {
    let desk = Desk::new().await;
    let (first, second) = (desk.grants(), desk.grants());
    let pending = first
        .begin_background_login(request(GrantKind::Read))
        .await
        .unwrap();
    let elsewhere = second.begin_background_login(request(GrantKind::Read)).await;
    assert_eq!(elsewhere.unwrap_err(), LoginError::Elsewhere);
    let waiting = second.after_other_login(GrantKind::Read, Duration::from_secs(20));
    let signing = async { finish(pending).await.0.unwrap().keep().await.unwrap() };
    let (found, ()) = tokio::join!(waiting, signing);
    assert!(
        found
            .unwrap()
            .same_as(&first.bearer(GrantKind::Read).await.unwrap())
    );
    let late = desk
        .grants()
        .begin_background_login(request(GrantKind::Read))
        .await;
    assert_eq!(late.unwrap_err(), LoginError::AlreadySignedIn);
    assert_eq!(desk.fake.count("/oauth/register"), 1);
}

#[tokio::test]
async fn stopping_frees_the_way() {
    let desk = Desk::new().await;
    let grants = desk.grants();
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = grants
        .begin_login(request(GrantKind::Read))
        .await
        .unwrap()
        .wait(stop)
        .await;
    assert_eq!(stopped.unwrap_err(), LoginError::Stopped);
    assert!(sign_in(&grants, GrantKind::Read).await.is_ok());
}

#[tokio::test]
async fn a_single_grant_serves_both_lanes() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let single = LoginRequest {
        single_grant: true,
        ..request(GrantKind::Trade)
    };
    let new = finish(grants.begin_login(single).await.unwrap()).await.0.unwrap();
    new.keep().await.unwrap();
    let (read, trade) = (
        grants.bearer(GrantKind::Read).await.unwrap(),
        grants.bearer(GrantKind::Trade).await.unwrap(),
    );
    assert!(read.same_as(&trade));
    let overview = grants.overview().await.unwrap();
    assert_eq!(overview.len(), 1);
    assert!(overview[0].single);
    sign_in(&grants, GrantKind::Read)
        .await
        .unwrap()
        .keep()
        .await
        .unwrap();
    let read = grants.bearer(GrantKind::Read).await.unwrap();
    assert!(!read.same_as(&trade), "a read grant of its own comes first");
    assert!(grants.overview().await.unwrap().iter().all(|info| !info.single));
}

#[tokio::test]
async fn tokens_belong_to_one_address() {
    let desk = Desk::new().await;
    let _ = desk.signed_in(GrantKind::Read).await;
    let other = desk.grants_at(&format!("{}/", desk.fake.mcp_url()));
    assert_eq!(
        other.bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
    let other = desk.grants_at(&format!("{}/v1/api", desk.fake.base()));
    assert_eq!(
        other.bearer(GrantKind::Read).await.unwrap_err(),
        TokenError::NotSignedIn
    );
}

#[tokio::test]
async fn a_client_id_of_the_persons_own_is_not_registered() {
    let desk = Desk::new().await;
    desk.fake.set(|state| {
        let redirects: Vec<String> = registration::default_ports()
            .iter()
            .map(|port| format!("http://127.0.0.1:{port}/callback"))
            .collect();
        state.clients.insert(
            "mine".to_owned(),
            serde_json::json!({ "redirect_uris": redirects }),
        );
    });
    let choice = super::super::ClientChoice::registered("mine", None)
        .unwrap()
        .with_scope("a b");
    let grants = desk.grants().with_client(choice);
    let pending = grants.begin_login(request(GrantKind::Plain)).await.unwrap();
    let back = http().get(&pending.url).send().await.unwrap().headers()["location"]
        .to_str()
        .unwrap()
        .to_owned();
    pending.paste(&back).await.unwrap().keep().await.unwrap();
    assert_eq!(desk.fake.count("/oauth/register"), 0);
    assert_eq!(desk.fake.last("/oauth/authorize").fields["scope"], "a b");
    assert_eq!(desk.fake.last("/oauth/token").fields["client_id"], "mine");
}

#[tokio::test]
async fn a_grant_that_cannot_be_kept_is_given_back() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Read).await;
    let old = grants.bearer(GrantKind::Read).await.unwrap();
    let new = sign_in(&grants, GrantKind::Read).await.unwrap();
    let token = token_of(new.bearer());
    let full = desk.fill_disk();
    let told = new.keep().await.unwrap_err();
    assert!(matches!(told, TokenError::Store(_)), "{told}");
    assert!(desk.fake.get(|state| state.revoked.contains(&token)));
    drop(full);
    assert!(desk.grants().bearer(GrantKind::Read).await.unwrap().same_as(&old));
}
