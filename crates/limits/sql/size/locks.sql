-- Purpose: how many places the table of locks has by its settings, how many are taken, and by whom most. Locks that sessions
-- keep for themselves (the fast path) and those of serializable reads stand elsewhere.
-- Locks: none
-- Oldest version: 14
with held as materialized (
    select
        concat_ws(
            ',', l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
            l.objsubid
        ) as object,
        l.virtualtransaction,
        l.pid
    from pg_locks l
    where not l.fastpath and l.mode <> 'SIReadLock'
    group by 1, 2, 3
),
holder as (
    select h.pid, h.virtualtransaction, count(*) as places
    from held h
    group by h.pid, h.virtualtransaction
    order by 3 desc
    limit 1
)
select
    current_setting('max_locks_per_transaction')::float8 as locks_each,
    current_setting('max_connections')::float8 as max_connections,
    current_setting('max_prepared_transactions')::float8 as max_prepared,
    (select count(distinct h.object) from held h)::float8 as objects,
    (select count(*) from held h)::float8 as holders,
    (select o.places from holder o)::float8 as top_places,
    (select o.pid from holder o) as top_pid
