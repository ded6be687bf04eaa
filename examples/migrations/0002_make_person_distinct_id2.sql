-- corridor migration
-- description = "person_distinct_id2: one row per distinct id, the newest one"
-- versions = ">=1.33.0, <1.42.0"
-- required_when = "select to_regclass('public.person_distinct_id2') is null"

-- operation: make-table
create table if not exists public.person_distinct_id2 (
    team_id bigint not null,
    distinct_id text not null,
    person_id bigint not null,
    version bigint not null default 0,
    primary key (team_id, distinct_id)
);
-- roll back: make-table
drop table if exists public.person_distinct_id2;

-- operation: index-by-person
-- no transaction: index-by-person
-- timeout: index-by-person 1h
create index concurrently if not exists person_distinct_id2_by_person on public.person_distinct_id2 (team_id, person_id);
-- done when: index-by-person
select exists (
    select from pg_index where indexrelid = to_regclass('public.person_distinct_id2_by_person') and indisvalid
);
-- roll back: index-by-person
drop index if exists public.person_distinct_id2_by_person;
