-- Purpose: who holds a lock on these relations that no vacuum can share; the longest first. A vacuum itself is none of them.
-- Locks: none
-- Oldest version: 14
with locks as materialized (
    select l.locktype, l.database, l.relation, l.transactionid, l.virtualtransaction, l.pid, l.mode
    from pg_locks l
    where l.granted
)
select
    l.relation as oid,
    l.pid,
    l.mode,
    a.state,
    extract(epoch from clock_timestamp() - coalesce(a.xact_start, x.prepared))::float8 as held_s,
    x.gid
from locks l
left join pg_stat_activity a on a.pid = l.pid
-- A prepared transaction has no session; it is known by the lock on its own id.
left join locks t
    on l.pid is null and t.pid is null and t.locktype = 'transactionid' and t.virtualtransaction = l.virtualtransaction
left join pg_prepared_xacts x on x.transaction = t.transactionid
where l.locktype = 'relation'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.relation = any ($1::oid[])
    and l.mode in (
        'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
    )
    and coalesce(a.backend_type, 'client backend') <> 'autovacuum worker'
    and not exists (select from pg_stat_progress_vacuum v where v.pid = l.pid)
order by held_s desc nulls last, l.pid
limit 100
