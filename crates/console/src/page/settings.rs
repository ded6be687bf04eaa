//! The settings: of the service, and of all migrations of a cluster that have none of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use corridor_migration::setting::{DEFINITIONS, Definition, Kind, Unit};
use corridor_migration::store::StoredSetting;
use futures_util::future::join_all;

use super::dialog::wanted;
use super::frame::{Frame, Trouble};
use super::html;
use super::moment::Moment;
use super::prose::filters;
use crate::Console;
use crate::access::{Role, Viewer};
use crate::host;
use crate::read::setting::defaults;

/// A setting of the service.
struct Service {
    key: String,
    value: String,
    doc: String,
    origin: String,
    set_by: Option<(String, Moment)>,
    is_fixed: bool,
}

/// A setting of all migrations.
struct OfAll {
    key: &'static str,
    value: String,
    unit: &'static str,
    default: &'static str,
    doc: &'static str,
    wanted: String,
    set_by: Option<(String, Moment)>,
}

/// The settings of one cluster's migrations, in groups.
struct OfCluster {
    name: String,
    trouble: Option<Trouble>,
    groups: Vec<(&'static str, Vec<OfAll>)>,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    may_set: bool,
    service: Vec<Service>,
    clusters: Vec<OfCluster>,
}

/// `GET /settings`
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
) -> Response {
    let clusters = console.host.clusters();
    let console_ref = &console;
    let read = clusters.iter().map(|cluster| async move {
        console_ref
            .reader
            .ask(cluster, "defaults", "", |session| Box::pin(defaults(session)))
            .await
    });
    let of_clusters = clusters
        .iter()
        .zip(join_all(read).await)
        .map(|(cluster, read)| match read {
            Ok(stored) => OfCluster {
                name: cluster.name.clone(),
                trouble: None,
                groups: groups(&stored),
            },
            Err(fault) => OfCluster {
                name: cluster.name.clone(),
                trouble: Some(Trouble::from(&*fault)),
                groups: Vec::new(),
            },
        });
    let page = Page {
        frame: Frame::new(&console, &viewer, "settings", "Settings"),
        may_set: viewer.role >= Role::Admin,
        service: console.host.settings().into_iter().map(service).collect(),
        clusters: of_clusters.collect(),
    };
    html(StatusCode::OK, &page)
}

fn service(setting: host::Setting) -> Service {
    Service {
        set_by: setting.set_by.map(|(who, at)| (who, Moment::new(&at))),
        key: setting.key,
        value: setting.value,
        doc: setting.doc,
        origin: setting.origin,
        is_fixed: setting.is_fixed,
    }
}

/// What is about the same thing stands together, limits of the throttle first: they are what one looks for at night.
fn groups(stored: &BTreeMap<String, StoredSetting>) -> Vec<(&'static str, Vec<OfAll>)> {
    const GROUPS: [(&str, &[&str]); 4] = [
        ("Throttle", &["throttle", "nice"]),
        ("Cut-over", &["cutover"]),
        ("Copy", &["chunk", "lanes", "workers", "log"]),
        ("Worker", &[]),
    ];
    let group = |key: &str| {
        let stem = key.split('.').next().unwrap_or(key);
        GROUPS
            .iter()
            .position(|(_, stems)| stems.contains(&stem))
            .unwrap_or(GROUPS.len() - 1)
    };
    GROUPS
        .iter()
        .enumerate()
        .map(|(place, (title, _))| {
            let of_group = DEFINITIONS
                .iter()
                .filter(|definition| group(definition.key) == place);
            (
                *title,
                of_group
                    .map(|definition| of_definition(definition, stored.get(definition.key)))
                    .collect(),
            )
        })
        .collect()
}

fn of_definition(definition: &'static Definition, stored: Option<&StoredSetting>) -> OfAll {
    let unit = match definition.kind {
        Kind::Whole { unit, .. } | Kind::Figure { unit, .. } | Kind::Limit { unit } => unit,
        _ => Unit::Number,
    };
    OfAll {
        key: definition.key,
        value: stored
            .map_or(definition.default, |stored| stored.value.as_str())
            .to_owned(),
        unit: unit.as_str(),
        default: definition.default,
        doc: definition.doc,
        wanted: wanted(definition),
        set_by: stored.map(|stored| (stored.set_by.clone(), Moment::new(&stored.set_at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_in_one_group_and_limits_come_first() {
        let groups = groups(&BTreeMap::new());
        let keys: Vec<&str> = groups
            .iter()
            .flat_map(|(_, settings)| settings.iter().map(|setting| setting.key))
            .collect();
        assert_eq!(keys.len(), DEFINITIONS.len());
        assert_eq!(groups[0].0, "Throttle");
        assert!(groups.iter().all(|(_, settings)| !settings.is_empty()));
    }
}
