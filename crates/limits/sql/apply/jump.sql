-- Purpose: take that many object ids of the cluster's counter and use none of them. Superuser. The ids are looked up in
-- the index of pg_class, which is small and cached, and not in that of a TOAST relation.
-- Locks: row exclusive on pg_class
-- Oldest version: 14
select count(pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')) as taken
from generate_series(1, $1::int8)
