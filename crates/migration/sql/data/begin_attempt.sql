-- Purpose: write a try down before it begins.
-- Locks: row exclusive on corridor.attempt
-- Oldest version: 14
insert into corridor.attempt (migration_id, operation, number, is_rollback, backend_pid, backend_start, worker, tag, query_id, detail)
select
    $1, $2, n.number, $3, $4::int,
    (select a.backend_start from pg_stat_activity a where a.pid = $4::int),
    $5,
    format('corridor %s %s %s', m.name, $2, n.number),
    $6,
    $7::text::jsonb
from (
    select coalesce(max(t.number), 0) + 1 as number
    from corridor.attempt t
    where t.migration_id = $1
      and t.operation = $2
) n, corridor.migration m
where m.id = $1
returning number, tag
