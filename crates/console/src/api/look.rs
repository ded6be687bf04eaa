//! What is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use corridor_migration::data::census;
use corridor_migration::{Name, gate, schema, status, store};
use corridor_pg::{Fault, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::Viewer;
use crate::act::{Visit, visit};
use crate::fault::{BAD_REQUEST, NO_SUCH_CLUSTER};
use crate::home::within;
use crate::host::Seen;
use crate::read::audit;
use crate::refusal::Refusal;
use crate::{Console, act};

/// What stands behind the question mark, or the documented fault.
pub(super) struct Asked<T>(T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> std::result::Result<Self, Refusal> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        let asked = read.map_err(|error| Fault::new(&BAD_REQUEST, error.body_text()))?;
        Ok(Asked(asked.0))
    }
}

/// Entries of a journal or of the audit in one answer.
const ENTRIES_MAX: u32 = 1_000;

pub(super) type Answer = std::result::Result<Json<Value>, Refusal>;

pub(super) async fn me(Extension(viewer): Extension<Viewer>) -> Json<Value> {
    Json(json!({ "version": 1, "name": viewer.name, "role": viewer.role }))
}

pub(super) async fn clusters(State(console): State<Arc<Console>>) -> Json<Value> {
    let clusters: Vec<Value> = console
        .host
        .clusters()
        .iter()
        .map(|cluster| {
            let seen = cluster.seen.as_deref();
            json!({
                "name": cluster.name,
                "trouble": Seen::trouble(seen),
                "migrations": seen.map_or(0, |seen| seen.migrations.len()),
                "workers": seen.map(|seen| seen.workers.clone()).unwrap_or_default(),
                "findings": seen.and_then(|seen| seen.findings.as_ref()),
            })
        })
        .collect();
    Json(json!({ "version": 1, "clusters": clusters }))
}

pub(super) async fn migrations(State(console): State<Arc<Console>>, Path(cluster): Path<String>) -> Answer {
    let session = visit(&console, &console.cluster(&cluster)?, "-").await?;
    let all = within(async {
        match schema::exists(&**session).await? {
            true => store::list(&**session).await,
            false => Ok(Vec::new()),
        }
    })
    .await?;
    Ok(Json(json!({ "version": 1, "migrations": all })))
}

/// A session in a database that has migrations.
async fn session_for(console: &Console, cluster: &str, name: &str) -> Result<(Visit, Name)> {
    let name = Name::new(name)?;
    let session = act::session(console, &console.cluster(cluster)?, &name).await?;
    Ok((session, name))
}

pub(super) async fn one(
    State(console): State<Arc<Console>>,
    Path((cluster, name)): Path<(String, String)>,
) -> Answer {
    let (mut session, name) = session_for(&console, &cluster, &name).await?;
    let status = within(status::read(&mut session, &name)).await?;
    Ok(Json(json!({ "version": 1, "migration": status })))
}

pub(super) async fn plan(
    State(console): State<Arc<Console>>,
    Path((cluster, name)): Path<(String, String)>,
) -> Answer {
    let (session, name) = session_for(&console, &cluster, &name).await?;
    let migration = within(store::load(&**session, &name)).await?;
    Ok(Json(json!({
        "version": 1,
        "kind": migration.kind,
        "digest": migration.plan_digest,
        "plan": migration.plan,
    })))
}

#[derive(Deserialize)]
pub(super) struct Part {
    after: Option<i64>,
    before: Option<i64>,
    limit: Option<u32>,
}

pub(super) async fn journal(
    State(console): State<Arc<Console>>,
    Path((cluster, name)): Path<(String, String)>,
    Asked(part): Asked<Part>,
) -> Answer {
    let (session, name) = session_for(&console, &cluster, &name).await?;
    let limit = part.limit.unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX);
    let entries = within(async {
        let id = store::load(&**session, &name).await?.id;
        store::logs(&**session, id, part.after.unwrap_or(0), limit).await
    })
    .await?;
    Ok(Json(json!({ "version": 1, "entries": entries })))
}

pub(super) async fn settings(State(console): State<Arc<Console>>) -> Json<Value> {
    let settings: Vec<Value> = console
        .host
        .settings()
        .into_iter()
        .map(|one| {
            let (by, at) = one.set_by.unzip();
            json!({
                "key": one.key, "value": one.value, "doc": one.doc, "origin": one.origin,
                "set_by": by, "set_at": at, "is_fixed": one.is_fixed,
            })
        })
        .collect();
    Json(json!({ "version": 1, "settings": settings }))
}

pub(super) async fn audit(State(console): State<Arc<Console>>, Asked(part): Asked<Part>) -> Answer {
    let session = console.home.session(&*console.host).await?;
    let limit = i64::from(part.limit.unwrap_or(100).min(ENTRIES_MAX));
    let entries = within(audit::entries(&**session, part.before.unwrap_or(i64::MAX), limit)).await?;
    Ok(Json(json!({ "version": 1, "entries": entries })))
}

/// What the gate is asked.
#[derive(Deserialize)]
pub(super) struct Question {
    app_version: Option<String>,
    installed: Option<String>,
    cluster: Option<String>,
}

/// The gate of one cluster; of all, when none is named: open when each is.
pub(super) async fn gate(State(console): State<Arc<Console>>, Asked(question): Asked<Question>) -> Answer {
    let read = corridor_migration::definition::versions::app_version;
    let Some(version) = &question.app_version else {
        let why = "app_version is missing: /api/gate?app_version=1.42.0";
        return Err(Fault::new(&BAD_REQUEST, why).into());
    };
    let version = read(version)?;
    let installed = question.installed.as_deref().map(read).transpose()?;
    let mut gates = BTreeMap::new();
    let mut is_open = true;
    for cluster in console.host.clusters() {
        if question
            .cluster
            .as_ref()
            .is_some_and(|wanted| *wanted != cluster.name)
        {
            continue;
        }
        // A cluster that is away may have something in the way: the gate is closed, and says why.
        let asked = within(async {
            let mut session = visit(&console, &cluster, "-").await?;
            let entries = census::entries(&census::rows(&mut session).await?);
            Ok(gate::judge(&version, installed.as_ref(), &entries))
        });
        let (document, is_its_open) = match asked.await {
            Ok(gate) => (json!(gate), gate.is_open),
            Err(fault) => (crate::refusal::document(&fault), false),
        };
        is_open &= is_its_open;
        gates.insert(cluster.name, document);
    }
    if gates.is_empty() {
        return Err(Fault::new(&NO_SUCH_CLUSTER, question.cluster.unwrap_or_default()).into());
    }
    Ok(Json(
        json!({ "version": 1, "is_open": is_open, "clusters": gates }),
    ))
}
