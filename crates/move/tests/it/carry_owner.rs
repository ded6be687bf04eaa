//! Ownership.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

#[tokio::test]
async fn the_owner_stays_the_owner_of_everything() {
    let setup = "
        create role ROLE;
        grant create on schema public to ROLE;
        create table things (id int generated always as identity primary key, a serial, b text);
        insert into things (b) select 'b' from generate_series(1, 20) g;
        create index on things (b);
        alter table things owner to ROLE;
    ";
    async fn look(scene: &Scene, stage: Stage) {
        let sql = "select count(*) from pg_class
                   where relname like 'things%' and relowner <> 'ROLE'::regrole and relkind <> 't'";
        assert_eq!(scene.ask(sql).await, "0", "{stage:?}");
    }
    lives("carry_owner", "things", setup, &hash("id", "2"), look).await;
    lives("carry_owner_same", "things", setup, &Shape::Same, look).await;
}
