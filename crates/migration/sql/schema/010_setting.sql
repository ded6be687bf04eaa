-- Purpose: what was set; what is not here has its default.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.setting (
    migration_id bigint not null references corridor.migration on delete cascade,
    key text collate "C" not null check (key ~ '^[a-z][a-z0-9_.]{0,60}$'),
    value text not null check (octet_length(value) <= 10000),
    set_by text not null check (set_by <> ''),
    set_at timestamptz not null default clock_timestamp(),
    primary key (migration_id, key)
)
