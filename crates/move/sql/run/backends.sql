-- Purpose: the server processes that work for a migration, by their application names.
-- Locks: none
-- Oldest version: 14
select pid
from pg_stat_activity
where application_name like $1
  and datname = current_database()
order by pid
