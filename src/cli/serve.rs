//! `serve`: what AI clients start.

use super::args::Serve;
use super::{Context, Exit};
use crate::oauth::{ClientChoice, MAX_KEY_FILE};
use crate::relay::{self, plain};
use crate::system::file::others_may_read;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

pub(super) async fn serve(context: Context, what: Serve) -> Exit {
    if what.profile != "plain" {
        if what.is_plain() {
            context.out.error(
                "--client-id, --client-credentials, --client-key-file, --client-metadata-url, --scope and --header belong to --profile plain",
                "nothing was started; CrossTrade's profile signs in by itself",
            );
            return Exit::Usage;
        }
        let Context {
            world,
            endpoint,
            http,
            ..
        } = context;
        relay::serve(world, endpoint, http).await;
        return Exit::Fine;
    }
    // The default address is CrossTrade's too.
    if context.endpoint.is_crosstrade() {
        context.out.error(
            "the plain profile holds no order, so it does not serve CrossTrade",
            "nothing was started; leave --profile away, or give --url another server",
        );
        return Exit::Usage;
    }
    let options = match options(&context, &what) {
        Ok(options) => options,
        Err(why) => {
            context.out.error(&why, "nothing was started");
            return Exit::Usage;
        }
    };
    let Context {
        world,
        endpoint,
        http,
        ..
    } = context;
    plain::serve(world, endpoint, http, options).await;
    Exit::Fine
}

fn options(context: &Context, what: &Serve) -> Result<plain::Options, String> {
    let secret = context.world.env.text("COUNTERSIGN_CLIENT_SECRET");
    let secret = secret.map(|text| SecretString::from(text.to_owned()));
    let mut client = match (&what.client_id, &what.client_metadata_url) {
        (Some(id), _) => ClientChoice::registered(id, secret.as_ref())?,
        (None, Some(url)) => ClientChoice::document(url),
        (None, None) => ClientChoice::default(),
    };
    if let Some(file) = &what.client_key_file {
        let read = client.with_key(&key_text(file)?);
        client = read.map_err(|why| format!("the key in {} cannot be used: {why}", file.display()))?;
    } else if what.client_credentials {
        if secret.is_none() {
            return Err(
                "--client-credentials wants a secret in COUNTERSIGN_CLIENT_SECRET, or --client-key-file"
                    .to_owned(),
            );
        }
        client = client.without_person();
    }
    if let Some(scope) = &what.scope {
        client = client.with_scope(scope);
    }
    let headers: Result<HeaderMap, String> = what.header.iter().map(|text| header(text)).collect();
    Ok(plain::Options {
        client,
        headers: headers?,
    })
}

/// The text of a file with a private key, which is for this user alone.
fn key_text(file: &Path) -> Result<Zeroizing<String>, String> {
    let named = file.display();
    let unread = |error: std::io::Error| format!("the key in {named} cannot be read: {error}");
    if others_may_read(file).map_err(unread)? {
        return Err(format!(
            "other users may read the key in {named}: make it yours alone (on Linux and macOS: chmod 600)"
        ));
    }
    let mut text = Zeroizing::new(String::new());
    let mut opened = std::fs::File::open(file).map_err(unread)?.take(MAX_KEY_FILE);
    opened.read_to_string(&mut text).map_err(unread)?;
    Ok(text)
}

/// One `NAME:VALUE`. The value is never repeated in an error: it may be a key.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("--header wants NAME:VALUE")?;
    let name: HeaderName = name
        .trim()
        .parse()
        .map_err(|_| "--header: the name before the colon is no header name".to_owned())?;
    let mut value: HeaderValue = value
        .trim()
        .parse()
        .map_err(|_| format!("--header {name}: its value has characters that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl Serve {
    /// Whether something was said that only the plain profile knows.
    fn is_plain(&self) -> bool {
        self.client_id.is_some()
            || self.client_credentials
            || self.client_key_file.is_some()
            || self.client_metadata_url.is_some()
            || self.scope.is_some()
            || !self.header.is_empty()
    }
}
