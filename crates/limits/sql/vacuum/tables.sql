-- Purpose: counters and settings of all tables and TOAST relations that have something to vacuum.
-- Locks: none
-- Oldest version: 14
select
    c.oid,
    n.nspname::text as schema_name,
    p.relname::text as table_name,
    rn.nspname::text as relation_schema,
    c.relname::text as relation_name,
    c.relkind = 't' as is_toast,
    c.relpages::float8 as pages,
    greatest(c.relpages - c.relallvisible, 0)::float8 as pages_to_scan,
    -- PostgreSQL 18 has the column; before, the name is found one level up.
    (select relallfrozen from pg_class k where k.oid = c.oid)::float8 as pages_frozen,
    c.reltuples::float8 as rows_known,
    coalesce(pg_stat_get_live_tuples(c.oid), 0)::float8 as live_rows,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0)::float8 as dead_rows,
    coalesce(pg_stat_get_ins_since_vacuum(c.oid), 0)::float8 as inserted_rows,
    coalesce(pg_stat_get_autovacuum_count(c.oid), 0)::float8 as autovacuums,
    extract(epoch from greatest(
        pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)
    ))::float8 as vacuumed_s,
    c.relkind <> 't' and pg_stat_get_last_analyze_time(c.oid) is null
        and pg_stat_get_last_autoanalyze_time(c.oid) is null as is_analyze_unknown,
    coalesce(c.reloptions, p.reloptions) as options
from pg_class p
cross join (select 0::int4 as relallfrozen) older
-- Each by its id: a join by "one or the other" may compare all tables with all tables.
cross join lateral (values (p.oid), (p.reltoastrelid)) x (oid)
join pg_class c on c.oid = x.oid
join pg_namespace n on n.oid = p.relnamespace
join pg_namespace rn on rn.oid = c.relnamespace
where p.relkind in ('r', 'm')
    and c.relpersistence <> 't'
    and n.nspname <> 'information_schema'
    and ($1::text is null or (n.nspname = $1 and p.relname = $2))
    and (
        pg_stat_get_dead_tuples(c.oid) > 50
        or pg_stat_get_ins_since_vacuum(c.oid) > 1000
        or pg_stat_get_autovacuum_count(c.oid) > 0
        or c.reloptions is not null
    )
limit $3
