-- Purpose: the columns of a table that stand in its rows.
-- Locks: none
-- Oldest version: 14
select a.attname::text as name
from pg_attribute a
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum
