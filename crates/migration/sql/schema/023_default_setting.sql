-- Purpose: settings of all migrations of this database that have no value of their own.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.default_setting (
    key text collate "C" primary key check (key ~ '^[a-z][a-z0-9_.]{0,60}$'),
    value text not null check (octet_length(value) <= 10000),
    set_by text not null check (set_by <> ''),
    set_at timestamptz not null default clock_timestamp()
)
