-- Purpose: settings of all migrations that have no value of their own.
-- Locks: access share on corridor.default_setting
-- Oldest version: 14
select
    key,
    value,
    set_by,
    to_char(set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as set_at
from corridor.default_setting
order by key
