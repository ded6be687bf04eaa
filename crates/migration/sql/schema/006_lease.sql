-- Purpose: who owns the work. Writing transactions hold the row for share; taking over updates it.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.lease (
    migration_id bigint primary key references corridor.migration on delete cascade,
    epoch bigint not null default 0 check (epoch >= 0),
    holder text check (holder <> ''),
    taken_at timestamptz,
    constraint held_since check ((holder is null) = (taken_at is null)),
    constraint held_at_an_epoch check (holder is null or epoch > 0)
)
