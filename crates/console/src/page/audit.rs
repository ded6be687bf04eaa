//! What was done through the console and the HTTP interface, by whom and why; the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use corridor_migration::words::of_value;
use serde::Deserialize;

use super::frame::Frame;
use super::moment::Moment;
use super::prose::filters;
use super::{error, html};
use crate::Console;
use crate::access::Viewer;
use crate::read::audit::{Deed, PAGE, entries};

/// What the page is asked.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    before: String,
}

struct Line {
    id: i64,
    at: Moment,
    actor: String,
    action: String,
    object: String,
    detail: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    lines: Vec<Line>,
    older: Option<String>,
    is_first: bool,
}

/// `GET /audit`
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Query(asked): Query<Asked>,
) -> Response {
    let before = asked.before.parse().unwrap_or(i64::MAX);
    let clusters = console.host.clusters();
    let deeds = match clusters.first() {
        Some(home) => {
            let asked = console
                .reader
                .ask(home, "audit", before.to_string(), move |session| {
                    Box::pin(entries(&**session, before, PAGE + 1))
                });
            match asked.await {
                Ok(deeds) => deeds,
                Err(fault) => return error::of_fault(&console, Some(&viewer), &fault),
            }
        }
        None => Arc::default(),
    };
    let full = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let shown = &deeds[..deeds.len().min(full)];
    let last = shown.last().filter(|_| deeds.len() > full);
    let page = Page {
        frame: Frame::new(&console, &viewer, "audit", "Audit"),
        older: last.map(|last| format!("/audit?before={}", last.id)),
        is_first: before == i64::MAX,
        lines: shown.iter().map(line).collect(),
    };
    html(StatusCode::OK, &page)
}

fn line(deed: &Deed) -> Line {
    let members = deed.detail.as_object().into_iter().flatten();
    Line {
        id: deed.id,
        at: Moment::new(&deed.at),
        actor: deed.actor.clone(),
        action: deed.action.replace('_', " "),
        object: deed.object.clone(),
        detail: members
            .filter_map(|(key, value)| Some((key.replace('_', " "), of_value(value)?)))
            .collect(),
    }
}
