-- Purpose: how much of this database the vacuums that are due to stop a wraparound have before them.
-- Locks: none
-- Oldest version: 14
with due as materialized (
    select c.oid, c.relpages, (to_jsonb(c) ->> 'relallfrozen')::float8 as frozen_pages
    from pg_class c
    where c.relkind in ('r', 'm', 't')
        and c.relfrozenxid <> '0'
        and (age(c.relfrozenxid) >= $1::float8 or mxid_age(c.relminmxid) >= $2::float8)
)
select
    count(*)::float8 as tables,
    coalesce(sum(d.relpages), 0)::float8 as pages,
    -- Null before PostgreSQL 18, which does not count them.
    sum(d.frozen_pages)::float8 as frozen_pages,
    coalesce(
        (select sum(ic.relpages)
         from pg_index i
         join pg_class ic on ic.oid = i.indexrelid
         where i.indrelid in (select oid from due)),
        0
    )::float8 as index_pages
from due d
