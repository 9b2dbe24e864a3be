//! Finding the authorization server.

use super::fake::Fixed;
use super::*;

const PRM: &str = "/.well-known/oauth-protected-resource/v1/api/mcp";
const ROOT_PRM: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server/oauth";
const OIDC: &str = "/.well-known/openid-configuration/oauth";
const APPENDED: &str = "/oauth/.well-known/openid-configuration";

async fn begin(desk: &Desk) -> Result<(), LoginError> {
    desk.grants()
        .begin_login(request(GrantKind::Read))
        .await
        .map(|_| ())
}

/// What the server usually publishes at this path.
async fn usual(desk: &Desk, path: &str) -> Fixed {
    let answer = http()
        .get(format!("{}{path}", desk.fake.base()))
        .send()
        .await
        .unwrap();
    Fixed::json(200, &text_of(answer).await)
}

#[tokio::test]
async fn any_4xx_leads_on_to_the_next_place() {
    for status in [400, 401, 403, 404, 405, 410] {
        let desk = Desk::new().await;
        let (prm, server) = (usual(&desk, PRM).await, usual(&desk, SERVER).await);
        desk.fake.fix(
            PRM,
            Fixed {
                status,
                ..Fixed::default()
            },
        );
        desk.fake.fix(ROOT_PRM, prm);
        desk.fake.fix(
            SERVER,
            Fixed {
                status,
                ..Fixed::default()
            },
        );
        desk.fake.fix(
            OIDC,
            Fixed {
                status,
                ..Fixed::default()
            },
        );
        desk.fake.fix(APPENDED, server);
        begin(&desk).await.unwrap();
    }
}

#[tokio::test]
async fn a_5xx_ends_it() {
    for path in [PRM, SERVER] {
        let desk = Desk::new().await;
        desk.fake.fix(
            path,
            Fixed {
                status: 502,
                ..Fixed::default()
            },
        );
        let refused = begin(&desk).await.unwrap_err();
        assert!(matches!(refused, LoginError::Network(_)), "{refused}");
        assert_eq!(desk.fake.count(ROOT_PRM) + desk.fake.count(OIDC), 0);
    }
}

#[tokio::test]
async fn html_is_no_metadata() {
    let desk = Desk::new().await;
    let server = usual(&desk, SERVER).await;
    let html = Fixed {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: server.body.clone(),
    };
    desk.fake.fix(SERVER, html);
    let refused = begin(&desk).await.unwrap_err();
    assert!(matches!(refused, LoginError::Discovery(_)), "{refused}");
    desk.fake.fix(OIDC, server);
    begin(&desk).await.unwrap();
}

#[tokio::test]
async fn no_resource_metadata_is_for_the_plain_profile_only() {
    let desk = Desk::new().await;
    let gone = Fixed {
        status: 404,
        ..Fixed::default()
    };
    desk.fake.fix(PRM, gone.clone());
    let refused = begin(&desk).await.unwrap_err();
    assert!(matches!(refused, LoginError::Discovery(_)), "{refused}");
    desk.fake
        .fix("/register", Fixed::json(201, r#"{"client_id":"legacy"}"#));
    let pending = desk
        .grants()
        .begin_login(request(GrantKind::Plain))
        .await
        .unwrap();
    assert!(
        pending
            .url
            .starts_with(&format!("{}/authorize?", desk.fake.base())),
        "{}",
        pending.url
    );
}

#[tokio::test]
async fn metadata_of_something_else_is_refused() {
    for resource in [
        "https://evil.example/mcp",
        "BASE/v1/api/mcp/other",
        "BASE/v1/api/mc",
        "",
    ] {
        let desk = Desk::new().await;
        desk.fake
            .set(|state| state.prm_resource = Some(resource.replace("BASE", &state.base)));
        let refused = begin(&desk).await.unwrap_err();
        assert!(
            matches!(refused, LoginError::Discovery(_)),
            "{resource}: {refused}"
        );
    }
}

#[tokio::test]
async fn the_resource_is_sent_as_it_was_written() {
    for suffix in ["", "/", "/v1"] {
        let desk = Desk::new().await;
        let written = format!("{}{suffix}", desk.fake.base());
        desk.fake.set(|state| state.prm_resource = Some(written.clone()));
        let grants = desk.signed_in(GrantKind::Read).await;
        let old = grants.bearer(GrantKind::Read).await.unwrap();
        grants.renew(GrantKind::Read, &old).await.unwrap();
        assert_eq!(desk.fake.last("/oauth/authorize").fields["resource"], written);
        assert_eq!(desk.fake.last("/oauth/token").fields["resource"], written);
        assert_eq!(
            desk.fake.last("/oauth/token").fields["grant_type"],
            "refresh_token"
        );
    }
}

#[tokio::test]
async fn the_issuer_must_be_the_very_string() {
    for wrong in ["/", "/oauth/", "/OAUTH", "/other"] {
        let desk = Desk::new().await;
        desk.fake.set(|state| {
            let issuer = format!("{}{wrong}", state.base);
            state.metadata.insert("issuer".to_owned(), issuer.into());
        });
        let refused = begin(&desk).await.unwrap_err();
        assert!(matches!(refused, LoginError::Discovery(_)), "{wrong}: {refused}");
    }
}

#[tokio::test]
async fn no_pkce_no_sign_in() {
    for methods in [serde_json::Value::Null, serde_json::json!(["plain"])] {
        let desk = Desk::new().await;
        desk.fake.set(|state| {
            state
                .metadata
                .insert("code_challenge_methods_supported".to_owned(), methods.clone());
        });
        assert_eq!(begin(&desk).await.unwrap_err(), LoginError::NoPkce);
        assert_eq!(desk.fake.count("/oauth/register"), 0);
    }
}

#[tokio::test]
async fn an_endless_document_is_cut() {
    let desk = Desk::new().await;
    desk.fake.fix(PRM, Fixed::json(200, &"x".repeat(1024 * 1024 + 1)));
    let refused = begin(&desk).await.unwrap_err();
    assert!(refused.to_string().contains("longer than"), "{refused}");
}

#[tokio::test]
async fn redirects_stay_on_their_origin() {
    let desk = Desk::new().await;
    let elsewhere = Desk::new().await;
    let redirect = |to: String| Fixed {
        status: 302,
        headers: vec![("location".to_owned(), to)],
        body: String::new(),
    };
    let prm = usual(&desk, PRM).await;
    desk.fake.fix("/moved", prm);
    desk.fake.fix(PRM, redirect("/moved".to_owned()));
    begin(&desk).await.unwrap();
    desk.fake
        .fix(PRM, redirect(format!("{}/moved", elsewhere.fake.base())));
    assert!(matches!(begin(&desk).await, Err(LoginError::Discovery(_))));
    assert!(elsewhere.fake.paths().is_empty());
    desk.fake.fix(PRM, redirect(PRM.to_owned()));
    assert!(
        begin(&desk)
            .await
            .unwrap_err()
            .to_string()
            .contains("too many redirects")
    );
}

#[tokio::test]
async fn nobody_there_is_told_plainly() {
    let desk = Desk::new().await;
    let port = free_ports()[0];
    let grants = desk.grants_at(&format!("http://127.0.0.1:{port}/mcp"));
    let refused = grants.begin_login(request(GrantKind::Read)).await.unwrap_err();
    assert_eq!(refused, LoginError::Network("no connection".to_owned()));
}

#[tokio::test]
async fn the_challenge_names_the_metadata_and_the_scope() {
    let desk = Desk::new().await;
    let prm = usual(&desk, PRM).await;
    desk.fake.fix("/elsewhere/metadata", prm);
    let gone = Fixed {
        status: 404,
        ..Fixed::default()
    };
    desk.fake.fix(PRM, gone);
    let challenge = format!(
        "Basic realm=\"a, b=\\\"c\\\"\", Bearer error=\"invalid_token\", scope=\"one two\", \
         resource_metadata=\"{}/elsewhere/metadata\"",
        desk.fake.base()
    );
    let wish = LoginRequest {
        challenge: Some(challenge),
        ..request(GrantKind::Plain)
    };
    let pending = desk.grants().begin_login(wish.clone()).await.unwrap();
    assert!(pending.url.contains("scope=one+two"), "{}", pending.url);
    assert_eq!(
        desk.fake.count("/v1/api/mcp"),
        0,
        "the challenge was there already"
    );
    drop(pending);
    for hostile in [
        "https://evil.example/metadata",
        "http://10.0.0.1/metadata",
        "file:///etc/passwd",
    ] {
        let challenge = Some(format!("Bearer resource_metadata=\"{hostile}\""));
        let refused = desk
            .grants()
            .begin_login(LoginRequest {
                challenge,
                ..wish.clone()
            })
            .await;
        assert!(refused.is_err(), "{hostile}");
    }
}

#[tokio::test]
async fn a_step_up_asks_for_the_old_scopes_and_the_new_ones() {
    let desk = Desk::new().await;
    desk.fake.set(|state| {
        let scopes = serde_json::json!(["a", "offline_access"]);
        state.metadata.insert("scopes_supported".to_owned(), scopes);
    });
    let grants = desk.grants();
    let first = LoginRequest {
        challenge: Some("Bearer scope=\"a b\"".to_owned()),
        ..request(GrantKind::Plain)
    };
    let new = finish(grants.begin_login(first).await.unwrap()).await.0.unwrap();
    assert_eq!(new.scope(), Some("a b offline_access"));
    new.keep().await.unwrap();
    let more = LoginRequest {
        challenge: Some("Bearer error=\"insufficient_scope\", scope=\"c\"".to_owned()),
        ..request(GrantKind::Plain)
    };
    let pending = grants.begin_login(more).await.unwrap();
    assert!(
        pending.url.contains("scope=c+a+b+offline_access"),
        "{}",
        pending.url
    );
}

#[tokio::test]
async fn no_scope_known_means_no_scope_asked() {
    let desk = Desk::new().await;
    let base = desk.fake.base();
    let bare = format!(r#"{{"resource":"{base}","authorization_servers":["{base}/oauth"]}}"#);
    desk.fake.fix(PRM, Fixed::json(200, &bare));
    let pending = desk
        .grants()
        .begin_login(request(GrantKind::Plain))
        .await
        .unwrap();
    assert!(!pending.url.contains("scope"), "{}", pending.url);
}
