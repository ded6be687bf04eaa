//! What watches over the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Console;
use crate::host::Seen;

pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// 200 when every cluster is reachable.
pub(super) async fn readiness(State(console): State<Arc<Console>>) -> Response {
    let troubles: BTreeMap<String, String> = console
        .host
        .clusters()
        .into_iter()
        .filter_map(|cluster| Some((cluster.name, Seen::trouble(cluster.seen.as_deref())?)))
        .collect();
    let status = match troubles.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (
        status,
        Json(json!({ "ready": troubles.is_empty(), "troubles": troubles })),
    )
        .into_response()
}

pub(super) async fn metrics(State(console): State<Arc<Console>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], console.host.metrics()).into_response()
}
