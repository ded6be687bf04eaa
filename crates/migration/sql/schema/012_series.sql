-- Purpose: what is measured of which object, by a short number, for corridor.sample.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.series (
    id int generated always as identity primary key,
    metric text collate "C" not null check (metric ~ '^[a-z][a-z0-9_]{0,62}$'),
    object text collate "C" not null check (octet_length(object) <= 300),
    -- Moved on at each roll-up in which it had samples.
    last_at timestamptz not null default clock_timestamp(),
    unique (metric, object)
)
