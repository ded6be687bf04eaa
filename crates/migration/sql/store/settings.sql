-- Purpose: what was set, by whom and when.
-- Locks: access share on corridor.setting
-- Oldest version: 14
select
    key,
    value,
    set_by,
    to_char(set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as set_at
from corridor.setting
where migration_id = $1
order by key
