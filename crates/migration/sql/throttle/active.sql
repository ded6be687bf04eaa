/* corridor */
-- Purpose: sessions that run a statement, ours left out. Sessions of other roles are hidden without pg_monitor.
-- Locks: none
-- Oldest version: 14
select
    count(*) filter (
        where state = 'active'
          and backend_type = 'client backend'
          and coalesce(application_name, '') not like 'corridor:%'
    )::float8 as figure,
    count(*) filter (where query = '<insufficient privilege>' and usesysid is not null) as hidden
from pg_stat_activity
