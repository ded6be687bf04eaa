//! Thousands of tables in a catalogue that is bloated itself: each probe stays within its time.

use corridor_limits::Past;
use corridor_testbed::{Cluster, ClusterOptions, cluster};

use crate::past::{probe, reported};
use crate::scene::majors;

const TABLES: usize = 2_000;
const GONE: usize = 1_500;

#[tokio::test]
async fn many_tables_and_a_bloated_catalogue_do_not_stop_a_probe() {
    let major = *majors().last().unwrap();
    let options = ClusterOptions::new(major)
        .setting("autovacuum", "off")
        .setting("max_locks_per_transaction", "1024");
    let cluster = Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("many").await.unwrap();
    let client = cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute(
            "create extension pg_stat_statements; create extension pgstattuple;
             create role watcher login; grant pg_monitor, pg_read_all_data to watcher",
        )
        .await
        .unwrap();
    for first in (0..TABLES).step_by(500) {
        client
            .batch_execute(&format!(
                "do $$ begin for i in {first}..{first} + 499 loop
                     execute format('create table t%s (id int primary key, a int, b text)', i);
                     execute format('create index on t%s (a)', i);
                     execute format('create index on t%s (a, b)', i);
                     execute format('insert into t%s select g, g, g from generate_series(1, 80) g', i);
                     execute format('delete from t%s where id > 10', i);
                 end loop; end $$"
            ))
            .await
            .unwrap();
    }
    // Rows of the catalogue that are dead: fifty columns each, created and dropped.
    let columns: Vec<String> = (0..50).map(|i| format!("c{i} int")).collect();
    client
        .batch_execute(&format!(
            "do $$ begin for i in 1..{GONE} loop
                 execute 'create table gone ({})'; execute 'drop table gone';
             end loop; end $$",
            columns.join(", ")
        ))
        .await
        .unwrap();
    client.batch_execute("analyze pg_attribute").await.unwrap();
    reported(client).await;
    // What the guide asks for, and no more.
    let url = database.url.replacen("//postgres@", "//watcher@", 1);
    for name in ["amplification", "bloat", "indexes", "size", "vacuum"] {
        let report = probe(&url, name, &Past::default()).await;
        assert_eq!(report.degraded, [], "{name}");
        assert!(report.took[0].ms < 2_000.0, "{name}: {:?}", report.took);
        let bound = if name == "indexes" { 60 } else { 20 };
        assert!(
            report.findings.len() <= bound,
            "{name}: {}",
            report.findings.len()
        );
        if name == "bloat" {
            let of_catalogue = report
                .findings
                .iter()
                .find(|f| f.object == "pg_catalog.pg_attribute");
            assert!(of_catalogue.is_some(), "{:?}", report.findings);
        }
    }
}
