//! Traffic and its ledger: exact through crashes, and quick to notice what is wrong.

use std::time::Duration;

use corridor_testbed::traffic::{Flavour, KeyType, Mix, StatementMode, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, ClusterOptions, Mode};

fn key_types() -> Vec<KeyType> {
    vec![
        KeyType::BigInt,
        KeyType::Int,
        KeyType::Composite {
            collation: Some("C".to_owned()),
        },
        KeyType::Composite { collation: None },
        KeyType::Uuid,
        KeyType::Timestamptz,
        KeyType::Numeric,
        KeyType::Text {
            collation: "de-x-icu".to_owned(),
        },
    ]
}

#[tokio::test]
async fn every_kind_of_key_and_statement_ends_with_an_exact_ledger() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("keys").await.unwrap();
    for (i, key) in key_types().into_iter().enumerate() {
        let table = Table::ledger(&format!("\"T {i}\""), key.clone(), 2_000);
        table.create(&database.url).await.unwrap();
        let traffic = Traffic::start(
            &database.url,
            TrafficOptions {
                mix: Mix {
                    long_transaction: 1,
                    two_phase: 3,
                    ..Mix::nasty()
                },
                strict_percent: 30,
                mode: if i % 2 == 0 {
                    StatementMode::Simple
                } else {
                    StatementMode::Prepared
                },
                long_transaction: Duration::from_millis(20),
                ..TrafficOptions::new(table.clone())
            },
        )
        .await
        .unwrap();
        traffic.wait_for_writes(1_000).await;
        let ledger = traffic.stop().await.unwrap();
        // Serializable transactions may have to be tried again, which the application does by going on.
        let is_retry = ledger.errors.keys().all(|code| code == "40001");
        assert!(is_retry, "{key:?}: {:?}", ledger.errors);
        let comparison = ledger.compare(&database.url, &table.name).await.unwrap();
        assert!(comparison.is_exact(), "{key:?}: {comparison}");
        assert!(comparison.rows_found > 1_500, "{key:?}: {comparison}");
    }
}

#[tokio::test]
async fn the_ledger_is_exact_after_crashes() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    for flavour in [Flavour::Persons, Flavour::Ledger] {
        let table = match flavour {
            Flavour::Persons => Table::persons("persons", 5_000),
            Flavour::Ledger => Table::ledger("ledger", KeyType::Uuid, 5_000),
        };
        let url = cluster.url("postgres");
        table.create(&url).await.unwrap();
        let mix = Mix {
            two_phase: 8,
            ..Mix::nasty()
        };
        let options = TrafficOptions {
            mix,
            clients: 6,
            strict_percent: 30,
            ..TrafficOptions::new(table.clone())
        };
        let traffic = Traffic::start(&url, options).await.unwrap();
        for crash in 1..=5 {
            traffic.wait_for_writes(crash * 400).await;
            cluster.restart(Mode::Immediate).await.unwrap();
        }
        // Crashes also meet the truncate.
        traffic.wait_for_writes(2_300).await;
        let (truncated, _) = tokio::join!(
            traffic.truncate(Duration::from_secs(60)),
            cluster.restart(Mode::Immediate)
        );
        println!("truncated amid a crash: {}", truncated.unwrap());
        traffic.wait_for_writes(2_500).await;
        assert!(traffic.truncate(Duration::from_secs(60)).await.unwrap());
        traffic.wait_for_writes(3_000).await;
        let ledger = traffic.stop().await.unwrap();
        assert!(ledger.errors.contains_key("connection"), "{:?}", ledger.errors);
        let comparison = ledger.compare(&url, &table.name).await.unwrap();
        assert!(comparison.is_exact(), "{flavour:?}: {comparison}");
        assert!(ledger.acknowledged_writes() >= 3_000);
        let open: i64 = cluster
            .connect("postgres")
            .await
            .unwrap()
            .query_one("select count(*) from pg_prepared_xacts", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(open, 0, "every first phase had its second");

        // The same ledger goes on in a second run.
        let traffic = Traffic::start(&url, TrafficOptions::continuing(ledger))
            .await
            .unwrap();
        traffic.wait_for_writes(500).await;
        let ledger = traffic.stop().await.unwrap();
        let comparison = ledger.compare(&url, &table.name).await.unwrap();
        assert!(comparison.is_exact(), "{flavour:?}: {comparison}");
    }
}

#[tokio::test]
async fn the_ledger_notices_one_row_lost_one_invented_one_changed() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("wrongs").await.unwrap();
    let table = Table::persons("persons", 3_000);
    table.create(&database.url).await.unwrap();
    let traffic = Traffic::start(&database.url, TrafficOptions::new(table))
        .await
        .unwrap();
    traffic.wait_for_writes(500).await;
    let ledger = traffic.stop().await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    let exact = ledger.compare(&database.url, "persons").await.unwrap();
    assert!(exact.is_exact(), "{exact}");

    client
        .batch_execute(
            "delete from persons where ctid = (select min(ctid) from persons); \
             insert into persons select 5, 999999, uuid, properties, created_at, 0 from persons limit 1; \
             update persons set properties = properties || '{\"x\": null}' \
             where ctid = (select max(ctid) from persons where id < 999999)",
        )
        .await
        .unwrap();
    let comparison = ledger.compare(&database.url, "persons").await.unwrap();
    assert_eq!(
        (
            comparison.lost_rows,
            comparison.invented_rows,
            comparison.differing_rows
        ),
        (1, 1, 1),
        "{comparison}"
    );
    assert_eq!(comparison.invented[0].key, ["5", "999999"]);
    assert!(!comparison.is_exact());
}

#[tokio::test]
async fn clients_notice_a_wrong_row_while_they_work() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("live wrongs").await.unwrap();
    let table = Table::ledger("t", KeyType::BigInt, 200);
    table.create(&database.url).await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    // A trigger that swallows every hundredth update: the application is told that no row was touched.
    client
        .batch_execute(
            "create function swallow() returns trigger language plpgsql as \
             $$ begin return case when new.version % 100 = 99 then null else new end; end $$; \
             create trigger swallow before update on t for each row execute function swallow()",
        )
        .await
        .unwrap();
    let mix = Mix {
        touch: 1,
        ..Mix::none()
    };
    let options = TrafficOptions {
        mix,
        key_space: 10,
        ..TrafficOptions::new(table)
    };
    let traffic = Traffic::start(&database.url, options).await.unwrap();
    while traffic.snapshot().anomalies == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ledger = traffic.stop().await.unwrap();
    assert!(
        ledger.anomalies[0].contains("touched 0 rows instead of 1"),
        "{:?}",
        ledger.anomalies
    );
}
