-- Purpose: indexes that no query has used since the statistics began, the largest first.
-- Locks: none
-- Oldest version: 14
select
    n.nspname::text as schema_name,
    r.relname::text as table_name,
    c.relname::text as index_name,
    c.relpages::float8 as pages,
    (coalesce(pg_stat_get_tuples_inserted(r.oid), 0) + coalesce(pg_stat_get_tuples_updated(r.oid), 0)
        - coalesce(pg_stat_get_tuples_hot_updated(r.oid), 0))::float8 as entries_written,
    i.indexprs is not null as has_expressions,
    exists (
        select
        from pg_constraint k
        where k.conrelid = i.indrelid and k.contype = 'f' and i.indkey[0] = any (k.conkey)
    ) as is_for_reference
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_class r on r.oid = i.indrelid
join pg_namespace n on n.oid = r.relnamespace
where c.relkind = 'i'
    and not c.relispartition
    and c.relpages >= $3
    and r.relpersistence <> 't'
    and n.nspname !~ '^pg_'
    and n.nspname not in ('information_schema', 'corridor')
    and ($1::text is null or (n.nspname = $1 and r.relname = $2))
    and i.indisvalid
    and not i.indisunique
    and not i.indisexclusion
    and not i.indisreplident
    and not i.indisclustered
    and coalesce(pg_stat_get_numscans(c.oid), 0) = 0
order by c.relpages desc, c.oid
limit 40
