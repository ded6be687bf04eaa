-- Purpose: indexes that are not valid and that nobody builds now.
-- Locks: none
-- Oldest version: 14
select
    n.nspname::text as schema_name,
    r.relname::text as table_name,
    c.relname::text as index_name,
    c.relpages::float8 as pages,
    c.relkind = 'I' as is_partitioned,
    i.indisready as is_written,
    i.indisunique as is_unique,
    exists (
        select from pg_constraint k where k.conindid = c.oid and k.contype = 'x'
    ) as is_exclusion,
    exists (
        select
        from pg_index o
        where o.indrelid = i.indrelid
            and o.indexrelid <> i.indexrelid
            and o.indisvalid
            and o.indkey::int2[] = i.indkey::int2[]
            and o.indclass::oid[] = i.indclass::oid[]
            and o.indcollation::oid[] = i.indcollation::oid[]
            and o.indoption::int2[] = i.indoption::int2[]
            and (o.indisunique or not i.indisunique)
            and (o.indpred is null) = (i.indpred is null)
            and (o.indpred is null or pg_get_expr(o.indpred, o.indrelid) = pg_get_expr(i.indpred, i.indrelid))
            and (o.indexprs is null or pg_get_expr(o.indexprs, o.indrelid) = pg_get_expr(i.indexprs, i.indrelid))
    ) as has_valid_twin
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_class r on r.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid
    and r.relpersistence <> 't'
    and ($1::text is null or (n.nspname = $1 and r.relname = $2))
    and not exists (
        select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid
    )
    -- A rebuild that is between its phases holds its lock on the table all the time.
    and not exists (
        select
        from pg_locks l
        where l.locktype = 'relation'
            and l.relation = i.indrelid
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
            and l.mode = 'ShareUpdateExclusiveLock'
            and l.granted
            and exists (select from pg_stat_activity a where a.pid = l.pid and a.query ~* 'index')
    )
order by c.relpages desc, c.oid
limit 50
