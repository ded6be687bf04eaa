//! Random schedules: writers, copiers and rounds at the same time, over and over, from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bench::{Bench, fixed, session};
use corridor_mirror::Mirror;
use corridor_pg::fence::Fence;

/// One life: a small table with slow chunks, four writers, three lanes with a copier each, one applier.
async fn life(seed: u64) {
    let mut bench = Bench::simple(&format!("random_{seed}"), 400).await;
    bench
        .app
        .batch_execute("create unique index on old (v); update old set v = 'v' || id")
        .await
        .unwrap();
    bench.plan(1).await;
    // Three lanes by hand: the table is too small to be cut by itself.
    bench
        .app
        .batch_execute("delete from corridor.lane_7_fwd; insert into corridor.lane_7_fwd (lane, lo1, hi1) values (0, null, 130), (1, 130, 260), (2, 260, null)")
        .await
        .unwrap();
    let mirror = Arc::new(Mirror::new(bench.mirror.spec().clone()));
    let is_over = Arc::new(AtomicBool::new(false));
    let fence = Fence {
        migration_id: 7,
        epoch: 1,
    };

    let mut writers = Vec::new();
    for writer in 0..4u64 {
        let (url, is_over) = (bench.url.clone(), is_over.clone());
        writers.push(tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed * 31 + writer);
            let app = session(&url, "app").await;
            let mut writes = 0u64;
            while !is_over.load(Ordering::Relaxed) || writes < 150 {
                let (a, b) = (random.i64(1..420), random.i64(1..420));
                let sql = match random.u8(0..6) {
                    0 => format!("insert into public.old values ({a}, 'n{a}w{writer}{writes}') on conflict do nothing"),
                    1 => format!("delete from public.old where id = {a}"),
                    2 => format!("update public.old set v = 'u{writer}.{writes}' where id = {a}"),
                    3 => format!("update public.old set id = {b} where id = {a} and not exists (select from public.old where id = {b})"),
                    4 => format!("delete from public.old where id = {a}; insert into public.old values ({a}, 'r{writer}.{writes}') on conflict do nothing"),
                    // A swap of unique values in one transaction.
                    _ => format!(
                        "begin; select from public.old where id in ({a}, {b}) order by id for update; \
                         create temp table if not exists held (id bigint, v text) on commit delete rows; \
                         insert into held select id, v from public.old where id in ({a}, {b}); \
                         update public.old set v = null where id in ({a}, {b}); \
                         update public.old o set v = h.v from held h where o.id in ({a}, {b}) and h.id in ({a}, {b}) and o.id <> h.id; commit"
                    ),
                };
                // Conflicts between writers are theirs; what counts is what is committed.
                if app.batch_execute(&sql).await.is_err() {
                    app.batch_execute("rollback").await.unwrap();
                }
                writes += 1;
            }
        }));
    }
    let mut copiers = Vec::new();
    for lane in 0..3 {
        let (mirror, url) = (mirror.clone(), bench.url.clone());
        copiers.push(tokio::spawn(async move {
            let mut copier = session(&url, "copier").await;
            loop {
                let outcome = mirror
                    .copy_chunk(&mut copier, &fence, lane, &mut fixed(10))
                    .await
                    .unwrap();
                if outcome.is_lane_done {
                    return;
                }
            }
        }));
    }
    let applier = {
        let (mirror, url, is_over) = (mirror.clone(), bench.url.clone(), is_over.clone());
        tokio::spawn(async move {
            let (mut writer, observer) = (session(&url, "applier").await, session(&url, "observer").await);
            while !is_over.load(Ordering::Relaxed) {
                mirror.round(&mut writer, &observer, &fence, 20, 0).await.unwrap();
            }
        })
    };
    for copier in copiers {
        copier.await.unwrap();
    }
    // The unique index comes late, on a still mirror, and then the swaps have to get through it.
    let mut writer = session(&bench.url, "indexer").await;
    mirror
        .while_still(&mut writer, &fence, async |session| {
            session
                .batch_execute("create unique index on public.new (v)")
                .await
                .unwrap();
            Ok(())
        })
        .await
        .unwrap();
    is_over.store(true, Ordering::Relaxed);
    for task in writers {
        task.await.unwrap();
    }
    applier.await.unwrap();
    bench.drain().await;
    bench.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_target_agree_after_every_random_life() {
    for seed in 0..12 {
        life(seed).await;
    }
}
