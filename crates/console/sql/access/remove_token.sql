-- Purpose: a token is good for nothing any more.
-- Locks: row exclusive on corridor.token
-- Oldest version: 14
delete from corridor.token where account_id = $1 and name = $2
