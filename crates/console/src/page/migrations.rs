//! The migrations of all clusters, or of one, in four tabs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use corridor_migration::State as MigrationState;
use corridor_migration::definition::versions::{Place, VersionRange};
use corridor_migration::store;
use corridor_migration::words::number::grouped;
use futures_util::future::join_all;
use semver::Version;
use serde::Deserialize;

use super::fleet::{is_held, known, pending};
use super::frame::{Frame, Trouble};
use super::html;
use super::moment::Moment;
use super::progress::{Progress, progress};
use super::prose::filters;
use super::tone::{label, tone, urgency};
use crate::access::Viewer;
use crate::host::Cluster;
use crate::read::catalogue::{self, Row};
use crate::{Console, read};

/// Migrations of one page.
const PAGE: usize = 100;

/// What the page is asked.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    tab: String,
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
}

/// Where a migration belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Begun and not ended, whatever it waits for.
    Running,
    /// Can be started by this release, or could have been by an older one.
    Needed,
    /// A later release can run it.
    Future,
    /// Ended.
    Done,
}

impl Tab {
    const ALL: [Tab; 4] = [Tab::Running, Tab::Needed, Tab::Future, Tab::Done];

    fn as_str(self) -> &'static str {
        match self {
            Tab::Running => "running",
            Tab::Needed => "needed",
            Tab::Future => "future",
            Tab::Done => "done",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Tab::Running => "Running",
            Tab::Needed => "Needed",
            Tab::Future => "Future",
            Tab::Done => "Done",
        }
    }

    fn nothing(self) -> &'static str {
        match self {
            Tab::Running => "Nothing has begun that is not over.",
            Tab::Needed => {
                "Nothing is left to start. `corridor migration add FILE…` and `corridor move TABLE …` bring something."
            }
            Tab::Future => "No migration is for a later version of the application.",
            Tab::Done => "Nothing has come to its end yet.",
        }
    }
}

/// Where a version of the application lies, seen from a migration's range.
fn place(versions: Option<&str>, app: Option<&Version>) -> Option<Place> {
    let range = VersionRange::parse(versions?).ok()?;
    app.map(|app| range.place(app))
}

/// The tab of a migration. One whose range has passed is *needed*: no release can run it any more, and somebody must know.
///
/// One that was taken back or stopped may be begun anew, and the gate asks for it.
pub(crate) fn tab(
    state: &MigrationState,
    may_begin_anew: bool,
    versions: Option<&str>,
    app: Option<&Version>,
) -> Tab {
    match state {
        state if state.is_final() && !may_begin_anew => Tab::Done,
        state if *state == MigrationState::Planned || may_begin_anew => match place(versions, app) {
            Some(Place::Before) => Tab::Future,
            _ => Tab::Needed,
        },
        _ => Tab::Running,
    }
}

/// What the range says about this version, in words; empty when there is nothing to say.
fn range_words(versions: Option<&str>, app: Option<&Version>) -> (&'static str, bool) {
    match (versions, place(versions, app)) {
        (Some(_), Some(Place::Before)) => ("a later version runs it", false),
        (Some(_), Some(Place::Behind)) => ("its versions have passed: this release cannot run it", true),
        _ => ("", false),
    }
}

/// One migration.
struct Line {
    cluster: String,
    name: String,
    href: String,
    description: String,
    label: &'static str,
    class: &'static str,
    progress: Progress,
    pending: String,
    is_held: bool,
    query: String,
    versions: String,
    range_words: &'static str,
    is_past: bool,
    started: Option<Moment>,
    finished: Option<Moment>,
    created: Moment,
    error: String,
    /// What was asked for and waits.
    asked: String,
}

struct TabLink {
    title: &'static str,
    href: String,
    count: String,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "migrations.html")]
struct Page {
    frame: Frame,
    tabs: Vec<TabLink>,
    tab: Tab,
    clusters: Vec<String>,
    cluster: String,
    q: String,
    lines: Vec<Line>,
    troubles: Vec<(String, Trouble)>,
    app_version: String,
    found: String,
    previous: Option<String>,
    next: Option<String>,
    /// A cluster has more migrations than lists know.
    is_cut: bool,
}

/// `GET /migrations`
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Query(asked): Query<Asked>,
) -> Response {
    let all = console.host.clusters();
    let wanted: Vec<_> = all
        .iter()
        .filter(|cluster| asked.cluster.is_empty() || cluster.name == asked.cluster)
        .collect();
    let (console_ref, app) = (&console, console.host.app_version());
    let read = wanted.iter().map(|cluster| rows_of(console_ref, cluster));
    let mut rows = Vec::new();
    let mut troubles = Vec::new();
    let mut is_cut = false;
    for (cluster, read) in wanted.iter().zip(join_all(read).await) {
        match read {
            Ok(read) => {
                is_cut |= read.len() as i64 >= catalogue::ROWS_MAX;
                rows.extend(read.into_iter().map(|row| (cluster.name.clone(), row)));
            }
            Err(trouble) => troubles.push((cluster.name.clone(), Trouble::from(&*trouble))),
        }
    }
    let page = page(&asked, rows, app.as_ref());
    let page = Page {
        frame: Frame::new(&console, &viewer, "migrations", "Migrations"),
        clusters: all.into_iter().map(|cluster| cluster.name).collect(),
        troubles,
        is_cut,
        ..page
    };
    html(StatusCode::OK, &page)
}

/// The migrations of a cluster, and which of them are not needed there. When nobody can tell, they are.
async fn rows_of(console: &Console, cluster: &Cluster) -> Result<Vec<Row>, read::Trouble> {
    let read = console
        .reader
        .ask(cluster, "catalogue", "", |session| {
            Box::pin(catalogue::read(session))
        })
        .await?;
    let mut rows = Vec::clone(&read);
    let is_any_open = rows.iter().any(|row| row.state == MigrationState::Planned);
    if !is_any_open {
        return Ok(rows);
    }
    let unneeded = console
        .reader
        .ask_every(catalogue::NEEDS_FRESH, cluster, ("needs", ""), |session| {
            Box::pin(catalogue::unneeded(session))
        })
        .await;
    if let Ok(unneeded) = unneeded {
        for row in &mut rows {
            row.is_unneeded = row.state == MigrationState::Planned && unneeded.contains(&row.name);
        }
    }
    Ok(rows)
}

/// The page of what was read; pure.
fn page(asked: &Asked, mut rows: Vec<(String, Row)>, app: Option<&Version>) -> Page {
    let q = asked.q.trim().to_lowercase();
    rows.retain(|(cluster, row)| q.is_empty() || is_found(cluster, row, &q));
    let of = |row: &Row| match row.is_unneeded {
        // As one that was completed for that reason.
        true => Tab::Done,
        false => tab(&row.state, row.may_begin_anew, row.versions.as_deref(), app),
    };
    let count = |wanted: Tab| rows.iter().filter(|(_, row)| of(row) == wanted).count();
    let counts: Vec<usize> = Tab::ALL.into_iter().map(count).collect();
    // Without a word of the reader's, the first tab that has something.
    let current = Tab::ALL
        .into_iter()
        .find(|tab| tab.as_str() == asked.tab)
        .unwrap_or_else(|| {
            let filled = Tab::ALL.into_iter().zip(&counts).find(|(_, count)| **count > 0);
            filled.map_or(Tab::Running, |(tab, _)| tab)
        });
    let tabs = Tab::ALL
        .into_iter()
        .zip(&counts)
        .map(|(tab, count)| TabLink {
            title: tab.title(),
            href: address(tab, asked, 1),
            count: grouped(*count as u64),
            is_current: tab == current,
        })
        .collect();
    rows.retain(|(_, row)| of(row) == current);
    sort(current, &mut rows);
    let number = asked.page.parse::<usize>().unwrap_or(1).clamp(1, 1_000);
    let has_next = rows.len() > number * PAGE;
    let found = rows.len();
    let lines: Vec<Line> = rows
        .iter()
        .skip((number - 1) * PAGE)
        .take(PAGE)
        .map(|(cluster, row)| line(cluster, row, app))
        .collect();
    Page {
        frame: Frame::bare(""),
        tabs,
        tab: current,
        clusters: Vec::new(),
        cluster: asked.cluster.clone(),
        q: asked.q.clone(),
        found: match found > PAGE {
            true => format!(
                "{} to {} of {}",
                (number - 1) * PAGE + 1,
                (number - 1) * PAGE + lines.len(),
                grouped(found as u64)
            ),
            false => String::new(),
        },
        lines,
        troubles: Vec::new(),
        app_version: app.map(Version::to_string).unwrap_or_default(),
        previous: (number > 1).then(|| address(current, asked, number - 1)),
        next: has_next.then(|| address(current, asked, number + 1)),
        is_cut: false,
    }
}

fn is_found(cluster: &str, row: &Row, q: &str) -> bool {
    [
        cluster,
        row.name.as_str(),
        &row.description,
        label(&row.kind, &row.state),
    ]
    .iter()
    .any(|text| text.to_lowercase().contains(q))
}

fn sort(tab: Tab, rows: &mut [(String, Row)]) {
    match tab {
        Tab::Running => rows.sort_by_key(|(_, row)| {
            (
                urgency(&row.kind, &row.state, row.is_worker_alive),
                std::cmp::Reverse(row.created_at.clone()),
            )
        }),
        // In the order of their names: files are numbered.
        Tab::Needed | Tab::Future => {
            rows.sort_by(|(a, x), (b, y)| (x.name.as_str(), a).cmp(&(y.name.as_str(), b)))
        }
        Tab::Done => rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.finished_at.clone())),
    }
}

fn address(tab: Tab, asked: &Asked, page: usize) -> String {
    let mut address = format!("/migrations?tab={}", tab.as_str());
    for (key, value) in [("cluster", &asked.cluster), ("q", &asked.q)] {
        if !value.is_empty() {
            address.push_str(&format!("&{key}={}", super::encoded(value)));
        }
    }
    if page > 1 {
        address.push_str(&format!("&page={page}"));
    }
    address
}

/// How the statement that runs is found on the server: by the words before it, which are written down before it begins, and by its
/// process. Batches of a backfill are marked with their operation.
fn query(row: &Row) -> String {
    let tag = row.tag.as_deref().filter(|tag| !tag.is_empty());
    let is_marked =
        row.kind == corridor_migration::data::KIND && row.is_worker_alive && row.backend_pid.is_none();
    let parts = [
        tag.map(str::to_owned),
        row.query_id.map(|id| format!("query {id}")),
        row.backend_pid.map(|pid| format!("backend {pid}")),
        row.current_operation
            .as_ref()
            .filter(|_| is_marked && tag.is_none() && row.state == MigrationState::Running)
            .map(|operation| format!("marked `corridor {operation}`")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn line(cluster: &str, row: &Row, app: Option<&Version>) -> Line {
    let (range_words, is_past) = range_words(
        row.versions.as_deref(),
        app.filter(|_| row.state == MigrationState::Planned),
    );
    let label = match row.ended_by.as_deref() {
        _ if row.is_unreadable && !row.state.is_final() => "unreadable",
        Some("skipped") => "skipped",
        Some("not_required") => "not needed",
        _ if row.is_unneeded => "not needed",
        _ => label(&row.kind, &row.state),
    };
    Line {
        cluster: cluster.to_owned(),
        name: row.name.to_string(),
        href: format!("/clusters/{cluster}/migrations/{}", row.name),
        description: row.description.clone(),
        label,
        class: tone(&row.kind, &row.state, row.is_worker_alive).class(),
        progress: progress(&known(row)),
        pending: row
            .pending
            .filter(|_| !row.state.is_final())
            .map(pending)
            .unwrap_or_default(),
        is_held: is_held(row),
        query: query(row),
        versions: row.versions.clone().unwrap_or_default(),
        range_words,
        is_past,
        started: Moment::of(row.started_at.as_ref()),
        finished: Moment::of(row.finished_at.as_ref()),
        created: Moment::new(&row.created_at),
        error: error(row),
        asked: row.asked.as_ref().map(store::Asked::words).unwrap_or_default(),
    }
}

/// Why it stands still, whole: nobody should have to look for the end of a sentence.
fn error(row: &Row) -> String {
    match &row.state {
        state if row.is_unreadable && !state.is_final() => {
            let code = &corridor_migration::data::fault::UNREADABLE_PLAN;
            format!("{}: {}; {}", code.id, code.title, code.hint)
        }
        MigrationState::Failed { code, detail, .. } => format!("{code}: {detail}"),
        MigrationState::Ambiguous { what, .. } => what.clone(),
        MigrationState::Paused { why, .. } if !why.is_empty() => format!("paused: {why}"),
        _ => match (&row.why, &row.error) {
            (Some(why), _) => why.clone(),
            (None, error) => error.clone().unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests;
