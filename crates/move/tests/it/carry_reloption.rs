//! Storage parameters of table and TOAST table.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

#[tokio::test]
async fn storage_parameters_come_along_on_each_partition() {
    let setup = "
        create table things (id int primary key, a text)
            with (fillfactor = 66, autovacuum_vacuum_scale_factor = 0.013, toast.autovacuum_enabled = false);
        insert into things select g, 'a' from generate_series(1, 20) g;
    ";
    async fn look(scene: &Scene, stage: Stage) {
        let sql = "select string_agg(distinct c.reloptions::text || t.reloptions::text, ';')
                   from pg_class c join pg_class t on t.oid = c.reltoastrelid
                   where c.relkind = 'r' and c.relname like 'things%'";
        let expected = "{fillfactor=66,autovacuum_vacuum_scale_factor=0.013}{autovacuum_enabled=false}";
        assert_eq!(scene.ask(sql).await, expected, "{stage:?}");
    }
    lives("carry_reloption", "things", setup, &hash("id", "2"), look).await;
    lives("carry_reloption_same", "things", setup, &Shape::Same, look).await;
}
