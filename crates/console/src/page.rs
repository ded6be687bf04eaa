//! What a signed-in person sees: one file for each page, and beside them what several pages show.
//!
//! A handler asks the `Reader`, puts what it hears into a view (plain data, made by pure functions, tested without a server),
//! and a template writes that down. Templates escape everything; the only text that goes through unescaped is drawn by
//! [`chart`] and [`cells`] from numbers.
//!
//! | page | file |
//! |---|---|
//! | `/` | `fleet` |
//! | `/migrations` | `migrations` |
//! | `/clusters/{cluster}/migrations/{name}` | `migration`, its tabs in `migration/` |
//! | `…/do/{verb}` | `dialog`, what is said in it in `effect` |
//! | `/settings`, `/audit` | `settings`, `audit` |
//! | sign-in, accounts | `login`, `account`, `accounts`: only drawn here, their handlers belong to [`access`](crate::access) |
//!
//! **Invariant:** no page needs JavaScript to be read or to ask for something; none has a script, a style or a handler of an
//! event in it.

pub mod account;
pub mod accounts;
pub(crate) mod asset;
pub(crate) mod audit;
pub(crate) mod banner;
mod cells;
mod chart;
pub(crate) mod dialog;
mod effect;
pub mod error;
pub(crate) mod fleet;
mod frame;
pub mod login;
pub(crate) mod migration;
pub(crate) mod migrations;
mod moment;
mod progress;
mod prose;
pub(crate) mod settings;
mod timeline;
mod tone;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::access::Role;
use crate::{Console, live};

/// The pages, and who may see them. Assets are for everybody: the sign-in page needs them.
#[allow(dead_code, reason = "the table of routes is made from it")]
pub(crate) const PATHS: &[(&str, Role)] = &[
    ("/", Role::Viewer),
    ("/live", Role::Viewer),
    ("/migrations", Role::Viewer),
    ("/clusters/{cluster}/migrations/{name}", Role::Viewer),
    ("/clusters/{cluster}/migrations/{name}/live", Role::Viewer),
    ("/clusters/{cluster}/migrations/{name}/do/{verb}", Role::Operator),
    ("/settings", Role::Viewer),
    ("/audit", Role::Viewer),
];

/// All pages, and what they are made of. Who asks comes as an `Extension<Viewer>`.
pub fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/", get(fleet::show))
        .route("/live", get(live::fleet))
        .route("/migrations", get(migrations::show))
        .route("/clusters/{cluster}/migrations/{name}", get(migration::show))
        .route("/clusters/{cluster}/migrations/{name}/live", get(live::migration))
        .route(
            "/clusters/{cluster}/migrations/{name}/do/{verb}",
            get(dialog::show),
        )
        .route("/settings", get(settings::show))
        .route("/audit", get(audit::show))
        .route("/assets/{file}", get(asset::show))
}

/// A template as an answer.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (
            status,
            [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                // What is shown is true now, and for this person only.
                (header::CACHE_CONTROL, "no-store"),
            ],
            text,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("The page could not be written: {error}\n"),
            )
                .into_response()
        }
    }
}

/// A template as a fragment of a page; what went wrong in its place.
pub(crate) fn fragment(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a part of a page could not be written");
        String::new()
    })
}

/// `text` as a part of an address behind `?`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
