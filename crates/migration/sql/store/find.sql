-- Purpose: the id of a migration.
-- Locks: access share on corridor.migration
-- Oldest version: 14
select id
from corridor.migration
where name = $1
