-- Purpose: rows (as last analysed; -1 never) and pages of a table and its partitions, for cutting lanes.
--          pg_partition_tree() is empty for a table that is neither partitioned nor a partition.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select
    coalesce(sum(c.reltuples) filter (where c.relkind = 'r'), -1)::real as rows,
    coalesce(sum(pg_relation_size(c.oid)) / current_setting('block_size')::int, 0)::float8 as pages
from (
    select $1::text::regclass::oid as oid
    union
    select relid from pg_partition_tree($1::text::regclass)
) t
join pg_class c on c.oid = t.oid
