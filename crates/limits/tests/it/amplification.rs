//! Blocks for each write: a delete that looks through another table, a wide row for a narrow update.

use corridor_limits::{Past, Severity};
use corridor_testbed::{Cluster, ClusterOptions, cluster};

use crate::past::{keep, probe, reported};
use crate::scene::majors;
use crate::toast::fill;

#[tokio::test]
async fn writes_that_read_much_are_found_on_every_major() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("amplification").await.unwrap();
        let client = cluster::connect(&database.url).await.unwrap();
        client
            .batch_execute(
                "create extension pg_stat_statements;
                 create table parent (id int primary key, seen int, profile text);
                 create table child (id int, parent_id int references parent, pad text);
                 insert into parent select i, 0, repeat('x', 1000) from generate_series(1, 12000) i;
                 insert into child select i, 1, repeat('x', 500) from generate_series(1, 30000) i;
                 analyze",
            )
            .await
            .unwrap();
        // Twelve thousand narrow updates of wide rows, by one statement text.
        client
            .batch_execute("update parent set seen = 1 where id > 0")
            .await
            .unwrap();
        reported(client).await;
        let mut past = Past::default();
        let before = probe(&database.url, "amplification", &past).await;
        assert_eq!(before.degraded, [], "PostgreSQL {major}");
        assert!(
            before.findings.iter().all(|f| f.severity == Severity::Notice),
            "{:?}",
            before.findings
        );
        let narrow = before.findings.iter().find(|f| f.code.id == "LIM-042").unwrap();
        assert_eq!(narrow.object, "public.parent");
        // 24 of the header, 8 of the integers, 1,004 of the text, for 4 that change.
        assert!(
            narrow.headline.ends_with("259 bytes for each byte"),
            "{}",
            narrow.headline
        );
        keep(&mut past, &before);

        let client = cluster::connect(&database.url).await.unwrap();
        for id in 11_000..11_040 {
            client
                .batch_execute(&format!("delete from parent where id = {id}"))
                .await
                .unwrap();
        }
        reported(client).await;
        let after = probe(&database.url, "amplification", &past).await;
        let found = after
            .findings
            .iter()
            .find(|f| f.code.id == "LIM-040" && f.object.starts_with("statement"))
            .unwrap_or_else(|| panic!("PostgreSQL {major}: {:?}", after.findings));
        // 30,000 rows of 540 bytes are some 2,000 pages.
        let advice = found.advice.as_ref().unwrap();
        assert_eq!(
            advice.command.as_deref(),
            Some("create index concurrently on public.child (parent_id)"),
            "{found:?}"
        );
        assert!(
            found.headline.contains("2,1") || found.headline.contains("2,0"),
            "{}",
            found.headline
        );
    }
}

#[tokio::test]
async fn without_the_extension_or_the_right_it_says_so() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("amplification_bare").await.unwrap();
        let report = probe(&database.url, "amplification", &Past::default()).await;
        assert_eq!(report.degraded.len(), 1);
        assert!(
            report.degraded[0]
                .why
                .contains("pg_stat_statements is not installed")
        );
        let client = cluster::connect(&database.url).await.unwrap();
        client
            .batch_execute(
                "create extension pg_stat_statements;
                 drop role if exists amplification_reader;
                 create role amplification_reader login;
                 create table t (a int);
                 insert into t values (1)",
            )
            .await
            .unwrap();
        let url = database.url.replacen("//postgres@", "//amplification_reader@", 1);
        assert_ne!(url, database.url);
        let report = probe(&url, "amplification", &Past::default()).await;
        let whats: Vec<&str> = report.degraded.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(whats, ["the statements of other roles"], "PostgreSQL {major}");
        assert_eq!(report.degraded[0].remedy, "grant pg_monitor to the role");
    }
}

#[tokio::test]
async fn an_extension_that_the_server_does_not_load_is_said() {
    let options = ClusterOptions::new(15).setting("shared_preload_libraries", "");
    let cluster = Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("amplification_unloaded").await.unwrap();
    let client = cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create extension pg_stat_statements schema public")
        .await
        .unwrap();
    let report = probe(&database.url, "amplification", &Past::default()).await;
    assert!(
        report.degraded[0].why.contains("shared_preload_libraries"),
        "{:?}",
        report.degraded
    );
}

/// The incident: a row of a few kilobytes, and its insert looks up one used TOAST id after the other.
#[tokio::test(flavor = "multi_thread")]
async fn inserts_that_search_for_a_toast_id_are_found_by_their_blocks() {
    let major = *majors().last().unwrap();
    let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
    let database = cluster.fresh_database("amplification_toast").await.unwrap();
    let client = cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create extension pg_stat_statements")
        .await
        .unwrap();
    let first = fill(&client, "public.wide", 1_000).await;
    let counter = cluster.oid_counter().unwrap();
    let insert = client
        .prepare("insert into wide (id, c0) values ($1, repeat('y', 4000))")
        .await
        .unwrap();
    for id in 10_000..10_006_i64 {
        counter.set(first).unwrap();
        client.execute(&insert, &[&id]).await.unwrap();
    }
    reported(client).await;
    let report = probe(&database.url, "amplification", &Past::default()).await;
    let found: Vec<_> = report
        .findings
        .iter()
        .filter(|f| f.code.id == "LIM-040")
        .collect();
    let statement = found.iter().find(|f| f.object.starts_with("statement"));
    let statement = statement.unwrap_or_else(|| panic!("{:?}", report.findings));
    // 64,000 look-ups with an index page or more each.
    let blocks: f64 = statement
        .headline
        .split(' ')
        .nth(1)
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap();
    assert!(blocks > 64_000.0, "{}", statement.headline);
    assert_eq!(
        statement.advice.as_ref().unwrap().command.as_deref(),
        Some("corridor check --only toast --table 'public.wide'")
    );
}
