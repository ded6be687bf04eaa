//! Indexes that are not unique.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

const SETUP: &str = r#"
    create table things (
        id bigint not null, team_id int not null, name text, tags text[], "when" timestamptz,
        primary key (team_id, id)
    );
    insert into things select g, g % 7, 'n' || g, array['a', 'b' || g], now() from generate_series(1, 500) g;
    create index things_name_idx on things (name collate "C" text_pattern_ops desc nulls last) include (id) where (name > ' USING (');
    create index "by ""when"" USING 🐘" on things (lower(name), (team_id + 1)) with (fillfactor = 70);
    alter index "by ""when"" USING 🐘" alter column 1 set statistics 321;
    create index things_tags_idx on things using gin (tags) with (fastupdate = off);
    create index things_when_idx on things using brin ("when") with (pages_per_range = 8);
    create index things_hash_idx on things using hash (name);
    comment on index things_tags_idx is 'tags';
"#;

async fn look(scene: &Scene, stage: Stage) {
    // Usable, and valid as a whole.
    let invalid = "select count(*) from pg_index where not indisvalid and indrelid = 'things'::regclass";
    assert_eq!(scene.ask(invalid).await, "0", "{stage:?}");
    let plan = "set enable_seqscan = off; explain (costs off) select * from things where tags @> array['b7']";
    let is_used = scene
        .app
        .simple_query(plan)
        .await
        .unwrap()
        .iter()
        .any(|m| match m {
            tokio_postgres::SimpleQueryMessage::Row(row) => row
                .get(0)
                .unwrap()
                .contains("Bitmap Index Scan on things_tags_idx"),
            _ => false,
        });
    assert!(is_used, "{stage:?}");
}

#[tokio::test]
async fn indexes_of_all_kinds_come_along_into_partitions() {
    lives("carry_index_hash", "things", SETUP, &hash("team_id", "3"), look).await;
}

#[tokio::test]
async fn indexes_of_all_kinds_come_along_into_a_plain_table() {
    let setup = format!("{SETUP} alter table things cluster on things_pkey;");
    lives("carry_index_same", "things", &setup, &Shape::Same, look).await;
}
