//! What the service measures of itself and of its clusters, as OpenMetrics: one series for each cluster and state, and the
//! figures of the newest check.

use std::collections::BTreeMap;

use corridor_console::host::Seen;
use corridor_limits::exposition;

use super::Service;

/// The whole document.
pub(super) fn text(service: &Service) -> String {
    let seen = service.seen();
    let mut text = String::from(
        "# HELP corridor_cluster_up Whether the service reaches the cluster.\n# TYPE corridor_cluster_up gauge\n",
    );
    let clusters = service.config().clusters;
    for cluster in &clusters {
        let up = i32::from(Seen::trouble(seen.get(&cluster.name).map(AsRef::as_ref)).is_none());
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
    text
}
