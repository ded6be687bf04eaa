-- Purpose: the report of each verification that came to a verdict; it outlives the tables that it was read from.
-- Locks: share row exclusive on corridor.migration (foreign key)
-- Oldest version: 14
create table corridor.verification (
    migration_id bigint not null references corridor.migration on delete cascade,
    number int not null check (number > 0),
    side text collate "C" not null check (side in ('before_cutover', 'after_cutover')),
    recorded_at timestamptz not null default clock_timestamp(),
    report jsonb not null check (jsonb_typeof(report) = 'object'),
    primary key (migration_id, number)
)
