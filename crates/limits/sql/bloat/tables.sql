-- Purpose: the largest tables and TOAST relations, of users and of the catalogue. No relation is opened.
-- Locks: none
-- Oldest version: 14
select
    c.oid,
    rn.nspname::text as relation_schema,
    c.relname::text as relation_name,
    n.nspname::text as schema_name,
    p.relname::text as table_name,
    c.relkind = 't' as is_toast,
    n.nspname = 'pg_catalog' as is_catalogue,
    c.relpages::float8 as pages,
    greatest(c.reltuples, 0)::float8 as rows_known,
    coalesce(pg_stat_get_live_tuples(c.oid), 0)::float8 as live_rows,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0)::float8 as dead_rows,
    coalesce((
        select split_part(o, '=', 2)::int4
        from unnest(c.reloptions) o
        where o like 'fillfactor=%'
    ), 100)::float8 as fill_factor,
    -- Rows that are wider have their wide columns moved out of line.
    coalesce((
        select split_part(o, '=', 2)::int4
        from unnest(c.reloptions) o
        where o like 'toast_tuple_target=%'
    ), 2032)::int4 as row_target
from pg_class p
-- Each by its id: a join by "one or the other" may compare all tables with all tables.
cross join lateral (values (p.oid), (p.reltoastrelid)) x (oid)
join pg_class c on c.oid = x.oid
join pg_namespace n on n.oid = p.relnamespace
join pg_namespace rn on rn.oid = c.relnamespace
join pg_am m on m.oid = c.relam and m.amname = 'heap'
where p.relkind in ('r', 'm')
    and c.relpersistence <> 't'
    and c.relpages >= $3
    and n.nspname <> 'information_schema'
    and ($1::text is null or (n.nspname = $1 and p.relname = $2))
order by c.relpages desc, c.oid
limit $4
