//! Storage, compression, statistics targets, column options, collations, replica identity.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

#[tokio::test]
async fn storage_comes_along() {
    let setup = r#"
        create table things (id int primary key, a text compression pglz, b text collate "C", c bytea);
        alter table things alter a set storage external, alter c set storage main,
            alter b set statistics 777, alter b set (n_distinct = -0.25), replica identity full;
        insert into things select g, 'a', 'b', 'c' from generate_series(1, 20) g;
    "#;
    async fn look(scene: &Scene, stage: Stage) {
        // Of each relation that stores rows, not only of the parent.
        let sql = "select count(*) filter (where attstorage = 'e' and attcompression = 'p') = count(*)
                   from pg_attribute a join pg_class c on c.oid = a.attrelid
                   where a.attname = 'a' and c.relkind in ('r', 'p') and c.relname like 'things%'";
        assert_eq!(scene.ask(sql).await, "t", "{stage:?}");
        let sql = "select count(*) filter (where relreplident = 'f') = count(*)
                   from pg_class where relkind in ('r', 'p') and relname like 'things%'";
        assert_eq!(scene.ask(sql).await, "t", "{stage:?}");
    }
    lives("carry_storage", "things", setup, &hash("id", "2"), look).await;
    lives("carry_storage_same", "things", setup, &Shape::Same, look).await;
}
