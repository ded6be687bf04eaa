//! What the service tells over HTTP. It only tells: nothing can be changed here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use corridor_console::host::Seen;
use corridor_limits::exposition;
use corridor_migration::{Name, gate, schema, status, store};
use corridor_pg::{ApplicationName, ConnectOptions, Exit, Fault, Session};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Service;
use crate::command::{gate as asking, migration};
use crate::fault::{NO_SUCH_CLUSTER, USAGE};

/// A look that is older than this says nothing.
const SEEN_MAX: Duration = Duration::from_secs(60);
/// Entries of a journal in one answer.
const ENTRIES_MAX: u32 = 1_000;

/// Serves until the service leaves.
pub(super) async fn serve(listener: tokio::net::TcpListener, service: Arc<Service>) {
    let interrupt = service.interrupt.clone();
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .route("/api/clusters", get(clusters))
        .route("/api/gate", get(ask_gate))
        .route("/api/clusters/{cluster}/migrations", get(migrations))
        .route("/api/clusters/{cluster}/migrations/{name}", get(one))
        .route("/api/clusters/{cluster}/migrations/{name}/journal", get(journal))
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                Json(json!({ "error": "there is nothing here" })),
            )
        })
        .with_state(service);
    let serving = axum::serve(listener, routes)
        .with_graceful_shutdown(async move { interrupt.wait().await })
        .await;
    if let Err(error) = serving {
        tracing::warn!(%error, "the HTTP service ended");
    }
}

/// A fault as an answer.
struct Refusal(Fault);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal(fault)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let fault = self.0;
        let code = fault.code();
        let status = match code.exit {
            _ if code.id == NO_SUCH_CLUSTER.id
                || code.id == corridor_migration::fault::NO_SUCH_MIGRATION.id =>
            {
                StatusCode::NOT_FOUND
            }
            Exit::Usage => StatusCode::BAD_REQUEST,
            Exit::Refused => StatusCode::CONFLICT,
            Exit::CannotConnect => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let document = json!({
            "version": 1,
            "error": { "code": code.id, "title": code.title, "detail": fault.detail(), "hint": code.hint },
        });
        (status, Json(document)).into_response()
    }
}

type Answer = Result<Json<Value>, Refusal>;

fn now_s() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Why a cluster is not known to be well.
fn trouble(seen: Option<&Seen>) -> Option<String> {
    match seen {
        None => Some("not looked at yet".to_owned()),
        Some(seen) => match &seen.fault {
            Some(fault) => Some(fault.clone()),
            None if now_s() - seen.at_s > SEEN_MAX.as_secs_f64() => {
                Some(format!("last looked at {:.0} s ago", now_s() - seen.at_s))
            }
            None => None,
        },
    }
}

/// 200 when every cluster is reachable.
async fn readiness(State(service): State<Arc<Service>>) -> Response {
    let seen = service.seen();
    let mut troubles = BTreeMap::new();
    for cluster in service.config().clusters {
        if let Some(why) = trouble(seen.get(&cluster.name).map(AsRef::as_ref)) {
            troubles.insert(cluster.name, why);
        }
    }
    let status = match troubles.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (
        status,
        Json(json!({ "ready": troubles.is_empty(), "troubles": troubles })),
    )
        .into_response()
}

/// OpenMetrics; one series for each cluster and state.
async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let seen = service.seen();
    let mut text = String::from(
        "# HELP corridor_cluster_up Whether the service reaches the cluster.\n# TYPE corridor_cluster_up gauge\n",
    );
    let clusters = service.config().clusters;
    for cluster in &clusters {
        let up = i32::from(trouble(seen.get(&cluster.name).map(AsRef::as_ref)).is_none());
        text.push_str(&format!(
            "corridor_cluster_up{{cluster=\"{}\"}} {up}\n",
            cluster.name
        ));
    }
    text.push_str("# HELP corridor_migrations Migrations by state.\n# TYPE corridor_migrations gauge\n");
    for (cluster, seen) in &seen {
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        for state in corridor_migration::StateName::ALL {
            states.insert(state.as_str(), 0);
        }
        for one in &seen.migrations {
            *states.entry(one.state.name().as_str()).or_default() += 1;
        }
        for (state, count) in states {
            text.push_str(&format!(
                "corridor_migrations{{cluster=\"{cluster}\",state=\"{state}\"}} {count}\n"
            ));
        }
    }
    text.push_str(
        "# HELP corridor_unworked_migrations Migrations that want a worker and have none.\n\
         # TYPE corridor_unworked_migrations gauge\n",
    );
    for (cluster, seen) in &seen {
        let count = seen
            .migrations
            .iter()
            .filter(|one| one.state.is_worked_on() && !one.is_worker_alive)
            .count();
        text.push_str(&format!(
            "corridor_unworked_migrations{{cluster=\"{cluster}\"}} {count}\n"
        ));
    }
    text.push_str(
        "# HELP corridor_workers Migrations that this service works.\n# TYPE corridor_workers gauge\n",
    );
    for (cluster, seen) in &seen {
        let count = seen.workers.len();
        text.push_str(&format!("corridor_workers{{cluster=\"{cluster}\"}} {count}\n"));
    }
    let reports = service.reports();
    let reports: Vec<_> = reports
        .iter()
        .filter(|(name, _)| clusters.iter().any(|cluster| cluster.name == **name))
        .map(|(cluster, report)| (cluster.as_str(), report.as_ref()))
        .collect();
    text.push_str(&exposition::openmetrics_of_clusters(&reports));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn clusters(State(service): State<Arc<Service>>) -> Json<Value> {
    let seen = service.seen();
    let clusters: Vec<Value> = service
        .config()
        .clusters
        .iter()
        .map(|cluster| {
            let seen = seen.get(&cluster.name).map(AsRef::as_ref);
            json!({
                "name": cluster.name,
                "trouble": trouble(seen),
                "migrations": seen.map_or(0, |seen| seen.migrations.len()),
                "workers": seen.map(|seen| seen.workers.clone()).unwrap_or_default(),
            })
        })
        .collect();
    Json(json!({ "version": 1, "clusters": clusters }))
}

async fn session(service: &Service, name: &str) -> Result<Session, Fault> {
    let clusters = service.config().clusters;
    let Some(cluster) = clusters.into_iter().find(|cluster| cluster.name == name) else {
        return Err(Fault::new(&NO_SUCH_CLUSTER, name.to_owned()));
    };
    let options = ConnectOptions::from_process(cluster.database.as_deref())?;
    options.connect(&ApplicationName::new("http", "-")).await
}

async fn migrations(State(service): State<Arc<Service>>, Path(cluster): Path<String>) -> Answer {
    let session = session(&service, &cluster).await?;
    let all = match schema::exists(&*session).await? {
        true => store::list(&*session).await?,
        false => Vec::new(),
    };
    Ok(Json(json!({ "version": 1, "migrations": all })))
}

/// A session in a database that has migrations.
async fn session_for(service: &Service, cluster: &str, name: &str) -> Result<(Session, Name), Fault> {
    let name = Name::new(name)?;
    let session = session(service, cluster).await?;
    if !schema::exists(&*session).await? {
        return Err(Fault::new(
            &corridor_migration::fault::NO_SUCH_MIGRATION,
            name.to_string(),
        ));
    }
    Ok((session, name))
}

async fn one(State(service): State<Arc<Service>>, Path((cluster, name)): Path<(String, String)>) -> Answer {
    let (mut session, name) = session_for(&service, &cluster, &name).await?;
    let status = status::read(&mut session, &name).await?;
    Ok(Json(json!({ "version": 1, "migration": status })))
}

async fn journal(
    State(service): State<Arc<Service>>,
    Path((cluster, name)): Path<(String, String)>,
) -> Answer {
    let (session, name) = session_for(&service, &cluster, &name).await?;
    let id = store::load(&*session, &name).await?.id;
    let entries = store::logs(&*session, id, 0, ENTRIES_MAX).await?;
    Ok(Json(json!({ "version": 1, "entries": entries })))
}

/// What the gate is asked.
#[derive(Deserialize)]
struct Question {
    app_version: Option<String>,
    installed: Option<String>,
    cluster: Option<String>,
}

/// The gate of one cluster; of all, when none is named: open when each is.
async fn ask_gate(State(service): State<Arc<Service>>, Query(question): Query<Question>) -> Answer {
    let read = corridor_migration::definition::versions::app_version;
    let Some(version) = &question.app_version else {
        return Err(Fault::new(&USAGE, "app_version is missing: /api/gate?app_version=1.42.0").into());
    };
    let version = read(version)?;
    let installed = question.installed.as_deref().map(read).transpose()?;
    let mut gates = BTreeMap::new();
    let mut is_open = true;
    for cluster in service.config().clusters {
        if question
            .cluster
            .as_ref()
            .is_some_and(|wanted| *wanted != cluster.name)
        {
            continue;
        }
        let mut session = session(&service, &cluster.name).await?;
        let rows = migration::rows(&mut session).await?;
        let entries: Vec<gate::Entry> = rows.iter().filter_map(asking::entry).collect();
        let gate = gate::judge(&version, installed.as_ref(), &entries);
        is_open &= gate.is_open;
        gates.insert(cluster.name, gate);
    }
    if gates.is_empty() {
        return Err(Fault::new(&NO_SUCH_CLUSTER, question.cluster.unwrap_or_default()).into());
    }
    Ok(Json(
        json!({ "version": 1, "is_open": is_open, "clusters": gates }),
    ))
}
