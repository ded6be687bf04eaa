-- Purpose: the name of the database, for those who are told of it.
-- Locks: none
-- Oldest version: 14
select current_database()::text
