//! Bloat that was made: a known share of the rows is deleted, and the estimate must lie within its stated error.

use corridor_limits::check::Report;
use corridor_limits::{Finding, Past};
use corridor_testbed::{Cluster, cluster};

use crate::made::sample;
use crate::past::probe;
use crate::scene::{find, majors};

const MADE: &str = "
    create table plain (id int8 primary key, a bool, b int8, c text, d numeric) with (autovacuum_enabled = off);
    insert into plain
        select i, true, i, case when i % 3 = 0 then null else repeat('x', 20 + i % 40) end, i
        from generate_series(1, 200000) i;
    create table fresh (id int, pad text) with (autovacuum_enabled = off);
    insert into fresh select i, repeat('y', 300 + i % 500) from generate_series(1, 30000) i;
    create table stored (id int, value text) with (autovacuum_enabled = off);
    alter table stored alter column value set storage external;
    insert into stored select i, repeat(md5(i::text), 250) from generate_series(1, 4000) i;
    create table raised (id int, value text) with (autovacuum_enabled = off, toast_tuple_target = 8160);
    insert into raised select i, (select string_agg(md5(g::text), '') from generate_series(i, i + 99) g)
        from generate_series(1, 6000) i;
    create table low (k int) with (autovacuum_enabled = off);
    insert into low select i % 50 from generate_series(1, 700000) i;
    create index low_k on low (k);
    delete from plain where id % 5 < 3;
    delete from stored where id % 2 = 0;
    delete from low where random() < 0.5";

async fn size(client: &tokio_postgres::Client, relation: &str) -> f64 {
    let sql = format!("select pg_relation_size('{relation}')::float8");
    client.query_one(sql.as_str(), &[]).await.unwrap().get(0)
}

/// The share that a rebuild gives back.
async fn shrunk(client: &tokio_postgres::Client, index: &str) -> f64 {
    let before = size(client, index).await;
    client
        .batch_execute(&format!("reindex index {index}"))
        .await
        .unwrap();
    1.0 - size(client, index).await / before
}

fn near(report: &Report, metric: &str, object: &str, truth: f64, error: f64) {
    let said = sample(report, metric, object).unwrap_or_else(|| panic!("no {metric} of {object}"));
    assert!(
        (said - truth).abs() <= error,
        "{object}: {said}, and the truth is {truth} ± {error}"
    );
}

/// One standard error, as a share.
fn standard_error(finding: &Finding) -> f64 {
    let gauge = finding.gauge.as_ref().unwrap();
    gauge.standard_error.unwrap() / gauge.capacity
}

#[tokio::test]
async fn estimates_lie_within_their_error_of_the_truth() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("bloat").await.unwrap();
        let client = cluster::connect(&database.url).await.unwrap();
        client.batch_execute(MADE).await.unwrap();
        for table in ["plain", "fresh", "stored", "raised", "low"] {
            client
                .batch_execute(&format!("vacuum (analyze) {table}"))
                .await
                .unwrap();
        }
        let past = Past::default();
        let report = probe(&database.url, "bloat", &past).await;
        let what: Vec<&str> = report.degraded.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(what, ["indexes page by page"], "PostgreSQL {major}");
        for (object, truth) in [("public.plain", 0.6), ("TOAST of public.stored", 0.5)] {
            let finding = find(&report, "LIM-043", object).unwrap_or_else(|| panic!("{major} {object}"));
            let error = 3.0 * standard_error(finding) + 0.02;
            // Whole values are gone, so that a page is full or empty: 0.5 / sqrt(96) is one error.
            assert!(error < 0.2, "{object}: {error}");
            near(&report, "table_bloat_ratio", object, truth, error);
        }
        // Rows of 350 to 830 bytes leave room that one more of them does not fit into.
        near(&report, "table_bloat_ratio", "public.fresh", 0.0, 0.04);
        // 3,204 bytes in their rows, two on a page.
        near(&report, "table_bloat_ratio", "public.raised", 0.0, 0.04);
        // By the formula: unique keys. Of equal ones it says nothing.
        let pkey = "public.plain_pkey";
        let said = sample(&report, "index_bloat_ratio", pkey).unwrap();
        assert_eq!(sample(&report, "index_bloat_ratio", "public.low_k"), None);
        assert!(find(&report, "LIM-044", "public.low_k").is_none());

        client
            .batch_execute("create extension pgstattuple")
            .await
            .unwrap();
        let exact = probe(&database.url, "bloat", &past).await;
        assert_eq!(exact.degraded, [], "PostgreSQL {major}");
        let counted = sample(&exact, "index_bloat_ratio", "public.low_k").unwrap();
        let truth = shrunk(&client, pkey).await;
        assert!(
            (said - truth).abs() < 0.03 && truth > 0.55,
            "{pkey}: {said}, {truth}"
        );
        let truth = shrunk(&client, "public.low_k").await;
        assert!((counted - truth).abs() < 0.05, "low_k: {counted}, {truth}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_said() {
    let major = *majors().last().unwrap();
    let cluster = Cluster::shared(major).await;
    let database = cluster.fresh_database("bloat_blind").await.unwrap();
    let client = cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute(
            "create table t (id int, pad text);
             insert into t select i, repeat('x', 500) from generate_series(1, 20000) i;
             drop role if exists bloat_reader;
             create role bloat_reader login",
        )
        .await
        .unwrap();
    client.batch_execute("vacuum t").await.unwrap();
    let url = database.url.replacen("//postgres@", "//bloat_reader@", 1);
    let report = probe(&url, "bloat", &Past::default()).await;
    assert_eq!(report.degraded[0].what, "random pages of public.t");
    assert!(
        report.degraded[0].why.contains("permission denied"),
        "{:?}",
        report.degraded
    );
    // What needs no right is there all the same.
    assert!(sample(&report, "table_row_bytes", "public.t").is_some());
}
