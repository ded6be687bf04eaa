//! Indexes that do not serve: made in a database, and found there.

use corridor_limits::{Finding, Past};
use corridor_testbed::{Cluster, cluster};

use crate::past::probe;
use crate::scene::majors;

fn command(finding: &Finding) -> &str {
    finding.advice.as_ref().unwrap().command.as_deref().unwrap_or("")
}

#[tokio::test]
async fn invalid_and_duplicate_ones_are_found_and_their_likes_are_not() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("indexes").await.unwrap();
        let client = cluster::connect(&database.url).await.unwrap();
        client
            .batch_execute(
                "create table t (id int primary key, a int, b int, c text collate \"C\");
                 insert into t select i, i / 2, i, i from generate_series(1, 1000) i;
                 create index a_short on t (a);
                 create index a_long on t (a, b);
                 create index id_again on t (id);
                 create index twin_one on t (b) where a > 5;
                 create index twin_two on t (b) where a > 5;
                 create unique index b_unique on t (b);
                 create index other_part on t (b) where a > 6;
                 create index other_order on t (a desc);
                 create index other_class on t (c text_pattern_ops);
                 create index other_collation on t (c collate \"POSIX\");
                 create index c_plain on t (c);
                 create index carried on t (a) include (c);
                 create index low on t (lower(c));
                 create index low_again on t (lower(c));
                 create index up on t (upper(c));
                 create table p (id int) partition by range (id);
                 create table p1 partition of p for values from (0) to (9);
                 create index p_id on only p (id)",
            )
            .await
            .unwrap();
        client
            .batch_execute("create unique index concurrently broken on t (a)")
            .await
            .unwrap_err();
        let report = probe(&database.url, "indexes", &Past::default()).await;
        assert_eq!(report.degraded, [], "PostgreSQL {major}");
        let mut found: Vec<(&str, &str, &str)> = report
            .findings
            .iter()
            .map(|f| (f.code.id, f.object.as_str(), command(f)))
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                (
                    "LIM-045",
                    "public.broken",
                    "reindex index concurrently public.broken"
                ),
                ("LIM-045", "public.p_id", ""),
                (
                    "LIM-046",
                    "public.a_short",
                    "drop index concurrently public.a_short"
                ),
                (
                    "LIM-046",
                    "public.id_again",
                    "drop index concurrently public.id_again"
                ),
                (
                    "LIM-046",
                    "public.low_again",
                    "drop index concurrently public.low_again"
                ),
                (
                    "LIM-046",
                    "public.twin_two",
                    "drop index concurrently public.twin_two"
                ),
            ],
            "PostgreSQL {major}"
        );
        // The command works, and what is left is well.
        for sql in [
            "drop index broken",
            "drop index p_id",
            "drop index concurrently a_short",
        ] {
            client.batch_execute(sql).await.unwrap();
        }
        let report = probe(&database.url, "indexes", &Past::default()).await;
        assert!(report.findings.iter().all(|f| f.code.id == "LIM-046"));
        assert_eq!(
            report.findings.len(),
            3,
            "PostgreSQL {major}: {:?}",
            report.findings
        );
    }
}

#[tokio::test]
async fn unused_ones_are_kept_in_the_history_and_said_only_after_a_week() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("indexes_unused").await.unwrap();
        let client = cluster::connect(&database.url).await.unwrap();
        client
            .batch_execute(
                "create table t (id int primary key, a int, b int);
                 insert into t select i, i, i from generate_series(1, 100000) i;
                 create index idle on t (a);
                 create index busy on t (b);
                 analyze t;
                 set enable_seqscan = off;
                 set enable_bitmapscan = off;
                 select * from t where b = 7",
            )
            .await
            .unwrap();
        crate::past::reported(client).await;
        let report = probe(&database.url, "indexes", &Past::default()).await;
        let kept: Vec<&str> = report
            .samples
            .iter()
            .filter(|s| s.metric.name == "index_unused_bytes")
            .map(|s| s.object.as_str())
            .collect();
        assert_eq!(kept, ["public.idle"], "PostgreSQL {major}");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}
