//! One migration, tab by tab. The head, the actions and the overview's parts are fragments: the stream sends them anew.

mod head;
mod ledger;
mod plan;
mod report;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use corridor_migration::setting::DEFINITIONS;
use corridor_migration::store::Entry;
use corridor_pg::Result;
use serde::Deserialize;
use serde_json::json;

use super::cells::{self, Grid};
use super::chart::{Chart, chart};
use super::effect::{self, Deed};
use super::frame::Frame;
use super::moment::Moment;
use super::prose::filters;
use super::timeline::{Stop, timeline};
use super::{error, fragment, html};
use crate::Console;
use crate::access::{Role, Viewer};
use crate::host::Cluster;
use crate::read;
use crate::read::one::{One, read};

use ledger::Ledger;

pub(crate) use head::{Head, OperationLine};

/// What the page is asked.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    tab: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    said: String,
}

/// The tabs, in their order.
const TABS: [(&str, &str); 7] = [
    ("overview", "Overview"),
    ("plan", "Plan"),
    ("ledger", "Ledger"),
    ("verification", "Verification"),
    ("journal", "Journal"),
    ("settings", "Settings"),
    ("json", "JSON"),
];

struct TabLink {
    title: &'static str,
    href: String,
    is_current: bool,
}

/// One thing that can be asked for.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    href: String,
    word: &'static str,
    class: &'static str,
}

/// What each tab shows.
enum Body {
    Overview(Box<Overview>),
    Plan(plan::Plan),
    Ledger(Ledger),
    Verification(Vec<report::Verdict>),
    Journal {
        lines: Vec<JournalLine>,
        older: Option<String>,
    },
    Settings(Vec<SettingLine>),
    Json(String),
}

struct Overview {
    operations: Vec<OperationLine>,
    grids: Vec<Grid>,
    chart: Option<Chart>,
    stops: Vec<Stop>,
    attempts: Vec<AttemptLine>,
}

#[derive(Debug, Clone)]
struct AttemptLine {
    operation: String,
    number: i32,
    is_rollback: bool,
    where_it_runs: String,
    worker: String,
    tag: String,
    began: Moment,
    ended: Option<Moment>,
    outcome: String,
    detail: String,
}

struct JournalLine {
    number: i64,
    at: Moment,
    words: String,
    by: String,
}

struct SettingLine {
    key: &'static str,
    value: String,
    unit: &'static str,
    default: &'static str,
    doc: &'static str,
    set_by: Option<String>,
    set_at: Option<Moment>,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "migration.html")]
struct Page {
    frame: Frame,
    head: Head,
    actions: Vec<Action>,
    may_act: bool,
    tabs: Vec<TabLink>,
    body: Body,
    /// What came of what was asked for just now; empty otherwise.
    said: &'static str,
}

#[derive(Template)]
#[template(path = "migration_head.html")]
struct HeadPart {
    head: Head,
}

#[derive(Template)]
#[template(path = "migration_actions.html")]
struct ActionsPart {
    actions: Vec<Action>,
}

#[derive(Template)]
#[template(path = "migration_operations.html")]
struct OperationsPart {
    operations: Vec<OperationLine>,
}

#[derive(Template)]
#[template(path = "migration_grids.html")]
struct GridsPart {
    grids: Vec<Grid>,
}

#[derive(Template)]
#[template(path = "migration_chart.html")]
struct ChartPart {
    chart: Option<Chart>,
}

#[derive(Template)]
#[template(path = "migration_timeline.html")]
struct TimelinePart {
    stops: Vec<Stop>,
}

/// Everything about one migration; once for all who ask at the same time.
pub(crate) async fn look(
    console: &Arc<Console>,
    cluster: &Cluster,
    name: &str,
) -> Result<Arc<One>, read::Trouble> {
    let about = name.to_owned();
    console
        .reader
        .ask(cluster, "migration", name, move |session| {
            let about = about.clone();
            Box::pin(async move { read(session, &about).await })
        })
        .await
}

/// `GET /clusters/{cluster}/migrations/{name}`
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path((cluster, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let cluster = match console.cluster(&cluster) {
        Ok(cluster) => cluster,
        Err(fault) => return error::of_fault(&console, Some(&viewer), &fault),
    };
    let one = match look(&console, &cluster, &name).await {
        Ok(one) => one,
        Err(fault) => return error::of_fault(&console, Some(&viewer), &fault),
    };
    let may_act = viewer.role >= Role::Operator;
    let tab = TABS
        .iter()
        .find(|(tab, _)| *tab == asked.tab)
        .map_or("overview", |(tab, _)| tab);
    let body = match body(&console, &cluster, &one, tab, &asked, may_act).await {
        Ok(body) => body,
        Err(fault) => return error::of_fault(&console, Some(&viewer), &fault),
    };
    let address = address(&cluster.name, &one);
    let mut frame = Frame::new(&console, &viewer, "migrations", one.status.name.to_string())
        .live_at(format!("{address}/live"));
    if tab == "overview" {
        frame = frame.with_charts();
    }
    let page = Page {
        frame,
        head: Head::of(&cluster.name, &one),
        actions: actions(&cluster.name, &one),
        may_act,
        said: match asked.said.as_str() {
            "done" => "Done.",
            "left" => "It is noted. No worker has taken it yet; the next one that is free does.",
            _ => "",
        },
        tabs: TABS
            .iter()
            .map(|(name, title)| TabLink {
                title,
                href: if *name == "overview" {
                    address.clone()
                } else {
                    format!("{address}?tab={name}")
                },
                is_current: *name == tab,
            })
            .collect(),
        body,
    };
    html(StatusCode::OK, &page)
}

fn address(cluster: &str, one: &One) -> String {
    format!("/clusters/{cluster}/migrations/{}", one.status.name)
}

fn actions(cluster: &str, one: &One) -> Vec<Action> {
    let address = address(cluster, one);
    effect::deeds(one)
        .into_iter()
        // Settings have a tab of their own.
        .filter(|deed| *deed != Deed::Set)
        .map(|deed| Action {
            href: format!("{address}/do/{}", deed.as_str()),
            word: effect::button(deed, one),
            class: effect::class(deed),
        })
        .collect()
}

fn overview(one: &One) -> Overview {
    Overview {
        operations: head::operations(one),
        grids: grids(one),
        chart: chart(&one.pace),
        stops: timeline(&one.transitions),
        attempts: one.attempts.iter().map(attempt).collect(),
    }
}

fn grids(one: &One) -> Vec<Grid> {
    let lanes = one.gauge.as_ref().and_then(cells::lanes);
    lanes
        .into_iter()
        .chain(one.backfills.iter().map(cells::list))
        .collect()
}

/// The parts of the overview, for the stream: name and text.
pub(crate) fn parts(cluster: &str, one: &One) -> Vec<(&'static str, String)> {
    let overview = overview(one);
    vec![
        (
            "head",
            fragment(&HeadPart {
                head: Head::of(cluster, one),
            }),
        ),
        (
            "actions",
            fragment(&ActionsPart {
                actions: actions(cluster, one),
            }),
        ),
        (
            "operations",
            fragment(&OperationsPart {
                operations: overview.operations,
            }),
        ),
        (
            "grids",
            fragment(&GridsPart {
                grids: overview.grids,
            }),
        ),
        (
            "chart",
            fragment(&ChartPart {
                chart: overview.chart,
            }),
        ),
        (
            "timeline",
            fragment(&TimelinePart {
                stops: overview.stops,
            }),
        ),
    ]
}

async fn body(
    console: &Arc<Console>,
    cluster: &Cluster,
    one: &One,
    tab: &str,
    asked: &Asked,
    may_act: bool,
) -> Result<Body, read::Trouble> {
    let id = one.status.id;
    Ok(match tab {
        "plan" => Body::Plan(plan::of(one)),
        "ledger" => Body::Ledger(
            ledger::of(console, cluster, one, &asked.operation, asked.before.parse().ok()).await?,
        ),
        "verification" => {
            let mut verdicts = report::of(&one.status.verifications);
            verdicts.extend(report::counted(&one.status.operations));
            Body::Verification(verdicts)
        }
        "journal" => {
            let before = asked.before.parse().unwrap_or(i64::MAX);
            let entries = console
                .reader
                .ask(cluster, "journal", format!("{id} {before}"), move |session| {
                    Box::pin(read::journal::page(session, id, before))
                })
                .await?;
            journal(&address(&cluster.name, one), &entries)
        }
        "settings" => Body::Settings(settings(&cluster.name, one, may_act)),
        "json" => {
            let document = json!({ "version": 1, "migration": one.status, "mirror": one.gauge });
            Body::Json(serde_json::to_string_pretty(&document).unwrap_or_default())
        }
        _ => Body::Overview(Box::new(overview(one))),
    })
}

fn journal(address: &str, entries: &[Entry]) -> Body {
    let page = usize::try_from(read::journal::PAGE).unwrap_or(usize::MAX);
    let shown = &entries[..entries.len().min(page)];
    let older = shown
        .last()
        .filter(|_| entries.len() > page)
        .map(|last| format!("{address}?tab=journal&before={}", last.number));
    let lines = shown
        .iter()
        .map(|entry| JournalLine {
            number: entry.number,
            at: Moment::new(&entry.at),
            words: corridor_migration::words::of_entry(entry).join("; "),
            by: corridor_migration::words::who(entry),
        })
        .collect();
    Body::Journal { lines, older }
}

fn settings(cluster: &str, one: &One, may_act: bool) -> Vec<SettingLine> {
    let address = address(cluster, one);
    let may_set = may_act && !one.status.state.is_final();
    one.status
        .settings
        .iter()
        .filter_map(|setting| {
            let definition = DEFINITIONS
                .iter()
                .find(|definition| definition.key == setting.key)?;
            Some(SettingLine {
                key: definition.key,
                value: setting.value.clone(),
                unit: setting.unit.unwrap_or(""),
                default: definition.default,
                doc: definition.doc,
                set_by: setting.set_by.clone(),
                set_at: Moment::of(setting.set_at.as_ref()),
                href: may_set.then(|| format!("{address}/do/set?key={}", super::encoded(definition.key))),
            })
        })
        .collect()
}

fn attempt(attempt: &read::one::Attempt) -> AttemptLine {
    let mut where_it_runs = Vec::new();
    where_it_runs.extend(attempt.backend_pid.map(|pid| format!("backend {pid}")));
    let mut detail = attempt.detail.clone();
    let several = detail
        .as_object_mut()
        .and_then(|members| members.remove("query_ids"))
        .and_then(|ids| corridor_migration::words::of_value(&ids));
    match several {
        // Batches: which one runs is known while it does.
        Some(ids) if attempt.ended_at.is_some() => where_it_runs.push(format!("queries {ids}")),
        _ => where_it_runs.extend(attempt.query_id.map(|id| format!("query {id}"))),
    }
    AttemptLine {
        operation: attempt.operation.clone(),
        number: attempt.number,
        is_rollback: attempt.is_rollback,
        where_it_runs: where_it_runs.join(", "),
        worker: attempt.worker.clone(),
        tag: attempt.tag.clone(),
        began: Moment::new(&attempt.began_at),
        ended: Moment::of(attempt.ended_at.as_ref()),
        outcome: attempt
            .outcome
            .clone()
            .unwrap_or_else(|| "under way".to_owned())
            .replace('_', " "),
        detail: corridor_migration::words::of_value(&detail).unwrap_or_default(),
    }
}
