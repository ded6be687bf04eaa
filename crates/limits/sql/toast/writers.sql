-- Purpose: how many sessions are at a statement that writes to a TOAST relation, and since when the oldest of them.
-- Locks: none (reads the lock table once)
-- Oldest version: 14
select
    l.relation as oid,
    count(*)::int8 as writers,
    max(extract(epoch from clock_timestamp() - a.query_start))::float8 as oldest_s,
    count(*) filter (where a.wait_event in ('OidGen', 'OidGenLock'))::int8 as at_the_counter
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation'
    and l.database = (select oid from pg_database where datname = current_database())
    and l.relation = any ($1::oid[])
    and l.mode = 'RowExclusiveLock'
    and l.granted
    and a.state = 'active'
    and a.backend_type = 'client backend'
group by l.relation
