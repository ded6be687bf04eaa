-- Purpose: another role.
-- Locks: row exclusive on corridor.account, one row
-- Oldest version: 14
update corridor.account set role = $2 where name = $1
