/* corridor */
-- Purpose: sessions of this database that wait for a heavyweight lock, ours left out. Everybody may see pg_locks.
-- Locks: none
-- Oldest version: 14
select count(distinct a.pid)::float8 as figure
from pg_locks k
join pg_stat_activity a on a.pid = k.pid
where not k.granted
  and a.datname = current_database()
  and coalesce(a.application_name, '') not like 'corridor:%'
