-- Purpose: the key that a backfill follows: the primary key, else the narrowest unique index on columns that are not null. One
-- row for each column, in the key's order. The table's own name, quoted, is how a statement calls it.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select
    a.attname as column_name,
    format_type(a.atttypid, a.atttypmod) as column_type,
    n.nspname as schema_name,
    c.relname as table_name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join lateral (
    select i.indexrelid, i.indkey, i.indnkeyatts
    from pg_index i
    join pg_class ic on ic.oid = i.indexrelid
    join pg_am am on am.oid = ic.relam
    where i.indrelid = c.oid
      and i.indisunique
      and i.indisvalid
      and i.indpred is null
      and i.indexprs is null
      and am.amname = 'btree'
      and (i.indimmediate or i.indisprimary)
      and not exists (
          select 1
          from generate_series(0, i.indnkeyatts - 1) k
          join pg_attribute ka on ka.attrelid = c.oid and ka.attnum = i.indkey[k]
          where not ka.attnotnull
      )
    order by i.indisprimary desc, i.indnkeyatts, i.indexrelid
    limit 1
) i on true
join lateral generate_series(0, i.indnkeyatts - 1) k (place) on true
join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[k.place]
where c.oid = to_regclass($1)
order by k.place
