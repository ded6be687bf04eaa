-- Purpose: name the sessions that may hold the lease row, for a person.
-- Locks: none
-- Oldest version: 14
select
    a.pid,
    coalesce(a.usename, '?') as role,
    coalesce(nullif(a.application_name, ''), 'no name') as application_name
from pg_locks k
join pg_stat_activity a on a.pid = k.pid
where k.locktype = 'relation'
  and k.database = (select oid from pg_database where datname = current_database())
  and k.relation = 'corridor.lease'::regclass
  and k.granted
  and k.mode in ('RowShareLock', 'RowExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
      'AccessExclusiveLock')
  and k.pid <> pg_backend_pid()
order by a.pid
limit 20
