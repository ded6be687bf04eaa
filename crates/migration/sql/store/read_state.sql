-- Purpose: the state of one migration.
-- Locks: access share on corridor.migration
-- Oldest version: 14
select state, state_detail::text as state_detail
from corridor.migration
where id = $1
