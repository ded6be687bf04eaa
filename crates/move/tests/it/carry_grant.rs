//! Privileges.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

const SETUP: &str = r#"
    create role "ROLE_Reader ✍";
    create role ROLE_writer;
    create role ROLE_boss;
    grant create on schema public to ROLE_boss;
    create table things (id int generated always as identity primary key, a text, "B" text);
    insert into things (a) select 'a' from generate_series(1, 20) g;
    alter table things owner to ROLE_boss;
    grant select on things to "ROLE_Reader ✍";
    grant insert, update ("B") on things to ROLE_writer;
    grant delete on things to ROLE_writer with grant option;
    grant select (id, "B") on things to public;
    grant usage on sequence things_id_seq to ROLE_writer;
    revoke truncate on things from ROLE_boss;
    -- What the server would grant by itself must not be on the new table.
    alter default privileges in schema public grant select, update on tables to ROLE_writer;
    alter default privileges grant usage on sequences to public;
"#;

async fn look(scene: &Scene, stage: Stage) {
    let may = |role: &str, what: &str| format!("select has_table_privilege('{role}', 'things', '{what}')");
    assert_eq!(scene.ask(&may("ROLE_writer", "insert")).await, "t", "{stage:?}");
    assert_eq!(scene.ask(&may("ROLE_writer", "update")).await, "f", "{stage:?}");
    assert_eq!(scene.ask(&may("ROLE_boss", "truncate")).await, "f", "{stage:?}");
    // Nobody gets at the rows through a partition.
    let partitions = "select count(*) from pg_class
                      where relispartition and relkind = 'r' and has_table_privilege('ROLE_writer', oid, 'select')";
    assert_eq!(scene.ask(partitions).await, "0", "{stage:?}");
}

#[tokio::test]
async fn privileges_come_along_and_no_more_than_these() {
    lives("carry_grant", "things", SETUP, &hash("id", "2"), look).await;
    lives("carry_grant_same", "things", SETUP, &Shape::Same, look).await;
}
