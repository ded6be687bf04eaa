-- Purpose: tables that have used many column numbers; a dropped column keeps its own. Of a tree, the partitions that have
-- used no more than the whole are left out.
-- Locks: none
-- Oldest version: 14
with wide as materialized (
    select c.oid, c.relname, c.relnamespace, c.relnatts, c.relispartition, c.relkind
    from pg_class c
    where c.relkind in ('r', 'p')
        and c.relpersistence <> 't'
        and c.relnatts >= $3
    order by c.relnatts desc, c.relispartition, c.oid
    limit 200
)
select
    n.nspname::text as schema_name,
    w.relname::text as table_name,
    rn.nspname::text as root_schema,
    r.relname::text as root_name,
    w.relnatts::float8 as used,
    (
        select count(*) from pg_attribute a
        where a.attrelid = w.oid and a.attnum > 0 and a.attisdropped
    )::float8 as dropped
from wide w
join pg_namespace n on n.oid = w.relnamespace
left join pg_class r on w.relispartition and r.oid = pg_partition_root(w.oid)
left join pg_namespace rn on rn.oid = r.relnamespace
where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
    and (r.oid is null or w.relnatts > r.relnatts)
    and ($1::text is null or (n.nspname = $1 and w.relname = $2))
order by w.relnatts desc, w.oid
limit 50
