//! `/ai-clients`: what the user has allowed, with a Revoke button for each grant.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::response::{Html, Redirect};
use serde::Deserialize;

use super::page;
use crate::service::Service;

/// `GET /ai-clients`
pub(crate) async fn show(State(service): State<Arc<Service>>) -> Html<String> {
    Html(page::ai_clients(service.state().grants.all()))
}

/// The form behind a Revoke button.
#[derive(Debug, Deserialize)]
pub(crate) struct Revoke {
    grant: u64,
}

/// `POST /ai-clients`
pub(crate) async fn revoke(State(service): State<Arc<Service>>, Form(form): Form<Revoke>) -> Redirect {
    service.state().grants.revoke_by_person(|g| g.id == form.grant);
    Redirect::to("/ai-clients")
}
