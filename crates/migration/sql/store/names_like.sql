-- Purpose: which of these names are taken.
-- Locks: access share on corridor.migration
-- Oldest version: 14
select name
from corridor.migration
where name = any ($1::text[])
