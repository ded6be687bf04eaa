-- Purpose: note that a token was used, once a minute at most.
-- Locks: row exclusive on corridor.token, one row
-- Oldest version: 14
update corridor.token set seen_at = clock_timestamp() where id = $1
