//! The documented `CrossTrade` MCP service as a local program: an OAuth server, an MCP endpoint with all tools, a paper
//! market behind them, every documented error, and faults on demand. It listens on 127.0.0.1 only.
//!
//! The map: [`start`] opens the two listeners. `http` accepts connections and hands requests to `faulty`, which
//! records them and lets them go wrong on demand; behind it are `oauth` and `mcp`; `mcp` calls `tools`, which work on
//! `market`. `control` is the second listener, through which tests ask and order. All state is in `service`, behind
//! one lock that is never held over an await.

mod clock;
mod control;
pub mod demo;
mod faulty;
mod http;
mod look;
mod market;
mod mcp;
mod oauth;
pub mod options;
mod secret;
mod service;
mod tools;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use options::Options;
use service::Service;

/// The path of the MCP endpoint, as on the real service.
pub const ENDPOINT_PATH: &str = "/v1/api/mcp";

/// Where a started simulator is reached. Printed as one JSON line by `serve`.
#[derive(Debug, Clone, Serialize)]
pub struct Addresses {
    /// The MCP endpoint.
    pub mcp_url: String,
    /// Base of the control interface, without a slash at the end.
    pub control_url: String,
    /// The authorization server.
    pub issuer: String,
}

/// A simulator that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Simulator {
    /// Where it is.
    pub addresses: Addresses,
    stop: CancellationToken,
}

impl Simulator {
    /// Stops listening and closes every connection.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it is stopped.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a simulator inside the current tokio runtime. Fails where a port cannot be had or the user is unknown.
pub async fn start(options: Options) -> io::Result<Simulator> {
    if !oauth::USERS.contains(&options.user.as_str()) {
        let text = format!(
            "unknown user {:?}; there are {}",
            options.user,
            oauth::USERS.join(" and ")
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let public = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let private = TcpListener::bind((Ipv4Addr::LOCALHOST, options.control_port)).await?;
    let issuer = format!("http://{}", public.local_addr()?);
    let control_url = format!("http://{}", private.local_addr()?);
    let service = Arc::new(Service::new(options, issuer.clone()));
    let addresses = Addresses {
        mcp_url: service.endpoint.clone(),
        control_url,
        issuer,
    };
    let stop = CancellationToken::new();
    let router = routes(Arc::clone(&service));
    tokio::spawn(http::serve(public, Arc::clone(&service), router, stop.clone()));
    tokio::spawn(control_loop(
        private,
        control::api::router(Arc::clone(&service)),
        stop.clone(),
    ));
    tokio::spawn(market_loop(service, stop.clone()));
    Ok(Simulator { addresses, stop })
}

async fn control_loop(listener: TcpListener, router: Router, stop: CancellationToken) {
    // An error ends the control interface only; `axum::serve` retries accepting by itself.
    let _ = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
}

/// Moves the market while nobody asks, so that resting orders fill.
async fn market_loop(service: Arc<Service>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(std::time::Duration::from_millis(250)) => {}
        }
        service.state().market.advance(clock::now_ms());
    }
}

fn routes(service: Arc<Service>) -> Router {
    let resource = "/.well-known/oauth-protected-resource";
    Router::new()
        .route(ENDPOINT_PATH, any(mcp::endpoint::handle))
        .route(resource, get(oauth::metadata::protected_resource))
        .route(
            &format!("{resource}{ENDPOINT_PATH}"),
            get(oauth::metadata::protected_resource),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(oauth::metadata::authorization_server),
        )
        .route("/v1/oauth/mcp/register", post(oauth::register::register))
        .route(
            "/v1/oauth/mcp/authorize",
            get(oauth::authorize::ask).post(oauth::authorize::decide),
        )
        .route("/v1/oauth/mcp/token", post(oauth::token::token))
        .route("/v1/oauth/mcp/revoke", post(oauth::token::revoke))
        .route(
            "/ai-clients",
            get(oauth::clients_page::show).post(oauth::clients_page::revoke),
        )
        .with_state(service)
}
