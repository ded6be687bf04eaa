-- Purpose: an account may, or may not, come in.
-- Locks: row exclusive on corridor.account, one row
-- Oldest version: 14
update corridor.account set is_disabled = $2 where name = $1
