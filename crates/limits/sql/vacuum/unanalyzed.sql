-- Purpose: tables that the planner knows nothing of; partitioned ones are never analyzed by autovacuum.
-- Locks: none
-- Oldest version: 14
with candidate as materialized (
    select
        c.oid,
        n.nspname,
        c.relname,
        c.relkind,
        coalesce(pg_stat_get_live_tuples(c.oid), 0)::float8 as live_rows
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm', 'p')
        and c.relpersistence <> 't'
        and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema', 'corridor')
        and ($1::text is null or (n.nspname = $1 and c.relname = $2))
        and case
            when c.relkind = 'p' then c.reltuples < 0
            else pg_stat_get_live_tuples(c.oid) >= $3::float8
                and pg_stat_get_last_analyze_time(c.oid) is null
                and pg_stat_get_last_autoanalyze_time(c.oid) is null
        end
    order by pg_stat_get_live_tuples(c.oid) desc nulls last, c.oid
    limit 100
)
select
    d.nspname::text as schema_name,
    d.relname::text as table_name,
    d.relkind = 'p' as is_partitioned,
    d.live_rows
from candidate d
-- Who may not read the table does not see its statistics either, and would take them for missing.
where has_table_privilege(d.oid, 'select')
    and (d.relkind <> 'p' or exists (select from pg_inherits h where h.inhparent = d.oid))
    -- One look for each, and no join with all of pg_stats.
    and (
        select true from pg_stats s where s.schemaname = d.nspname and s.tablename = d.relname limit 1
    ) is null
order by d.live_rows desc, d.oid
limit 20
