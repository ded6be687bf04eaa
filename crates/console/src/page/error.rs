//! What cannot be shown, and why.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use corridor_pg::Fault;

use super::frame::Frame;
use super::html;
use super::prose::filters;
use crate::access::Viewer;
use crate::{Console, refusal};

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
pub(crate) struct Words<'a> {
    /// For example `CON-021`; may be empty.
    pub(crate) code: &'a str,
    /// What it is.
    pub(crate) title: &'a str,
    /// The object, the figure, the limit.
    pub(crate) detail: &'a str,
    /// What to do.
    pub(crate) hint: &'a str,
}

/// The page of a fault; its status follows from its code. Without a viewer there is no navigation.
pub(crate) fn of_fault(console: &Console, viewer: Option<&Viewer>, fault: &Fault) -> Response {
    let code = fault.code();
    let words = Words {
        code: code.id,
        title: code.title,
        detail: fault.detail(),
        hint: code.hint,
    };
    render(console, viewer, refusal::status(fault), &words)
}

/// The page of anything that cannot be shown, with a status of one's own.
pub(crate) fn render(
    console: &Console,
    viewer: Option<&Viewer>,
    status: StatusCode,
    words: &Words<'_>,
) -> Response {
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
