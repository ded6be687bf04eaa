-- Purpose: one account by its name.
-- Locks: access share on corridor.account
-- Oldest version: 14
select id, name, role, password_hash, is_disabled
from corridor.account
where name = $1
