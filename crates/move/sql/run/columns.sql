-- Purpose: the columns of a table in their order.
-- Locks: none
-- Oldest version: 14
select attname::text as name
from pg_attribute
where attrelid = $1
  and attnum > 0
  and not attisdropped
order by attnum
