-- Purpose: the oldest transaction id that a database needs.
-- Locks: none
-- Oldest version: 14
select min(d.datfrozenxid::text::float8) as oldest
from pg_database d
