//! The whole life of a move on every major, under live traffic that does everything that ever broke a copy.

use crate::run_journey::{Journey, until};
use corridor_migration::{State, Wait};
use corridor_move::Shape;
use corridor_move::run::{Order, Outcome, Progress};
use corridor_move::shape::ShapeWords;
use corridor_testbed::traffic::{KeyType, Mix};

pub(crate) fn hash(columns: &str) -> Shape {
    let by = format!("hash({columns})");
    Shape::parse(&ShapeWords {
        partition_by: Some(&by),
        partitions: Some("4"),
        ..ShapeWords::default()
    })
    .unwrap()
}

pub(crate) fn range(column: &str, every: &str) -> Shape {
    let by = format!("range({column})");
    Shape::parse(&ShapeWords {
        partition_by: Some(&by),
        every: Some(every),
        has_default_partition: true,
        ..ShapeWords::default()
    })
    .unwrap()
}

/// Majors to run a life on: all that are there, or 15 alone with CORRIDOR_TEST_QUICK.
fn majors() -> Vec<u32> {
    if std::env::var_os("CORRIDOR_TEST_QUICK").is_some() {
        vec![15]
    } else {
        vec![14, 15, 16, 17, 18]
    }
}

/// Move, look, cut over, write on, roll back: every write of every phase is there.
async fn there_and_back(major: u32, label: &str, key: KeyType, shape: Shape) {
    let mut journey = Journey::new(major, label, key, 3_000).await;
    let traffic = journey.traffic(Mix::nasty(), 7).await;
    let wish = journey.wish(shape);
    journey.store(&wish).await;
    journey.until_ready().await;
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    traffic.wait_for_writes(traffic.snapshot().writes + 300).await;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    traffic.wait_for_writes(traffic.snapshot().writes + 100).await;
    let ledger = traffic.stop().await.unwrap();
    journey.assert_exact(&ledger).await;
    journey.assert_clean().await;
    let kind: i8 = journey
        .ask("select relkind from pg_class where oid = 'ledger'::regclass")
        .await;
    assert_eq!(kind as u8, b'r');
}

/// Move, cut over, write on, finish.
async fn there_for_good(major: u32, label: &str, key: KeyType, shape: Shape, is_drop: bool) {
    let mut journey = Journey::new(major, label, key, 3_000).await;
    let traffic = journey.traffic(Mix::nasty(), 8).await;
    let mut wish = journey.wish(shape.clone());
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
        .ask("select count(*) from pg_class where relnamespace = to_regnamespace('corridor_retired') and relkind = 'r'")
        .await;
    assert_eq!(retired, i64::from(!is_drop));
    let kind: i8 = journey
        .ask("select relkind from pg_class where oid = 'ledger'::regclass")
        .await;
    assert_eq!(kind as u8, if shape.is_partitioned() { b'p' } else { b'r' });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_goes_into_hash_partitions_and_comes_back_on_every_major() {
    for major in majors() {
        there_and_back(
            major,
            "life_hash",
            KeyType::TeamAndId { teams: 50 },
            hash("team_id"),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_goes_into_hash_partitions_for_good_on_every_major() {
    for major in majors() {
        there_for_good(
            major,
            "life_good",
            KeyType::TeamAndId { teams: 50 },
            hash("team_id"),
            major % 2 == 0,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_rewritten_in_the_same_shape_on_every_major() {
    for major in majors() {
        there_for_good(major, "life_same", KeyType::BigInt, Shape::Same, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_moves() {
    there_and_back(15, "life_numeric", KeyType::Numeric, hash("k")).await;
    there_and_back(15, "life_uuid", KeyType::Uuid, hash("k")).await;
    there_and_back(
        15,
        "life_text",
        KeyType::Text {
            collation: "de-x-icu".into(),
        },
        Shape::Same,
    )
    .await;
    there_and_back(
        15,
        "life_composite",
        KeyType::Composite {
            collation: Some("C".into()),
        },
        hash("k1, k2"),
    )
    .await;
    there_for_good(
        15,
        "life_time",
        KeyType::Timestamptz,
        range("k", "1 month"),
        false,
    )
    .await;
}

/// Pause is a true pause, resume goes on, a second worker refuses, stop leaves the table as it was.
#[tokio::test(flavor = "multi_thread")]
async fn pause_resume_stop() {
    let mut journey = Journey::new(15, "life_pause", KeyType::BigInt, 20_000).await;
    let traffic = journey.traffic(Mix::ingestion(), 9).await;
    let mut wish = journey.wish(Shape::Same);
    wish.settings.push(("chunk.max_bytes".into(), "65536".into()));
    wish.settings.push(("nice".into(), "1".into()));
    journey.store(&wish).await;
    let first = journey.worker(Order::Start);
    until(async || {
        first
            .ear
            .count(|p| matches!(p, Progress::Rows { rows, .. } if *rows > 0))
            > 0
    })
    .await;

    let second = journey.worker(Order::Resume).task.await.unwrap();
    assert_eq!(second.unwrap_err().code().exit.code(), 4);

    let paused = journey.worker(Order::Pause).end().await;
    assert!(matches!(paused, Outcome::Paused { .. }), "{paused:?}");
    assert!(matches!(first.end().await, Outcome::Paused { .. }));
    let rows = "select sum(rows)::bigint from corridor.lane_1_fwd";
    let copied: i64 = journey.ask(rows).await;
    traffic.wait_for_writes(traffic.snapshot().writes + 300).await;
    assert_eq!(
        journey.ask::<i64>(rows).await,
        copied,
        "nothing is written while paused"
    );

    let third = journey.worker(Order::Resume);
    until(async || journey.ask::<i64>(rows).await > copied).await;
    third.interrupt.send(true).unwrap();
    assert_eq!(third.end().await, Outcome::Interrupted);

    assert_eq!(
        journey.worker(Order::Stop).end().await,
        Outcome::Ended(State::Stopped)
    );
    let ledger = traffic.stop().await.unwrap();
    journey.assert_exact(&ledger).await;
    journey.assert_clean().await;
}
