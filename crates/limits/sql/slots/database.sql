-- Purpose: the name of this database.
-- Locks: none
-- Oldest version: 14
select current_database()::text as name
