//! Verification finds what it must, leaves out what is explained, and has it repaired.

use crate::bench::{Bench, fixed};
use corridor_mirror::DifferenceKind;

async fn verify(bench: &mut Bench, run: i32, rows: u64) {
    let mut sizer = fixed(rows);
    for lane in bench.mirror.lanes(&*bench.app).await.unwrap() {
        loop {
            let checked = bench
                .mirror
                .verify_next(&mut bench.writer, &bench.fence, run, &lane, &mut sizer)
                .await
                .unwrap();
            if checked.is_lane_done {
                break;
            }
            if checked.is_waiting {
                bench.drain().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_tables_are_proven_and_pending_changes_are_explained() {
    let mut bench = Bench::simple("verify_equal", 200).await;
    bench.plan(1).await;
    bench.copy_all(50).await;
    bench.app.batch_execute("update old set v = 'pending' where id = 3; delete from old where id = 4; insert into old values (1000, 'x')").await.unwrap();
    verify(&mut bench, 1, 40).await;
    let report = bench.mirror.verify_report(&*bench.app, 1).await.unwrap();
    assert!(
        report.is_proven && report.repaired_keys == 0 && report.ranges >= 4,
        "{report:?}"
    );
    assert_eq!(report.pending_keys, 3);
    assert!(report.started_at <= report.finished_at && report.started_at.is_some());
    assert_eq!(report.source_digest, report.target_digest);
    assert_eq!(report.source_rows, 198);
}

/// Under live traffic each range has pending changes. Once its rows were compared with each of them: under 12,000 writes a second
/// a verification took thirty times as long. Here that would be two billion comparisons; and
/// as many again for the keys that were left out.
#[tokio::test(flavor = "multi_thread")]
async fn many_pending_changes_do_not_slow_a_comparison_down() {
    let mut bench = Bench::simple("verify_pending", 100_000).await;
    bench.plan(1).await;
    bench.copy_all(100_000).await;
    let write = "update old set v = 'pending' where id % 5 = 0";
    bench.app.batch_execute(write).await.unwrap();
    let begun = std::time::Instant::now();
    verify(&mut bench, 1, 100_000).await;
    let left = bench
        .mirror
        .compare_left_out(&mut bench.writer, &bench.fence, 1)
        .await
        .unwrap();
    assert_eq!((left.compared, left.remaining), (0, 1_001));
    // Half of them are at rest, and are compared, a thousand at a time.
    bench.drain().await;
    bench
        .app
        .batch_execute("update old set v = 'again' where id % 10 = 0")
        .await
        .unwrap();
    let mut compared = 0;
    while compared < 10_000 {
        let left = bench
            .mirror
            .compare_left_out(&mut bench.writer, &bench.fence, 1)
            .await
            .unwrap();
        assert_eq!(left.differing_keys, 0);
        compared += left.compared;
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let report = bench.mirror.verify_report(&*bench.app, 1).await.unwrap();
    assert!(report.is_proven, "{report:?}");
    assert_eq!(report.pending_keys, 20_000);
}

/// A key that is pending whenever its range is compared would never be compared.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_out_is_compared_when_it_is_at_rest() {
    let mut bench = Bench::simple("verify_left", 200).await;
    bench.plan(1).await;
    bench.copy_all(50).await;
    let write = "update old set v = 'hot' where id in (3, 4, 5); delete from old where id = 6";
    bench.app.batch_execute(write).await.unwrap();
    verify(&mut bench, 1, 40).await;
    let left = async |bench: &mut Bench| {
        let left = bench
            .mirror
            .compare_left_out(&mut bench.writer, &bench.fence, 1)
            .await;
        let left = left.unwrap();
        (left.compared, left.differing_keys, left.remaining)
    };
    assert_eq!(left(&mut bench).await, (0, 0, 4));
    bench.drain().await;
    // A round that wrote the wrong thing, as it were; and one key is written again.
    let tamper = "update new set v = 'wrong' where id = 3; update old set v = 'hotter' where id = 4";
    bench.app.batch_execute(tamper).await.unwrap();
    assert_eq!(left(&mut bench).await, (3, 1, 2));
    let report = bench.mirror.verify_report(&*bench.app, 1).await.unwrap();
    assert_eq!((report.pending_keys, report.left_out_keys), (4, 2));
    assert_eq!(report.differences[0].key, ["3"]);
    // What is still hot is compared inside of the swap, when nothing is pending.
    bench.drain().await;
    bench
        .app
        .batch_execute("update new set v = 'wrong' where id = 4")
        .await
        .unwrap();
    let tx = bench
        .writer
        .begin(corridor_pg::Isolation::ReadCommitted)
        .await
        .unwrap();
    assert!(!bench.mirror.is_rest_equal(&tx, 1).await.unwrap());
    tx.rollback().await.unwrap();
    assert_eq!(left(&mut bench).await, (2, 1, 1));
    bench.drain().await;
    let tx = bench
        .writer
        .begin(corridor_pg::Isolation::ReadCommitted)
        .await
        .unwrap();
    assert!(bench.mirror.is_rest_equal(&tx, 1).await.unwrap());
    tx.rollback().await.unwrap();
    assert_eq!(left(&mut bench).await, (1, 0, 0));
    bench.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_listed_repaired_and_compared_again() {
    let mut bench = Bench::simple("verify_repair", 200).await;
    bench.plan(1).await;
    bench.copy_all(50).await;
    // Foreign writes to the target: one row lost, one invented, one changed, one NULL.
    bench
        .app
        .batch_execute("delete from new where id = 10; insert into new values (5000, 'ghost'); update new set v = 'wrong' where id = 77; update new set v = null where id = 78")
        .await
        .unwrap();
    verify(&mut bench, 1, 40).await;
    let report = bench.mirror.verify_report(&*bench.app, 1).await.unwrap();
    assert!(report.is_proven, "{report:?}");
    assert_eq!(
        [
            report.differing_keys,
            report.missing_keys,
            report.extra_keys,
            report.repaired_keys
        ],
        [4, 1, 1, 4]
    );
    let mut found: Vec<(DifferenceKind, String)> = report
        .differences
        .iter()
        .map(|d| (d.kind, d.key.join(",")))
        .collect();
    found.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(
        found,
        [
            (DifferenceKind::Missing, "10".to_owned()),
            (DifferenceKind::Extra, "5000".to_owned()),
            (DifferenceKind::Differing, "77".to_owned()),
            (DifferenceKind::Differing, "78".to_owned())
        ]
    );
    bench.assert_equal().await;
}

/// A difference that comes back after every repair is never called proven.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_repaired_is_a_fault() {
    let mut bench = Bench::simple("verify_fault", 50).await;
    bench.plan(1).await;
    bench.copy_all(50).await;
    bench
        .app
        .batch_execute(
            "create function spoil() returns trigger language plpgsql as $$ begin new.v := 'spoilt'; return new; end $$; \
             create trigger spoil before insert on new for each row execute function spoil(); update new set v = 'wrong' where id = 7",
        )
        .await
        .unwrap();
    let lane = bench.mirror.lanes(&*bench.app).await.unwrap().remove(0);
    let mut sizer = fixed(40);
    let fault = loop {
        match bench
            .mirror
            .verify_next(&mut bench.writer, &bench.fence, 1, &lane, &mut sizer)
            .await
        {
            Ok(checked) => {
                assert!(!checked.is_lane_done);
                bench.drain().await;
            }
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.code().id, "MIR-003");
    assert!(fault.to_string().contains("(7)"), "{fault}");
    // Found again in each comparison, and one key all the same; nothing claims that it was repaired.
    let report = bench.mirror.verify_report(&*bench.app, 1).await.unwrap();
    assert!(!report.is_proven, "{report:?}");
    assert_eq!((report.differing_keys, report.repaired_keys), (1, 0));
    assert_eq!(report.differences.len(), 1);
}
