-- Purpose: another password.
-- Locks: row exclusive on corridor.account, one row
-- Oldest version: 14
update corridor.account set password_hash = $2, password_set_at = clock_timestamp() where name = $1
