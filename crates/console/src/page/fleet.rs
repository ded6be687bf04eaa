//! The fleet: a row for each cluster, problems first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use corridor_limits::finding::{Finding, Severity};
use corridor_limits::forecast::Runway;
use corridor_migration::words::number::{grouped, seconds};
use futures_util::future::join_all;
use serde::Deserialize;

use super::banner::{self, now_s};
use super::frame::{Frame, Trouble};
use super::progress::{Known, progress};
use super::prose::filters;
use super::tone::{Tone, label, tone, urgency};
use super::{fragment, html};
use crate::Console;
use crate::access::Viewer;
use crate::host::Cluster;
use crate::read::catalogue::{self, Row};

/// Migrations that a cluster's row names.
const LINES_MAX: usize = 5;
/// Pending changes are counted up to here.
const PENDING_SHOWN_MAX: i64 = 10_000;

/// What the page is asked.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page {
    frame: Frame,
    q: String,
    rows: Vec<Line>,
}

/// The rows alone, for the stream.
#[derive(Template)]
#[template(path = "fleet_rows.html")]
struct Rows {
    rows: Vec<Line>,
}

/// One cluster.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    name: String,
    class: &'static str,
    trouble: Option<Trouble>,
    worst: Option<Limit>,
    /// Findings that are not the worst one.
    more_limits: usize,
    /// `None` before the first check.
    is_checked: bool,
    migrations: Vec<Work>,
    more_migrations: usize,
    /// `2 running, 1 failed`.
    counts: String,
    workers: usize,
    /// For the filter.
    words: String,
    rank: (u8, u8, i64),
}

/// The worst limit.
#[derive(Debug, Clone)]
struct Limit {
    code: &'static str,
    object: String,
    headline: String,
    left: String,
    class: &'static str,
}

/// One migration that has begun and not ended.
#[derive(Debug, Clone)]
struct Work {
    name: String,
    href: String,
    label: &'static str,
    class: &'static str,
    permille: u32,
    operation: String,
    rows: String,
    pending: String,
    is_held: bool,
}

/// `GET /`
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Query(asked): Query<Asked>,
) -> Response {
    let mut rows = lines(&console).await;
    let q = asked.q.trim().to_lowercase();
    rows.retain(|row| q.is_empty() || row.words.contains(&q));
    let page = Page {
        frame: Frame::new(&console, &viewer, "fleet", "Fleet"),
        q: asked.q,
        rows,
    };
    html(StatusCode::OK, &page)
}

/// The rows, for the stream.
pub(crate) async fn rows(console: &Arc<Console>) -> String {
    fragment(&Rows {
        rows: lines(console).await,
    })
}

/// All clusters, problems first, else in the order of the settings.
async fn lines(console: &Arc<Console>) -> Vec<Line> {
    let clusters = console.host.clusters();
    let read = clusters.iter().map(|cluster| async move {
        console
            .reader
            .ask(cluster, "catalogue", "", |session| {
                Box::pin(catalogue::read(session))
            })
            .await
    });
    let read = join_all(read).await;
    let now_s = now_s();
    let mut lines: Vec<Line> = clusters
        .iter()
        .zip(read)
        .enumerate()
        .map(|(place, (cluster, read))| match read {
            Ok(rows) => line(cluster, &rows, None, place, now_s),
            Err(trouble) => line(cluster, &[], Some(Trouble::from(&*trouble)), place, now_s),
        })
        .collect();
    lines.sort_by_key(|line| line.rank);
    lines
}

fn line(cluster: &Cluster, rows: &[Row], trouble: Option<Trouble>, place: usize, now_s: f64) -> Line {
    let seen = cluster.seen.as_ref();
    let trouble = trouble.or_else(|| {
        let words = banner::trouble(cluster, now_s)?;
        Some(Trouble {
            code: "",
            words,
            hint: "",
        })
    });
    let findings: &[Finding] = seen.and_then(|seen| seen.findings.as_deref()).unwrap_or(&[]);
    let mut open: Vec<&Row> = rows
        .iter()
        .filter(|row| !row.state.is_final() && row.state != corridor_migration::State::Planned)
        .collect();
    open.sort_by_key(|row| {
        (
            urgency(&row.kind, &row.state, row.is_worker_alive),
            std::cmp::Reverse(row.id),
        )
    });
    let worst_work = open
        .first()
        .map_or(9, |row| urgency(&row.kind, &row.state, row.is_worker_alive));
    let severity = findings.first().map(|finding| finding.severity);
    let rank = match (&trouble, severity) {
        (Some(_), _) => 0,
        (None, Some(Severity::Critical)) => 1,
        (None, _) if worst_work <= 2 => 2,
        (None, Some(Severity::Warning)) => 3,
        (None, _) => 4,
    };
    let class = match rank {
        0..=2 => Tone::Bad,
        3 => Tone::Wait,
        _ if open.is_empty() => Tone::Good,
        _ => Tone::Work,
    };
    let worst = findings.first().map(limit);
    let mut words = format!(
        "{} {}",
        cluster.name,
        trouble.as_ref().map_or("", |trouble| &trouble.words)
    );
    if let Some(limit) = &worst {
        words.push_str(&format!(" {} {} {}", limit.code, limit.object, limit.headline));
    }
    for row in &open {
        words.push_str(&format!(" {} {}", row.name, label(&row.kind, &row.state)));
    }
    Line {
        name: cluster.name.clone(),
        class: class.class(),
        worst,
        more_limits: findings.len().saturating_sub(1),
        is_checked: seen.is_some_and(|seen| seen.findings.is_some()),
        more_migrations: open.len().saturating_sub(LINES_MAX),
        counts: counts(rows),
        migrations: open
            .into_iter()
            .take(LINES_MAX)
            .map(|row| work(&cluster.name, row))
            .collect(),
        workers: seen.map_or(0, |seen| seen.workers.len()),
        words: words.to_lowercase(),
        rank: (rank, worst_work, place as i64),
        trouble,
    }
}

fn limit(finding: &Finding) -> Limit {
    Limit {
        code: finding.code.id,
        object: finding.object.clone(),
        headline: finding.headline.clone(),
        left: left(&finding.runway),
        class: match finding.severity {
            Severity::Critical => Tone::Bad.class(),
            Severity::Warning => Tone::Wait.class(),
            Severity::Notice => Tone::Dim.class(),
        },
    }
}

/// When the limit is reached, in a few words; empty where nobody can say.
fn left(runway: &Runway) -> String {
    match runway {
        Runway::Unknown | Runway::NotEnough { .. } => String::new(),
        Runway::Never => "does not grow".to_owned(),
        Runway::Days { mid, .. } => format!("about {} left", seconds(mid * 86_400.0)),
        Runway::Reached => "reached now".to_owned(),
    }
}

fn work(cluster: &str, row: &Row) -> Work {
    let how = progress(&known(row));
    Work {
        name: row.name.to_string(),
        href: format!("/clusters/{cluster}/migrations/{}", row.name),
        label: label(&row.kind, &row.state),
        class: tone(&row.kind, &row.state, row.is_worker_alive).class(),
        permille: how.permille,
        operation: how.operation,
        rows: how.rows,
        pending: row.pending.map(pending).unwrap_or_default(),
        is_held: is_held(row),
    }
}

pub(super) fn is_held(row: &Row) -> bool {
    let reasons = row.throttle.get("reasons").and_then(|reasons| reasons.as_array());
    row.is_worker_alive && reasons.is_some_and(|reasons| !reasons.is_empty())
}

pub(super) fn known(row: &Row) -> Known<'_> {
    static NOTHING: serde_json::Value = serde_json::Value::Null;
    Known {
        state: &row.state,
        operations: row.operations,
        done: row.operations_done,
        current: row.position.zip(row.current_operation.as_deref()),
        said: if row.is_worker_alive { &row.rows } else { &NOTHING },
        rows: row.pace_rows,
        noted: &row.noted,
    }
}

/// Waiting changes in words.
pub(super) fn pending(changes: i64) -> String {
    match changes {
        ..=0 => "in step".to_owned(),
        1 => "1 change waits".to_owned(),
        PENDING_SHOWN_MAX.. => format!(
            "{} or more changes wait",
            grouped(PENDING_SHOWN_MAX.unsigned_abs())
        ),
        n => format!("{} changes wait", grouped(n.unsigned_abs())),
    }
}

/// `1 failed, 2 running`; what is over is not counted.
fn counts(rows: &[Row]) -> String {
    let mut counts: Vec<(u8, &'static str, usize)> = Vec::new();
    for row in rows.iter().filter(|row| !row.state.is_final()) {
        let label = label(&row.kind, &row.state);
        match counts.iter_mut().find(|(_, known, _)| *known == label) {
            Some((_, _, count)) => *count += 1,
            None => counts.push((urgency(&row.kind, &row.state, true), label, 1)),
        }
    }
    counts.sort();
    let words: Vec<String> = counts
        .iter()
        .map(|(_, label, count)| format!("{count} {label}"))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_changes_and_days_are_told_in_words() {
        assert_eq!(pending(0), "in step");
        assert_eq!(pending(1), "1 change waits");
        assert_eq!(pending(1_200), "1,200 changes wait");
        assert_eq!(pending(10_000), "10,000 or more changes wait");
        assert_eq!(
            left(&Runway::Days {
                low: 1.0,
                mid: 12.0,
                high: None
            }),
            "about 12 d left"
        );
        assert_eq!(left(&Runway::Unknown), "");
    }
}
