-- Purpose: foreign-key columns that are narrower than the column that they refer to.
-- Locks: none
-- Oldest version: 14
select
    quote_ident(fn.nspname) || '.' || quote_ident(f.relname) as "table",
    fa.attname::text as "column",
    quote_ident(rn.nspname) || '.' || quote_ident(r.relname) as referenced_table,
    ra.attname::text as referenced_column,
    case fa.atttypid when 'int2'::regtype then 32767 else 2147483647 end::float8 as column_max,
    f.relpages::float8 as pages
from pg_constraint k
cross join lateral unnest(k.conkey, k.confkey) u (num, referenced_num)
join pg_attribute fa on fa.attrelid = k.conrelid and fa.attnum = u.num
join pg_attribute ra on ra.attrelid = k.confrelid and ra.attnum = u.referenced_num
join pg_class f on f.oid = k.conrelid
join pg_namespace fn on fn.oid = f.relnamespace
join pg_class r on r.oid = k.confrelid
join pg_namespace rn on rn.oid = r.relnamespace
where k.contype = 'f'
    and k.conparentid = 0
    and ((fa.atttypid = 'int2'::regtype and ra.atttypid in ('int4'::regtype, 'int8'::regtype))
        or (fa.atttypid = 'int4'::regtype and ra.atttypid = 'int8'::regtype))
    and ($1::text is null or (fn.nspname = $1 and f.relname = $2))
order by f.reltuples desc, 1, 2
limit 100
