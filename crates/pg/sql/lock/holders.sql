-- Purpose: who holds or waits for a lock on these relations ($1 schemas, $2 names) or on what inherits from them, except
--   the server processes $3. Prepared transactions have no process: they are found by the lock on their own id.
-- Locks: access share on catalogue tables, for the statement
-- Oldest version: 14
with recursive wanted (relation) as (
    select c.oid
    from unnest($1::text[], $2::text[]) as w (schema_name, relation_name)
    join pg_namespace as n on n.nspname = w.schema_name
    join pg_class as c on c.relnamespace = n.oid and c.relname = w.relation_name
    union
    select i.inhrelid
    from wanted
    join pg_inherits as i on i.inhparent = wanted.relation
),
locks as materialized (
    select locktype, database, relation, virtualtransaction, transactionid, pid, mode, granted
    from pg_locks
    where mode <> 'SIReadLock'
)
select
    l.pid,
    p.gid as prepared_gid,
    coalesce(a.usename, p.owner)::text as user_name,
    a.application_name,
    a.state,
    l.locktype as lock_type,
    n.nspname::text as schema_name,
    c.relname::text as relation_name,
    l.mode,
    l.granted as is_granted,
    (extract(epoch from clock_timestamp() - coalesce(a.xact_start, p.prepared)) * 1000)::int8 as transaction_age_ms,
    -- One character more than is kept, so that a cut can be seen.
    left(a.query, 10001) as query
from wanted
join locks as l
    on l.locktype = 'relation'
    and l.relation = wanted.relation
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
join pg_class as c on c.oid = wanted.relation
join pg_namespace as n on n.oid = c.relnamespace
left join pg_stat_activity as a on a.pid = l.pid
left join locks as x
    on l.pid is null
    and x.pid is null
    and x.locktype = 'transactionid'
    and x.virtualtransaction = l.virtualtransaction
left join pg_prepared_xacts as p on p.transaction = x.transactionid
where l.pid is null or l.pid <> all ($3::int4[])
order by l.granted desc, transaction_age_ms desc nulls last, l.pid
