-- Purpose: each try of an operation that is not one transaction, written down before it begins: whoever takes over finds what
-- may still be running, and never does a thing twice.
-- Locks: share row exclusive on corridor.migration and corridor.operation (foreign key)
-- Oldest version: 14
create table corridor.attempt (
    migration_id bigint not null,
    operation text collate "C" not null,
    number int not null check (number > 0),
    -- `:each` of this operation's try is not here: a backfill keeps its own ledger.
    is_rollback bool not null default false,
    -- The server's process and when it began; null for a program.
    backend_pid int,
    backend_start timestamptz,
    -- `role@host pid` of the worker.
    worker text not null check (worker <> ''),
    -- Stands as a comment before the statement, so that it is found in pg_stat_activity and in the server's log.
    tag text collate "C" not null,
    query_id bigint,
    began_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    outcome text collate "C" check (outcome in ('done', 'failed', 'lost', 'settled_done', 'settled_again')),
    detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
    primary key (migration_id, operation, number),
    foreign key (migration_id, operation) references corridor.operation (migration_id, name) on delete cascade,
    constraint ended_with_an_outcome check ((ended_at is null) = (outcome is null))
)
