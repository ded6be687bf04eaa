//! Everything at once, under names with quotes, spaces, emoji and 63 bytes, in every shape.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, life, list, majors, range};

const LONG: &str = "a name of 63 bytes: 🐘🐘🐘🐘🐘 it's \"\"the\"\" long one___";

fn setup() -> String {
    assert_eq!(LONG.replace("\"\"", "\"").len(), 63);
    let mut names = vec![];
    for i in 0..3 {
        // Cut to make room for a suffix, they are all the same.
        names.push(format!("\"{}{i}\"", &LONG[..LONG.len() - 1]));
    }
    let table = format!("\"{LONG}\"");
    format!(
        r#"
        create schema "My ""Schema""";
        set search_path = "My ""Schema""", public;
        create type "Mood 🙂" as enum ('good', 'bad');
        create table "Team s" ("Id" int primary key);
        insert into "Team s" select generate_series(0, 9);
        create function "do it"() returns trigger language plpgsql as $$ begin new.note := 'touched'; return new; end $$;
        create table {table} (
            "Id" bigint generated always as identity, "at 🕐" timestamptz not null, region text not null,
            "Team Id" int not null references "Team s", mood "Mood 🙂" default 'good', note varchar(99) collate "C",
            amount numeric(10, 2) check (amount > 0), key_text text generated always as (region || '!') stored,
            constraint "the key 🔑" primary key ("Id", "at 🕐", region)
        );
        alter table {table} drop column note;
        alter table {table} add column note varchar(99) collate "C" default 'x';
        insert into {table} ("at 🕐", region, "Team Id", amount)
        select timestamptz '2026-01-15' + g * interval '1 day', 'r''' || g % 3, g % 10, g from generate_series(1, 100) g;
        create index {0} on {table} (mood);
        create index {1} on {table} (lower(note)) where (amount > 3);
        create unique index {2} on {table} ("Team Id", "at 🕐", region, "Id");
        create trigger "a trigger 🔔" before update on {table} for each row execute function "do it"();
        create view "a view 👓" as select "Id", region from {table} where amount > 5;
        create table child (id bigint, at timestamptz, region text,
            foreign key (id, at, region) references {table} on delete cascade);
        insert into child select "Id", "at 🕐", region from {table} limit 10;
        comment on table {table} is 'it''s all here';
        reset search_path;
        "#,
        names[0], names[1], names[2]
    )
}

async fn look(scene: &Scene, stage: Stage) {
    let table = format!("\"My \"\"Schema\"\"\".\"{LONG}\"");
    scene
        .run(&format!(
            "begin; update {table} set amount = amount + 1 where \"Id\" = 50"
        ))
        .await;
    assert_eq!(
        scene
            .ask(&format!("select note from {table} where \"Id\" = 50"))
            .await,
        "touched",
        "{stage:?}"
    );
    assert_eq!(
        scene
            .ask("select count(*) from \"My \"\"Schema\"\"\".\"a view 👓\"")
            .await,
        "95",
        "{stage:?}"
    );
    scene.run("rollback").await;
    assert_eq!(
        scene.ask(&format!("select count(*) from {table}")).await,
        "100",
        "{stage:?}"
    );
}

#[tokio::test]
async fn everything_comes_along_in_every_shape() {
    let table = format!("\"My \"\"Schema\"\"\".\"{LONG}\"");
    for major in majors() {
        for shape in [range("\"at 🕐\"", "1 month"), list("region"), Shape::Same] {
            life(major, "everything", &table, &setup(), &shape, look).await;
        }
    }
}
