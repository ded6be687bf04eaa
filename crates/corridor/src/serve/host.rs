//! The service as the console sees it.

use std::sync::Arc;

use corridor_console::fault::NO_SUCH_CLUSTER;
use corridor_console::host::{Cluster, Deed, Host, Setting};
use corridor_migration::definition::Definition;
use corridor_pg::{ApplicationName, ConnectOptions, Fault};
use semver::Version;

use super::config::{self, Origin, Shown};
use super::{Service, metrics, stored};
use crate::command::mover::TableMover;

impl Host for Service {
    fn clusters(&self) -> Vec<Cluster> {
        let seen = self.seen();
        self.config()
            .clusters
            .into_iter()
            .filter_map(|cluster| {
                // It could be read when the settings were.
                let connect = ConnectOptions::from_process(cluster.database.as_deref()).ok()?;
                Some(Cluster {
                    seen: seen.get(&cluster.name).map(Arc::clone),
                    name: cluster.name,
                    connect,
                })
            })
            .collect()
    }

    fn settings(&self) -> Vec<Setting> {
        self.config().shown.iter().map(setting).collect()
    }

    fn set<'a>(&'a self, key: &'a str, value: Option<&'a str>, by: &'a str) -> Deed<'a, ()> {
        Box::pin(async move {
            let home = self.config().clusters.into_iter().next();
            let home = home.ok_or_else(|| Fault::new(&NO_SUCH_CLUSTER, "home"))?;
            let options = ConnectOptions::from_process(home.database.as_deref())?;
            let mut session = options.connect(&ApplicationName::new("service", "-")).await?;
            let kept = stored::change(&mut session, &self.sources(), key, value, by).await?;
            self.take_stored(kept);
            Ok(())
        })
    }

    fn check(&self, definition: &Definition) -> corridor_pg::Result<()> {
        let home = self.config().clusters.into_iter().next();
        let context = self.context(home.and_then(|home| home.database), &self.interrupt);
        TableMover::of(&context)?.check_all(definition)
    }

    fn metrics(&self) -> String {
        metrics::text(self)
    }

    fn app_version(&self) -> Option<Version> {
        self.config().app_version
    }
}

fn setting(shown: &Shown) -> Setting {
    Setting {
        key: shown.key.clone(),
        value: shown.value.clone(),
        doc: config::doc(&shown.key).to_owned(),
        origin: match &shown.origin {
            Origin::Stored { .. } => "console".to_owned(),
            other => other.to_string(),
        },
        set_by: match &shown.origin {
            Origin::Stored { by, at } => Some((by.clone(), at.clone())),
            _ => None,
        },
        is_fixed: config::is_fixed(shown),
    }
}

#[cfg(test)]
mod tests;
