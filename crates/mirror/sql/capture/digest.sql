-- Purpose: which capture triggers are on a table and its partitions, by their ids and row versions: a partition that
--          was detached and attached again has others, and switching one off and on again rewrites its row.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select coalesce(md5(string_agg(g.oid::text || ':' || g.xmin::text, ',' order by g.oid)), '') as digest
from pg_trigger g
where g.tgname = any ($2::text[])
  and g.tgrelid in (
    select $1::text::regclass::oid
    union
    select relid from pg_partition_tree($1::text::regclass)
  )
