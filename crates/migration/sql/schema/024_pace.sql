-- Purpose: how far a migration was, over time, for charts; a service writes it while it looks. Only informs.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.pace (
    migration_id bigint not null references corridor.migration on delete cascade,
    at timestamptz not null default clock_timestamp(),
    -- Rows copied or filled so far.
    rows bigint not null check (rows >= 0),
    -- Changes that wait in the log; null where there is none.
    pending bigint check (pending >= 0),
    is_held bool not null default false,
    primary key (migration_id, at)
)
