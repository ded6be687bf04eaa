//! A database in which a truth is made, and what one probe says about it.

use corridor_limits::Past;
use corridor_limits::check::Report;
use corridor_limits::probe::Scope;
use corridor_testbed::{Cluster, Database};
use tokio_postgres::Client;

use crate::scene::{check, check_with};

/// A fresh database with a session of the superuser.
pub(crate) struct Made {
    pub(crate) database: Database,
    pub(crate) client: Client,
}

impl Made {
    pub(crate) async fn on(cluster: &Cluster, label: &str) -> Made {
        let database = cluster.fresh_database(label).await.unwrap();
        let client = cluster.connect(&database.name).await.unwrap();
        Made { database, client }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    /// One probe's report.
    pub(crate) async fn check(&self, probe: &str) -> Report {
        check(&self.database.url, &[probe], &Scope::default()).await
    }

    /// One probe's report, with a past.
    pub(crate) async fn check_after(&self, probe: &str, past: &Past) -> Report {
        check_with(&self.database.url, &[probe], &Scope::default(), past).await
    }

    /// One probe's report as a new role without any right sees it.
    pub(crate) async fn check_as_nobody(&self, probe: &str) -> Report {
        let role = format!("nobody_of_{}", self.database.name);
        self.run(&format!("create role {role} login")).await;
        let url = self.database.url.replace("postgres@", &format!("{role}@"));
        check(&url, &[probe], &Scope::default()).await
    }
}

/// The figure of a metric and an object that would be kept.
pub(crate) fn sample(report: &Report, metric: &str, object: &str) -> Option<f64> {
    let is_it = |s: &&corridor_limits::Sample| s.metric.name == metric && s.object == object;
    report.samples.iter().find(is_it).map(|s| s.value)
}

/// The facts of that name, joined.
pub(crate) fn facts(finding: &corridor_limits::Finding, name: &str) -> String {
    let texts: Vec<&str> = finding
        .facts
        .iter()
        .filter(|fact| fact.name == name)
        .map(|fact| fact.text.as_str())
        .collect();
    texts.join("\n")
}
