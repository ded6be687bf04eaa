//! What a service keeps and reads again: settings in its home cluster, notes of the pace, the newest check.

use std::time::Duration;

use corridor_testbed::Prometheus;

use crate::desk::{Desk, lasting_mark as mark};
use crate::driver::corridor_on;
use crate::serving::{Service, TABLES, WAITS};

impl Desk {
    async fn keep(&self, key: &str, value: &str) {
        self.client
            .execute(
                "insert into corridor.service_setting (key, value, set_by) values ($1, $2, 'anna') \
                 on conflict (key) do update set value = excluded.value",
                &[&key, &value],
            )
            .await
            .unwrap();
    }

    async fn forget(&self, key: &str) {
        self.client
            .execute("delete from corridor.service_setting where key = $1", &[&key])
            .await
            .unwrap();
    }
}

/// A setting that is changed in the home cluster holds at once, says what has changed, and goes again.
#[tokio::test]
async fn what_is_kept_in_the_home_cluster_holds_without_a_restart() {
    let desk = Desk::new("keeping_live", TABLES).await;
    desk.add("0001_mark", &mark("x")).await;
    desk.keep("workers", "8").await;
    let service = desk.serve("workers = 3").await;
    service
        .until_said("setting workers: 3 is now 8 (set by anna, ")
        .await;
    desk.keep("workers", "9").await;
    service
        .until_said("setting workers: 8 is now 9 (set by anna, ")
        .await;
    desk.keep("workers", "many").await;
    service.until_said("the settings stay as they are").await;
    desk.forget("workers").await;
    service.until_said("setting workers: 9 is now 3").await;
    // Not of this version, or never kept: as if they were not there.
    desk.keep("listen", "0.0.0.0:1").await;
    desk.keep("newer", "1").await;
    desk.until("select state = 'planned' from corridor.migration")
        .await;
    desk.keep("auto_start", "true").await;
    desk.until_state("0001_mark", "finished").await;
    desk.keep("collect", "true").await;
    desk.until("select exists (select from corridor.sample)").await;
    desk.forget("collect").await;
    desk.until("select bool_and(holder is null) from corridor.collector")
        .await;
    let said = service.stop().await;
    assert!(!said.contains("listen"), "{said}");

    let config = desk.config("workers = 3");
    let run = corridor_on(&desk.database, &["config", "show", "--config", &config])
        .env("CORRIDOR_RETRIES", "2")
        .run()
        .await
        .expect_code(0);
    let text = run.stdout.replace("\n  ", " ");
    assert!(
        text.contains("auto_start = \"true\" (set by anna, ") || text.contains("set by anna"),
        "{text}"
    );
    let run = corridor_on(&desk.database, &["--json", "config", "show", "--config", &config])
        .run()
        .await
        .expect_code(0);
    let settings = run.json()["settings"].as_array().unwrap().clone();
    let one = settings.iter().find(|one| one["key"] == "auto_start").unwrap();
    assert_eq!(one["from"], "stored");
    assert_eq!(one["name"]["by"], "anna");
    let away = desk.dir.join("away.toml");
    std::fs::write(
        &away,
        "workers = 3\n[[clusters]]\nname = \"away\"\ndatabase = \"postgres://nobody@127.0.0.1:1/x\"\n",
    )
    .unwrap();
    let run = corridor_on(
        &desk.database,
        &["config", "show", "--config", &away.to_string_lossy()],
    )
    .run()
    .await
    .expect_code(0);
    assert!(run.stdout.contains("workers = \"3\""), "{}", run.stdout);
    assert!(
        run.stderr.contains("what is kept in away is not shown"),
        "{}",
        run.stderr
    );
}

/// What is kept is known before anything is begun.
#[tokio::test]
async fn what_is_kept_holds_from_the_first_moment() {
    let desk = Desk::new("keeping_first", TABLES).await;
    desk.add("0001_mark", &mark("x")).await;
    desk.keep("auto_start", "false").await;
    let service = desk.serve("auto_start = true").await;
    service.until_said("setting auto_start: true is now false").await;
    for _ in 0..100 {
        if service.get("/readyz").await.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let said = service.stop().await;
    assert!(!said.contains("0001_mark"), "{said}");
    desk.until_state("0001_mark", "planned").await;
}

/// A failed migration goes back by itself, when it was told to and can; what cannot stays as it is, and says why once.
#[tokio::test]
async fn what_has_failed_goes_back_by_itself_when_it_is_told_to() {
    let desk = Desk::new("keeping_back", TABLES).await;
    let never = "[[operations]]\nkind = \"check\"\nname = \"never\"\nquery = \"select false\"\n";
    let undone = mark("done").replace(
        "rollback = \"\"",
        "rollback = \"insert into done values ('undone')\"",
    );
    desk.add("0001_fails", &format!("{undone}{never}")).await;
    let cannot = mark("stays").replace("rollback = \"\"", "irreversible = \"it is gone\"");
    desk.add("0002_stays", &format!("{cannot}{never}")).await;
    let service = desk.serve("auto_start = true\n").await;
    for name in ["0001_fails", "0002_stays"] {
        desk.until_state(name, "failed").await;
    }
    desk.keep("auto_rollback", "true").await;
    desk.until_state("0001_fails", "rolled_back").await;
    desk.until("select exists (select from done where what = 'undone')")
        .await;
    desk.until(
        "select count(*) = 1 from corridor.journal where event = 'rollback' \
         and detail ->> 'by' like 'service@%' and detail ->> 'why' = 'auto_rollback, after MIG-134'",
    )
    .await;
    let answered = "select count(*) = 1 from corridor.request r join corridor.migration m on m.id = r.migration_id \
                    where m.name = '0002_stays' and r.verb = 'rollback' and outcome ->> 'code' = 'MIG-137'";
    desk.until(answered).await;
    for _ in 0..3 {
        // Some more looks: it is not asked for again.
        let before = service.json("/api/clusters/main/migrations").await;
        assert_eq!(before["migrations"].as_array().unwrap().len(), 2);
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
    desk.until("select count(*) = 2 from corridor.request where verb = 'rollback'")
        .await;
    desk.until_state("0002_stays", "failed").await;
    service.stop().await;
}

/// How far the work is, is noted every few seconds, once for all services, and not for ever.
#[tokio::test]
async fn the_pace_is_noted_by_one_of_two_services() {
    let desk = Desk::new("keeping_pace", TABLES).await;
    desk.client
        .batch_execute(
            "create table t (id int primary key, n int); insert into t select i, 0 from generate_series(1, 500) i; \
             create table persons (team_id int, id int, primary key (team_id, id)); \
             insert into persons select i % 5, i from generate_series(1, 2000) i; analyze",
        )
        .await
        .unwrap();
    desk.add(
        "0001_fill",
        &format!(
            "[[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"t\"\nset = {{ n = \"1\" }}\nrollback = \"\"\n{WAITS}"
        ),
    )
    .await;
    let one = desk.serve("").await;
    let two = desk.serve("").await;
    let args = [
        "move",
        "persons",
        "--same-shape",
        "--execute",
        "--detach",
        "--setting",
        "lease.ttl_ms=1000",
    ];
    desk.run(&args).await.expect_code(0);
    desk.run(&["migration", "start", "0001_fill", "--detach"])
        .await
        .expect_code(0);
    let noted = |name: &str, what: &str| {
        format!(
            "select {what} from corridor.pace p join corridor.migration m on m.id = p.migration_id where m.name = '{name}'"
        )
    };
    desk.until(&noted(
        "0001_fill",
        "coalesce(max(rows) = 500 and bool_and(pending is null), false)",
    ))
    .await;
    desk.until(&noted(
        "persons",
        "coalesce(max(rows) = 2000 and max(pending) = 0, false)",
    ))
    .await;
    desk.client
        .batch_execute(
            "insert into corridor.pace (migration_id, at, rows) \
             select id, clock_timestamp() - interval '1 day' - i * interval '1 s', 1 \
             from corridor.migration, generate_series(1, 2500) i where name = '0001_fill'",
        )
        .await
        .unwrap();
    desk.until(&noted("0001_fill", "count(*) = 2000")).await;
    desk.until(&noted("persons", "count(*) >= 3")).await;
    let row = desk
        .client
        .query_one(
            "select min(gap)::float8 from (select extract(epoch from at - lag(at) over (partition by migration_id order by at)) as gap \
             from corridor.pace where at > now() - interval '1 hour') as gaps",
            &[],
        )
        .await
        .unwrap();
    let gap_s: f64 = row.get(0);
    assert!(gap_s >= 4.0, "{gap_s}");
    // Held by the throttle: that is noted too.
    desk.run(&[
        "set",
        "0001_fill",
        "throttle.interval_ms=100",
        "throttle.custom=0",
        "throttle.custom.query=select 1",
    ])
    .await
    .expect_code(0);
    desk.until(&noted("0001_fill", "bool_or(is_held)")).await;
    one.stop().await;
    two.stop().await;
}

/// The newest check of the service stands in its metrics, with the cluster's name, and a real Prometheus takes them.
#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_carry_what_the_check_found() {
    let desk = Desk::new("keeping_metrics", TABLES).await;
    desk.client
        .batch_execute(
            "create table orders (id serial primary key); select setval('orders_id_seq', 2147483000)",
        )
        .await
        .unwrap();
    let service: Service = desk.serve("collect = true").await;
    let mut metrics = String::new();
    for _ in 0..400 {
        metrics = service.get("/metrics").await.1;
        if metrics.contains("corridor_checked_at_seconds{cluster=\"main\"}") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let is_found = |line: &str| {
        line.starts_with("corridor_finding{cluster=\"main\",code=\"LIM-") && line.contains("orders")
    };
    assert!(metrics.lines().any(is_found), "{metrics}");
    assert_eq!(metrics.matches("# EOF").count(), 1);
    let mut types: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let count = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), count, "each family stands once");
    let port = service.address.rsplit(':').next().unwrap().parse().unwrap();
    let prometheus = Prometheus::start_with(port, "groups: []", Some(service.token().await)).unwrap();
    let mut said = String::new();
    for _ in 0..60 {
        said = prometheus
            .get("/api/v1/query?query=corridor_finding%7Bcluster%3D%22main%22%7D")
            .unwrap();
        if said.contains("orders") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(
        said.contains("\"cluster\":\"main\"") && said.contains("orders"),
        "{said}"
    );
    let targets = prometheus.get("/api/v1/targets").unwrap();
    assert!(targets.contains("\"health\":\"up\""), "{targets}");
    service.stop().await;
}

/// What is set for all migrations holds for those without a value of their own, at once, and says who set it.
#[tokio::test]
async fn settings_of_all_migrations_lie_beneath_those_of_one() {
    let desk = Desk::new("keeping_all", TABLES).await;
    // Before the first migration, too.
    let run = desk.run(&["set", "--all"]).await.expect_code(0);
    assert!(run.stdout.contains("workers = 2"), "{}", run.stdout);
    desk.run(&["set", "--all", "workers=3", "throttle.interval_ms=100"])
        .await
        .expect_code(0);
    desk.client
        .batch_execute("create table t (id int primary key, n int); insert into t values (1, 0)")
        .await
        .unwrap();
    desk.add("0001_wait", WAITS).await;
    desk.add("0002_wait", WAITS).await;
    desk.run(&["set", "0002_wait", "workers=5"]).await.expect_code(0);
    let setting = async |name: &str| {
        let status = desk.run(&["--json", "status", name]).await.expect_code(0).json();
        let settings = status["settings"].as_array().unwrap().clone();
        settings.into_iter().find(|one| one["key"] == "workers").unwrap()
    };
    let one = setting("0001_wait").await;
    assert_eq!(
        (&one["value"], &one["is_for_all"]),
        (&"3".into(), &true.into()),
        "{one}"
    );
    assert!(one["set_by"].as_str().unwrap().contains('@'), "{one}");
    let two = setting("0002_wait").await;
    assert_eq!(
        (&two["value"], &two["is_for_all"]),
        (&"5".into(), &false.into()),
        "{two}"
    );
    let run = desk.run(&["set", "0001_wait"]).await.expect_code(0);
    assert!(run.stdout.contains("set for all by"), "{}", run.stdout);
    let run = desk
        .run(&["set", "0002_wait", "workers=default"])
        .await
        .expect_code(0);
    assert_eq!(run.stdout, "workers = 3 (was 5)\n");

    // A worker takes it up while it works.
    let service = desk.serve("").await;
    desk.run(&["migration", "start", "0001_wait", "--detach"])
        .await
        .expect_code(0);
    desk.until_state("0001_wait", "running").await;
    desk.run(&[
        "set",
        "--all",
        "throttle.custom=0",
        "throttle.custom.query=select 1",
    ])
    .await
    .expect_code(0);
    desk.until("select exists (select from corridor.journal where event = 'throttle')")
        .await;
    for (word, code) in [("worker=3", "MIG-011"), ("workers=many", "MIG-012")] {
        desk.run(&["set", "--all", "nice=1", word])
            .await
            .expect_code(2)
            .expect_fault(code);
    }
    desk.run(&["set"]).await.expect_code(2);
    let run = desk
        .run(&["set", "--all", "workers=default"])
        .await
        .expect_code(0);
    assert_eq!(run.stdout, "workers = 2 (was 3)\n");
    desk.until(
        "select string_agg(action || ' ' || object, ',' order by id) = \
         'default_set setting workers,default_set setting throttle.interval_ms,default_set setting throttle.custom,\
          default_set setting throttle.custom.query,default_unset setting workers' from corridor.audit",
    )
    .await;
    service.stop().await;
    // A schema that an older Corridor made has no such table.
    desk.client
        .batch_execute("drop table corridor.default_setting")
        .await
        .unwrap();
    assert_eq!(setting("0001_wait").await["value"], "2");
}
