-- Purpose: the operations of each plan, in order.
-- Locks: share row exclusive on corridor.migration (foreign key), which has no rows yet
-- Oldest version: 14
create table corridor.operation (
    migration_id bigint not null references corridor.migration on delete cascade,
    position int not null check (position between 1 and 1000),
    name text collate "C" not null check (name ~ '^[a-z][a-z0-9_-]{0,60}$'),
    state text collate "C" not null default 'pending'
        check (state in ('pending', 'running', 'done', 'failed', 'undone')),
    progress jsonb not null default '{}' check (jsonb_typeof(progress) = 'object'),
    attempts int not null default 0 check (attempts >= 0),
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    primary key (migration_id, name),
    unique (migration_id, position),
    constraint state_has_its_data check (case state
        when 'pending' then (started_at is null) = (attempts = 0) and finished_at is null and error is null
        when 'running' then started_at is not null and finished_at is null and attempts > 0 and error is null
        when 'done' then started_at is not null and finished_at is not null and error is null
        when 'failed' then started_at is not null and finished_at is not null and error is not null
        when 'undone' then started_at is not null and finished_at is not null
    end is true)
)
