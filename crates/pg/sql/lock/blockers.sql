-- Purpose: who keeps server process $1 from its lock, and what they hold of what it waits for.
-- Locks: access share on catalogue tables, for the statement; pg_blocking_pids briefly holds the lock manager
-- Oldest version: 14
with blocking as (
    -- 0 stands for a prepared transaction.
    select distinct b.pid
    from unnest(pg_blocking_pids($1)) as b (pid)
),
locks as materialized (
    select
        locktype,
        row (locktype, database, relation, page, tuple, virtualxid, transactionid, classid, objid, objsubid) as object,
        database,
        relation,
        virtualtransaction,
        transactionid,
        pid,
        mode,
        granted
    from pg_locks
    where mode <> 'SIReadLock'
)
select
    nullif(b.pid, 0) as pid,
    p.gid as prepared_gid,
    coalesce(a.usename, p.owner)::text as user_name,
    a.application_name,
    a.state,
    l.locktype as lock_type,
    n.nspname::text as schema_name,
    c.relname::text as relation_name,
    l.mode,
    coalesce(l.granted, true) as is_granted,
    (extract(epoch from clock_timestamp() - coalesce(a.xact_start, p.prepared)) * 1000)::int8 as transaction_age_ms,
    -- One character more than is kept, so that a cut can be seen.
    left(a.query, 10001) as query
from blocking as b
left join (
    locks as l
    join locks as awaited
        on awaited.pid = $1
        and not awaited.granted
        and l.object is not distinct from awaited.object
        and l.pid is distinct from awaited.pid
) on coalesce(l.pid, 0) = b.pid
left join pg_class as c
    on l.locktype = 'relation'
    and c.oid = l.relation
    and l.database in (0, (select d.oid from pg_database as d where d.datname = current_database()))
left join pg_namespace as n on n.oid = c.relnamespace
left join pg_stat_activity as a on a.pid = b.pid
left join locks as x
    on b.pid = 0
    and x.pid is null
    and x.locktype = 'transactionid'
    and x.virtualtransaction = l.virtualtransaction
left join pg_prepared_xacts as p on p.transaction = x.transactionid
order by is_granted desc, transaction_age_ms desc nulls last, pid
