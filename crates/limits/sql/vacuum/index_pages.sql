-- Purpose: pages of the indexes of some relations.
-- Locks: none
-- Oldest version: 14
select i.indrelid as oid, sum(c.relpages)::float8 as pages
from pg_index i
join pg_class c on c.oid = i.indexrelid
where i.indrelid = any ($1::oid[])
group by i.indrelid
