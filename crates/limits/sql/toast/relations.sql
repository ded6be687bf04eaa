-- Purpose: the TOAST relations that hold most, with what the statistics views know of them. No relation is opened.
-- Locks: none
-- Oldest version: 14
select
    t.oid,
    t.relname::text as toast_name,
    p.oid as parent_oid,
    n.nspname::text as schema_name,
    p.relname::text as table_name,
    t.relpages::int8 as pages,
    t.relallvisible::int8 as pages_all_visible,
    greatest(t.reltuples, 0)::float8 as chunks,
    greatest(p.reltuples, 0)::float8 as parent_rows,
    p.relpages::int8 as parent_pages,
    coalesce(pg_stat_get_live_tuples(t.oid), 0)::float8 as live_chunks,
    coalesce(pg_stat_get_dead_tuples(t.oid), 0)::float8 as dead_chunks,
    coalesce(pg_stat_get_tuples_inserted(t.oid), 0)::float8 as chunks_inserted,
    coalesce(pg_stat_get_numscans(i.indexrelid), 0)::float8 as index_scans,
    coalesce(pg_stat_get_tuples_fetched(i.indexrelid), 0)::float8 as index_fetches,
    (select split_part(o, '=', 2)::int4
     from unnest(p.reloptions) o
     where o like 'toast_tuple_target=%') as tuple_target
from pg_class t
join pg_class p on p.reltoastrelid = t.oid
join pg_namespace n on n.oid = p.relnamespace
join pg_index i on i.indrelid = t.oid
where t.relkind = 't'
    and p.relkind in ('r', 'm')
    and t.relpersistence <> 't'
    and n.nspname !~ '^pg_'
    and ($1::text is null or (n.nspname = $1 and p.relname = $2))
    and greatest(t.reltuples, pg_stat_get_live_tuples(t.oid)) >= $3::float8
order by greatest(t.reltuples, pg_stat_get_live_tuples(t.oid)) desc
limit $4
