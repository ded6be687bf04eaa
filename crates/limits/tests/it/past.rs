//! One probe with a past, and counters that are reported.

use corridor_limits::Past;
use corridor_limits::check::Report;
use corridor_limits::probe::Scope;
use corridor_limits::sample::Point;

/// What one probe says with this past.
pub(crate) async fn probe(url: &str, name: &str, past: &Past) -> Report {
    let scope = Scope {
        seed: 1,
        ..Scope::default()
    };
    crate::scene::check_with(url, &[name], &scope, past).await
}

/// The samples of a report become its past.
pub(crate) fn keep(past: &mut Past, report: &Report) {
    for sample in &report.samples {
        let point = Point {
            at_s: report.at_s,
            value: sample.value,
        };
        past.push(sample.metric.name, &sample.object, point);
    }
}

/// Counters of this session are in the views afterwards.
pub(crate) async fn reported(client: tokio_postgres::Client) {
    let flushed = client.batch_execute("select pg_stat_force_next_flush()").await;
    if flushed.is_err() {
        // PostgreSQL 14: a session reports when it ends, and a collector writes it down half a second later.
        drop(client);
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    }
}
