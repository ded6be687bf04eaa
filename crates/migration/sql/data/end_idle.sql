-- Purpose: end a session of another worker that is at no statement, so that it can send none any more.
-- Locks: access share on corridor.attempt
-- Oldest version: 14
select pg_terminate_backend(a.pid)
from corridor.attempt t
join pg_stat_activity a on a.pid = t.backend_pid and a.backend_start = t.backend_start
where t.migration_id = $1
  and t.operation = $2
  and t.number = $3
  and a.pid <> pg_backend_pid()
  and a.application_name like 'corridor:%'
  and a.state in ('idle', 'idle in transaction', 'idle in transaction (aborted)')
