-- Purpose: the first column of a table's primary key.
-- Locks: none
-- Oldest version: 14
select a.attname::text as name
from pg_index i
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where i.indrelid = $1 and i.indisprimary
