-- Purpose: whether there is a table of accounts.
-- Locks: none
-- Oldest version: 14
select pg_catalog.to_regclass('corridor.account') is not null as is_there
