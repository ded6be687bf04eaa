-- Purpose: note that a sign-in was used, once a minute at most.
-- Locks: row exclusive on corridor.sign_in, one row
-- Oldest version: 14
update corridor.sign_in set seen_at = clock_timestamp() where digest = $1
