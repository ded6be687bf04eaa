-- Purpose: relations whose names may come near to $2 (in schema $1, when one was typed): the same but for case, about as
--          long, or one within the other. Bounded; how near they are is judged by the caller.
-- Locks: access share on catalogues
-- Oldest version: 14
select n.nspname::text as schema, c.relname::text as name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema', 'corridor')
  and n.nspname not like 'pg\_toast%'
  and n.nspname not like 'pg\_temp%'
  and (
    lower(c.relname) = lower($2)
    or abs(length(c.relname) - length($2)) <= 3
    or (length($2) >= 4 and strpos(lower(c.relname), lower($2)) > 0)
    or (length(c.relname) >= 4 and strpos(lower($2), lower(c.relname)) > 0)
  )
order by
    (lower(c.relname) = lower($2)) desc,
    (n.nspname = $1) desc,
    abs(length(c.relname) - length($2)),
    c.relname
limit 10000
