//! A target of another shape: renamed, widened, converted, computed and left-out columns.

use crate::bench::{Bench, fixed, ident, key, spec};
use corridor_mirror::{Column, Digest, KeyColumn, MirrorSpec, Value};

pub(crate) fn valued(name: &str, digest: Digest, sql: &str, stored_sql: &str, reads: &[&str]) -> Column {
    Column {
        name: ident(name),
        digest,
        value: Some(Value {
            sql: sql.into(),
            stored_sql: stored_sql.into(),
            reads: reads.iter().map(|name| ident(name)).collect(),
        }),
    }
}

const DDL: &str = "create table old (team int, id int, first text, last text, amount numeric, doc json, gone text, primary key (team, id)); \
     create table new (pid bigint not null, name text not null, amount numeric(10,1), doc jsonb, extra int default 42, team bigint, primary key (team, pid)); \
     insert into old select i % 7, i, 'f' || i, 'l', i / 7.0, json_build_object('a', i), 'x' from generate_series(1, 400) i";

/// What `new` has to be, from `old`.
const WANTED: &str =
    "select id::bigint, first || ' ' || last, amount::numeric(10,1), doc::jsonb, 42, team::bigint from old";

fn other_shape() -> MirrorSpec {
    MirrorSpec {
        key: vec![
            key("team", "bigint"),
            KeyColumn {
                target_name: Some(ident("pid")),
                ..key("id", "bigint")
            },
        ],
        columns: vec![
            valued("pid", Digest::Native, "s.id::bigint", "s.id::bigint", &["id"]),
            valued(
                "team",
                Digest::Native,
                "s.team::bigint",
                "s.team::bigint",
                &["team"],
            ),
            valued(
                "name",
                Digest::Native,
                "s.first || ' ' || s.last",
                "s.first || ' ' || s.last",
                &["first", "last"],
            ),
            valued(
                "amount",
                Digest::Text,
                "s.amount",
                "s.amount::numeric(10,1)",
                &["amount"],
            ),
            valued("doc", Digest::Json, "s.doc::jsonb", "s.doc::jsonb", &["doc"]),
        ],
        ..spec("7_fwd", "old", "new", vec![], &[])
    }
}

async fn assert_wanted(bench: &Bench) {
    let new = "select pid, name, amount, doc, extra, team from new";
    let sql = format!(
        "select 'lacks ' || r::text from (({WANTED}) except all {new}) r union all \
         select 'has ' || r::text from ({new} except all ({WANTED})) r"
    );
    let rows = bench.app.query(&sql, &[]).await.unwrap();
    let difference: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}

async fn verify(bench: &mut Bench, run: i32) -> corridor_mirror::verify::Report {
    let mut sizer = fixed(40);
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
    bench.mirror.verify_report(&*bench.app, run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_shape_is_copied_kept_in_step_proven_and_repaired() {
    let mut bench = Bench::of("mapping", DDL, other_shape()).await;
    bench.plan(1).await;
    let mut i = 0;
    while !bench.mirror.is_copied(&*bench.app).await.unwrap() {
        bench.chunk(37).await;
        i += 1;
        bench
            .app
            .batch_execute(&format!(
                "insert into old values (1, {new}, 'new', 'er', 0.25, '{{}}'); \
                 update old set first = 'up', amount = 1.05 where ctid in (select ctid from old order by random() limit 9); \
                 update old set id = id + 100000 where id = {i} * 3; update old set team = team + 1 where id = {i} * 5; \
                 delete from old where id = {i} * 11",
                new = 5_000 + i
            ))
            .await
            .unwrap();
        bench.round().await;
    }
    assert!(i > 8, "{i} chunks");
    bench.drain().await;
    assert_wanted(&bench).await;
    let report = verify(&mut bench, 1).await;
    assert!(report.is_proven && report.repaired_keys == 0, "{report:?}");

    // Foreign writes to the target; one key that the source's type could not hold.
    bench
        .app
        .batch_execute(
            "update new set name = 'wrong' where pid = 20; update new set doc = '{\"a\": 0}' where pid = 50; \
             update new set amount = 0.1 where pid = 70; delete from new where pid = 80; \
             insert into new values (9000000000, 'ghost', 1, null, 42, 3)",
        )
        .await
        .unwrap();
    let report = verify(&mut bench, 2).await;
    assert!(report.is_proven && report.repaired_keys == 5, "{report:?}");
    assert_wanted(&bench).await;
}

/// What nothing is copied to is not compared, and an expression that is not compared is no difference.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_knows_nothing_of_is_not_compared() {
    let ddl = "create table old (id int primary key, v text); create table new (id int primary key, v text, note text); \
               insert into old select i, 'v' from generate_series(1, 50) i";
    let mut spec = spec("7_fwd", "old", "new", vec![key("id", "integer")], &["id", "v"]);
    spec.columns.push(valued(
        "note",
        Digest::Nothing,
        "'none'::text",
        "'none'::text",
        &[],
    ));
    let mut bench = Bench::of("mapping_unseen", ddl, spec).await;
    bench.plan(1).await;
    bench.copy_all(20).await;
    bench
        .app
        .batch_execute("update new set note = 'kept'; update old set v = 'w' where id = 7")
        .await
        .unwrap();
    bench.drain().await;
    let report = verify(&mut bench, 1).await;
    assert!(report.is_proven && report.repaired_keys == 0, "{report:?}");
    let kept: i64 = bench
        .app
        .query_one("select count(*) from new where note = 'kept'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, 49, "one row was refreshed");
}
