//! Corner cases of the plain profile: odd challenges, a server that moves, client ids of the person's own, access without
//! a person.

use super::super::logout::Which;
use super::super::{ClientChoice, GrantKind, LoginError, LoginRequest, TokenError};
use super::fake::Fixed;
use super::{Desk, finish, request, sign_in};
use secrecy::SecretString;
use serde_json::json;

const PRM: &str = "/.well-known/oauth-protected-resource/v1/api/mcp";

/// The resource names this authorization server from now on.
fn moves(desk: &Desk, issuer: &str) {
    let document = json!({ "resource": desk.fake.mcp_url(), "authorization_servers": [issuer] });
    desk.fake.fix(PRM, Fixed::json(200, &document.to_string()));
}

/// Another authorization server on the same loopback address.
fn second(desk: &Desk) -> String {
    let issuer = format!("{}/second", desk.fake.base());
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "code_challenge_methods_supported": ["S256"],
    });
    let path = "/.well-known/oauth-authorization-server/second";
    desk.fake.fix(path, Fixed::json(200, &document.to_string()));
    issuer
}

#[tokio::test]
async fn of_several_bearer_challenges_the_one_with_the_metadata_counts() {
    let desk = Desk::new().await;
    let base = desk.fake.base();
    let document =
        json!({ "resource": desk.fake.mcp_url(), "authorization_servers": [format!("{base}/oauth")] });
    desk.fake.fix("/there", Fixed::json(200, &document.to_string()));
    for (challenge, scope) in [
        (
            format!("Bearer, Bearer resource_metadata=\"{base}/there\", scope=\"x y\""),
            Some("x+y"),
        ),
        (
            format!(
                "bearer realm=gate, Basic realm=\"b\", BEARER scope=x,resource_metadata=\"{base}/there\""
            ),
            Some("x"),
        ),
        (
            format!("Bearer scope=\"\", resource_metadata=\"{base}/there\""),
            None,
        ),
        (
            "Negotiate abc==, Bearer realm=\"r\", Bearer scope=\"z\"".to_owned(),
            Some("z"),
        ),
    ] {
        let wish = LoginRequest {
            challenge: Some(challenge.clone()),
            ..request(GrantKind::Plain)
        };
        let pending = desk.grants().begin_login(wish).await.unwrap();
        let asked = pending.url.split_once("&scope=").map(|(_, scope)| scope);
        // Without a word of the challenge the metadata's own list counts, which is empty at `/there`.
        assert_eq!(asked, scope, "{challenge}");
    }
}

#[tokio::test]
async fn a_server_that_moved_is_followed_and_its_old_tokens_are_given_back() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Plain).await;
    assert!(
        !grants.leave_if_moved(GrantKind::Plain, None).await,
        "it did not move"
    );
    moves(&desk, &second(&desk));
    assert!(grants.leave_if_moved(GrantKind::Plain, None).await);
    assert_eq!(
        grants.bearer(GrantKind::Plain).await.unwrap_err(),
        TokenError::NotSignedIn,
        "no token of the old one is left to send"
    );
    grants.settle(std::time::Duration::from_secs(10)).await;
    assert_eq!(desk.fake.get(|state| state.revoked.len()), 2, "both went back");
    let registered = desk.fake.count("/oauth/register");
    desk.fake.fix(
        "/second/register",
        Fixed::json(201, r#"{"client_id":"of the second"}"#),
    );
    let pending = grants.begin_login(request(GrantKind::Plain)).await.unwrap();
    assert!(pending.url.contains("/second/authorize?"), "{}", pending.url);
    assert!(pending.url.contains("client_id=of+the+second"), "{}", pending.url);
    assert_eq!(desk.fake.count("/oauth/register"), registered);
}

#[tokio::test]
async fn in_doubt_nothing_is_left() {
    let desk = Desk::new().await;
    let grants = desk.signed_in(GrantKind::Plain).await;
    let issuers = json!([second(&desk), desk.fake.issuer()]);
    let both = json!({ "resource": desk.fake.mcp_url(), "authorization_servers": issuers });
    for answer in [
        Fixed::json(200, &both.to_string()),
        Fixed::json(500, ""),
        Fixed::json(404, ""),
        Fixed::json(
            200,
            r#"{"resource":"https://other.example","authorization_servers":["https://x.example"]}"#,
        ),
        Fixed::json(
            200,
            &json!({ "resource": desk.fake.mcp_url(), "authorization_servers": [] }).to_string(),
        ),
        Fixed::page(200, "text/html", "<p>Sign in to this network"),
    ] {
        desk.fake.fix(PRM, answer.clone());
        assert!(!grants.leave_if_moved(GrantKind::Plain, None).await, "{answer:?}");
        grants.bearer(GrantKind::Plain).await.unwrap();
    }
}

fn own() -> ClientChoice {
    ClientChoice::registered("mine", Some(&SecretString::from("s3cr3t"))).unwrap()
}

/// A secret must not follow whatever name a server comes up with.
#[tokio::test]
async fn a_client_id_of_the_persons_own_stays_with_its_issuer() {
    let desk = Desk::new().await;
    let first = desk.grants().with_client(own());
    drop(first.begin_login(request(GrantKind::Plain)).await.unwrap());
    moves(&desk, &second(&desk));
    for grants in [first, desk.grants().with_client(own())] {
        let refused = grants.begin_login(request(GrantKind::Plain)).await.unwrap_err();
        assert_eq!(refused, LoginError::OtherIssuer);
        let refused = grants.by_credentials("Bearer").await.unwrap_err();
        assert_eq!(refused, LoginError::OtherIssuer);
    }
    assert_eq!(desk.fake.count("/second/token"), 0);
    // The person's own word ends it.
    let grants = desk.grants().with_client(own());
    grants.logout(Which::All).await;
    let pending = grants.begin_login(request(GrantKind::Plain)).await.unwrap();
    assert!(pending.url.contains("/second/authorize?"), "{}", pending.url);
}

/// An authorization server for machines has no page and no PKCE; nobody is sent there, so nobody misses them.
#[tokio::test]
async fn without_a_person_only_the_token_endpoint_matters() {
    let desk = Desk::new().await;
    desk.fake.set(|state| {
        for name in [
            "authorization_endpoint",
            "code_challenge_methods_supported",
            "registration_endpoint",
        ] {
            state.metadata.insert(name.to_owned(), serde_json::Value::Null);
        }
        let methods = json!(["client_secret_post"]);
        state
            .metadata
            .insert("token_endpoint_auth_methods_supported".to_owned(), methods);
        let scopes = json!(["a", "offline_access"]);
        state.metadata.insert("scopes_supported".to_owned(), scopes);
    });
    let token =
        r#"{"access_token":"T","token_type":"Bearer","expires_in":3600,"refresh_token":"never-used"}"#;
    desk.fake.fix("/oauth/token", Fixed::json(200, token));
    let grants = desk.grants().with_client(own().without_person());
    assert!(grants.credentials_token().is_none());
    let bearer = grants.by_credentials("Bearer scope=\"a\"").await.unwrap();
    assert!(grants.credentials_token().unwrap().same_as(&bearer));
    let seen = desk.fake.last("/oauth/token");
    let field = |name: &str| seen.fields.get(name).map(String::as_str);
    assert_eq!(field("grant_type"), Some("client_credentials"));
    assert_eq!(field("scope"), Some("a"), "no offline_access without a person");
    assert_eq!(field("client_secret"), Some("s3cr3t"));
    assert_eq!(field("resource"), Some(desk.fake.mcp_url().as_str()));
    assert!(desk.grants().credentials_token().is_none(), "it lies in no vault");
    let person = desk.grants().begin_login(request(GrantKind::Plain)).await;
    assert_eq!(person.unwrap_err(), LoginError::NoPkce);
}

#[tokio::test]
async fn without_a_person_a_refusal_is_told() {
    let desk = Desk::new().await;
    let grants = desk.grants().with_client(own().without_person());
    for (answer, word) in [
        (
            Fixed::json(401, r#"{"error":"invalid_client"}"#),
            "this client id",
        ),
        (
            Fixed::json(400, r#"{"error":"unauthorized_client"}"#),
            "this client id",
        ),
        (
            Fixed::json(400, r#"{"error":"unsupported_grant_type"}"#),
            "unsupported_grant_type",
        ),
        (Fixed::json(400, r#"{"error":"invalid_scope"}"#), "scope"),
        (Fixed::json(503, ""), "try again later"),
        (Fixed::page(200, "text/html", "<p>hello"), "no JSON"),
    ] {
        desk.fake.fix("/oauth/token", answer);
        let error = grants.by_credentials("Bearer").await.unwrap_err();
        let told = error.of_any_server();
        assert!(
            told.contains(word) && !told.contains("countersign login"),
            "{told}"
        );
    }
    assert!(grants.credentials_token().is_none());
}

/// What a person is told in the plain profile never leads them to `CrossTrade`'s sign-in.
#[tokio::test]
async fn a_denial_in_the_words_of_any_server() {
    let desk = Desk::new().await;
    let grants = desk.grants();
    let pending = grants.begin_login(request(GrantKind::Plain)).await.unwrap();
    let back = format!(
        "{}?error=access_denied&state={}&iss={}",
        pending.redirect_url(),
        pending.attempt_state(),
        desk.fake.issuer()
    );
    let error = pending.paste(&back).await.unwrap_err();
    assert_eq!(error, LoginError::Denied);
    let told = error.of_any_server();
    assert!(
        told.contains("nothing was granted") && !told.contains("countersign"),
        "{told}"
    );
    // And the next one, which the person began, works.
    let (grant, _) = finish(grants.begin_login(request(GrantKind::Plain)).await.unwrap()).await;
    grant.unwrap().keep().await.unwrap();
    let again = sign_in(&grants, GrantKind::Plain).await;
    assert!(again.is_ok());
}
