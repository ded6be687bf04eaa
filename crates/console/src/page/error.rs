//! What cannot be shown, and why.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use corridor_pg::{Exit, Fault};

use super::frame::Frame;
use super::html;
use super::prose::filters;
use crate::Console;
use crate::access::Viewer;
use crate::fault::NO_SUCH_PAGE;

#[derive(Template)]
#[template(path = "error.html")]
struct Page<'a> {
    frame: Frame,
    status: u16,
    code: &'a str,
    title: &'a str,
    detail: &'a str,
    hint: &'a str,
}

/// What is told about something that cannot be shown.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// For example `CON-021`; may be empty.
    pub code: &'a str,
    /// What it is.
    pub title: &'a str,
    /// The object, the figure, the limit.
    pub detail: &'a str,
    /// What to do.
    pub hint: &'a str,
}

/// The page of a fault; its status follows from its code. Without a viewer there is no navigation.
pub fn of_fault(console: &Console, viewer: Option<&Viewer>, fault: &Fault) -> Response {
    let code = fault.code();
    let words = Words {
        code: code.id,
        title: code.title,
        detail: fault.detail(),
        hint: code.hint,
    };
    render(console, viewer, status(fault), &words)
}

/// The page of anything that cannot be shown, with a status of one's own.
pub fn render(console: &Console, viewer: Option<&Viewer>, status: StatusCode, words: &Words<'_>) -> Response {
    let title = match words.title {
        "" => status.canonical_reason().unwrap_or("Not shown"),
        title => title,
    };
    let frame = match viewer {
        Some(viewer) => Frame::new(console, viewer, "", title),
        None => Frame::bare(title),
    };
    let page = Page {
        frame,
        status: status.as_u16(),
        code: words.code,
        title,
        detail: words.detail,
        hint: words.hint,
    };
    html(status, &page)
}

/// The status that a fault answers with.
pub fn status(fault: &Fault) -> StatusCode {
    let code = fault.code();
    match code.exit {
        _ if code.id == NO_SUCH_PAGE.id || code.id == corridor_migration::fault::NO_SUCH_MIGRATION.id => {
            StatusCode::NOT_FOUND
        }
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::Refused => StatusCode::CONFLICT,
        Exit::CannotConnect => StatusCode::SERVICE_UNAVAILABLE,
        _ if code.retry != corridor_pg::Retry::Never => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// There is no page at this address.
pub fn nothing(console: &Console, viewer: Option<&Viewer>) -> Response {
    let words = Words {
        code: NO_SUCH_PAGE.id,
        title: "There is nothing here",
        detail: "",
        hint: NO_SUCH_PAGE.hint,
    };
    render(console, viewer, StatusCode::NOT_FOUND, &words)
}
