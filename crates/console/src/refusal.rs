//! A fault as an answer: JSON for programs, a page for people.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use corridor_pg::{Exit, Fault};
use serde_json::{Value, json};

use crate::fault::{
    ANOTHER_METHOD, FORGED, NO_SUCH_ACCOUNT, NO_SUCH_TOKEN, NOT_ALLOWED, NOT_SIGNED_IN, NOTHING_HERE,
    TOO_MANY_TRIES, WRONG_PASSWORD,
};

/// A fault that ends a request.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Fault);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal(fault)
    }
}

/// The HTTP status that fits a fault.
pub(crate) fn status(fault: &Fault) -> StatusCode {
    let code = fault.code();
    let is = |other: &corridor_pg::Code| code.id == other.id;
    if is(&NOT_SIGNED_IN) || is(&WRONG_PASSWORD) {
        return StatusCode::UNAUTHORIZED;
    }
    if is(&NOT_ALLOWED) || is(&FORGED) {
        return StatusCode::FORBIDDEN;
    }
    if is(&ANOTHER_METHOD) {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    if is(&TOO_MANY_TRIES) {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    let missing = [
        &NOTHING_HERE,
        &NO_SUCH_ACCOUNT,
        &NO_SUCH_TOKEN,
        &crate::fault::NO_SUCH_CLUSTER,
        &corridor_migration::fault::NO_SUCH_MIGRATION,
    ];
    if missing.into_iter().any(is) {
        return StatusCode::NOT_FOUND;
    }
    if is(&corridor_pg::fault::OUT_OF_RESOURCES) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match code.exit {
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::Refused | Exit::NotFinished => StatusCode::CONFLICT,
        Exit::CannotConnect => StatusCode::SERVICE_UNAVAILABLE,
        _ if fault.code().retry == corridor_pg::Retry::AfterReconnect => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The document of a fault.
pub(crate) fn document(fault: &Fault) -> Value {
    let code = fault.code();
    json!({
        "version": 1,
        "error": { "code": code.id, "title": code.title, "detail": fault.detail(), "hint": code.hint },
    })
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (status(&self.0), Json(document(&self.0))).into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"corridor\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}
