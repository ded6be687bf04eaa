//! The dump of a partitioned table is the same to the byte after it was written anew, partition by partition: with all
//! that one partition has and the others have not.

use crate::dump::assert_dump_survives;
use crate::scene::{Scene, majors};

struct Part {
    oldest: u32,
    sql: &'static str,
}

const fn from(oldest: u32, sql: &'static str) -> Part {
    Part { oldest, sql }
}

const PARTS: &[Part] = &[
    from(
        14,
        r#"
        create role ROLE; create role "ROLE two";
        create schema app; create schema old; grant usage on schema app, old to ROLE, "ROLE two";
        alter default privileges in schema old grant select on tables to public;
        create function app.touch() returns trigger language plpgsql as $$ begin return new; end $$;
        create table app.site (id int primary key);
        insert into app.site select generate_series(1, 9);
        create table app."Event s" (
            gone int,
            id bigint generated always as identity,
            at timestamptz not null,
            site int default 1 constraint site references app.site deferrable,
            note text collate "C" default 'none',
            doubled int generated always as (site * 2) stored,
            parent_id bigint, parent_at timestamptz,
            constraint "note short" check (length(note) < 99),
            primary key (id, at) include (site) with (fillfactor = 77)
        ) partition by range (at);
        alter table app."Event s" drop column gone;
        create table app."Event s 2026-01" partition of app."Event s" for values from ('2026-01-01') to ('2026-02-01');
        create table app.february partition of app."Event s" for values from ('2026-02-01') to ('2026-03-01') with (fillfactor = 60);
        -- Attached: another order of columns, another schema, a hole.
        create table old.december (note text collate "C" default 'old', gone int, at timestamptz not null, id bigint not null,
            parent_at timestamptz, site int, parent_id bigint,
            doubled int generated always as (site * 2) stored,
            constraint "note short" check (length(note) < 99), constraint "only old" check (site > 0));
        alter table old.december drop column gone;
        alter table app."Event s" attach partition old.december for values from ('2025-12-01') to ('2026-01-01');
        create table app.rest partition of app."Event s" default;
        insert into app."Event s" (at, note) select timestamptz '2025-12-01' + g * interval '1 h', 'n' || g from generate_series(1, 3000) g;
        "#,
    ),
    from(
        14,
        r#"
        create index on app."Event s" (site, at);
        create unique index "other key" on app."Event s" (at, id) where note is not null;
        alter table app."Event s" add constraint "a unique one" unique (at, site, id);
        create index "of the rest" on app.rest using gin (to_tsvector('simple', note));
        create unique index december_id on old.december (id);
        alter table app.february cluster on "february_site_at_idx";
        alter table old.december replica identity full;
        alter table app.february alter site set not null;
        alter table app.february replica identity using index "february_at_site_id_key";
        alter index app."rest_site_at_idx" set (fillfactor = 55);
        comment on index app."rest_site_at_idx" is 'an index of the rest';
        alter index app."of the rest" alter column 1 set statistics 33;
        "#,
    ),
    from(
        14,
        r#"
        alter table app.rest add constraint "not so long" check (length(note) < 50) not valid;
        alter table app.february add constraint "february site" foreign key (site) references app.site;
        alter table app.february alter note set statistics 300, alter note set storage external, alter note set default 'feb',
            alter id set (n_distinct = -1);
        alter table app.rest set (autovacuum_enabled = false, toast.autovacuum_enabled = false);
        alter table app."Event s" alter note set statistics 77;
        alter table old.december owner to ROLE;
        grant create on schema old to ROLE;
        grant select on app.rest to "ROLE two" with grant option;
        grant update (note) on app.rest to ROLE;
        revoke truncate on app.february from current_user;
        grant select on app."Event s" to "ROLE two";
        comment on table app.rest is 'what fits nowhere'; comment on column app.rest.note is 'of the rest';
        comment on table app."Event s" is 'all of it'; comment on constraint "february site" on app.february is 'a key';
        comment on constraint "note short" on app."Event s" is 'a check';
        "#,
    ),
    from(
        14,
        r#"
        create trigger touch before insert on app."Event s" for each row execute function app.touch();
        create trigger always after delete on app."Event s" for each row execute function app.touch();
        alter table app."Event s" enable always trigger always;
        create trigger once after insert on app."Event s" for each statement execute function app.touch();
        create trigger "of february" after update on app.february for each row when (new.note = 'x') execute function app.touch();
        alter table app.february disable trigger "of february";
        create trigger "rest truncated" after truncate on app.rest execute function app.touch();
        create view app.shown as select id, at, note from app."Event s";
        create view app.february_shown as select id, note from app.february where note <> 'x';
        create materialized view app.december_counted as select count(*) as events from old.december;
        alter table app.rest enable row level security;
        create policy seen on app.rest for select to ROLE using (site = 1);
        create policy all_seen on app."Event s" using (true);
        create statistics app.of_rest on site, note from app.rest;
        create statistics app.of_all on site, note from app."Event s";
        create publication pub_ROLE for table app.february;
        "#,
    ),
    from(
        14,
        r#"
        create table app.remark (id int primary key, event_id bigint, event_at timestamptz,
            constraint event foreign key (event_id, event_at) references app."Event s" (id, at) on delete cascade);
        create table old.note (id int primary key, december_id bigint references old.december (id));
        insert into app.remark select row_number() over (), id, at from app."Event s" limit 10;
        insert into old.note select row_number() over (), id from old.december limit 10;
        alter table app."Event s" add constraint parent foreign key (parent_id, parent_at) references app."Event s" (id, at);
        "#,
    ),
    // Before 15 a dump does not say which copies of a trigger are in another state than the trigger.
    from(15, r#"alter table app.rest disable trigger touch;"#),
    from(
        18,
        r#"
        alter table app."Event s" add constraint "note there" not null note;
        alter table app.february add constraint "parent there" not null parent_id not valid;
        "#,
    ),
];

fn setup(major: u32) -> String {
    PARTS
        .iter()
        .filter(|p| p.oldest <= major)
        .map(|p| p.sql)
        .collect()
}

#[tokio::test]
async fn a_dump_is_the_same_to_the_byte_after_partitions_were_written_anew() {
    for major in majors() {
        let mut scene = Scene::new(major, "partdump", "app.\"Event s\"", &setup(major)).await;
        assert_dump_survives(&mut scene, async |scene: &Scene| {
            assert_eq!(scene.ask("select count(*) from app.\"Event s\"").await, "3000");
            assert_eq!(scene.ask("select count(*) from app.february").await, "672");
        })
        .await;
    }
}
