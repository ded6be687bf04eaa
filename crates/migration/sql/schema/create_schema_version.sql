-- Purpose: the table that makes the schema ours, and says which steps it has.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.schema_version (
    version int primary key check (version > 0),
    step text not null,
    applied_at timestamptz not null default clock_timestamp(),
    applied_by text not null
)
