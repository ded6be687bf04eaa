-- Purpose: the tokens of one account.
-- Locks: access share on corridor.token
-- Oldest version: 14
select
    name,
    role,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as created_at,
    to_char(seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as seen_at,
    to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as expires_at,
    coalesce(expires_at < clock_timestamp(), false) as is_expired
from corridor.token
where account_id = $1
order by name
limit 200
