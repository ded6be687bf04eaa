-- Purpose: the server's clock.
-- Locks: none
-- Oldest version: 14
select extract(epoch from clock_timestamp())::float8
