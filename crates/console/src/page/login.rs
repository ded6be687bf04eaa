//! The sign-in page. Only drawn here: who posts to it is looked at by [`access`](crate::access).

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::html;
use super::prose::filters;

/// What the page shows. It posts `csrf`, `name`, `password` and `next` to `/login`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    /// The name that was typed before.
    pub(crate) name: String,
    /// Where to go afterwards; an address of this console.
    pub(crate) next: String,
    /// Why it did not work; empty at first.
    pub(crate) error: String,
    /// There is no account yet.
    pub(crate) is_empty: bool,
    /// For the hidden field `csrf`; empty where it is not used.
    pub(crate) csrf: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    frame: Frame,
    login: &'a Login,
}

/// The page.
pub(crate) fn render(status: StatusCode, login: &Login) -> Response {
    html(
        status,
        &Page {
            frame: Frame::bare("Sign in"),
            login,
        },
    )
}
