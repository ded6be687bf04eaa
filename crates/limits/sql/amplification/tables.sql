-- Purpose: the tables that are written most, with the blocks that were touched for them. No relation is opened.
-- Locks: none
-- Oldest version: 14
with top as materialized (
    select
        c.oid,
        n.nspname::text as schema_name,
        c.relname::text as table_name,
        c.reltoastrelid as toast_oid,
        c.reltuples,
        c.relpages,
        coalesce((
            select split_part(o, '=', 2)::int4
            from unnest(c.reloptions) o
            where o like 'fillfactor=%'
        ), 100) as fill_factor,
        coalesce(pg_stat_get_tuples_inserted(c.oid), 0)::float8 as inserts,
        coalesce(pg_stat_get_tuples_updated(c.oid), 0)::float8 as updates,
        coalesce(pg_stat_get_tuples_deleted(c.oid), 0)::float8 as deletes
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm')
        and c.relpersistence <> 't'
        and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema', 'corridor')
        and ($1::text is null or (n.nspname = $1 and c.relname = $2))
    order by pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
        + pg_stat_get_tuples_deleted(c.oid) desc nulls last, c.oid
    limit $3
)
select
    t.oid,
    t.schema_name,
    t.table_name,
    t.fill_factor,
    t.inserts,
    t.updates,
    t.deletes,
    coalesce(pg_stat_get_tuples_hot_updated(t.oid), 0)::float8 as hot_updates,
    greatest(t.reltuples, 0)::float8 as rows_known,
    t.relpages::float8 as pages,
    coalesce(pg_stat_get_live_tuples(t.oid), 0)::float8 as live_rows,
    coalesce(pg_stat_get_dead_tuples(t.oid), 0)::float8 as dead_rows,
    coalesce(pg_stat_get_tuples_returned(t.oid), 0)::float8 as rows_scanned,
    coalesce(pg_stat_get_blocks_fetched(t.oid), 0)::float8 as heap_blocks,
    coalesce(i.scans, 0)::float8 as index_scans,
    coalesce(i.entries, 0)::float8 as index_entries,
    coalesce(i.blocks, 0)::float8 as index_blocks,
    coalesce(i.number, 0)::int8 as indexes,
    coalesce(pg_stat_get_blocks_fetched(t.toast_oid), 0)::float8 as toast_blocks,
    coalesce(x.blocks, 0)::float8 as toast_index_blocks,
    (coalesce(pg_stat_get_vacuum_count(t.oid), 0) + coalesce(pg_stat_get_autovacuum_count(t.oid), 0)
        + coalesce(pg_stat_get_analyze_count(t.oid), 0)
        + coalesce(pg_stat_get_autoanalyze_count(t.oid), 0))::float8 as vacuums,
    (t.relpages + coalesce(i.pages, 0) + coalesce(x.pages, 0))::float8 as all_pages
from top t
left join lateral (
    select
        count(*) as number,
        sum(pg_stat_get_numscans(n.indexrelid)) as scans,
        sum(pg_stat_get_tuples_returned(n.indexrelid)) as entries,
        sum(pg_stat_get_blocks_fetched(n.indexrelid)) as blocks,
        sum(c.relpages) as pages
    from pg_index n
    join pg_class c on c.oid = n.indexrelid
    where n.indrelid = t.oid
) i on true
left join lateral (
    select
        sum(pg_stat_get_blocks_fetched(n.indexrelid)) as blocks,
        sum(c.relpages + r.relpages) as pages
    from pg_index n
    join pg_class c on c.oid = n.indexrelid
    join pg_class r on r.oid = n.indrelid
    where n.indrelid = t.toast_oid
) x on true
