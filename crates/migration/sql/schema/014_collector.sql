-- Purpose: which collector keeps the history. One row; taking over moves the epoch on.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.collector (
    is_one bool primary key default true check (is_one),
    epoch bigint not null default 1 check (epoch > 0),
    holder text check (holder <> ''),
    beat_at timestamptz not null default clock_timestamp(),
    ttl_ms bigint not null check (ttl_ms > 0)
)
