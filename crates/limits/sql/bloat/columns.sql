-- Purpose: the columns of a relation as they lie in its rows.
-- Locks: none
-- Oldest version: 14
select
    a.attname::text as name,
    a.attlen::int4 as length,
    case a.attalign when 'c' then 1 when 's' then 2 when 'i' then 4 else 8 end::int4 as alignment,
    a.attstorage::text as storage,
    a.attisdropped as is_dropped
from pg_attribute a
where a.attrelid = $1 and a.attnum > 0
order by a.attnum
