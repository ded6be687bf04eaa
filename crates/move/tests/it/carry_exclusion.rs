//! Exclusion constraints, deferrable ones, and the replica identity that is an index.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, lives, majors};

const SETUP: &str = "
    create extension btree_gist;
    create table things (
        id bigint primary key, team_id int not null, during int4range, slot int not null,
        constraint no_overlap exclude using gist (team_id with =, during with &&) where (slot > 0) deferrable,
        constraint slots unique (slot, team_id) deferrable initially deferred
    );
    insert into things select g, g % 7, int4range(g * 10, g * 10 + 5), g from generate_series(1, 200) g;
    create unique index identity on things (slot, id, team_id);
    alter table things replica identity using index identity;
    comment on constraint no_overlap on things is 'no two at once';
";

async fn look(scene: &Scene, stage: Stage) {
    let overlap = "insert into things select 9999, team_id, during, 9999 from things where id = 1";
    assert_eq!(scene.ask(overlap).await, "23P01", "{stage:?}");
    // Swapped within one transaction, one by one: only a deferred constraint lets that through.
    let swap =
        "begin; update things set slot = 8 where id = 1; update things set slot = 1 where id = 8; rollback";
    assert_eq!(scene.ask(swap).await, "", "{stage:?}");
    let twice = "insert into things select 9999, team_id, null, slot from things where id = 1";
    assert_eq!(scene.ask(twice).await, "23505", "{stage:?}");
}

#[tokio::test]
async fn constraints_between_rows_come_along_as_they_were() {
    lives("carry_exclusion", "things", SETUP, &Shape::Same, look).await;
    for major in majors().into_iter().filter(|m| *m >= 17) {
        life(
            major,
            "carry_exclusion",
            "things",
            SETUP,
            &hash("team_id", "3"),
            look,
        )
        .await;
    }
}

/// What logical decoding takes for the old row of a delete.
#[tokio::test]
async fn each_partition_has_the_replica_identity() {
    let setup = "create table things (id bigint primary key, team_id int not null, note text not null);
        create unique index identity on things (note, team_id); alter table things replica identity using index identity;
        insert into things select g, g, 'n' || g from generate_series(1, 20) g";
    for major in majors() {
        let look = async |scene: &Scene, stage: Stage| {
            let count = "select count(*) from pg_index i join pg_class c on c.oid = i.indrelid
                         where i.indisreplident and c.relreplident = 'i' and c.relname like 'things%'
                           and c.relname not like '%\\_\\_c\\_%'";
            let expected = match stage {
                // The table and its three partitions.
                Stage::Swapped | Stage::Finished => "4",
                Stage::Before => "1",
                // The table, and the partitions of the target, which is dropped next.
                Stage::SwappedBack => "4",
            };
            assert_eq!(scene.ask(count).await, expected, "{major} {stage:?}");
        };
        life(
            major,
            "carry_identity_index",
            "things",
            setup,
            &hash("team_id", "3"),
            look,
        )
        .await;
    }
}
