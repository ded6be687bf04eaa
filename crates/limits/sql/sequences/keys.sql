-- Purpose: integer keys that no sequence feeds, with the highest value that the last ANALYZE saw.
-- Locks: none
-- Oldest version: 14
with keys as materialized (
    select i.indrelid, a.attnum, a.attname, a.atttypid, n.nspname, c.relname, c.relpages
    from pg_index i
    join pg_class c on c.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indisprimary
        and i.indnkeyatts = 1
        and c.relkind in ('r', 'p')
        and a.atttypid in ('int2'::regtype, 'int4'::regtype)
        and a.attidentity = ''
        and not a.atthasdef
        and n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and ($1::text is null or (n.nspname = $1 and c.relname = $2))
    order by c.reltuples desc
    limit 50
)
select
    quote_ident(k.nspname) || '.' || quote_ident(k.relname) as "table",
    k.attname::text as "column",
    case k.atttypid when 'int2'::regtype then 32767 else 2147483647 end::float8 as column_max,
    k.relpages::float8 as pages,
    (
        select max(h.bounds[array_upper(h.bounds, 1)])::float8
        from (
            select s.histogram_bounds::text::int8[] as bounds
            from pg_stats s
            where s.schemaname = k.nspname and s.tablename = k.relname and s.attname = k.attname
        ) h
    ) as highest
from keys k
