-- Purpose: make the schema; needs CREATE on the database.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create schema corridor
