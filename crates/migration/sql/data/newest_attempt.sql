-- Purpose: the newest try of an operation, and whether the server is still at it. A process that cannot be seen (another role's)
-- has no start; its number is enough then: better to wait for a stranger than to do a thing twice.
-- Locks: access share on corridor.attempt
-- Oldest version: 14
select
    t.number,
    t.worker,
    t.tag,
    t.outcome,
    exists (
        select 1
        from pg_stat_activity a
        where a.pid = t.backend_pid
          and a.pid <> pg_backend_pid()
          and (a.backend_start is null or a.backend_start = t.backend_start)
    ) as is_running
from corridor.attempt t
where t.migration_id = $1
  and t.operation = $2
  and t.is_rollback = $3
order by t.number desc
limit 1
