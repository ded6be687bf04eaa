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

pub(crate) mod account;
pub(crate) mod accounts;
pub(crate) mod asset;
pub(crate) mod audit;
pub(crate) mod banner;
mod cells;
mod chart;
pub(crate) mod dialog;
mod effect;
pub(crate) mod error;
pub(crate) mod fleet;
mod frame;
pub(crate) mod login;
pub(crate) mod migration;
pub(crate) mod migrations;
mod moment;
mod progress;
mod prose;
pub(crate) mod settings;
mod timeline;
mod tone;

use askama::Template;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::access::Access;
use crate::live;
use crate::route::{Kind, OPERATOR, Route, VIEWER};

/// The pages. Assets are for everybody: the sign-in page needs them.
pub(crate) fn routes() -> Vec<Route> {
    let page =
        |path, access, summary, handler| Route::new(Method::GET, path, access, Kind::Page, summary, handler);
    vec![
        page("/", VIEWER, "The fleet.", get(fleet::show)),
        page("/live", VIEWER, "The fleet, while it changes.", get(live::fleet)),
        page(
            "/migrations",
            VIEWER,
            "Migrations, by what is to be done with them.",
            get(migrations::show),
        ),
        page(
            "/clusters/{cluster}/migrations/{name}",
            VIEWER,
            "One migration.",
            get(migration::show),
        ),
        page(
            "/clusters/{cluster}/migrations/{name}/live",
            VIEWER,
            "One migration, while it changes.",
            get(live::migration),
        ),
        page(
            "/clusters/{cluster}/migrations/{name}/do/{verb}",
            OPERATOR,
            "What will happen, before it is asked for.",
            get(dialog::show),
        ),
        page("/settings", VIEWER, "The settings.", get(settings::show)),
        page(
            "/audit",
            VIEWER,
            "What was done, by whom and why.",
            get(audit::show),
        ),
        page(
            "/assets/{file}",
            Access::Open,
            "Style sheets and scripts.",
            get(asset::show),
        ),
    ]
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
