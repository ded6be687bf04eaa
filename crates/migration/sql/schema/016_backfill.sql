-- Purpose: a backfill whose list of values is frozen; without a list it has one item.
-- Locks: share row exclusive on corridor.operation (foreign key)
-- Oldest version: 14
create table corridor.backfill (
    migration_id bigint not null,
    operation text collate "C" not null,
    items bigint not null check (items >= 0),
    value_type text collate "C",
    frozen_at timestamptz not null default clock_timestamp(),
    primary key (migration_id, operation),
    foreign key (migration_id, operation) references corridor.operation (migration_id, name) on delete cascade
)
