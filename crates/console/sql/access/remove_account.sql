-- Purpose: remove an account, with its sign-ins and tokens.
-- Locks: row exclusive on corridor.account, corridor.sign_in and corridor.token
-- Oldest version: 14
delete from corridor.account where name = $1
