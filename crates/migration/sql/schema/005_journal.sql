-- Purpose: what happened, append-only, the newest 10,000 entries of each migration.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.journal (
    migration_id bigint not null references corridor.migration on delete cascade,
    number bigint not null check (number > 0),
    at timestamptz not null default clock_timestamp(),
    actor text not null check (actor <> ''),
    event text collate "C" not null check (event ~ '^[a-z][a-z0-9_]{0,60}$'),
    from_state text collate "C",
    to_state text collate "C",
    operation text collate "C",
    detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
    primary key (migration_id, number),
    constraint states_come_in_pairs check ((from_state is null) = (to_state is null))
)
