-- Purpose: the tables that hold back this database's oldest ids: ten by transactions, ten by MultiXacts, TOAST included.
-- Locks: none
-- Oldest version: 14
with ages as materialized (
    select
        c.oid,
        age(c.relfrozenxid) as xid_age,
        mxid_age(c.relminmxid) as mxid_age,
        row_number() over (order by age(c.relfrozenxid) desc) as place_by_xid,
        row_number() over (order by mxid_age(c.relminmxid) desc) as place_by_mxid
    from pg_class c
    where c.relkind in ('r', 'm', 't')
        and c.relfrozenxid <> '0'
)
select
    c.oid,
    n.nspname::text as schema_name,
    c.relname::text as name,
    (select format('%I.%I', pn.nspname, p.relname)
     from pg_class p
     join pg_namespace pn on pn.oid = p.relnamespace
     where c.relkind = 't' and p.reltoastrelid = c.oid) as parent,
    c.relpersistence = 't' as is_temporary,
    a.xid_age::float8 as xid_age,
    a.mxid_age::float8 as mxid_age,
    c.relpages::float8 as pages,
    -- A column since PostgreSQL 18.
    (to_jsonb(c) ->> 'relallfrozen')::float8 as frozen_pages,
    coalesce(
        (select sum(ic.relpages) from pg_index i join pg_class ic on ic.oid = i.indexrelid where i.indrelid = c.oid),
        0
    )::float8 as index_pages
from ages a
join pg_class c on c.oid = a.oid
join pg_namespace n on n.oid = c.relnamespace
where a.place_by_xid <= 10 or a.place_by_mxid <= 10
order by greatest(a.xid_age, a.mxid_age) desc
