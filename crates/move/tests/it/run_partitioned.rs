//! A source that is partitioned already, under live traffic: into more partitions, back to one table, and partition by
//! partition anew; and what happens to single partitions meanwhile.

use corridor_migration::{State, Wait};
use corridor_move::Shape;
use corridor_move::run::{Order, Outcome};
use corridor_move::shape::ShapeWords;
use corridor_testbed::Cluster;
use corridor_testbed::traffic::{KeyType, Mix, Table};

use crate::run_journey::Journey;
use crate::scene::majors;

fn hash(columns: &str, partitions: &str) -> Shape {
    let by = format!("hash({columns})");
    Shape::parse(&ShapeWords {
        partition_by: Some(&by),
        partitions: Some(partitions),
        ..ShapeWords::default()
    })
    .unwrap()
}

const EIGHT: &str = "hash (team_id)";
/// Ten minutes each; the rows are about a second apart.
const BY_TIME: &str = "range (k)";

/// The traffic's table, its rows put into partitions.
async fn partitioned(major: u32, label: &str, key: KeyType, by: &str) -> Journey {
    let database = Cluster::shared(major).await.fresh_database(label).await.unwrap();
    let table = Table {
        is_slot_unique: false,
        ..Table::ledger("ledger", key, 3_000)
    };
    let journey = Journey::on(database, table).await;
    let partitions = match by {
        EIGHT => {
            "for i in 0..7 loop execute format('create table ledger_p%s partition of ledger for values with (modulus 8, remainder %s)', i, i); end loop;"
        }
        _ => {
            "for i in 0..4 loop execute format('create table ledger_p%s partition of ledger for values from (%L) to (%L)', i, \
             timestamptz '2001-09-09 01:40:00Z' + i * interval '10 min', timestamptz '2001-09-09 01:50:00Z' + i * interval '10 min'); end loop; \
             create table ledger_rest partition of ledger default;"
        }
    };
    journey
        .run(&format!(
            "alter table ledger rename to before; alter index ledger_pkey rename to before_pkey; \
             create table ledger (like before including all) partition by {by}; \
             do $$ begin {partitions} end $$; \
             insert into ledger select * from before; drop table before; analyze ledger"
        ))
        .await;
    journey
}

async fn partitions(journey: &Journey) -> i64 {
    journey
        .ask("select count(*) from pg_inherits i where inhparent = 'ledger'::regclass")
        .await
}

/// Move, cut over, write on, roll back: every write of every phase is there.
async fn there_and_back(major: u32, label: &str, key: KeyType, by: &str, shape: Shape) {
    let mut journey = partitioned(major, label, key, by).await;
    let before = partitions(&journey).await;
    let traffic = journey.traffic(Mix::nasty(), 17).await;
    let wish = journey.wish(shape);
    journey.store(&wish).await;
    journey.until_ready().await;
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    traffic.wait_for_writes(traffic.snapshot().writes + 300).await;
    assert_eq!(
        journey.worker(Order::Verify).end().await,
        Outcome::Waits(Wait::Finish)
    );
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    traffic.wait_for_writes(traffic.snapshot().writes + 100).await;
    let ledger = traffic.stop().await.unwrap();
    journey.assert_exact(&ledger).await;
    journey.assert_clean().await;
    assert_eq!(partitions(&journey).await, before);
}

/// Move, cut over, write on, finish.
async fn there_for_good(
    major: u32,
    label: &str,
    key: KeyType,
    by: &str,
    shape: Shape,
    is_drop: bool,
) -> Journey {
    let mut journey = partitioned(major, label, key, by).await;
    let old = partitions(&journey).await;
    let traffic = journey.traffic(Mix::nasty(), 18).await;
    let mut wish = journey.wish(shape);
    wish.settings.push(("cutover.auto".into(), "on".into()));
    journey.store(&wish).await;
    assert_eq!(
        journey.worker(Order::Start).end().await,
        Outcome::Waits(Wait::Finish)
    );
    traffic.wait_for_writes(traffic.snapshot().writes + 200).await;
    assert_eq!(
        journey.worker(Order::Finish { is_drop }).end().await,
        Outcome::Ended(State::Finished)
    );
    traffic.wait_for_writes(traffic.snapshot().writes + 100).await;
    let ledger = traffic.stop().await.unwrap();
    journey.assert_exact(&ledger).await;
    journey.assert_clean().await;
    let retired: i64 = journey
        .ask("select count(*) from pg_class where relnamespace = to_regnamespace('corridor_retired') and relkind in ('r', 'p')")
        .await;
    assert_eq!(retired, if is_drop { 0 } else { old + 1 });
    journey
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_partitions_become_thirty_two_and_eight_again() {
    for major in majors() {
        let key = KeyType::TeamAndId { teams: 50 };
        there_and_back(major, "wide_back", key, EIGHT, hash("team_id", "32")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_partitions_become_thirty_two_for_good() {
    for major in majors() {
        let key = KeyType::TeamAndId { teams: 50 };
        let shape = hash("team_id", "32");
        let journey = there_for_good(major, "wide_good", key, EIGHT, shape, major % 2 == 0).await;
        assert_eq!(partitions(&journey).await, 32);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_partitions_become_one_table() {
    for major in majors() {
        let key = KeyType::TeamAndId { teams: 50 };
        let journey = there_for_good(major, "one_good", key, EIGHT, Shape::Plain, major % 2 == 1).await;
        assert_eq!(partitions(&journey).await, 0);
    }
    there_and_back(
        15,
        "one_back",
        KeyType::TeamAndId { teams: 50 },
        EIGHT,
        Shape::Plain,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_by_time_are_written_anew() {
    for major in majors() {
        let journey = there_for_good(
            major,
            "anew_good",
            KeyType::Timestamptz,
            BY_TIME,
            Shape::Same,
            major % 2 == 0,
        )
        .await;
        assert_eq!(partitions(&journey).await, 6);
        let names: Vec<String> = journey
            .ask("select array_agg(inhrelid::regclass::text order by inhrelid::regclass::text) from pg_inherits where inhparent = 'ledger'::regclass")
            .await;
        assert_eq!(
            names,
            [
                "ledger_p0",
                "ledger_p1",
                "ledger_p2",
                "ledger_p3",
                "ledger_p4",
                "ledger_rest"
            ]
        );
    }
    there_and_back(15, "anew_back", KeyType::Timestamptz, BY_TIME, Shape::Same).await;
}

/// Writes that name a partition, and rows that go from one to another, before and after the cut-over.
#[tokio::test(flavor = "multi_thread")]
async fn writes_to_single_partitions_are_seen() {
    const WRITES: &str = "
        insert into LEAF select * from (select team_id, id + 90000000 + BASE as id, token, note, amount, blob, slot, version from LEAF limit 7) x;
        update LEAF set note = 'straight' where id % 3 = 0;
        delete from LEAF where id % 5 = 0;
        update ledger set team_id = team_id + 1, id = id + 500000000 + BASE where id % 7 = 0;
        truncate OTHER;
        insert into ledger (team_id, id, token, version) select g % 50, 7000000 + BASE + g, g, 0 from generate_series(1, 300) g;";
    const SAME: &str = "select count(*) from (select * from ledger except all select * from expected) x \
         full join (select * from expected except all select * from ledger) y using (team_id, id)";
    for shape in [hash("team_id", "16"), Shape::Same, Shape::Plain] {
        let key = KeyType::TeamAndId { teams: 50 };
        let mut journey = partitioned(15, "leaves", key, EIGHT).await;
        let wish = journey.wish(shape.clone());
        journey.store(&wish).await;
        journey.until_ready().await;
        journey
            .run(
                &WRITES
                    .replace("LEAF", "ledger_p3")
                    .replace("OTHER", "ledger_p5")
                    .replace("BASE", "0"),
            )
            .await;
        journey.run("create table expected as table ledger").await;
        assert_eq!(
            journey.worker(Order::Cutover).end().await,
            Outcome::Waits(Wait::Finish)
        );
        assert_eq!(journey.ask::<i64>(SAME).await, 0, "{shape}");
        let leaves: Vec<String> = journey
            .ask("select coalesce(array_agg(inhrelid::regclass::text order by inhrelid::regclass::text), array['ledger']) from pg_inherits where inhparent = 'ledger'::regclass")
            .await;
        let (leaf, other) = (&leaves[leaves.len() / 2], &leaves[leaves.len() - 1]);
        journey
            .run(
                &WRITES
                    .replace("LEAF", leaf)
                    .replace("OTHER", other)
                    .replace("BASE", "1000"),
            )
            .await;
        journey
            .run("drop table expected; create table expected as table ledger")
            .await;
        assert_eq!(
            journey.worker(Order::Rollback).end().await,
            Outcome::Ended(State::RolledBack)
        );
        assert_eq!(journey.ask::<i64>(SAME).await, 0, "{shape}");
        journey.assert_clean().await;
    }
}

/// A partition that comes or goes stops the move, says so, and nothing is left behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_comes_or_goes_stops_the_move() {
    const CHANGES: [(&str, &str); 6] = [
        (
            "create table ledger_p9 partition of ledger for values from ('2030-01-01') to ('2031-01-01')",
            "inheritance",
        ),
        ("alter table ledger detach partition ledger_p2", "inheritance"),
        ("drop table ledger_p1", "inheritance"),
        ("create index on ledger_p2 (note)", "partitions"),
        ("alter table ledger_p2 rename to renamed", "partitions"),
        ("alter table ledger_p2 set (fillfactor = 50)", "partitions"),
    ];
    for shape in [hash("k", "16"), Shape::Same] {
        for (change, aspect) in CHANGES {
            let mut journey = partitioned(15, "comes", KeyType::Timestamptz, BY_TIME).await;
            let wish = journey.wish(shape.clone());
            journey.store(&wish).await;
            journey.until_ready().await;
            journey.run(change).await;
            let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
            assert_eq!(fault.code().id, "MOV-101", "{change}: {fault}");
            assert!(fault.detail().contains(aspect), "{change}: {fault}");
            let rows: i64 = journey.ask("select count(*) from ledger").await;
            assert_eq!(
                journey.worker(Order::Stop).end().await,
                Outcome::Ended(State::Stopped),
                "{change}"
            );
            assert_eq!(journey.ask::<i64>("select count(*) from ledger").await, rows);
            journey.assert_clean().await;
        }
    }
}
