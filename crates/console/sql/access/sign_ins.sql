-- Purpose: the sign-ins of one account.
-- Locks: access share on corridor.sign_in
-- Oldest version: 14
select
    digest = $2 as is_this,
    address,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as created_at,
    to_char(seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as seen_at,
    to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as expires_at
from corridor.sign_in
where account_id = $1 and expires_at > clock_timestamp()
order by seen_at desc
limit 50
