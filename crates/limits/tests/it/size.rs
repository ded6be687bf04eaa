//! Sizes, columns and locks against what the server itself says and does.

use corridor_limits::Severity;
use corridor_testbed::{Cluster, ClusterOptions};

use crate::made::{Made, facts, sample};
use crate::scene::{find, majors};

async fn number(made: &Made, sql: &str) -> f64 {
    made.client
        .query_one(&format!("select ({sql})::float8"), &[])
        .await
        .unwrap()
        .get(0)
}

/// Heap, TOAST relation and index by themselves, each as large as the server says; the partition and not the whole.
#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_those_of_each_relation_by_itself() {
    for major in majors() {
        let made = Made::on(Cluster::shared(major).await, "size").await;
        made.run(
            r#"create table "Large" (id int primary key, small text, wide text);
               alter table "Large" alter wide set storage external;
               insert into "Large" select i, repeat('s', 500), repeat('w', 3000) from generate_series(1, 2000) i;
               create table tree (id int primary key) partition by hash (id);
               create table leaf partition of tree for values with (modulus 1, remainder 0);
               insert into tree select generate_series(1, 100000)"#,
        )
        .await;
        // Nothing was vacuumed, and the catalogue knows no pages.
        for vacuumed in [false, true] {
            if vacuumed {
                made.run("vacuum analyze").await;
            }
            let mut report = made.check("size").await;
            for _ in 0..50 {
                // The statistics come a little later; before PostgreSQL 15 with the session's next statement.
                made.run("select 1").await;
                if sample(&report, "relation_size_bytes", "public.leaf").is_some() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                report = made.check("size").await;
            }
            assert_eq!(report.degraded, [], "{major}");
            assert!(report.findings.is_empty(), "{major}: {:?}", report.findings);
            for (object, relation) in [
                ("public.Large", r#"'"Large"'"#),
                (
                    "TOAST of public.Large",
                    r#"(select reltoastrelid from pg_class where relname = 'Large')"#,
                ),
                ("public.leaf_pkey", "'leaf_pkey'"),
                ("public.leaf", "'leaf'"),
            ] {
                let truth = number(&made, &format!("pg_relation_size({relation})")).await;
                let said = sample(&report, "relation_size_bytes", object);
                // What was never vacuumed is found by the rows that the statistics count: not an index, and what is small
                // stands behind the catalogue's own tables.
                if vacuumed || object == "public.leaf" {
                    assert_eq!(said, Some(truth), "{major}: {object}");
                }
            }
            assert_eq!(sample(&report, "relation_size_bytes", "public.tree"), None);
            // One table: with its partitions, and nothing else.
            let scope = corridor_limits::probe::Scope {
                table: Some(("public".to_owned(), "tree".to_owned())),
                ..corridor_limits::probe::Scope::default()
            };
            let report = crate::scene::check(&made.database.url, &["size"], &scope).await;
            let of_size = report
                .samples
                .iter()
                .filter(|s| s.metric.name == "relation_size_bytes");
            let objects: std::collections::BTreeSet<&str> = of_size.map(|s| s.object.as_str()).collect();
            let wanted = std::collections::BTreeSet::from(["public.leaf", "public.leaf_pkey"]);
            assert_eq!(objects, wanted, "{major}");
        }
        // Somebody holds one exclusively: the others are looked at, and it is said.
        let holder = Cluster::shared(major)
            .await
            .connect(&made.database.name)
            .await
            .unwrap();
        holder
            .batch_execute(r#"begin; lock table "Large" in access exclusive mode"#)
            .await
            .unwrap();
        let report = made.check("size").await;
        assert_eq!(report.degraded.len(), 1, "{major}: {:?}", report.degraded);
        assert_eq!(report.degraded[0].what, "the size of public.Large");
        let truth = number(&made, "pg_relation_size('leaf')").await;
        assert_eq!(sample(&report, "relation_size_bytes", "public.leaf"), Some(truth));
        // From 2^31 pages on the catalogue's number is negative; a small lie makes 29.8 TB.
        let lie = "set allow_system_table_mods = on; update pg_class set relpages = -294967296 where relname = 'Large'";
        holder.batch_execute(lie).await.unwrap();
        holder
            .batch_execute("commit; begin; lock table \"Large\" in access exclusive mode")
            .await
            .unwrap();
        let report = made.check("size").await;
        let finding = find(&report, "LIM-026", "public.Large").unwrap();
        assert_eq!(finding.severity, Severity::Critical, "{major}");
        assert_eq!(finding.headline, "29.8 TB of the 32.0 TB that a table can have");
        let command = finding.advice.as_ref().unwrap().command.as_deref().unwrap();
        assert!(command.starts_with(r#"corridor move 'public."Large"' --partition-by 'hash(id)'"#));
        holder.batch_execute("rollback").await.unwrap();
        let report = made.check("size").await;
        assert!(
            find(&report, "LIM-026", "public.Large").is_none(),
            "it was asked for its size"
        );
        let report = made.check_as_nobody("size").await;
        assert_eq!(report.degraded, [], "{major}: the catalogue is everybody's");
    }
}

/// Adds so many columns and drops them again.
async fn wear(made: &Made, table: &str, columns: usize) {
    for from in (0..columns).step_by(200) {
        let numbers = from..columns.min(from + 200);
        let add: Vec<String> = numbers.clone().map(|n| format!("add column x{n} int")).collect();
        let drop: Vec<String> = numbers.map(|n| format!("drop column x{n}")).collect();
        let (add, drop) = (add.join(", "), drop.join(", "));
        made.run(&format!("alter table {table} {add}; alter table {table} {drop}"))
            .await;
    }
}

/// A column a night, dropped in the morning.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_columns_count() {
    for major in majors() {
        let made = Made::on(Cluster::shared(major).await, "columns").await;
        made.run(
            r#"create table "Worn" (id int primary key, note text);
               create table calm (id int);
               create table tree (id int) partition by hash (id);
               create table leaf partition of tree for values with (modulus 1, remainder 0);"#,
        )
        .await;
        wear(&made, r#""Worn""#, 1_398).await;
        wear(&made, "tree", 850).await;
        let report = made.check("size").await;
        let of_columns: Vec<_> = report
            .findings
            .iter()
            .filter(|f| f.code.id == "LIM-027")
            .collect();
        let objects: Vec<&str> = of_columns.iter().map(|f| f.object.as_str()).collect();
        // The partition has used as many as the whole, and is not named.
        assert_eq!(objects, ["public.Worn", "public.tree"], "{major}");
        let worn = of_columns[0];
        assert_eq!(worn.severity, Severity::Warning);
        assert_eq!(worn.gauge.as_ref().unwrap().used, 1_400.0, "{major}");
        assert_eq!(facts(worn, "columns now"), "2");
        let advice = worn.advice.as_ref().unwrap();
        assert_eq!(
            advice.command.as_deref(),
            Some(r#"corridor move 'public."Worn"' --same-shape --execute"#)
        );
        assert_eq!(sample(&report, "table_columns_used", "public.calm"), None);
        if major == 15 {
            // The truth: two hundred more, and not one beyond.
            wear(&made, r#""Worn""#, 200).await;
            let failed = made
                .client
                .batch_execute(r#"alter table "Worn" add column x int"#)
                .await;
            assert_eq!(failed.unwrap_err().code().unwrap().code(), "54011");
            let report = made.check("size").await;
            let worn = find(&report, "LIM-027", "public.Worn").unwrap();
            assert_eq!(worn.severity, Severity::Critical);
            assert_eq!(worn.runway, corridor_limits::Runway::Reached);
        }
    }
}

/// What a query over everything locks is what the probe says; also below partitioned partitions, and in plain inheritance.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_over_a_tree_locks_what_was_said() {
    for major in majors() {
        let made = Made::on(Cluster::shared(major).await, "tree_locks").await;
        made.run(
            "create table events (id int, at int, note text) partition by list (at);
             create index on events (id); create index on events (note);
             create table events_0 partition of events for values in (0);
             create table events_1 partition of events for values in (1) partition by hash (id);
             do $$ begin for i in 0..19 loop
                 execute format('create table events_1_%s partition of events_1 for values with (modulus 20, remainder %s)', i, i);
             end loop; end $$;
             create table old (id int primary key);
             do $$ begin for i in 1..20 loop
                 execute format('create table old_%s (primary key (id)) inherits (old)', i);
             end loop; end $$",
        )
        .await;
        let report = made.check("size").await;
        let version = number(&made, "current_setting('server_version_num')").await;
        for table in ["events", "old"] {
            let said = sample(&report, "partition_tree_relations", &format!("public.{table}")).unwrap();
            let other = Cluster::shared(major)
                .await
                .connect(&made.database.name)
                .await
                .unwrap();
            // Planned once before, so that the catalogue's own locks are gone; then counted from outside.
            other
                .batch_execute(&format!("select count(*) from {table}"))
                .await
                .unwrap();
            let pid: i32 = other
                .query_one("select pg_backend_pid()", &[])
                .await
                .unwrap()
                .get(0);
            other
                .batch_execute(&format!("begin; select count(*) from {table}"))
                .await
                .unwrap();
            let locks = format!("from pg_locks where pid = {pid} and locktype = 'relation'");
            let held = number(&made, &format!("select count(*) {locks}")).await;
            assert_eq!(said, held, "{major}: {table}");
            let kept = number(&made, &format!("select count(*) {locks} and fastpath")).await;
            let fast_path = if version >= 180_000.0 { 64.0 } else { 16.0 };
            // From 18 on they stand in groups of 16 by a hash, and a group may be full before the others.
            assert!(
                kept <= fast_path && kept >= f64::min(fast_path * 0.6, 16.0),
                "{major}: {kept}"
            );
            other.batch_execute("rollback").await.unwrap();
        }
        assert!(report.findings.iter().all(|f| f.code.id != "LIM-028"), "{major}");
    }
}

/// A server with a small table of locks: the query fails as was said, and a session that holds most of it is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_locks_that_one_query_fills() {
    for major in majors().into_iter().filter(|major| [15, 18].contains(major)) {
        let options = ClusterOptions::new(major)
            .setting("max_locks_per_transaction", "10")
            .setting("max_connections", "20")
            .setting("max_prepared_transactions", "0")
            .setting("fsync", "off");
        let cluster = Cluster::start(options).await.unwrap();
        let made = Made::on(&cluster, "locks").await;
        made.run(
            "create table tree (id int primary key) partition by hash (id); create table alone (id int)",
        )
        .await;
        for i in 0..1_000 {
            made.run(&format!(
                "create table tree_{i} partition of tree for values with (modulus 1000, remainder {i})"
            ))
            .await;
        }
        let report = made.check("size").await;
        let finding = find(&report, "LIM-028", "public.tree").unwrap();
        assert_eq!(finding.severity, Severity::Critical, "{finding:#?}");
        assert!(
            finding.headline.contains("one session fills"),
            "{}",
            finding.headline
        );
        assert_eq!(finding.advice.as_ref().unwrap().way, "more-locks");
        let command = finding.advice.as_ref().unwrap().command.clone().unwrap();
        let failed = made.client.batch_execute("select count(*) from tree").await;
        assert_eq!(failed.unwrap_err().code().unwrap().code(), "53200", "{major}");
        // The answer comes before the locks are released; until then others fail as well.
        made.run("select 1").await;

        // A session takes three quarters of what the settings give room for: 150 of 200 objects.
        let holder = cluster.connect(&made.database.name).await.unwrap();
        holder.batch_execute("begin").await.unwrap();
        for i in 0..150 {
            let lock = format!("lock table tree_{i} in share mode");
            holder.batch_execute(&lock).await.unwrap();
        }
        let report = made.check("size").await;
        let finding = find(&report, "LIM-029", "cluster").unwrap();
        assert_eq!(finding.severity, Severity::Warning, "{finding:#?}");
        let advice = finding.advice.as_ref().unwrap();
        assert_eq!(advice.way, "look-at-the-holder");
        let pid: i32 = holder
            .query_one("select pg_backend_pid()", &[])
            .await
            .unwrap()
            .get(0);
        assert!(
            advice
                .command
                .as_ref()
                .unwrap()
                .ends_with(&format!("where pid = {pid}"))
        );
        holder.batch_execute("rollback").await.unwrap();
        let report = made.check("size").await;
        assert!(find(&report, "LIM-029", "cluster").is_none());

        // What is advised mends it.
        made.run(&command).await;
        let database = made.database.name.clone();
        drop((holder, made));
        cluster.restart(corridor_testbed::Mode::Fast).await.unwrap();
        let client = cluster.connect(&database).await.unwrap();
        client.batch_execute("select count(*) from tree").await.unwrap();
    }
}
