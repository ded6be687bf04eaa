-- Purpose: the columns of other tables that reference a table by foreign keys, with their types.
-- Locks: access share on catalogues
-- Oldest version: 14
select distinct
    n.nspname::text as schema_name,
    c.relname::text as table_name,
    a.attname::text as column_name,
    format_type(a.atttypid, a.atttypmod) as type_sql,
    b.attname::text as referenced_name
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
cross join lateral unnest(k.conkey, k.confkey) as pair (own, referenced)
join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.own
join pg_attribute b on b.attrelid = k.confrelid and b.attnum = pair.referenced
where k.confrelid = $1 and k.conrelid <> $1 and k.contype = 'f' and k.conparentid = 0
order by 1, 2, 3
