//! Nothing secret comes out: log at trace, Debug, errors, the files.

use super::super::Which;
use super::fake::Fixed;
use super::*;
use secrecy::SecretString;
use std::fmt::Write as _;
use tracing_subscriber::fmt::MakeWriter;

const PIN: &str = "otter lamp seven brick planted";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_planted_is_found_anywhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let desk = Desk::new().await;
    let mut told = String::new();
    let grants = desk.signed_in(GrantKind::Read).await;
    let pending = grants.begin_login(request(GrantKind::Trade)).await.unwrap();
    write!(told, "{pending:?} {:?}", pending.paste_check()).unwrap();
    let new = finish(pending).await.0.unwrap();
    write!(told, "{new:?}").unwrap();
    new.keep().await.unwrap();
    let old = grants.bearer(GrantKind::Read).await.unwrap();
    write!(
        told,
        "{grants:?} {old:?} {:?}",
        grants.renew(GrantKind::Read, &old).await
    )
    .unwrap();
    write!(told, "{:?}", grants.overview().await).unwrap();
    let pin = SecretString::from(PIN);
    grants
        .seal(&pin, super::super::SealedExtras::new())
        .await
        .unwrap();
    let unsealed = grants.unseal(&pin).await.unwrap();
    write!(told, "{unsealed:?} {:?}", unsealed.bearer()).unwrap();
    // A server that repeats what it was sent.
    for body in [
        r#"{"error":"invalid_request","error_description":"bad token refresh-1-planted-secret"}"#,
        r#"{"error":"invalid_grant","error_description":"refresh-1-planted-secret"}"#,
        "refresh-1-planted-secret",
    ] {
        desk.fake.fix("/oauth/token", Fixed::json(400, body));
        let error = unsealed.renew(&unsealed.bearer()).await;
        write!(told, "{error:?}").unwrap();
        if let Err(error) = error {
            told.push_str(&error.to_string());
        }
        let pending = grants.begin_login(request(GrantKind::Read)).await.unwrap();
        let error = finish(pending).await.0.unwrap_err();
        write!(told, "{error:?} {error}").unwrap();
    }
    write!(told, "{:?}", grants.logout(Which::All).await).unwrap();
    let exchanges: Vec<String> = desk.fake.get(|state| {
        let fields = state.seen.iter().flat_map(|seen| seen.fields.clone());
        fields
            .filter(|(name, _)| name == "code_verifier" || name == "state")
            .map(|(_, value)| value)
            .collect()
    });
    assert!(exchanges.len() > 4);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("access was renewed"),
        "the log was there: {logged}"
    );
    let files = everything_in(desk.home.path());
    for (place, text) in [("log", &logged), ("words", &told), ("files", &files)] {
        assert!(!text.contains("planted"), "{place}: {text}");
        for secret in &exchanges {
            assert!(!text.contains(secret.as_str()), "{place}: {text}");
        }
    }
}
