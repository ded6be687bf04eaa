-- Purpose: the largest indexes, with what the statement that vacuumed or built them last has counted.
-- Locks: none
-- Oldest version: 14
select
    i.indexrelid as oid,
    n.nspname::text as schema_name,
    r.relname::text as table_name,
    c.relname::text as index_name,
    m.amname::text as method,
    c.relpages::float8 as pages,
    c.reltuples::float8 as entries,
    i.indisunique as is_unique,
    i.indisexclusion as is_exclusion,
    i.indnatts > i.indnkeyatts as has_included,
    coalesce((
        select split_part(o, '=', 2)::int4
        from unnest(c.reloptions) o
        where o like 'fillfactor=%'
    ), 90)::float8 as fill_factor,
    coalesce((
        select split_part(o, '=', 2) in ('off', 'false', '0', 'no')
        from unnest(c.reloptions) o
        where o like 'deduplicate_items=%'
    ), false) as is_without_duplicates_merged
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_class r on r.oid = i.indrelid
join pg_namespace n on n.oid = r.relnamespace
join pg_am m on m.oid = c.relam
where c.relkind = 'i'
    and r.relkind in ('r', 'm')
    and c.relpersistence <> 't'
    and c.relpages >= $3
    and i.indisvalid
    and i.indpred is null
    and n.nspname !~ '^pg_'
    and n.nspname not in ('information_schema', 'corridor')
    and ($1::text is null or (n.nspname = $1 and r.relname = $2))
order by c.relpages desc, c.oid
limit $4
