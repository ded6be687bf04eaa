-- Purpose: whose cookie this is.
-- Locks: access share on corridor.sign_in and corridor.account
-- Oldest version: 14
select a.id, a.name, a.role, s.seen_at < clock_timestamp() - interval '1 minute' as is_stale
from corridor.sign_in s
join corridor.account a on a.id = s.account_id
where s.digest = $1
  and s.expires_at > clock_timestamp()
  and not a.is_disabled
