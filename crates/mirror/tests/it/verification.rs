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
    assert_eq!(report.source_digest, report.target_digest);
    assert_eq!(report.source_rows, 198);
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
    assert!(
        !bench
            .mirror
            .verify_report(&*bench.app, 1)
            .await
            .unwrap()
            .is_proven
    );
}
