-- Purpose: how many admins can still come in.
-- Locks: access share on corridor.account
-- Oldest version: 14
select count(*) as admins
from corridor.account
where role = 'admin' and not is_disabled
