-- Purpose: the id of the table that the move made, as recorded by `prepare`; null when there is none.
-- Locks: none
-- Oldest version: 14
select max((o.progress ->> 'target_oid')::bigint)::oid as target_oid
from corridor.operation o
where o.migration_id = $1
  and o.name = 'prepare'
