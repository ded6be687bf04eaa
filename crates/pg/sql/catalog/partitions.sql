-- Purpose: the partitions of a partitioned table, of its own level only, with their bounds.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(jsonb_build_object(
    'oid', c.oid::int8,
    'bounds', pg_get_expr(c.relpartbound, c.oid),
    'is_detach_pending', i.inhdetachpending
) order by c.oid), '[]')::text
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = $1
  and c.relispartition
