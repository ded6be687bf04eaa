/* corridor */
-- Purpose: the greatest replay lag. NULL means caught up and idle. Rows of other roles are blank without pg_monitor.
-- Locks: none
-- Oldest version: 14
select
    coalesce(max(extract(epoch from replay_lag)) filter (where state in ('streaming', 'catchup')), 0)::float8 * 1000
        as figure,
    count(*) filter (where state is null) as hidden
from pg_stat_replication
