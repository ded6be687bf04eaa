-- Purpose: settings of the service that are kept in its home cluster.
-- Locks: access share on corridor.service_setting
-- Oldest version: 14
select
    key,
    value,
    set_by,
    to_char(set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as set_at
from corridor.service_setting
