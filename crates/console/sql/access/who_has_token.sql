-- Purpose: whose token this is, and what it may do.
-- Locks: access share on corridor.token and corridor.account
-- Oldest version: 14
select
    a.id,
    a.name,
    a.role,
    t.name as token,
    t.role as token_role,
    t.id as token_id,
    coalesce(t.seen_at < clock_timestamp() - interval '1 minute', true) as is_stale
from corridor.token t
join corridor.account a on a.id = t.account_id
where t.digest = $1
  and (t.expires_at is null or t.expires_at > clock_timestamp())
  and not a.is_disabled
