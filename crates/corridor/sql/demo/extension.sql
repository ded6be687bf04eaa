/* corridor */
-- Purpose: counts buffers by statement, where the installation has it.
-- Locks: none that anybody waits for; the cluster is new
-- Oldest version: 14
create extension if not exists pg_stat_statements
