-- Purpose: how many pages a relation has now.
-- Locks: ACCESS SHARE on the relation, for the moment of the look
-- Oldest version: 14
select (pg_relation_size($1::oid::regclass) / current_setting('block_size')::int8)::int8 as pages
