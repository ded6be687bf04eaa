-- Purpose: how many of a mirror's capture triggers fire always, on a table and on its partitions at every level.
-- Locks: access share on the table's partitions' catalogue rows only
-- Oldest version: 14
select count(*) as firing
from pg_trigger g
where g.tgname = any ($2::text[])
  and g.tgenabled = 'A'
  and g.tgrelid in (
    select $1::text::regclass::oid
    union
    select relid from pg_partition_tree($1::text::regclass)
  )
