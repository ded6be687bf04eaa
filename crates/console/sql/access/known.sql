-- Purpose: which of these names are accounts.
-- Locks: access share on corridor.account
-- Oldest version: 14
select name from corridor.account where name = any($1)
