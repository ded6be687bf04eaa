-- Purpose: signs of life. Apart from the lease: a beat must not wait for the worker's own chunks.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.heartbeat (
    migration_id bigint primary key references corridor.migration on delete cascade,
    epoch bigint not null default 0 check (epoch >= 0),
    at timestamptz not null default clock_timestamp(),
    ttl_ms bigint not null default 10000 check (ttl_ms > 0),
    backend_pids int[] not null default '{}' check (cardinality(backend_pids) <= 1000),
    progress jsonb not null default '{}' check (jsonb_typeof(progress) = 'object')
)
