-- Purpose: the names of all migrations, the newest first, to tell what a person may have meant.
-- Locks: access share on corridor.migration
-- Oldest version: 14
select name
from corridor.migration
order by id desc
limit 10000
