//! A worker that was declared dead cannot write.

use crate::bench::{Bench, fixed};
use corridor_pg::fence::Fence;

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_epoch_can_neither_copy_nor_refresh_nor_verify() {
    let mut bench = Bench::simple("fencing_stale", 30).await;
    bench.plan(1).await;
    bench.chunk(10).await;
    bench
        .app
        .batch_execute("update old set v = 'x' where id = 2; update corridor.lease set epoch = 2")
        .await
        .unwrap();
    let stale = bench.fence;
    let code = |r: corridor_pg::Fault| r.code().id;
    let copy = bench
        .mirror
        .copy_chunk(&mut bench.writer, &stale, 0, &mut fixed(10))
        .await;
    assert_eq!(copy.map_err(code).unwrap_err(), "PG-019");
    let round = bench
        .mirror
        .round(&mut bench.writer, &bench.observer, &stale, 10, 0)
        .await;
    assert_eq!(round.map_err(code).unwrap_err(), "PG-019");
    let replay = bench.mirror.replay_truncate(&mut bench.writer, &stale).await;
    assert_eq!(replay.map_err(code).unwrap_err(), "PG-019");
    let copied: i64 = bench
        .app
        .query_one("select count(*) from new where v = 'x' or id > 10", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(copied, 0);
    bench.fence = Fence {
        migration_id: 7,
        epoch: 2,
    };
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}
