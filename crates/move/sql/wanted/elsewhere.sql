-- Purpose: tables outside of the session's temporary schema that this transaction has made an index on: that is what holds
-- this lock on them.
-- Locks: none (reads the lock table once)
-- Oldest version: 14
select n.nspname::text as schema_name, c.relname::text as name
from pg_locks l
join pg_class c on c.oid = l.relation
join pg_namespace n on n.oid = c.relnamespace
where l.pid = pg_backend_pid()
    and l.locktype = 'relation'
    and l.mode = 'ShareLock'
    and c.relkind in ('r', 'p', 'm')
    and c.relnamespace <> pg_my_temp_schema()
order by 1, 2
