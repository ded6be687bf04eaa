-- Purpose: relations with a name like the one that was not found: the same name elsewhere, in other case, or close.
-- Locks: access share on catalogues
-- Oldest version: 14
select n.nspname::text as schema, c.relname::text as name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg\_toast%'
  and n.nspname not like 'pg\_temp%'
  and (
    lower(c.relname) = lower($2)
    or lower(c.relname) like lower(replace(replace(left($2, 4), '_', '\_'), '%', '\%')) || '%'
    or strpos(lower(c.relname), lower($2)) > 0
    or strpos(lower($2), lower(c.relname)) > 0
  )
order by
    (c.relname = $2) desc,
    (lower(c.relname) = lower($2)) desc,
    (n.nspname = $1) desc,
    abs(length(c.relname) - length($2)),
    c.relname
limit 5
